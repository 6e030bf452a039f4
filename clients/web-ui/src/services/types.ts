/** The contracts of /api/metrics (docs/console-services.md), as the gateway sends them. */
import type { Thresholds } from "./thresholds";

export type ServiceStatus = "healthy" | "degraded" | "unhealthy";
export type ConnectionType = "http" | "redis" | "elasticsearch";
export type MetricName = "cpu" | "memory" | "requests" | "latency";

/** Where an answer came from: read now, kept from before, or made up for development. */
export type Source = "live" | "cache" | "mock";

export interface Freshness {
  readonly stale: boolean;
  readonly ageSeconds: number;
  readonly source: Source;
}

export interface ServiceHealth {
  readonly name: string;
  readonly status: ServiceStatus;
  /** percent of the limit; null when there is no limit or no figure */
  readonly cpuPercent: number | null;
  readonly memoryPercent: number | null;
  readonly podCount: number | null;
  /** requests per second; only services that speak HTTP have one */
  readonly requestRate?: number | null;
  /** ms */
  readonly latencyP50?: number | null;
  /** ISO 8601 */
  readonly lastRestart?: string | null;
  /** why it is not healthy, in words */
  readonly reasons?: readonly string[];
}

/** A query of the catalogue that the metrics server refuses. */
export interface CatalogueProblem {
  readonly service: string;
  readonly metric: string;
  readonly message: string;
}

export interface ServiceConnection {
  readonly from: string;
  readonly to: string;
  readonly type: ConnectionType;
}

export interface ServicesHealth extends Freshness {
  readonly services: readonly ServiceHealth[];
  readonly connections: readonly ServiceConnection[];
  readonly timestamp: string;
  readonly problems?: readonly CatalogueProblem[];
}

export interface DataPoint {
  /** seconds since 1970 */
  readonly timestamp: number;
  readonly value: number | null;
}

export interface Sparkline extends Freshness {
  readonly service: string;
  readonly metric: MetricName;
  readonly dataPoints: readonly DataPoint[];
  readonly interval: string;
  readonly duration: string;
}

export interface CatalogueNode {
  readonly name: string;
  readonly label: string;
  readonly kind: "http" | "worker" | "redis" | "elasticsearch" | "other";
  readonly description: string | null;
  /** those that it has a query for */
  readonly metrics: readonly string[];
}

export interface Catalogue {
  readonly title: string;
  readonly nodes: readonly CatalogueNode[];
  readonly connections: readonly ServiceConnection[];
  readonly thresholds: Thresholds;
}

/** Whether request rate and latency are figures of such a service: one that speaks HTTP, or whose kind says nothing. */
export function hasTraffic({ kind, metrics }: CatalogueNode): boolean {
  return kind === "http" || (kind === "other" && (metrics.includes("requests") || metrics.includes("latency")));
}
