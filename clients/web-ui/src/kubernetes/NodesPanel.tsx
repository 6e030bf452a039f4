import {
  columnFilteringFeature,
  createColumnHelper,
  createFilteredRowModel,
  createPaginatedRowModel,
  createSortedRowModel,
  filterFn_equalsString,
  rowPaginationFeature,
  rowSortingFeature,
  sortFn_alphanumeric,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { useMemo, type ReactNode } from "react";
import { Link, type To } from "react-router";

import { levelOf, type Thresholds } from "../services/thresholds";
import { LEVEL_TONE } from "../services/words";
import { age, number, secondsSince } from "../shared/format";
import { Panel } from "../shared/Panel";
import { EmptyState, ErrorWithRetry, Skeleton } from "../shared/states";
import { Status } from "../shared/StatusGlyph";
import { Meter, SortHeader, TableScroll } from "../shared/table";
import { Pagination } from "./Pagination";
import type { ClusterNode } from "./types";
import { NODE_STATUSES, type NodesView, nextSort, type NodeSort, pagesOf } from "./view";
import { NODE_TONE } from "./words";

export interface NodesPanelProps {
  readonly nodes: readonly ClusterNode[] | undefined;
  readonly error: unknown;
  readonly onRetry: () => void;
  readonly retrying: boolean;
  readonly view: NodesView;
  readonly onView: (change: Partial<NodesView>) => void;
  readonly thresholds: Thresholds | undefined;
  readonly hrefOf: (node: string) => To;
  readonly nowMs: number;
  readonly aside?: ReactNode;
}

export const NODES_A_PAGE = 10;

const features = tableFeatures({
  columnFilteringFeature,
  filteredRowModel: createFilteredRowModel(),
  filterFns: { equalsString: filterFn_equalsString },
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric },
  rowPaginationFeature,
  paginatedRowModel: createPaginatedRowModel(),
});
const helper = createColumnHelper<typeof features, ClusterNode>();
/** What a column sorts by; what is not known comes last, whichever way it is sorted. */
const known = { sortUndefined: "last" } as const;
const columns = helper.columns([
  helper.accessor("name", { id: "name", header: "Name", sortFn: "alphanumeric" }),
  helper.accessor("status", { id: "status", header: "Status", sortFn: "alphanumeric", filterFn: "equalsString" }),
  helper.accessor((node) => node.roles.join(", "), { id: "roles", header: "Roles", sortFn: "alphanumeric" }),
  helper.accessor((node) => node.usage.cpuPercent ?? undefined, { id: "cpu", header: "CPU", ...known }),
  helper.accessor((node) => node.usage.memoryPercent ?? undefined, { id: "memory", header: "Memory", ...known }),
  helper.accessor((node) => node.usage.diskPercent ?? undefined, { id: "disk", header: "Disk", ...known }),
  helper.accessor((node) => node.usage.podsCount, { id: "pods", header: "Pods" }),
  helper.accessor("version", { id: "version", header: "Version", sortFn: "alphanumeric" }),
  // Ascending by age is descending by birth, as for pods.
  helper.accessor((node) => (node.createdAt ? -Date.parse(node.createdAt) : undefined), { id: "age", header: "Age", ...known }),
]);
const none: ClusterNode[] = [];

/** The nodes with their usage: filtered by status, sorted by any column, a page at a time. */
export function NodesPanel(props: NodesPanelProps) {
  const { nodes, error, onRetry, retrying, view, onView, thresholds, hrefOf, nowMs, aside } = props;
  const data = nodes ?? none;
  const sorting = useMemo(() => [{ id: view.sort, desc: view.order === "desc" }], [view.sort, view.order]);
  const columnFilters = useMemo(() => (view.status ? [{ id: "status", value: view.status }] : []), [view.status]);
  const wanted = view.status ? data.filter(({ status }) => status === view.status).length : data.length;
  const page = Math.min(view.page, pagesOf(wanted, NODES_A_PAGE));
  const pagination = useMemo(() => ({ pageIndex: page - 1, pageSize: NODES_A_PAGE }), [page]);
  const table = useTable({
    features,
    columns,
    data,
    state: { sorting, columnFilters, pagination },
    getRowId: (node) => node.name,
    autoResetPageIndex: false,
  });

  return (
    <Panel title="Nodes" flush aside={aside}>
      {!nodes ? (
        <div className="kubernetes-inset">
          {error ? (
            <ErrorWithRetry what="Nodes" error={error} onRetry={onRetry} retrying={retrying} />
          ) : (
            <Skeleton label="Loading nodes" lines={6} />
          )}
        </div>
      ) : (
        <>
          <div className="kubernetes-filters">
            <StatusFilter
              label="Status"
              value={view.status}
              options={NODE_STATUSES.map((status) => ({ value: status, of: data.filter((node) => node.status === status).length }))}
              total={data.length}
              onChange={(status) => onView({ status })}
            />
          </div>
          {wanted === 0 ? (
            <EmptyState title={view.status ? `No node is ${view.status}` : "The cluster has no nodes"} />
          ) : (
            <>
              <TableScroll label="Nodes">
                <table className="table kubernetes-table">
                  <caption className="visually-hidden">Nodes of the cluster</caption>
                  <thead>
                    <tr>
                      {table.getFlatHeaders().map((header) => (
                        <SortHeader
                          key={header.id}
                          sort={header.id !== view.sort ? "none" : view.order === "asc" ? "ascending" : "descending"}
                          onSort={() => onView(nextSort(view, header.id as NodeSort))}
                        >
                          <table.FlexRender header={header} />
                        </SortHeader>
                      ))}
                    </tr>
                  </thead>
                  <tbody>
                    {table.getRowModel().rows.map(({ id, original: node }) => (
                      <tr key={id}>
                        <th scope="row">
                          <Link to={hrefOf(node.name)}>{node.name}</Link>
                        </th>
                        <td>
                          <Status tone={NODE_TONE[node.status]}>{node.status}</Status>
                        </td>
                        <td>{node.roles.join(", ") || "–"}</td>
                        {(["cpu", "memory", "disk"] as const).map((kind) => {
                          const value = node.usage[`${kind}Percent`];
                          return (
                            <td key={kind}>
                              <Meter value={value} tone={LEVEL_TONE[levelOf(value, thresholds?.[kind])]} label={kind} />
                            </td>
                          );
                        })}
                        <td className="kubernetes-number">
                          {number(node.usage.podsCount)}
                          <span className="dim"> / {number(node.allocatable.pods)}</span>
                        </td>
                        <td>{node.version}</td>
                        <td className="kubernetes-number">{age(secondsSince(node.createdAt, nowMs))}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </TableScroll>
              <Pagination
                what={wanted === 1 ? "node" : "nodes"}
                page={page}
                size={NODES_A_PAGE}
                total={wanted}
                onPage={(next) => onView({ page: next })}
              />
            </>
          )}
        </>
      )}
    </Panel>
  );
}

interface StatusFilterProps<S extends string> {
  readonly label: string;
  readonly value: S | "";
  readonly options: readonly { readonly value: S; readonly of: number }[];
  readonly total: number;
  readonly onChange: (value: S | "") => void;
}

/** One of a few, each with how many there are. */
function StatusFilter<S extends string>({ label, value, options, total, onChange }: StatusFilterProps<S>) {
  return (
    <div role="group" aria-label={label} className="kubernetes-segments">
      {[{ value: "" as const, of: total }, ...options].map((option) => (
        <button
          key={option.value}
          type="button"
          aria-pressed={value === option.value}
          onClick={() => onChange(option.value)}
        >
          {option.value || "All"} <span className="dim">{option.of.toLocaleString("en-US")}</span>
        </button>
      ))}
    </div>
  );
}
