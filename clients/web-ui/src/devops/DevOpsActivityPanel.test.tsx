import { act, fireEvent, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { gateway, refusal, show, type Answer } from "../test/render";
import type { DevOpsActivity } from "./activity";
import { DevOpsActivityPanel } from "./DevOpsActivityPanel";

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const past = (position: number): DevOpsActivity => ({
  id: `p${position}`,
  operation: `Operation ${position}`,
  status: position % 2 ? "failed" : "completed",
  startedAt: ago(600 + position * 60),
  completedAt: ago(558 + position * 60),
  steps: [{ name: "only", status: position % 2 ? "failed" : "completed", ...(position % 2 ? { error: "no" } : {}) }],
});
const current: DevOpsActivity = {
  id: "c",
  operation: "Deploy web",
  status: "in_progress",
  startedAt: ago(30),
  steps: [
    { name: "build", status: "completed" },
    { name: "roll out", status: "running" },
  ],
};

let answer: Answer;
let asked: string[];

async function shown(selected = "") {
  asked = gateway({ "/api/devops": () => answer, "/api/daemons": { body: { daemons: [], control: true } } }).asked;
  show(<DevOpsActivityPanel selected={selected} />);
  await act(() => vi.advanceTimersByTimeAsync(50));
}
const times = () => asked.filter((path) => path.startsWith("/api/devops")).length;

describe("DevOpsActivityPanel", () => {
  beforeEach(() => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    Element.prototype.scrollIntoView = vi.fn();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("[US-05] shows the current operation with its steps", async () => {
    answer = { body: { current, recent: [] } };
    await shown();
    const operation = screen.getByRole("article", { name: "Deploy web" });
    expect(within(operation).getAllByRole("listitem")).toHaveLength(2);
    expect(operation).toHaveTextContent("1 of 2 steps");
  });

  it("[US-05] lists the last operations with status and duration", async () => {
    answer = { body: { current: null, recent: Array.from({ length: 10 }, (_, position) => past(position)) } };
    await shown();
    const rows = document.querySelectorAll(".devops-past > li");
    expect(asked).toContainEqual(expect.stringContaining("limit=10"));
    expect(rows).toHaveLength(10);
    expect(rows[0]).toHaveTextContent("Operation 0");
    expect(rows[0]).toHaveTextContent("completed");
    expect(rows[0]).toHaveTextContent("42 s");
    expect(rows[1]).toHaveTextContent("failed at only");
  });

  it("[US-05] refreshes every ten seconds, and at once on request", async () => {
    answer = { body: { current: null, recent: [] } };
    await shown();
    expect(times()).toBe(1);
    await act(() => vi.advanceTimersByTimeAsync(10_100));
    expect(times()).toBe(2);
    fireEvent.click(screen.getByRole("button", { name: "Refresh" }));
    await act(() => vi.advanceTimersByTimeAsync(50));
    expect(times()).toBe(3);
  });

  it("[US-05] says that there was nothing in the last 24 hours", async () => {
    answer = { body: { current: null, recent: [] } };
    await shown();
    expect(screen.getByText("Nothing in the last 24 hours")).toBeVisible();
    expect(screen.getByText("No operation is running")).toBeVisible();
  });

  it("[US-08] [defect-11] shows the error of a bus that is down, with a retry, and no made-up data", async () => {
    answer = refusal(503, "unavailable", "the daemon cannot be reached", "start it");
    await shown();
    expect(screen.getByRole("alert")).toHaveTextContent("the daemon cannot be reached");
    expect(document.querySelectorAll(".devops-past > li, article")).toHaveLength(0);
    answer = { body: { current, recent: [] } };
    fireEvent.click(screen.getByRole("button", { name: "Try again" }));
    await act(() => vi.advanceTimersByTimeAsync(50));
    expect(screen.getByRole("article", { name: "Deploy web" })).toBeInTheDocument();
  });

  it("[US-05] keeps what it has, marked stale with its age, when a refresh fails", async () => {
    answer = { body: { current, recent: [] } };
    await shown();
    answer = refusal(503, "unavailable", "the daemon cannot be reached");
    await act(() => vi.advanceTimersByTimeAsync(11_500));
    expect(screen.getByTestId("stale")).toHaveTextContent(/stale, 1[01] s old/);
    expect(screen.getByRole("article", { name: "Deploy web" })).toBeInTheDocument();
  });

  it("[US-05] shows a skeleton until the first answer", () => {
    vi.stubGlobal("fetch", () => new Promise(() => undefined));
    show(<DevOpsActivityPanel />);
    expect(screen.getAllByTestId("skeleton").length).toBeGreaterThan(0);
  });

  it("refuses an answer that is none, instead of calling it empty", async () => {
    answer = { body: { something: "else" } };
    await shown();
    expect(screen.getByRole("alert")).toHaveTextContent("not what was asked for");
  });

  it("[US-07] opens the operation that the banner points to", async () => {
    answer = { body: { current: null, recent: [past(0), past(1)] } };
    await shown("p1");
    expect(document.querySelectorAll("details[open]")).toHaveLength(1);
    expect(document.querySelector("details[open]")).toHaveTextContent("Operation 1");
  });
});
