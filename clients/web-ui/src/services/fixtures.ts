/** Answers of the gateway as tests need them. Used by tests only. */
import type { Thresholds } from "./thresholds";
import type { Catalogue, CatalogueNode, ServiceHealth, ServicesHealth } from "./types";

export const thresholds: Thresholds = {
  cpu: { unit: "percent", direction: "above", warning: 70, critical: 85 },
  memory: { unit: "percent", direction: "above", warning: 70, critical: 85 },
  disk: { unit: "percent", direction: "above", warning: 70, critical: 85 },
  requests: { unit: "1/s", direction: "above", warning: null, critical: null },
  latency: { unit: "milliseconds", direction: "above", warning: 500, critical: 2000 },
  pods: { unit: "count", direction: "below", warning: null, critical: 0 },
};

const node = (name: string, label: string, kind: CatalogueNode["kind"]): CatalogueNode => ({
  name,
  label,
  kind,
  description: null,
  metrics: ["cpu", "memory", "pods", "requests", "latency", "restart"],
});

export const catalogue: Catalogue = {
  title: "Agent platform",
  nodes: [
    node("hitl-ui", "HITL UI", "http"),
    node("orchestrator", "Orchestrator", "http"),
    node("workers", "Workers", "worker"),
    node("redis", "Redis", "redis"),
    node("elasticsearch", "Elasticsearch", "elasticsearch"),
  ],
  connections: [
    { from: "hitl-ui", to: "orchestrator", type: "http" },
    { from: "orchestrator", to: "workers", type: "http" },
    { from: "orchestrator", to: "redis", type: "redis" },
    { from: "workers", to: "redis", type: "redis" },
    { from: "orchestrator", to: "elasticsearch", type: "elasticsearch" },
    { from: "workers", to: "elasticsearch", type: "elasticsearch" },
  ],
  thresholds,
};

export function health(name: string, change: Partial<ServiceHealth> = {}): ServiceHealth {
  return {
    name,
    status: "healthy",
    cpuPercent: 20,
    memoryPercent: 30,
    podCount: 2,
    requestRate: 120,
    latencyP50: 42,
    lastRestart: null,
    reasons: [],
    ...change,
  };
}

export function healthAnswer(services: readonly ServiceHealth[], change: Partial<ServicesHealth> = {}): ServicesHealth {
  return {
    services,
    connections: catalogue.connections,
    timestamp: "2026-11-21T12:00:00Z",
    problems: [],
    stale: false,
    ageSeconds: 1,
    source: "live",
    ...change,
  };
}
