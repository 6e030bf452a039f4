import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { Route, Routes, useLocation } from "react-router";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { gateway, show } from "../test/render";
import type { ActivityAnswer, DevOpsActivity } from "./activity";
import { DevOpsNotificationBanner } from "./DevOpsNotificationBanner";
import { useDismissed } from "./dismissed";

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();

const running = (): DevOpsActivity => ({
  id: "a1",
  operation: "Deploy web",
  status: "in_progress",
  startedAt: ago(20),
  steps: [
    { name: "build", status: "completed" },
    { name: "roll out", status: "running" },
  ],
});
const completed = (): DevOpsActivity => ({ ...running(), status: "completed", completedAt: ago(0) });
const failed = (): DevOpsActivity => ({
  ...running(),
  status: "failed",
  completedAt: ago(0),
  steps: [{ name: "build", status: "failed", error: "disk is full" }],
});

let answer: ActivityAnswer;

function Where() {
  return <p data-testid="where">{useLocation().pathname + useLocation().search}</p>;
}

async function shown() {
  gateway({ "/api/devops": () => ({ body: answer }), "/api/daemons": { body: { daemons: [], control: true } } });
  const result = show(
    <>
      <DevOpsNotificationBanner />
      <Routes>
        <Route path="*" element={<Where />} />
      </Routes>
    </>,
  );
  await act(() => vi.advanceTimersByTimeAsync(50));
  return result;
}

async function told(next: ActivityAnswer, client: Awaited<ReturnType<typeof shown>>["client"]) {
  answer = next;
  await act(async () => {
    await client.invalidateQueries({ queryKey: ["devops"] });
    await vi.advanceTimersByTimeAsync(50);
  });
}

const banner = () => screen.queryByTestId("devops-banner");

describe("DevOpsNotificationBanner", () => {
  beforeEach(() => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    sessionStorage.clear();
    useDismissed.setState({ dismissed: new Set() });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("[US-07] names the operation and its current step, in blue, while it runs", async () => {
    answer = { current: running(), recent: [] };
    await shown();
    expect(banner()).toHaveAttribute("data-tone", "info");
    expect(banner()).toHaveTextContent("Deploy web in progress");
    expect(banner()).toHaveTextContent("step 2 of 2: roll out");
    expect(screen.getByRole("status")).toHaveTextContent("Deploy web");
  });

  it("[US-07] turns green when it succeeded and goes by itself after ten seconds", async () => {
    answer = { current: running(), recent: [] };
    const { client } = await shown();
    await told({ current: null, recent: [completed()] }, client);
    expect(banner()).toHaveAttribute("data-tone", "good");
    await act(() => vi.advanceTimersByTimeAsync(9_000));
    expect(banner()).not.toBeNull();
    await act(() => vi.advanceTimersByTimeAsync(1_500));
    expect(banner()).toBeNull();
  });

  it("[US-07] [defect-8] keeps a failure, in red and with its error, until it is dismissed", async () => {
    answer = { current: running(), recent: [] };
    const { client } = await shown();
    await told({ current: null, recent: [failed()] }, client);
    expect(banner()).toHaveAttribute("data-tone", "bad");
    await act(() => vi.advanceTimersByTimeAsync(3_600_000));
    expect(banner()).toHaveTextContent("Deploy web failed");
    expect(screen.getByRole("alert")).toHaveTextContent("build: disk is full");
    fireEvent.click(screen.getByRole("button", { name: /Dismiss/ }));
    expect(banner()).toBeNull();
  });

  it("[US-07] stays dismissed over a reload, and comes back when what was dismissed fails", async () => {
    answer = { current: running(), recent: [] };
    const { client, unmount } = await shown();
    fireEvent.click(screen.getByRole("button", { name: /Dismiss/ }));
    expect(banner()).toBeNull();
    expect(sessionStorage.getItem("operator.dismissed")).toContain("a1");
    await told({ current: null, recent: [completed()] }, client);
    expect(banner()).toBeNull();
    await told({ current: null, recent: [failed()] }, client);
    expect(banner()).toHaveAttribute("data-status", "failed");
    unmount();
  });

  it("[US-07] dismissing loses nothing: the answer is still there for the panel", async () => {
    answer = { current: null, recent: [failed()] };
    const { client } = await shown();
    fireEvent.click(screen.getByRole("button", { name: /Dismiss/ }));
    const kept = client.getQueriesData<ActivityAnswer>({ queryKey: ["devops"] })[0]?.[1];
    expect(kept?.recent[0]?.id).toBe("a1");
  });

  it("[US-07] opens the panel with that operation when it is clicked", async () => {
    answer = { current: null, recent: [failed()] };
    await shown();
    fireEvent.click(screen.getByRole("link", { name: /Deploy web/ }));
    await waitFor(() => expect(screen.getByTestId("where")).toHaveTextContent("/devops?activity=a1"));
  });

  it("does not show a success that is older than ten seconds to a page that is opened now", async () => {
    answer = { current: null, recent: [{ ...completed(), completedAt: ago(60) }] };
    await shown();
    expect(banner()).toBeNull();
  });

  it("shows at most three lines and counts the rest", async () => {
    answer = { current: null, recent: ["a", "b", "c", "d", "e"].map((id) => ({ ...failed(), id })) };
    await shown();
    expect(screen.getAllByTestId("devops-banner")).toHaveLength(3);
    expect(screen.getByRole("link", { name: "2 more operations" })).toBeInTheDocument();
  });
});
