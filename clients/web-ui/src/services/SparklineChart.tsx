import { type KeyboardEvent, type PointerEvent, useMemo, useRef, useState } from "react";

import { timeOfDay } from "../shared/format";
import { areaPath, currentValue, linePath, lonely, nearest, onGrid, plot, rangeOf } from "./sparkline";
import { type Level, levelOf, levelWord, type Threshold } from "./thresholds";
import type { DataPoint } from "./types";

export interface SparklineChartProps {
  /** what the figures are: "CPU" */
  readonly label: string;
  readonly points: readonly DataPoint[];
  /** how a figure reads, with its unit */
  readonly format: (value: number | null) => string;
  readonly threshold?: Threshold | undefined;
  /** a share of a whole: drawn between 0 and 100 */
  readonly percent?: boolean;
  readonly intervalS?: number;
  readonly width?: number;
  readonly height?: number;
  /** the figures are not of now */
  readonly faded?: boolean;
}

const KEYS: Readonly<Record<string, (at: number, last: number) => number>> = {
  ArrowLeft: (at) => at - 1,
  ArrowDown: (at) => at - 1,
  ArrowRight: (at) => at + 1,
  ArrowUp: (at) => at + 1,
  Home: () => 0,
  End: (_, last) => last,
};

/**
 * Fifteen minutes at a glance. Its colour is that of the current figure; a tooltip gives each point's time and figure
 * to the pointer and to the keyboard (arrows, Home, End; Escape puts it away).
 */
export function SparklineChart(props: SparklineChartProps) {
  const { label, points, format, threshold, percent = false, intervalS = 60, width = 80, height = 30, faded } = props;
  const [shown, setShown] = useState<number>();
  const frame = useRef<HTMLDivElement>(null);
  const large = width > 80;
  const drawn = useMemo(() => {
    const grid = onGrid(points, intervalS);
    const range = rangeOf(grid, percent);
    const box = { width, height, inset: large ? 6 : 3 };
    const plotted = plot(grid, box, range);
    const limits = threshold && large ? [threshold.warning, threshold.critical] : [];
    return {
      plotted,
      path: linePath(plotted),
      area: areaPath(plotted, box.height),
      alone: lonely(plotted),
      limits: limits
        .filter((value): value is number => value !== null && value <= range[1])
        .map((value) => plot([{ timestamp: 0, value }], box, range)[0]?.y ?? 0),
    };
  }, [points, intervalS, percent, width, height, large, threshold]);

  const { plotted, path, area, alone, limits } = drawn;
  const current = currentValue(points);
  const level: Level = levelOf(current, threshold);
  const last = plotted.length - 1;
  const at = shown !== undefined && shown <= last ? shown : undefined;
  const picked = at === undefined ? undefined : plotted[at];
  const spoken = plotted[at ?? last];

  // The small one is given in rem, so that it grows with the text; the large one fills a place that was measured.
  const size = large ? { width, height } : { width: `${width / 16}rem`, height: `${height / 16}rem` };
  if (plotted.every(({ y }) => y === undefined)) {
    return (
      <div className="sparkline sparkline-empty" style={size}>
        <span>no data</span>
      </div>
    );
  }

  const move = (event: PointerEvent) => {
    const box = frame.current?.getBoundingClientRect();
    if (box) setShown(nearest(plotted, ((event.clientX - box.left) / (box.width || width)) * width));
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "Escape" && shown !== undefined) {
      // The drawer around the chart closes on Escape too: the first press is for the tooltip.
      event.stopPropagation();
      setShown(undefined);
      return;
    }
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    setShown(Math.min(last, Math.max(0, step(at ?? last, last))));
  };
  const reading = (point: DataPoint) => `${timeOfDay(point.timestamp * 1000)}, ${format(point.value)}`;

  return (
    <div
      ref={frame}
      className="sparkline"
      data-level={level}
      data-faded={faded ? "" : undefined}
      style={size}
      role="slider"
      tabIndex={0}
      aria-label={`${label}, last ${plotted.length} minutes, ${levelWord(level)}`}
      aria-valuemin={0}
      aria-valuemax={last}
      aria-valuenow={at ?? last}
      aria-valuetext={spoken ? reading(spoken.point) : "no data"}
      aria-readonly="true"
      onPointerMove={move}
      onPointerLeave={() => setShown(undefined)}
      onFocus={(event) => {
        if (event.currentTarget.matches(":focus-visible")) setShown(last);
      }}
      onBlur={() => setShown(undefined)}
      onKeyDown={press}
    >
      <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true" focusable="false">
        {limits.map((y) => (
          <line key={y} className="sparkline-limit" x1={0} x2={width} y1={y} y2={y} />
        ))}
        <path className="sparkline-area" d={area} />
        <path className="sparkline-line" d={path} />
        {alone.map(({ x, y }) => (
          <circle key={x} className="sparkline-dot" cx={x} cy={y} r={1.8} />
        ))}
        {picked ? (
          <>
            <line className="sparkline-cursor" x1={picked.x} x2={picked.x} y1={0} y2={height} />
            {picked.y === undefined ? null : <circle className="sparkline-dot" cx={picked.x} cy={picked.y} r={2.6} />}
          </>
        ) : null}
        {!picked && plotted[last]?.y !== undefined ? (
          <circle className="sparkline-dot" cx={plotted[last].x} cy={plotted[last].y} r={2.2} />
        ) : null}
      </svg>
      {picked ? (
        <div
          className="sparkline-tooltip"
          data-side={picked.x > width * 0.66 ? "left" : picked.x < width * 0.34 ? "right" : "middle"}
          style={{ left: `${(picked.x / width) * 100}%` }}
        >
          <time dateTime={new Date(picked.point.timestamp * 1000).toISOString()}>{timeOfDay(picked.point.timestamp * 1000)}</time>
          <strong>{format(picked.point.value)}</strong>
        </div>
      ) : null}
    </div>
  );
}
