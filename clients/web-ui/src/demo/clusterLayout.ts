/**
 * Where each node of the cluster stands. Pure, and stable: a node keeps its place for as long as the groups are the same.
 *
 * Where the members of a group have different roles (a shard: primary and replicas), each group is a column, with the
 * roles from top to bottom; where all of a group do the same (PD, TiKV), each group is a row.
 */

import type { ClusterNode } from "../live/records";

export interface Place {
  node: ClusterNode;
  /** From 0, within its row of the grid; `columns` of them share the width. */
  column: number;
  columns: number;
  row: number;
}

export interface Edge {
  from: string;
  to: string;
  kind: "replication" | "consensus" | "scheduling";
  /** Both ends are seen to be up. */
  whole: boolean;
}

export interface ClusterLayout {
  places: Place[];
  edges: Edge[];
  rows: number;
  /** What stands in each row, or null where the columns are named instead. */
  rowNames: string[] | null;
  columnNames: string[] | null;
}

const ROLE_ORDER = ["pd", "primary", "replica", "tikv"];
const rank = (role: string) => (ROLE_ORDER.indexOf(role) + ROLE_ORDER.length) % ROLE_ORDER.length;

/** Lays the nodes out; at most `widest` in a row. */
export function layout(nodes: readonly ClusterNode[], widest: number): ClusterLayout {
  const groups = new Map<string, ClusterNode[]>();
  for (const node of [...nodes].sort((a, b) => a.group.localeCompare(b.group, "en", { numeric: true }) || a.id.localeCompare(b.id, "en", { numeric: true }))) {
    groups.set(node.group, [...(groups.get(node.group) ?? []), node]);
  }
  const mixed = [...groups.values()].some((members) => new Set(members.map((one) => one.role)).size > 1);
  return mixed ? byColumns(groups, widest) : byRows(groups, widest);
}

/** The one that the others of its group follow. */
export function leaderOf(members: readonly ClusterNode[]): ClusterNode | null {
  return members.find((one) => one.leader && one.state !== "down") ?? members.find((one) => one.leader || one.role === "primary") ?? null;
}

function byColumns(groups: Map<string, ClusterNode[]>, widest: number): ClusterLayout {
  const columns = Math.min(groups.size, widest);
  const places: Place[] = [];
  const edges: Edge[] = [];
  let top = 0;
  let rows = 0;
  for (const [position, members] of [...groups.values()].entries()) {
    const column = position % columns;
    if (column === 0) top = rows;
    const ordered = [...members].sort((a, b) => rank(a.role) - rank(b.role) || Number(b.leader) - Number(a.leader));
    ordered.forEach((node, row) => places.push({ node, column, columns, row: top + row }));
    rows = Math.max(rows, top + ordered.length);
    const leader = leaderOf(members);
    for (const node of ordered) {
      if (leader && node !== leader) edges.push({ from: leader.id, to: node.id, kind: "replication", whole: up(leader) && up(node) });
    }
  }
  return { places, edges, rows, rowNames: null, columnNames: groups.size <= widest ? [...groups.keys()] : null };
}

function byRows(groups: Map<string, ClusterNode[]>, widest: number): ClusterLayout {
  const places: Place[] = [];
  const edges: Edge[] = [];
  const rowNames: string[] = [];
  const ordered = [...groups.entries()].sort(([, a], [, b]) => rank(a[0]?.role ?? "") - rank(b[0]?.role ?? ""));
  const scheduler = leaderOf(groups.get("pd") ?? []);
  for (const [name, members] of ordered) {
    for (let from = 0; from < members.length; from += widest) {
      const line = members.slice(from, from + widest);
      line.forEach((node, column) => places.push({ node, column, columns: line.length, row: rowNames.length }));
      rowNames.push(from === 0 ? name : "");
    }
    const leader = leaderOf(members);
    const pairs = leader ? members.filter((one) => one !== leader).map((one) => [leader, one] as const) : ring(members);
    for (const [from, to] of pairs) {
      edges.push({ from: from.id, to: to.id, kind: leader ? "consensus" : "replication", whole: up(from) && up(to) });
    }
    if (scheduler && !members.includes(scheduler)) {
      for (const node of members) edges.push({ from: scheduler.id, to: node.id, kind: "scheduling", whole: up(scheduler) && up(node) });
    }
  }
  return { places, edges, rows: rowNames.length, rowNames, columnNames: null };
}

const up = (node: ClusterNode) => node.state === "up" || node.state === "degraded";

function ring(members: readonly ClusterNode[]): (readonly [ClusterNode, ClusterNode])[] {
  return members.slice(1).flatMap((node, position) => {
    const before = members[position];
    return before ? [[before, node] as const] : [];
  });
}
