import { act, fireEvent, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { MemoryRouter } from "react-router";
import { expect, test, vi } from "vitest";

import { thresholds } from "../services/fixtures";
import { ApiFailure } from "../shared/api";
import { ClusterOverview } from "./ClusterOverview";
import { clusterHealth, node } from "./fixtures";
import { Logs } from "./Logs";
import { NodesPanel } from "./NodesPanel";
import { SearchField } from "./SearchField";
import type { ClusterHealth, ClusterNode } from "./types";
import { NODES_USUAL } from "./view";

const NOW_MS = Date.parse("2026-11-21T12:00:00Z");
const down = new ApiFailure(503, "kubernetes_down", "The API server does not answer.", "Is it up?");

const overview = (health: ClusterHealth | undefined, error: unknown = null, onRetry = vi.fn()) =>
  render(<ClusterOverview health={health} error={error} onRetry={onRetry} retrying={false} thresholds={thresholds} />);

test("[US-10] the overview says nodes ready, pods running, pending and failed, CPU and memory", () => {
  const { container } = overview(clusterHealth);
  expect(container).toHaveTextContent("498 of 500");
  expect(container).toHaveTextContent("9,400 of 10,000");
  expect(container).toHaveTextContent("200 pending");
  expect(container).toHaveTextContent("150 failed");
  expect(container).toHaveTextContent("30 %");
  expect(container).toHaveTextContent("88 %critical");
  expect(container).toHaveTextContent("node-7 is not ready");
});

test("[US-10] [defect-5] a usage that nobody measured is a dash, not a guess", () => {
  const { container } = overview({ ...clusterHealth, cpuUsagePercent: null });
  expect(container).toHaveTextContent("CPU–the metrics API gives no figure");
});

test("[US-10] first a skeleton, and an error has a retry", async () => {
  const { unmount } = overview(undefined);
  expect(screen.getAllByTestId("skeleton")).toHaveLength(5);
  unmount();
  const retry = vi.fn();
  overview(undefined, down, retry);
  expect(screen.getByRole("alert")).toHaveTextContent("The API server does not answer.");
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(retry).toHaveBeenCalledOnce();
});

const many = Array.from({ length: 23 }, (_, at) =>
  node(`node-${at}`, {
    status: at === 5 ? "NotReady" : "Ready",
    usage: { cpuPercent: at === 7 ? null : (at * 37) % 100, memoryPercent: at, diskPercent: 99 - at, podsCount: at },
  }),
);

function Nodes({ nodes = many, error = null }: { nodes?: readonly ClusterNode[]; error?: unknown }) {
  const [view, setView] = useState(NODES_USUAL);
  return (
    <MemoryRouter>
      <NodesPanel
        nodes={error ? undefined : nodes}
        error={error}
        onRetry={vi.fn()}
        retrying={false}
        view={view}
        onView={(change) => setView({ ...view, page: 1, ...change })}
        thresholds={thresholds}
        hrefOf={(name) => `/kubernetes/nodes/${name}`}
        nowMs={NOW_MS}
      />
    </MemoryRouter>
  );
}

const rows = () => screen.getAllByRole("row").slice(1).map((row) => within(row).getByRole("rowheader").textContent);

test("[US-11] a node's row says status, roles and usage of CPU, memory, disk and pods, and leads to its details", () => {
  render(<Nodes nodes={[node("node-1")]} />);
  const row = screen.getAllByRole("row")[1]!;
  for (const text of ["Ready", "worker", "20 %", "72 %", "90 %", "12 / 110", "v1.34.4", "20 d 0 h"]) {
    expect(row).toHaveTextContent(text);
  }
  expect(within(row).getByText("72 %").closest(".meter")).toHaveClass("tone-warn");
  expect(within(row).getByText("90 %").closest(".meter")).toHaveClass("tone-bad");
  expect(within(row).getByRole("link", { name: "node-1" })).toHaveAttribute("href", "/kubernetes/nodes/node-1");
});

test("[US-11] the status filter leaves the nodes of that status, and says how many there are of each", async () => {
  render(<Nodes />);
  expect(screen.getByRole("button", { name: "Ready 22" })).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "NotReady 1" }));
  expect(rows()).toEqual(["node-5"]);
  await userEvent.click(screen.getByRole("button", { name: "Unknown 0" }));
  expect(screen.getByTestId("empty")).toHaveTextContent("No node is Unknown");
});

test("[US-11] every column of the nodes sorts both ways, and what is not known comes last", async () => {
  render(<Nodes />);
  const header = (name: string) => screen.getByRole("columnheader", { name: new RegExp(`^${name}`) });
  for (const name of ["Status", "Roles", "Memory", "Disk", "Pods", "Version", "Age", "CPU", "Name"]) {
    await userEvent.click(within(header(name)).getByRole("button"));
    expect(header(name)).toHaveAttribute("aria-sort", "ascending");
  }
  expect(rows().slice(0, 3)).toEqual(["node-0", "node-1", "node-2"]);
  await userEvent.click(within(header("Pods")).getByRole("button"));
  await userEvent.click(within(header("Pods")).getByRole("button"));
  expect(rows()[0]).toBe("node-22");
  for (const way of ["ascending", "descending"]) {
    await userEvent.click(within(header("CPU")).getByRole("button"));
    expect(header("CPU")).toHaveAttribute("aria-sort", way);
    await userEvent.click(screen.getByRole("button", { name: "Last page" }));
    expect(rows().at(-1)).toBe("node-7");
  }
});

test("[US-11] the nodes come a page at a time with their true total", async () => {
  render(<Nodes />);
  expect(rows()).toHaveLength(10);
  expect(screen.getByRole("status")).toHaveTextContent("1–10 of 23 nodes");
  await userEvent.click(screen.getByRole("button", { name: "Last page" }));
  expect(screen.getByRole("status")).toHaveTextContent("21–23 of 23 nodes");
  expect(rows()).toHaveLength(3);
});

test("[US-11] [defect-11] nodes that cannot be had are an error with a retry", () => {
  render(<Nodes error={down} />);
  expect(screen.getByTestId("error")).toHaveTextContent("Nodes could not be loaded");
  expect(screen.queryByRole("table")).toBeNull();
});

test("[US-12] a search counts once the typing has paused, and follows the address", () => {
  vi.useFakeTimers();
  try {
    const onSearch = vi.fn();
    const { rerender } = render(<SearchField label="Search" value="" onSearch={onSearch} />);
    const field = screen.getByRole("searchbox");
    const pause = (ms = 300) => {
      act(() => {
        vi.advanceTimersByTime(ms);
      });
    };
    for (const value of ["a", "ap", "api"]) {
      fireEvent.change(field, { target: { value } });
      pause(200);
    }
    expect(onSearch).not.toHaveBeenCalled();
    pause();
    expect(onSearch.mock.calls).toEqual([["api"]]);
    // The address follows later, when more has been typed already: that must not be lost.
    fireEvent.change(field, { target: { value: "api-2" } });
    rerender(<SearchField label="Search" value="api" onSearch={onSearch} />);
    expect(field).toHaveValue("api-2");
    pause();
    expect(onSearch).toHaveBeenLastCalledWith("api-2");
    rerender(<SearchField label="Search" value="api-2" onSearch={onSearch} />);
    rerender(<SearchField label="Search" value="other" onSearch={onSearch} />);
    expect(field).toHaveValue("other");
  } finally {
    vi.useRealTimers();
  }
});

test("[US-12] a log is followed until one scrolls up, and again from its end on", () => {
  const log = (lines: string[]) => ({ container: "main", lines, truncated: false, problem: null });
  const drawn = (lines: string[]) => (
    <Logs
      log={log(lines)}
      error={null}
      onRetry={vi.fn()}
      retrying={false}
      containers={["main"]}
      container="main"
      onContainer={vi.fn()}
      pod="api"
    />
  );
  const { rerender } = render(drawn(["one"]));
  const view = screen.getByRole("region", { name: "Log of main" });
  Object.defineProperties(view, { scrollHeight: { value: 1000 }, clientHeight: { value: 200 } });
  rerender(drawn(["one", "two"]));
  expect(view.scrollTop).toBe(1000);
  view.scrollTop = 300;
  view.dispatchEvent(new Event("scroll", { bubbles: true }));
  rerender(drawn(["one", "two", "three"]));
  expect(view.scrollTop).toBe(300);
});
