/** How the Services page says what it shows. */
import { milliseconds, number, percent } from "../shared/format";
import type { Tone } from "../shared/StatusGlyph";
import type { Level } from "./thresholds";
import type { ConnectionType, MetricName, ServiceStatus } from "./types";

export const STATUS_TONE: Readonly<Record<ServiceStatus, Tone>> = { healthy: "good", degraded: "warn", unhealthy: "bad" };
export const LEVEL_TONE: Readonly<Record<Level, Tone>> = { ok: "good", warning: "warn", critical: "bad", unknown: "plain" };
export const CONNECTION_WORD: Readonly<Record<ConnectionType, string>> = {
  http: "HTTP",
  redis: "Redis",
  elasticsearch: "Elasticsearch",
};

export interface MetricWords {
  readonly label: string;
  readonly percent: boolean;
  readonly format: (value: number | null | undefined) => string;
}

export const METRIC: Readonly<Record<MetricName, MetricWords>> = {
  cpu: { label: "CPU", percent: true, format: percent },
  memory: { label: "Memory", percent: true, format: percent },
  requests: { label: "Requests", percent: false, format: (value) => perSecond(value) },
  latency: { label: "Latency p50", percent: false, format: milliseconds },
};

/** `128 req/s`. */
export function perSecond(value: number | null | undefined): string {
  const shown = number(value);
  return typeof value === "number" ? `${shown} req/s` : shown;
}

/** How old an answer is: what it said of itself, and the time since it came. */
export function ageOf(answer: { readonly ageSeconds: number }, cameAtMs: number, nowMs: number): number {
  // The clock of a page ticks once a second: an answer may be younger than its last tick.
  return answer.ageSeconds + Math.max(0, nowMs - cameAtMs) / 1000;
}
