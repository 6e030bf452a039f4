import { useWidth } from "../shared/hooks";
import { useSparkline } from "./api";
import { SparklineChart } from "./SparklineChart";
import type { Threshold } from "./thresholds";
import type { MetricName } from "./types";
import { METRIC } from "./words";

export interface MetricChartProps {
  readonly service: string;
  /** how people call the service */
  readonly label: string;
  readonly metric: MetricName;
  readonly threshold: Threshold | undefined;
  /** as wide as its place, and taller; else 80 by 30 */
  readonly large?: boolean;
}

/** The last fifteen minutes of one metric of one service, fetched by itself: one that fails leaves the others be. */
export function MetricChart({ service, label, metric, threshold, large = false }: MetricChartProps) {
  const series = useSparkline(service, metric);
  const [frame, width] = useWidth<HTMLDivElement>(large ? 280 : 80);
  const words = METRIC[metric];
  return (
    <div ref={frame} className="services-chart" data-large={large ? "" : undefined}>
      {series.data ? (
        <SparklineChart
          label={`${label} ${words.label}`}
          points={series.data.dataPoints}
          format={words.format}
          threshold={threshold}
          percent={words.percent}
          faded={series.isError || series.data.stale}
          {...(large ? { width, height: 72 } : {})}
        />
      ) : series.isError ? (
        <button type="button" className="services-chart-error" onClick={() => void series.refetch()}>
          {series.isFetching ? "loading…" : "no line: retry"}
          <span className="visually-hidden">
            {" "}
            {label} {words.label}: {series.error.message}
          </span>
        </button>
      ) : (
        <span className="services-chart-skeleton" aria-hidden="true" />
      )}
    </div>
  );
}
