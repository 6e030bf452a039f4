import { area, curveMonotoneX, line } from "d3-shape";
import { useId, useState } from "react";
import type { WorkloadSample } from "../live/records";
import type { Mark, MarkKind } from "../live/story";
import { milliseconds, number, timeOfDay } from "../shared/format";
import { useWidth } from "../shared/hooks";
import { geometry, LEVELS, nearest, type Point } from "./chart";

/** CSS pixels at the usual size of text; they grow with it, as everything does. */
const HEIGHT = 250;
const SPAN_S = 120;
/** Width of the label of a mark. */
const LABEL = 76;
/** Height of all rows of labels, above the scale. */
const LABELS = LEVELS * 14;

const MARK: Record<MarkKind, { letter: string; word: string; tone: string }> = {
  fault: { letter: "F", word: "fault", tone: "fault" },
  detection: { letter: "D", word: "detected", tone: "warn" },
  recovery: { letter: "R", word: "recovered", tone: "good" },
};

const curve = line<Point>()
  .x((point) => point.x)
  .y((point) => point.y)
  .curve(curveMonotoneX);

export interface ThroughputChartProps {
  samples: readonly WorkloadSample[];
  marks: readonly Mark[];
}

/**
 * Successful operations per second over the last two minutes, with the baseline, the alarm threshold, and where the
 * fault, its detection and its recovery fell. The pointer, or the arrow keys, read single samples.
 */
export function ThroughputChart({ samples, marks }: ThroughputChartProps) {
  const [ref, width] = useWidth<HTMLDivElement>(640);
  const [seen, setSeen] = useState<number | null>(null);
  const clip = useId();
  const scale = rootScale();
  const height = HEIGHT * scale;
  const box = { width, height, left: 44 * scale, right: 10 * scale, top: (LABELS + 2) * scale, bottom: 22 * scale };
  const chart = geometry(samples, marks, box, SPAN_S, LABEL * scale);
  const { points } = chart;
  const floor = height - box.bottom;
  const under = area<Point>()
    .x((point) => point.x)
    .y0(floor)
    .y1((point) => point.y)
    .curve(curveMonotoneX);
  const last = points.length - 1;
  // The crosshair stays on its sample while new ones come in from the right.
  const index = seen === null ? -1 : points.findIndex((point) => point.sample.sampled_at === seen);
  const shown = index >= 0 ? points[index] : undefined;
  const look = (position: number) => setSeen(points[Math.min(last, Math.max(0, position))]?.sample.sampled_at ?? null);
  const newest = points[last]?.sample;

  return (
    <div
      className="chart"
      ref={ref}
      role="slider"
      tabIndex={0}
      aria-label="Throughput over the last two minutes; the arrow keys read single samples"
      aria-valuemin={0}
      aria-valuemax={Math.max(0, last)}
      aria-valuenow={index >= 0 ? index : Math.max(0, last)}
      aria-valuetext={words(shown?.sample ?? newest)}
      onKeyDown={(event) => {
        const from = index >= 0 ? index : last;
        const to = { ArrowLeft: from - 1, ArrowRight: from + 1, PageUp: from - 10, PageDown: from + 10, Home: 0, End: last }[event.key];
        if (to !== undefined) {
          event.preventDefault();
          look(to);
        } else if (event.key === "Escape") setSeen(null);
      }}
      onPointerMove={(event) => look(nearest(points, event.clientX - event.currentTarget.getBoundingClientRect().left))}
      onPointerLeave={() => setSeen(null)}
      onBlur={() => setSeen(null)}
    >
      <svg width={width} height={height} aria-hidden="true">
        <clipPath id={clip}>
          <rect x={box.left} y={0} width={Math.max(0, width - box.left - box.right)} height={height} />
        </clipPath>
        {chart.ticks.map(({ y, value }) => (
          <g key={value}>
            <line className="chart-grid" x1={box.left} x2={width - box.right} y1={y} y2={y} />
            <text className="chart-tick" x={box.left - 6} y={y + 4} textAnchor="end">
              {number(value)}
            </text>
          </g>
        ))}
        {chart.times.map(({ x, ago }) => (
          <text key={ago} className="chart-tick" x={x} y={height - 5} textAnchor={ago === 0 ? "end" : ago === SPAN_S ? "start" : "middle"}>
            {ago === 0 ? "now" : `−${ago} s`}
          </text>
        ))}
        <g clipPath={`url(#${clip})`}>
          {chart.degraded.map(({ from, to }) => (
            <rect key={from} className="chart-degraded" x={from} y={box.top} width={Math.max(2, to - from)} height={floor - box.top} />
          ))}
          <path className="chart-area" d={under(points) ?? ""} />
          <path className="chart-line" d={curve(points) ?? ""} />
          {points.map((point) =>
            point.sample.degraded ? <circle key={point.sample.sampled_at} className="chart-bad" cx={point.x} cy={point.y} r="2.4" /> : null,
          )}
        </g>
        {chart.baseline !== null && <Level className="chart-baseline" y={chart.baseline} box={box} label="baseline" />}
        {chart.threshold !== null && <Level className="chart-threshold" y={chart.threshold} box={box} label="alarm below" />}
        {chart.marks.map((mark) => (
          <g key={`${mark.kind}-${mark.at}`} className={`chart-mark tone-${MARK[mark.kind].tone}`} data-mark={mark.kind}>
            <line x1={mark.x} x2={mark.x} y1={box.top - (LABELS - mark.level * 14) * scale} y2={floor} />
            <g transform={`translate(${mark.labelX}, ${box.top - (LABELS - mark.level * 14) * scale}) scale(${scale})`}>
              <rect width={LABEL} height="13" rx="3" />
              <text x="5" y="10">
                <tspan className="chart-mark-letter">{MARK[mark.kind].letter}</tspan> {MARK[mark.kind].word}
              </text>
            </g>
          </g>
        ))}
        {shown && (
          <g className="chart-cross">
            <line x1={shown.x} x2={shown.x} y1={box.top} y2={floor} />
            <circle cx={shown.x} cy={shown.y} r="4" />
          </g>
        )}
      </svg>
      {shown && <Reading point={shown} width={width} />}
      <ul className="visually-hidden" aria-label="Marked on the chart">
        {chart.marks.map((mark) => (
          <li key={`${mark.kind}-${mark.at}`}>
            {timeOfDay(mark.at)} {mark.label}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Level({ className, y, box, label }: { className: string; y: number; box: { left: number; right: number; width: number }; label: string }) {
  return (
    <g className={className}>
      <line x1={box.left} x2={box.width - box.right} y1={y} y2={y} />
      <text x={box.left + 6} y={y - 4}>
        {label}
      </text>
    </g>
  );
}

function Reading({ point, width }: { point: Point; width: number }) {
  const { sample } = point;
  return (
    <div className="chart-reading" style={point.x > width / 2 ? { right: width - point.x + 10 } : { left: point.x + 10 }}>
      <strong>{number(sample.ops_per_sec)} ops/s</strong>
      <span>{timeOfDay(sample.sampled_at * 1000)}</span>
      <span>p99 {milliseconds(worstP99(sample))}</span>
      {sample.errors_per_sec > 0 && <span className="tone-bad">{number(sample.errors_per_sec)} errors/s</span>}
      {sample.degraded && <span className="tone-bad">▼ degraded</span>}
    </div>
  );
}

/** How much larger than usual text is. */
function rootScale(): number {
  const size = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  return Number.isFinite(size) && size > 0 ? size / 16 : 1;
}

function words(sample: WorkloadSample | undefined): string {
  if (!sample) return "no sample yet";
  return `${timeOfDay(sample.sampled_at * 1000)}: ${number(sample.ops_per_sec)} operations per second, ${number(sample.errors_per_sec)} errors per second${sample.degraded ? ", degraded" : ""}`;
}

/** The highest p99 of the operations that were done at all: what the unluckiest kind of request feels. */
export function worstP99(sample: WorkloadSample): number | null {
  const known = Object.values(sample.latency).flatMap((one) => (one.count > 0 && one.p99 !== null ? [one.p99] : []));
  return known.length > 0 ? Math.max(...known) : null;
}
