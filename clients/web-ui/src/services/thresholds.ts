/**
 * Which figures are bad. The table itself comes from the gateway (GET /api/metrics/catalogue), which judges by the same
 * one: nothing here knows a limit.
 */

export type Level = "ok" | "warning" | "critical" | "unknown";

export interface Threshold {
  readonly unit: "percent" | "milliseconds" | "count" | "1/s";
  /** on which side of the limits a figure is bad */
  readonly direction: "above" | "below";
  readonly warning: number | null;
  readonly critical: number | null;
}

export type ThresholdName = "cpu" | "memory" | "disk" | "requests" | "latency" | "pods";
export type Thresholds = Readonly<Record<ThresholdName, Threshold>>;

/** How bad `value` is. A figure that equals a limit has reached it, as the gateway has it. */
export function levelOf(value: number | null | undefined, threshold: Threshold | undefined): Level {
  if (value === null || value === undefined) return "unknown";
  if (!threshold) return "ok";
  const reached = (limit: number | null) =>
    limit !== null && (threshold.direction === "above" ? value >= limit : value <= limit);
  if (reached(threshold.critical)) return "critical";
  return reached(threshold.warning) ? "warning" : "ok";
}

const WORDS: Readonly<Record<Level, string>> = {
  ok: "normal",
  warning: "high",
  critical: "critical",
  unknown: "no current figure",
};

export const levelWord = (level: Level): string => WORDS[level];
