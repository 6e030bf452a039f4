import { fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { percent, timeOfDay } from "../shared/format";
import { thresholds } from "./fixtures";
import { SparklineChart } from "./SparklineChart";

const START_S = 1_795_000_000;
const minutes = (...values: (number | null)[]) => values.map((value, at) => ({ timestamp: START_S + 60 * at, value }));
const draw = (...values: (number | null)[]) =>
  render(<SparklineChart label="Redis CPU" points={minutes(...values)} format={percent} threshold={thresholds.cpu} percent />);
const chart = () => screen.getByRole("slider", { name: /Redis CPU/ });

test("[US-03] [defect-9] its colour is the current figure's: green after a bad quarter of an hour, red at once in a good one", () => {
  const { unmount } = draw(...Array<number>(14).fill(99), 5);
  expect(chart()).toHaveAttribute("data-level", "ok");
  unmount();
  const second = draw(...Array<number>(14).fill(5), 99);
  expect(chart()).toHaveAttribute("data-level", "critical");
  second.unmount();
  draw(...Array<number>(14).fill(5), 75);
  expect(chart()).toHaveAttribute("data-level", "warning");
});

test("[US-03] without a current figure it has no verdict", () => {
  draw(99, 99, null);
  expect(chart()).toHaveAttribute("data-level", "unknown");
});

test("[US-03] it is 80 by 30", () => {
  draw(1, 2, 3);
  expect(chart().querySelector("svg")).toHaveAttribute("viewBox", "0 0 80 30");
  expect(chart()).toHaveStyle({ width: "5rem", height: "1.875rem" });
});

test("[US-03] the pointer is told the time and the figure of a point", () => {
  draw(10, 20, 30);
  chart().getBoundingClientRect = () => new DOMRect(100, 0, 80, 30);
  fireEvent.pointerMove(chart(), { clientX: 140, clientY: 10 });
  expect(chart()).toHaveTextContent(`${timeOfDay((START_S + 60) * 1000)}20 %`);
  fireEvent.pointerLeave(chart());
  expect(chart()).not.toHaveTextContent("20 %");
});

test("[US-03] the keyboard goes from point to point, a gap says so, and Escape puts the tooltip away", async () => {
  const user = userEvent.setup();
  draw(10, null, 30);
  await user.tab();
  expect(chart()).toHaveFocus();
  await user.keyboard("{ArrowLeft}");
  expect(chart()).toHaveAttribute("aria-valuetext", `${timeOfDay((START_S + 60) * 1000)}, –`);
  await user.keyboard("{ArrowLeft}");
  expect(chart()).toHaveAttribute("aria-valuetext", expect.stringContaining("10 %"));
  await user.keyboard("{End}");
  expect(chart()).toHaveTextContent("30 %");
  await user.keyboard("{Escape}");
  expect(chart()).not.toHaveTextContent("30 %");
});

test("[US-03] when nothing was measured it says so instead of drawing a line", () => {
  draw(null, null, null);
  expect(screen.getByText("no data")).toBeVisible();
});
