import { render, screen } from "@testing-library/react";
import { MemoryRouter } from "react-router";
import { expect, test } from "vitest";

import { catalogue, health, thresholds } from "./fixtures";
import { ServiceCard } from "./ServiceCard";
import type { ServiceHealth } from "./types";

const NOW_MS = Date.parse("2026-11-21T12:00:00Z");
const HOUR_MS = 3_600_000;

function draw(name: string, change: Partial<ServiceHealth> = {}) {
  const node = catalogue.nodes.find((each) => each.name === name)!;
  render(
    <MemoryRouter>
      <ServiceCard
        node={node}
        service={health(name, change)}
        thresholds={thresholds}
        href={`/services/${name}`}
        nowMs={NOW_MS}
        chart={(metric) => <span>chart of {metric}</span>}
      />
    </MemoryRouter>,
  );
  return screen.getByRole("article", { name: node.label });
}

test("[US-02] a card says status, CPU, memory and pods, and has both charts", () => {
  const card = draw("redis", { cpuPercent: 41.6, memoryPercent: 55, podCount: 3 });
  for (const text of ["healthy", "42 %", "55 %", "chart of cpu", "chart of memory", "3"]) {
    expect(card).toHaveTextContent(text);
  }
});

test("[US-02] request rate and median latency stand on services that speak HTTP only", () => {
  expect(draw("orchestrator")).toHaveTextContent(/Requests120 req\/sp5042\.0 ms/);
  expect(draw("redis")).not.toHaveTextContent(/req\/s|p50/);
});

test("[US-02] a CPU at or over its warning limit turns the border yellow and says so in words", () => {
  expect(draw("workers", { cpuPercent: 69.9 })).not.toHaveAttribute("data-spike");
  const spike = draw("redis", { cpuPercent: 70, status: "degraded" });
  expect(spike).toHaveAttribute("data-spike");
  expect(spike).toHaveTextContent("CPU spike");
});

test("[US-02] no pods is a warning", () => {
  expect(draw("workers", { podCount: 0, status: "unhealthy" })).toHaveTextContent("no pods");
});

test("[US-02] [defect-6] a restart is told while it is younger than 24 hours", () => {
  const ago = (ms: number) => ({ lastRestart: new Date(NOW_MS - ms).toISOString() });
  expect(draw("workers", ago(2 * HOUR_MS))).toHaveTextContent("restarted 2 h 00 min ago");
  expect(draw("redis", ago(24 * HOUR_MS))).not.toHaveTextContent("restarted");
  expect(draw("hitl-ui", { lastRestart: null })).not.toHaveTextContent("restarted");
});

test("[US-04] [defect-6] what is not known is a dash, never a zero", () => {
  const card = draw("orchestrator", { cpuPercent: null, memoryPercent: null, requestRate: null, latencyP50: null });
  expect(card).toHaveTextContent(/CPU–/);
  expect(card).not.toHaveTextContent(/\b0 %/);
});
