import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter, Route, Routes } from "react-router";
import { beforeEach, expect, test, vi } from "vitest";

import { REFRESH_MS } from "./api";
import { catalogue, health, healthAnswer } from "./fixtures";
import ServicesPage from "./ServicesPage";
import type { ServicesHealth } from "./types";

type Answer = { status?: number; body: unknown };
const down: Answer = {
  status: 503,
  body: { error: { code: "source_down", message: "the metrics server does not answer", hint: "is it running?" } },
};

let answers: { health: Answer; catalogue: Answer; sparkline: Answer };
let asked: string[];

beforeEach(() => {
  const points = Array.from({ length: 15 }, (_, at) => ({ timestamp: 1_795_000_000 + 60 * at, value: 20 + at }));
  answers = {
    health: { body: healthAnswer(catalogue.nodes.map(({ name }) => health(name))) },
    catalogue: { body: catalogue },
    sparkline: { body: { dataPoints: points, stale: false, ageSeconds: 0, source: "live" } },
  };
  asked = [];
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    const { status = 200, body } = path.includes("sparkline")
      ? answers.sparkline
      : path.endsWith("catalogue")
        ? answers.catalogue
        : answers.health;
    return new Response(JSON.stringify(body), { status });
  });
});

function draw(address = "/services") {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <MemoryRouter initialEntries={[address]}>
        <Routes>
          <Route path="/services/:name?" element={<ServicesPage />} />
        </Routes>
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

const cards = async () => within(await screen.findByRole("region", { name: "Service cards" })).getAllByRole("article");
const answer = (change: Partial<ServicesHealth>) => ({ body: { ...(answers.health.body as ServicesHealth), ...change } });

test("[US-02] there is one card for each service of the catalogue, after a skeleton", async () => {
  draw();
  expect(screen.getAllByTestId("skeleton").length).toBeGreaterThan(0);
  expect(await cards()).toHaveLength(5);
  expect(screen.queryByTestId("skeleton")).toBeNull();
  expect(screen.queryByTestId("mock")).toBeNull();
});

test("[US-04] [defect-11] a source that is down is an error with its message and a retry, and no figure is shown", async () => {
  answers.health = down;
  draw();
  const error = await screen.findByTestId("error");
  expect(error).toHaveTextContent("the metrics server does not answer");
  expect(error).toHaveTextContent("is it running?");
  expect(screen.queryByRole("article")).toBeNull();
  expect(screen.queryByTestId("mock")).toBeNull();
  answers.health = { body: healthAnswer(catalogue.nodes.map(({ name }) => health(name))) };
  await userEvent.click(within(error).getByRole("button", { name: "Try again" }));
  expect(await cards()).toHaveLength(5);
});

test("[US-04] [defect-4] figures from the gateway's cache are marked stale, with their age", async () => {
  answers.health = answer({ stale: true, ageSeconds: 130, source: "cache" });
  draw();
  expect(await screen.findByTestId("stale")).toHaveTextContent(/stale, 2 min 1\d s old/);
  expect(await cards()).toHaveLength(5);
});

test("[US-04] [defect-4] when a refresh fails the last figures stay, marked stale", async () => {
  draw();
  await cards();
  answers.health = down;
  await userEvent.click(screen.getByRole("button", { name: "Refresh" }));
  expect(await screen.findByTestId("stale")).toHaveTextContent("the metrics server does not answer");
  expect(await cards()).toHaveLength(5);
});

test("[defect-11] mocked figures say so in plain sight", async () => {
  answers.health = answer({ source: "mock" });
  draw();
  expect(await screen.findByTestId("mock")).toHaveTextContent("Mock data");
});

test("[US-02] a line that cannot be had leaves the rest of the page be", async () => {
  answers.sparkline = down;
  draw();
  expect(await cards()).toHaveLength(5);
  await waitFor(() => expect(screen.getAllByRole("button", { name: /no line: retry/ })).toHaveLength(10));
});

test("[US-01] the address of a service opens its details, and closing leads back", async () => {
  draw("/services/orchestrator");
  const drawer = await screen.findByRole("dialog", { name: "Orchestrator" });
  expect(within(drawer).getByRole("heading", { name: "Last 15 minutes" })).toBeVisible();
  expect(within(drawer).getByText("calls", { exact: true, selector: "li:nth-child(2) span" })).toBeVisible();
  await userEvent.keyboard("{Escape}");
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
});

test("[US-01] the address of a service that there is not says so", async () => {
  draw("/services/nobody");
  expect(await screen.findByRole("dialog")).toHaveTextContent("There is no service nobody");
});

test("[US-01] [US-02] figures are asked for again every 30 seconds", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  try {
    expect(REFRESH_MS).toBe(30_000);
    draw();
    await cards();
    const lines = () => asked.filter((path) => path.includes("sparkline"));
    await waitFor(() => expect(lines()).toHaveLength(10));
    asked = [];
    await vi.advanceTimersByTimeAsync(REFRESH_MS + 100);
    await waitFor(() => expect(asked.filter((path) => path.endsWith("health"))).toHaveLength(1));
    await waitFor(() => expect(new Set(lines()).size).toBe(10));
  } finally {
    vi.useRealTimers();
  }
});

test("a catalogue without services says how to name some", async () => {
  answers.catalogue = { body: { ...catalogue, nodes: [], connections: [] } };
  draw();
  expect(await screen.findByTestId("empty")).toHaveTextContent("no services");
});
