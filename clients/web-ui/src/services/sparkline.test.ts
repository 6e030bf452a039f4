import { expect, test } from "vitest";

import { currentValue, linePath, lonely, nearest, onGrid, plot, rangeOf } from "./sparkline";
import { levelOf } from "./thresholds";
import { thresholds } from "./fixtures";

const minutes = (...values: (number | null)[]) => values.map((value, at) => ({ timestamp: 6000 + 60 * at, value }));
const frame = { width: 80, height: 30, inset: 3 };

test("[US-03] [defect-9] the current figure is that of the newest point, not an average and not an older one", () => {
  expect(currentValue(minutes(95, 96, 97, 12))).toBe(12);
  expect(currentValue(minutes(5, 6, 99))).toBe(99);
  expect(currentValue([...minutes(5, 6, 99)].reverse())).toBe(99);
  expect(currentValue(minutes(5, 6, null))).toBeNull();
  expect(currentValue([])).toBeNull();
});

test("[US-03] [defect-9] a figure that equals a limit has reached it, as for the gateway", () => {
  expect(levelOf(69.9, thresholds.cpu)).toBe("ok");
  expect(levelOf(70, thresholds.cpu)).toBe("warning");
  expect(levelOf(85, thresholds.cpu)).toBe("critical");
  expect(levelOf(0, thresholds.pods)).toBe("critical");
  expect(levelOf(1, thresholds.pods)).toBe("ok");
  expect(levelOf(null, thresholds.cpu)).toBe("unknown");
  expect(levelOf(1e9, thresholds.requests)).toBe("ok");
});

test("[US-03] a missing point leaves a gap, whether it is null or not there at all", () => {
  const withNull = onGrid(minutes(1, null, 3, 4), 60);
  const without = onGrid(minutes(1, null, 3, 4).filter(({ value }) => value !== null), 60);
  expect(without).toEqual(withNull);
  const path = linePath(plot(onGrid(minutes(1, 2, null, 4, 5), 60), frame, [0, 10]));
  expect(path.match(/M/g)).toHaveLength(2);
});

test("[US-03] a point between two gaps is a dot", () => {
  expect(lonely(plot(minutes(null, 2, null, 4, 5), frame, [0, 10])).map(({ point }) => point.value)).toEqual([2]);
});

test("[US-03] fifteen points fill the width, and the line stays within its frame", () => {
  const plotted = plot(minutes(...Array.from({ length: 15 }, (_, at) => (at % 2 ? 100 : 0))), frame, [0, 100]);
  expect(plotted[0]!.x).toBe(3);
  expect(plotted.at(-1)!.x).toBe(77);
  for (const { y } of plotted) expect(y! >= 3 && y! <= 27).toBe(true);
  // Also between the points: the places that the curve is drawn towards are within the frame.
  const drawn = linePath(plotted).match(/-?[\d.]+/g)!.map(Number);
  for (const y of drawn.filter((_, at) => at % 2 === 1)) expect(y >= 3 && y <= 27).toBe(true);
});

test("[US-03] the line is smooth: a curve from each point to the next", () => {
  expect(linePath(plot(minutes(1, 5, 2, 4), frame, [0, 10])).replace(/[^A-Z]/g, "")).toBe("MCCC");
});

test("[US-03] the point nearest to the pointer is the one that is told", () => {
  const plotted = plot(minutes(1, 2, 3), frame, [0, 10]);
  expect([0, 39, 41, 80].map((x) => nearest(plotted, x))).toEqual([0, 1, 1, 2]);
  expect(nearest([], 4)).toBeUndefined();
});

test("[US-03] a percentage is drawn between 0 and 100, other figures up to a little over their greatest", () => {
  expect(rangeOf(minutes(3, 5), true)).toEqual([0, 100]);
  expect(rangeOf(minutes(3, 250), true)).toEqual([0, 250]);
  expect(rangeOf(minutes(0, 100), false)[1]).toBeCloseTo(115);
  expect(rangeOf(minutes(0, null), false)).toEqual([0, 1]);
});
