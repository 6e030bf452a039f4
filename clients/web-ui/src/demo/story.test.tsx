import { fireEvent, render, renderHook, screen, waitFor, within } from "@testing-library/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { MemoryRouter } from "react-router";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nothingYet, receive, type LiveData } from "../live/data";
import { frame, golden } from "../test/golden";
import { gateway, refusal } from "../test/render";
import { useSession } from "../shared/session";
import { useCommand } from "./commands";
import DemoPage from "./DemoPage";

const daemons = { daemons: [{ name: "d", endpoint: "", connection: "live", ageSeconds: 0, version: "1", subject: "valkey", control: true }], control: true };

function shown(change: (data: LiveData) => LiveData = (data) => data, path = "/demo") {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, networkMode: "always" } } });
  const [reply] = golden("reply.snapshot") as [{ result: { state: unknown } }];
  const data = receive(nothingYet("d", Date.now()), "snapshot", { daemon: "d", connection: "live", ageSeconds: 0, state: reply.result.state, tail: [] }, Date.now());
  client.setQueryData(["daemons"], daemons);
  client.setQueryData(["live", "d"], change(data));
  render(
    <QueryClientProvider client={client}>
      <MemoryRouter initialEntries={[path]}>
        <DemoPage />
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

const say = (data: LiveData, topic: string, body: Record<string, unknown>) =>
  receive(data, "frame", { topic, seq: 1, at: new Date().toISOString(), body }, Date.now());

const proposed = (extra: Record<string, unknown> = {}) => ({ ...frame("action.proposed").body, status: "proposed", ticket: 7, ...extra });

describe("the Demo page", () => {
  let sent: { path: string; init: RequestInit }[];

  beforeEach(() => {
    sent = gateway({
      "/api/daemons": { body: daemons },
      "/api/tickets": { body: { tickets: [], nextCursor: null } },
      "/api/chapters": { body: { chapters: [], current: null } },
      "/api/actions/": { body: { ok: true, result: {} } },
      "/api/demo/next": refusal(409, "conflict", "the chapter is not over", "wait for it"),
      "/api/faults/catalogue": { body: { kinds: [golden("record.fault-kind")[0]], owed: [] } },
    }).sent;
    useSession.setState({ token: "t", asking: null });
  });
  afterEach(() => vi.unstubAllGlobals());

  it("shows the diagnosis of a ticket that was over before the page was opened", async () => {
    const { diagnosis } = frame("agent.diagnosis").body as { diagnosis: Record<string, unknown> };
    const ticket = { ...frame("ticket.opened").body, id: 3, status: "resolved", diagnosis };
    gateway({ "/api/daemons": { body: daemons }, "/api/tickets": { body: { tickets: [], nextCursor: null } }, "/api/tickets/3": { body: { ticket, history: [] } } });
    shown((data) => data, "/demo?ticket=3");
    expect(await screen.findByText(String(diagnosis["summary"]))).toBeVisible();
    expect(screen.queryByText("No diagnosis was made.")).toBeNull();
  });

  it("says of a first answer that it is one, and what it may be", async () => {
    const { diagnosis } = frame("agent.diagnosis-preliminary").body as { diagnosis: Record<string, unknown> };
    const ticket = { ...frame("ticket.opened").body, id: 3, diagnosis };
    gateway({ "/api/daemons": { body: daemons }, "/api/tickets": { body: { tickets: [], nextCursor: null } }, "/api/tickets/3": { body: { ticket, history: [] } } });
    shown((data) => data, "/demo?ticket=3");
    expect(await screen.findByText(/preliminary: a first answer/)).toBeVisible();
    const open = screen.getByRole("heading", { name: "Not settled yet" }).parentElement!;
    expect(within(open).getAllByRole("listitem").map((item) => item.textContent)).toEqual([
      "?process_paused 62 % sure; waits to see whether it goes on where it stopped",
      "?network_partition not shown, and not ruled out; waits to see whether its peers reach it",
    ]);
  });

  it("asks for no token where no command is taken, and says so", async () => {
    const shows = { ...daemons, control: false };
    const asked = gateway({ "/api/daemons": { body: shows }, "/api/tickets": { body: { tickets: [], nextCursor: null } } }).sent;
    useSession.setState({ token: "", asking: null });
    const client = new QueryClient();
    client.setQueryData(["daemons"], shows);
    const { result } = renderHook(() => useCommand(), { wrapper: ({ children }) => <QueryClientProvider client={client}>{children}</QueryClientProvider> });
    result.current.mutate({ path: "demo/next", name: "Next chapter" });
    await waitFor(() => expect(result.current.error?.message).toContain("only shows"));
    expect(useSession.getState().asking).toBeNull();
    expect(asked.filter((one) => one.init.method === "POST")).toHaveLength(0);
  });

  it("shows the diagnosis with the evidence that it cites and the causes that it ruled out", () => {
    shown((data) => say(data, "agent.diagnosis", frame("agent.diagnosis").body), "/demo?ticket=7");
    const agent = screen.getByRole("region", { name: /Agent, ticket #7/ });
    expect(agent).toHaveTextContent("valkey-1 was killed");
    expect(agent).toHaveTextContent("[1] ended by signal 9");
    expect(agent).toHaveTextContent("network_partition the process is gone [1]");
    expect(agent).toHaveTextContent("90 %");
  });

  it("approves and rejects an action with the token", async () => {
    shown((data) => say(data, "action.proposed", proposed({ risk: "safe" })), "/demo?ticket=7");
    fireEvent.click(screen.getByRole("button", { name: /^Approve/ }));
    await waitFor(() => expect(sent.some(({ path }) => path.includes("/approve"))).toBe(true));
    fireEvent.click(screen.getByRole("button", { name: /^Reject/ }));
    await waitFor(() => expect(sent.some(({ path }) => path.includes("/reject"))).toBe(true));
  });

  it("asks once more before something destructive", async () => {
    shown((data) => say(data, "action.proposed", proposed({ risk: "destructive" })), "/demo?ticket=7");
    fireEvent.click(screen.getByRole("button", { name: /^Approve/ }));
    const dialog = await screen.findByRole("dialog");
    expect(sent.some(({ path }) => path.includes("/approve"))).toBe(false);
    fireEvent.click(within(dialog).getByRole("button", { name: /^Approve/ }));
    await waitFor(() => expect(sent.some(({ path }) => path.includes("/approve"))).toBe(true));
  });

  it("says why a command was refused and what to do", async () => {
    shown((data) => say(data, "demo.chapter", { ...frame("demo.chapter").body, busy: false }));
    fireEvent.click(screen.getByRole("button", { name: "Next →" }));
    expect(await screen.findByText(/the chapter is not over/)).toHaveTextContent("wait for it");
  });

  it("asks for the token before it sends a command without one", async () => {
    useSession.setState({ token: "" });
    shown((data) => say(data, "demo.chapter", { ...frame("demo.chapter").body, busy: false }));
    fireEvent.click(screen.getByRole("button", { name: "Next →" }));
    await waitFor(() => expect(useSession.getState().asking).not.toBeNull());
    expect(sent.some(({ path }) => path.startsWith("/api/demo"))).toBe(false);
  });

  it("counts down in large digits, and lets the countdown be stopped", () => {
    shown((data) => say(data, "fault.countdown", { ...frame("fault.countdown").body, state: "countdown", remaining: 2 }));
    expect(screen.getByRole("timer")).toHaveTextContent(/^2/);
    expect(screen.getByRole("button", { name: "Stop the countdown" })).toBeEnabled();
  });

  it("sends a fault with its parameters from the dialog", async () => {
    shown();
    fireEvent.click(screen.getByRole("button", { name: /Inject a fault/ }));
    const dialog = await screen.findByRole("dialog");
    const target = await within(dialog).findByLabelText("Target");
    fireEvent.change(target, { target: { value: "valkey-1" } });
    fireEvent.submit(target.closest("form")!);
    await waitFor(() => expect(sent.some(({ path, init }) => path.startsWith("/api/faults?") && init.method === "POST")).toBe(true));
    const body = JSON.parse(sent.find(({ path, init }) => path.startsWith("/api/faults?") && init.method === "POST")!.init.body as string) as Record<string, unknown>;
    expect(body).toMatchObject({ target: "valkey-1", countdown: 3, params: {} });
  });

  it("shows a skeleton until the first snapshot has come", () => {
    shown((data) => ({ ...data, loaded: false }));
    expect(screen.getAllByTestId("skeleton").length).toBeGreaterThan(3);
  });

  it("opens a node from the address", async () => {
    shown(undefined, "/demo?node=nobody");
    expect(await screen.findByRole("dialog")).toHaveTextContent("There is no such node");
  });
});
