/** What the Kubernetes page shows, as its address says it: filters, search, sort, page. What is usual is left out. */
import type { NodeStatus, PodStatus } from "./types";

export type Order = "asc" | "desc";

export const POD_STATUSES: readonly PodStatus[] = ["Running", "Pending", "Succeeded", "Failed", "Unknown"];
export const NODE_STATUSES: readonly NodeStatus[] = ["Ready", "NotReady", "Unknown"];
export const PAGE_SIZES = [25, 50, 100] as const;
/** every column of the table, by the gateway's names for its sorts */
export const POD_SORTS = [
  "name",
  "namespace",
  "status",
  "ready",
  "restarts",
  "nodeName",
  "podIP",
  "owner",
  "age",
] as const;
export const NODE_SORTS = ["name", "status", "roles", "cpu", "memory", "disk", "pods", "version", "age"] as const;

export type PodSort = (typeof POD_SORTS)[number];
export type NodeSort = (typeof NODE_SORTS)[number];

export interface PodsView {
  readonly namespace: string;
  readonly status: PodStatus | "";
  readonly nodeName: string;
  readonly search: string;
  readonly sort: PodSort;
  readonly order: Order;
  /** from 1 */
  readonly page: number;
  readonly size: number;
}

export interface NodesView {
  readonly status: NodeStatus | "";
  readonly sort: NodeSort;
  readonly order: Order;
  /** from 1 */
  readonly page: number;
}

export const PODS_USUAL: PodsView = {
  namespace: "",
  status: "",
  nodeName: "",
  search: "",
  sort: "name",
  order: "asc",
  page: 1,
  size: 50,
};
export const NODES_USUAL: NodesView = { status: "", sort: "name", order: "asc", page: 1 };

const oneOf = <T extends string | number, D extends T | "">(value: unknown, known: readonly T[], otherwise: D): T | D =>
  known.find((each) => String(each) === value) ?? otherwise;

function pageOf(value: string | null): number {
  const page = Number(value);
  return Number.isSafeInteger(page) && page >= 1 ? page : 1;
}

/** An address may have been typed by hand: what it says wrongly counts as not said. */
export function podsView(query: URLSearchParams): PodsView {
  return {
    namespace: query.get("namespace") ?? "",
    status: oneOf(query.get("status"), POD_STATUSES, ""),
    nodeName: query.get("nodeName") ?? "",
    search: query.get("search") ?? "",
    sort: oneOf(query.get("sort"), POD_SORTS, PODS_USUAL.sort),
    order: oneOf(query.get("order"), ["asc", "desc"], PODS_USUAL.order),
    page: pageOf(query.get("page")),
    size: oneOf(query.get("size"), PAGE_SIZES, PODS_USUAL.size as 50),
  };
}

export function nodesView(query: URLSearchParams): NodesView {
  return {
    status: oneOf(query.get("nodes.status"), NODE_STATUSES, ""),
    sort: oneOf(query.get("nodes.sort"), NODE_SORTS, NODES_USUAL.sort),
    order: oneOf(query.get("nodes.order"), ["asc", "desc"], NODES_USUAL.order),
    page: pageOf(query.get("nodes.page")),
  };
}

/** `query` with the changes; a change of what is shown goes back to the first page. */
export function withPods(query: URLSearchParams, change: Partial<PodsView>): URLSearchParams {
  return changed(query, { ...("page" in change ? {} : { page: 1 }), ...change }, PODS_USUAL, "");
}

export function withNodes(query: URLSearchParams, change: Partial<NodesView>): URLSearchParams {
  return changed(query, { ...("page" in change ? {} : { page: 1 }), ...change }, NODES_USUAL, "nodes.");
}

function changed<V extends Readonly<Record<keyof V, string | number>>>(query: URLSearchParams, change: Partial<V>, usual: V, prefix: string): URLSearchParams {
  const next = new URLSearchParams(query);
  for (const [key, value] of Object.entries<string | number | undefined>(change)) {
    if (value === undefined || value === usual[key as keyof V]) next.delete(prefix + key);
    else next.set(prefix + key, String(value));
  }
  return next;
}

/** The page of the gateway's that shows a view. */
export function podsQuery(view: PodsView): URLSearchParams {
  const { namespace, status, nodeName, search, sort, order, page, size } = view;
  const query = new URLSearchParams({ sort, order, limit: String(size), offset: String((page - 1) * size) });
  for (const [key, value] of Object.entries({ namespace, status, nodeName, search: search.trim() })) {
    if (value) query.set(key, value);
  }
  return query;
}

/** A press on a column's heading: the other way round if it sorts already, else upwards. */
export function nextSort<S extends string>(now: { readonly sort: S; readonly order: Order }, column: S) {
  return { sort: column, order: now.sort === column && now.order === "asc" ? ("desc" as const) : ("asc" as const) };
}

export const pagesOf = (total: number, size: number): number => Math.max(1, Math.ceil(total / size));
