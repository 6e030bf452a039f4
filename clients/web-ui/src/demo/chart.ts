/** The geometry of the throughput chart. Pure: samples in, numbers out. */

import type { WorkloadSample } from "../live/records";
import type { Mark } from "../live/story";

/** The top of the scale over the baseline, so that a steady load does not touch the frame. */
const HEADROOM = 1.15;
/** The top of the scale for a load that does next to nothing. */
const LEAST_TOP = 10;

export interface Box {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Point {
  x: number;
  y: number;
  sample: WorkloadSample;
}

export interface PlacedMark extends Mark {
  x: number;
  /** The left edge of its label. */
  labelX: number;
  /** The row of its label, so that none covers another; below `LEVELS`. */
  level: number;
}

/** Rows of labels. */
export const LEVELS = 3;

export interface ChartGeometry {
  points: Point[];
  /** Stretches in which the load was degraded, as x from and to. */
  degraded: { from: number; to: number }[];
  marks: PlacedMark[];
  baseline: number | null;
  threshold: number | null;
  top: number;
  ticks: { y: number; value: number }[];
  /** Seconds before the newest sample. */
  times: { x: number; ago: number }[];
}

/** Places everything in `box`: the newest sample at the right edge, `spanS` seconds, labels `labelWidth` wide. */
export function geometry(samples: readonly WorkloadSample[], marks: readonly Mark[], box: Box, spanS: number, labelWidth: number): ChartGeometry {
  const last = samples.at(-1);
  const end = last ? last.sampled_at : 0;
  const baseline = last?.baseline ?? null;
  const top = nice(Math.max(...samples.map((one) => one.ops_per_sec), (baseline ?? 0) * HEADROOM, LEAST_TOP));
  const innerWidth = box.width - box.left - box.right;
  const innerHeight = box.height - box.top - box.bottom;
  const x = (at: number) => box.left + innerWidth * (1 - (end - at) / spanS);
  const y = (value: number) => box.top + innerHeight * (1 - Math.min(1, Math.max(0, value / top)));
  const points = samples.filter((one) => end - one.sampled_at <= spanS).map((sample) => ({ x: x(sample.sampled_at), y: y(sample.ops_per_sec), sample }));
  return {
    points,
    degraded: stretches(points, innerWidth / spanS),
    marks: placed(marks, x, box, labelWidth),
    baseline: baseline === null ? null : y(baseline),
    threshold: last?.threshold == null ? null : y(last.threshold),
    top,
    ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => ({ y: y(top * share), value: top * share })),
    times: (innerWidth < labelWidth * 5 ? [0, 60, 120] : [0, 30, 60, 90, 120]).filter((ago) => ago <= spanS).map((ago) => ({ x: x(end - ago), ago })),
  };
}

/** The next of 1, 2, 4, 5, 8, 10 times a power of ten: each is divided by four without an odd rest. */
function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return (([1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10] as const).find((step) => step * power >= value) ?? 10) * power;
}

function stretches(points: readonly Point[], second: number): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = [];
  for (const { x, sample } of points) {
    if (!sample.degraded) continue;
    const open = found.at(-1);
    // Samples are a second apart; two that follow each other are one stretch.
    if (open && x - open.to < second * 1.8) open.to = x;
    else found.push({ from: x - second, to: x });
  }
  return found;
}

function placed(marks: readonly Mark[], x: (at: number) => number, box: Box, labelWidth: number): PlacedMark[] {
  const shown = marks
    .map((mark) => ({ ...mark, x: x(mark.at / 1000) }))
    .filter((mark) => mark.x >= box.left && mark.x <= box.width - box.right + 1)
    .sort((a, b) => a.x - b.x);
  const taken: PlacedMark[] = [];
  for (const mark of shown) {
    // To the right of its line, unless it would leave the picture.
    const labelX = mark.x + labelWidth > box.width ? mark.x - labelWidth : mark.x;
    const covers = (level: number) => taken.some((other) => other.level === level && Math.abs(other.labelX - labelX) < labelWidth);
    let level = 0;
    while (level < LEVELS - 1 && covers(level)) level += 1;
    taken.push({ ...mark, labelX, level });
  }
  return taken;
}

/** The sample nearest to `x`; -1 when there is none. */
export function nearest(points: readonly Point[], x: number): number {
  let best = -1;
  for (const [position, point] of points.entries()) {
    if (best === -1 || Math.abs(point.x - x) < Math.abs((points[best]?.x ?? 0) - x)) best = position;
  }
  return best;
}
