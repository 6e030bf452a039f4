/**
 * What a sparkline draws: places for its points, pieces with gaps between them, and the point under the pointer.
 *
 * A figure that is missing leaves a gap: neither a zero nor a line drawn across what nobody measured.
 */
import { area, curveMonotoneX, line } from "d3-shape";

import type { DataPoint } from "./types";

export interface Plotted {
  readonly x: number;
  /** undefined where the figure is missing */
  readonly y: number | undefined;
  readonly point: DataPoint;
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  /** the share of the frame to keep clear above and below the line, px */
  readonly inset: number;
}

const present = (value: number | null | undefined): value is number => typeof value === "number" && Number.isFinite(value);

/** The answer's points on its grid of `intervalS` seconds; an interval without a point gets one without a value. */
export function onGrid(points: readonly DataPoint[], intervalS: number): DataPoint[] {
  const sorted = [...points].sort((a, b) => a.timestamp - b.timestamp);
  const grid: DataPoint[] = [];
  for (const point of sorted) {
    const before = grid.at(-1);
    if (before) {
      const missing = Math.round((point.timestamp - before.timestamp) / intervalS) - 1;
      for (let step = 1; step <= missing; step++) {
        grid.push({ timestamp: before.timestamp + step * intervalS, value: null });
      }
    }
    grid.push({ timestamp: point.timestamp, value: present(point.value) ? point.value : null });
  }
  return grid;
}

/** The figure of now: that of the newest point, null when that one is missing. Never an average, never an older one. */
export function currentValue(points: readonly DataPoint[]): number | null {
  let newest: DataPoint | undefined;
  for (const point of points) if (!newest || point.timestamp >= newest.timestamp) newest = point;
  return newest && present(newest.value) ? newest.value : null;
}

/** The range a line is drawn in: 0 to 100 for a share of a whole, else 0 to a little over the greatest value. */
export function rangeOf(points: readonly DataPoint[], percent: boolean): readonly [number, number] {
  const values = points.map(({ value }) => value).filter(present);
  const greatest = Math.max(0, ...values);
  return [0, percent ? Math.max(100, greatest) : greatest > 0 ? greatest * 1.15 : 1];
}

export function plot(points: readonly DataPoint[], frame: Frame, range: readonly [number, number]): Plotted[] {
  const first = points[0]?.timestamp ?? 0;
  const last = points.at(-1)?.timestamp ?? first;
  const [low, high] = range;
  const tall = frame.height - 2 * frame.inset;
  const wide = frame.width - 2 * frame.inset;
  return points.map((point) => ({
    x: frame.inset + (last > first ? ((point.timestamp - first) / (last - first)) * wide : wide),
    y: present(point.value) ? frame.inset + tall - ((point.value - low) / (high - low || 1)) * tall : undefined,
    point,
  }));
}

/** A smooth line through the points that never swings beyond a measured value, in pieces around the gaps. */
export function linePath(plotted: readonly Plotted[]): string {
  return (
    line<Plotted>()
      .defined(({ y }) => y !== undefined)
      .x(({ x }) => x)
      .y(({ y }) => y ?? 0)
      .curve(curveMonotoneX)
      .digits(1)([...plotted]) ?? ""
  );
}

/** What is below the line, in the same pieces. */
export function areaPath(plotted: readonly Plotted[], floor: number): string {
  return (
    area<Plotted>()
      .defined(({ y }) => y !== undefined)
      .x(({ x }) => x)
      .y0(floor)
      .y1(({ y }) => y ?? 0)
      .curve(curveMonotoneX)
      .digits(1)([...plotted]) ?? ""
  );
}

/** The points that stand between two gaps: a line of one point shows nothing, so these are drawn as dots. */
export function lonely(plotted: readonly Plotted[]): Plotted[] {
  return plotted.filter(
    ({ y }, index) =>
      y !== undefined && plotted[index - 1]?.y === undefined && plotted[index + 1]?.y === undefined,
  );
}

export function nearest(plotted: readonly Plotted[], x: number): number | undefined {
  let best: number | undefined;
  plotted.forEach((each, index) => {
    const other = best === undefined ? undefined : plotted[best];
    if (!other || Math.abs(each.x - x) < Math.abs(other.x - x)) best = index;
  });
  return best;
}
