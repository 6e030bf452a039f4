import { fireEvent, render, screen, within } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import type { ClusterNode, WorkloadSample } from "../live/records";
import type { Mark } from "../live/story";
import { geometry } from "./chart";
import { ClusterMap } from "./ClusterMap";
import { layout } from "./clusterLayout";
import { reflowed } from "./narration";
import { ThroughputChart } from "./ThroughputChart";

const node = (id: string, role: string, group: string, extra: Partial<ClusterNode> = {}): ClusterNode => ({
  id,
  role,
  group,
  address: "127.0.0.1:7000",
  state: "up",
  leader: role === "primary",
  signals: { process: "up", probe: "up" },
  detail: {},
  ...extra,
});

const valkey = [0, 1, 2].flatMap((shard) => [node(`valkey-${shard}`, "primary", `shard-${shard}`), node(`valkey-${shard + 3}`, "replica", `shard-${shard}`)]);
const tikv = [
  ...[1, 2, 3].map((one) => node(`pd${one}`, "pd", "pd", { leader: one === 2 })),
  ...[1, 2, 3].map((one) => node(`tikv${one}`, "tikv", "tikv")),
];

describe("the map of the cluster", () => {
  it("stands primaries above their replicas, a shard to a column, with an edge from each to each", () => {
    const map = layout(valkey, 6);
    expect(map.columnNames).toEqual(["shard-0", "shard-1", "shard-2"]);
    expect(map.places.filter((place) => place.row === 0).map((place) => place.node.role)).toEqual(["primary", "primary", "primary"]);
    expect(map.edges.map((edge) => `${edge.from}>${edge.to}`)).toEqual(["valkey-0>valkey-3", "valkey-1>valkey-4", "valkey-2>valkey-5"]);
  });

  it("stands PD above the stores, with the leader of PD at the centre of the edges", () => {
    const map = layout(tikv, 6);
    expect(map.rowNames).toEqual(["pd", "tikv"]);
    expect(map.edges.filter((edge) => edge.kind === "consensus").map((edge) => edge.from)).toEqual(["pd2", "pd2"]);
    expect(map.edges.filter((edge) => edge.kind === "scheduling")).toHaveLength(3);
  });

  it("[defect-10] keeps every node in its place while only states change, whatever the order of the answer", () => {
    const before = layout(valkey, 6);
    const after = layout(
      valkey.toReversed().map((one) => (one.id === "valkey-1" ? { ...one, state: "down" as const } : one)),
      6,
    );
    const places = (map: typeof before) => map.places.map(({ node: { id }, row, column }) => `${id} ${row} ${column}`).sort();
    expect(places(after)).toEqual(places(before));
    expect(after.edges.find((edge) => edge.from === "valkey-1")?.whole).toBe(false);
  });

  it("fits many nodes into rows that are no wider than asked for", () => {
    const many = Array.from({ length: 9 }, (_, one) => node(`tikv${one}`, "tikv", "tikv"));
    const map = layout(many, 3);
    expect(map.rows).toBe(3);
    expect(Math.max(...map.places.map((place) => place.columns))).toBe(3);
  });

  it("tells the state of a node by shape and word as well as colour, and marks the victim of a fault", () => {
    const nodes = valkey.map((one) => (one.id === "valkey-1" ? { ...one, state: "down" as const, signals: { process: "down" as const } } : one));
    const fault = { id: "f", kind: "kill", target: "valkey-2", state: "countdown", role: "", params: {}, owed: false, requested_at: null, injected_at: null, recovered_at: null, recovered_by: "", error: "", remaining: 2 } as const;
    render(<ClusterMap nodes={nodes} faults={[fault]} onOpen={() => undefined} />);
    const down = screen.getByRole("button", { name: /valkey-1/ });
    expect(down).toHaveTextContent("down");
    expect(down.querySelector("svg")?.dataset["shape"]).toBe("cross");
    expect(within(down).getByTitle("process: down")).toHaveTextContent("✗");
    expect(screen.getByRole("button", { name: /valkey-0/ }).querySelector("svg")?.dataset["shape"]).toBe("check");
    expect(screen.getByRole("button", { name: /valkey-2/ })).toHaveTextContent("kill in 2");
  });

  it("crosses a link that is interrupted, on the map as in the legend, and no other", () => {
    const { container, rerender } = render(<ClusterMap nodes={valkey} faults={[]} onOpen={() => undefined} />);
    const crosses = () => container.querySelectorAll(".cluster-edges .cluster-edge-cut").length;
    expect(crosses()).toBe(0);
    rerender(<ClusterMap nodes={valkey.map((one) => (one.id === "valkey-1" ? { ...one, state: "down" } : one))} faults={[]} onOpen={() => undefined} />);
    expect(crosses()).toBe(1);
    expect(container.querySelector(".cluster-legend-line .cluster-edge-cut")).not.toBeNull();
  });

  it("[defect-10] is worked by keyboard: nodes are buttons", () => {
    const open = vi.fn();
    render(<ClusterMap nodes={valkey} faults={[]} onOpen={open} />);
    const button = screen.getByRole("button", { name: /valkey-4/ });
    button.focus();
    fireEvent.click(button);
    expect(button).toHaveFocus();
    expect(open).toHaveBeenCalledWith("valkey-4");
  });
});

const sample = (at: number, ops: number, degraded = false): WorkloadSample => ({
  ops_per_sec: ops,
  errors_per_sec: 0,
  degraded,
  elapsed: at,
  operations: at * ops,
  baseline: 2000,
  threshold: 1000,
  errors: 0,
  latency: { READ: { count: 1, p50: 1, p90: 1, p95: 1, p99: 5.5, max: 6 }, SCAN: { count: 0, p50: null, p90: null, p95: null, p99: 900, max: null } },
  sampled_at: at,
});
const box = { width: 700, height: 200, left: 50, right: 10, top: 20, bottom: 20 };
const samples = Array.from({ length: 100 }, (_, at) => sample(1000 + at, at > 50 && at < 60 ? 100 : 2000, at > 50 && at < 60));

describe("the chart of the load", () => {
  it("has the newest sample at its right edge and one stretch for one time of trouble", () => {
    const chart = geometry(samples, [], box, 120, 76);
    expect(chart.points.at(-1)?.x).toBeCloseTo(690);
    expect(chart.degraded).toHaveLength(1);
    expect(chart.baseline).toBeLessThan(chart.threshold ?? 0);
    expect(chart.top).toBeGreaterThanOrEqual(2300);
  });

  it("marks fault, detection and recovery where they fell, each label in a place of its own", () => {
    const marks: Mark[] = [
      { kind: "fault", at: 1_050_000, label: "fault: kill" },
      { kind: "detection", at: 1_050_500, label: "detected" },
      { kind: "recovery", at: 1_070_000, label: "recovered" },
      { kind: "fault", at: 100_000, label: "long ago" },
    ];
    const chart = geometry(samples, marks, box, 120, 76);
    expect(chart.marks.map((mark) => mark.kind)).toEqual(["fault", "detection", "recovery"]);
    expect(chart.marks[0]?.level).not.toBe(chart.marks[1]?.level);
    render(<ThroughputChart samples={samples} marks={marks} />);
    expect(document.querySelectorAll("[data-mark]")).toHaveLength(3);
    expect(screen.getByRole("list", { name: "Marked on the chart" })).toHaveTextContent("fault: kill");
  });

  it("is read sample by sample with the arrow keys", () => {
    render(<ThroughputChart samples={samples} marks={[]} />);
    const chart = screen.getByRole("slider");
    expect(chart.getAttribute("aria-valuetext")).toContain("2,000 operations per second");
    for (let times = 0; times < 44; times += 1) fireEvent.keyDown(chart, { key: "ArrowLeft" });
    expect(chart.getAttribute("aria-valuetext")).toContain("100 operations per second");
    expect(chart.getAttribute("aria-valuetext")).toContain("degraded");
    expect(screen.getByText("p99 5.5 ms")).toBeInTheDocument();
  });

  it("stands a load that does nothing", () => {
    expect(() => geometry([sample(1, 0)], [], box, 120, 76)).not.toThrow();
    expect(geometry([], [], box, 120, 76).points).toEqual([]);
  });
});

describe("the narration", () => {
  it("keeps the breaks between sentences and drops those within them", () => {
    expect(reflowed("Watch the\nline fall.\nThen the agent")).toBe("Watch the line fall.\nThen the agent");
  });
});
