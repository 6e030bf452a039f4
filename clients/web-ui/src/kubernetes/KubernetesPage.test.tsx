import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter, Route, Routes, useLocation } from "react-router";
import { beforeEach, expect, test, vi } from "vitest";

import { catalogue } from "../services/fixtures";
import { REFRESH_MS } from "./api";
import { clusterHealth, node, nodesAnswer, pod, podDetail, podsAnswer } from "./fixtures";
import KubernetesPage from "./KubernetesPage";
import type { PodsAnswer } from "./types";

const down = { error: { code: "kubernetes_down", message: "The API server does not answer.", hint: "Is it up?" } };
let pods: PodsAnswer;
let failing: (path: string) => boolean;
let asked: string[];

beforeEach(() => {
  pods = podsAnswer(
    Array.from({ length: 50 }, (_, at) => pod(`api-${at}`, at === 3 ? { reason: "CrashLoopBackOff" } : {})),
    { total: 10_000 },
  );
  failing = () => false;
  asked = [];
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    const body = failing(path)
      ? down
      : path.includes("/log?")
        ? { container: "main", lines: ["first line", "last line"], truncated: false, problem: null }
        : path.startsWith("/api/k8s/pods/")
          ? podDetail(pod("api-3", { reason: "CrashLoopBackOff" }))
          : path.startsWith("/api/k8s/pods")
            ? pods
            : path.startsWith("/api/k8s/nodes")
              ? nodesAnswer([node("node-1")])
              : path.startsWith("/api/k8s/health")
                ? clusterHealth
                : catalogue;
    return new Response(JSON.stringify(body), { status: failing(path) ? 503 : 200 });
  });
});

const Address = () => {
  const { pathname, search } = useLocation();
  return <output data-testid="address">{pathname + search}</output>;
};

function draw(address = "/kubernetes") {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <MemoryRouter initialEntries={[address]}>
        <Address />
        <Routes>
          <Route path="/kubernetes" element={<KubernetesPage />} />
          <Route path="/kubernetes/pods/:namespace/:name" element={<KubernetesPage />} />
          <Route path="/kubernetes/nodes/:node" element={<KubernetesPage />} />
        </Routes>
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

const address = () => screen.getByTestId("address").textContent;
const table = async () => await screen.findByRole("table", { name: "Pods of the cluster" });
const lastAsked = () => asked.filter((path) => path.startsWith("/api/k8s/pods?")).at(-1);

test("[US-12] the pods' rows say name, namespace, status with its reason, node and restarts, with the true total", async () => {
  draw();
  const row = within(await table()).getAllByRole("row")[4]!;
  for (const text of ["api-3", "default", "Running CrashLoopBackOff", "1/2", "4", "node-1", "10.0.0.9", "ReplicaSet/main-1", "3d"]) {
    expect(row).toHaveTextContent(text);
  }
  expect(screen.getByText("1–50 of 10,000 pods")).toBeVisible();
  expect(screen.getByText("Page 1 of 200")).toBeVisible();
});

test("[US-12] filters, search, sort and page go to the address and from it to the gateway", async () => {
  const user = userEvent.setup();
  draw();
  await table();
  await user.selectOptions(within(screen.getByRole("search")).getByLabelText("Namespace"), "staging");
  await user.type(screen.getByRole("searchbox"), "api{Enter}");
  await user.click(within(screen.getByRole("columnheader", { name: /Restarts/ })).getByRole("button"));
  await waitFor(() => expect(address()).toBe("/kubernetes?namespace=staging&search=api&sort=restarts"));
  await user.click(within(screen.getByRole("navigation", { name: "Pages of pods" })).getByRole("button", { name: "Next page" }));
  await waitFor(() =>
    expect(lastAsked()).toBe("/api/k8s/pods?sort=restarts&order=asc&limit=50&offset=50&namespace=staging&search=api"),
  );
});

test("[US-12] the filters of status and node are asked for, too", async () => {
  const user = userEvent.setup();
  draw();
  await table();
  const filters = within(screen.getByRole("search"));
  await user.selectOptions(filters.getByLabelText("Status"), "Failed");
  await waitFor(() => expect(lastAsked()).toMatch(/&status=Failed$/));
  await user.selectOptions(filters.getByLabelText("Node"), "node-1");
  await waitFor(() => expect(lastAsked()).toMatch(/&status=Failed&nodeName=node-1$/));
});

test("[US-12] an address shows the same again", async () => {
  draw("/kubernetes?status=Failed&nodeName=node-9&sort=age&order=desc&page=2&size=25");
  await table();
  expect(lastAsked()).toBe("/api/k8s/pods?sort=age&order=desc&limit=25&offset=25&status=Failed&nodeName=node-9");
  const age = within(await table()).getByRole("columnheader", { name: /Age/ });
  expect(age).toHaveAttribute("aria-sort", "descending");
});

test("[US-12] a page behind the last one becomes the last one", async () => {
  pods = podsAnswer([], { total: 60 });
  draw("/kubernetes?page=9");
  await waitFor(() => expect(address()).toBe("/kubernetes?page=2"));
});

test("[US-12] filters that nothing fits say so and can be cleared", async () => {
  pods = podsAnswer([]);
  draw("/kubernetes?search=nothing&namespace=staging&sort=age");
  await userEvent.click(await screen.findByRole("button", { name: "Clear the filters" }));
  await waitFor(() => expect(address()).toBe("/kubernetes?sort=age"));
});

test("[US-13] [defect-11] a cluster that is down is an error in each panel, with a retry and without invented data", async () => {
  failing = (path) => path.startsWith("/api/k8s");
  draw();
  await waitFor(() => expect(screen.getAllByTestId("error")).toHaveLength(3));
  expect(screen.queryByRole("table")).toBeNull();
  expect(screen.queryByTestId("mock")).toBeNull();
  failing = () => false;
  await userEvent.click(within(screen.getAllByTestId("error").at(-1)!).getByRole("button", { name: "Try again" }));
  expect(await table()).toBeVisible();
});

test("[US-10] [US-13] what was read before stays when a refresh fails, marked stale", async () => {
  draw();
  await table();
  failing = (path) => path.startsWith("/api/k8s");
  await userEvent.click(screen.getByRole("button", { name: "Refresh" }));
  await waitFor(() => expect(screen.getAllByTestId("stale")).toHaveLength(3));
  expect(await table()).toBeVisible();
});

test("[US-13] a mocked cluster says so in plain sight", async () => {
  pods = { ...pods, source: "mock" };
  draw();
  expect(await screen.findByTestId("mock")).toHaveTextContent("Mock data");
});

test("[US-12] a pod's drawer has info, containers, events and logs, and its tab stands in the address", async () => {
  const user = userEvent.setup();
  draw("/kubernetes/pods/default/api-3?namespace=default");
  const drawer = await screen.findByRole("dialog", { name: "api-3" });
  expect(await within(drawer).findByText("Running, CrashLoopBackOff")).toBeVisible();
  await user.click(within(drawer).getByRole("tab", { name: /^Containers/ }));
  expect(drawer).toHaveTextContent("terminated, OOMKilled, exit code 137");
  await user.keyboard("{ArrowRight}");
  expect(await within(drawer).findByText("Back-off restarting failed container")).toBeVisible();
  await user.click(within(drawer).getByRole("tab", { name: "Logs" }));
  expect(await within(drawer).findByText(/last line/)).toBeVisible();
  expect(address()).toBe("/kubernetes/pods/default/api-3?namespace=default&tab=logs");
  await user.keyboard("{Escape}");
  await waitFor(() => expect(address()).toBe("/kubernetes?namespace=default"));
});

test("[US-10] [US-11] [US-12] cluster, nodes and pods are asked for again every 30 seconds", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  try {
    expect(REFRESH_MS).toBe(30_000);
    draw();
    await table();
    asked = [];
    await vi.advanceTimersByTimeAsync(REFRESH_MS + 100);
    await waitFor(() => {
      for (const start of ["/api/k8s/health", "/api/k8s/nodes", "/api/k8s/pods?"]) {
        expect(asked.some((path) => path.startsWith(start))).toBe(true);
      }
    });
  } finally {
    vi.useRealTimers();
  }
});
