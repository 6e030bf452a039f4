import {
  createColumnHelper,
  flexRender,
  rowPaginationFeature,
  rowSortingFeature,
  type Row,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { memo, useEffect, useId, useMemo, type ReactNode } from "react";
import { Link } from "react-router";

import { Button } from "../shared/Button";
import { number } from "../shared/format";
import { Panel } from "../shared/Panel";
import { EmptyState, ErrorWithRetry, Skeleton } from "../shared/states";
import { StatusGlyph } from "../shared/StatusGlyph";
import { SortHeader, TableScroll } from "../shared/table";
import { Pagination } from "./Pagination";
import { SearchField } from "./SearchField";
import type { Pod, PodsAnswer } from "./types";
import { nextSort, PAGE_SIZES, pagesOf, POD_STATUSES, PODS_USUAL, type PodSort, type PodsView } from "./view";
import { podPath, podTone, readiness, trouble } from "./words";

export interface PodsTableProps {
  readonly answer: PodsAnswer | undefined;
  readonly error: unknown;
  readonly onRetry: () => void;
  /** an answer is awaited; what is shown may be the view before */
  readonly loading: boolean;
  readonly view: PodsView;
  readonly onView: (change: Partial<PodsView>) => void;
  /** what the address of a pod's drawer keeps of this one */
  readonly search: string;
  readonly aside?: ReactNode;
}

const features = tableFeatures({ rowSortingFeature, rowPaginationFeature });
const helper = createColumnHelper<typeof features, Pod>();
const columns = helper.columns([
  helper.accessor("name", { id: "name", header: "Name" }),
  helper.accessor("namespace", { id: "namespace", header: "Namespace" }),
  helper.accessor("status", {
    id: "status",
    header: "Status",
    cell: ({ row: { original: pod } }) => (
      <span className={`status tone-${podTone(pod)}`}>
        <StatusGlyph tone={podTone(pod)} />
        <span>
          {pod.status}
          {trouble(pod) ? <small className="dim"> {trouble(pod)}</small> : null}
        </span>
      </span>
    ),
  }),
  helper.accessor(({ containers }) => readiness(containers), { id: "ready", header: "Ready" }),
  helper.accessor("restarts", {
    id: "restarts",
    header: "Restarts",
    cell: ({ getValue }) => (getValue() > 0 ? number(getValue()) : <span className="dim">0</span>),
  }),
  helper.accessor("nodeName", { id: "nodeName", header: "Node", cell: ({ getValue }) => getValue() ?? "–" }),
  helper.accessor("podIP", { id: "podIP", header: "Pod IP", cell: ({ getValue }) => getValue() ?? "–" }),
  helper.accessor((pod) => (pod.ownerKind ? `${pod.ownerKind}/${pod.ownerName ?? ""}` : "–"), { id: "owner", header: "Owner" }),
  helper.accessor("age", { id: "age", header: "Age" }),
]);
const none: Pod[] = [];
const nobody: string[] = [];

/**
 * The pods: the gateway filters, searches, sorts and pages them, so that ten thousand are as quick as ten. What is
 * shown stands in the address.
 */
export function PodsTable(props: PodsTableProps) {
  const { answer, error, onRetry, loading, view, onView, search, aside } = props;
  const state = useMemo(
    () => ({
      sorting: [{ id: view.sort, desc: view.order === "desc" }],
      pagination: { pageIndex: view.page - 1, pageSize: view.size },
    }),
    [view.sort, view.order, view.page, view.size],
  );
  const table = useTable({
    features,
    columns,
    data: (answer?.pods as Pod[] | undefined) ?? none,
    rowCount: answer?.total ?? 0,
    state,
    manualSorting: true,
    manualPagination: true,
    getRowId: (pod) => `${pod.namespace}/${pod.name}`,
  });
  const last = answer ? pagesOf(answer.total, view.size) : view.page;
  useEffect(() => {
    // Pods went away, or the address names a page that never was: show the last one there is.
    if (!loading && view.page > last) onView({ page: last });
  }, [loading, view.page, last, onView]);
  const filtered = view.namespace || view.status || view.nodeName || view.search.trim();

  return (
    <Panel title="Pods" flush aside={aside}>
      <Filters view={view} onView={onView} namespaces={answer?.namespaces ?? nobody} nodes={answer?.nodes ?? nobody} />
      {!answer ? (
        <div className="kubernetes-inset">
          {error ? (
            <ErrorWithRetry what="Pods" error={error} onRetry={onRetry} retrying={loading} />
          ) : (
            <Skeleton label="Loading pods" lines={10} />
          )}
        </div>
      ) : answer.total === 0 ? (
        <EmptyState title={filtered ? "No pod is like that" : "The cluster has no pods"}>
          {filtered ? (
            <Button
              onClick={() => {
                const { namespace, status, nodeName, search } = PODS_USUAL;
                onView({ namespace, status, nodeName, search });
              }}
            >
              Clear the filters
            </Button>
          ) : undefined}
        </EmptyState>
      ) : (
        <>
          <TableScroll label="Pods">
            <table className="table kubernetes-table" aria-busy={loading} aria-rowcount={answer.total + 1}>
              <caption className="visually-hidden">Pods of the cluster</caption>
              <thead>
                <tr>
                  {table.getFlatHeaders().map((header) => (
                    <SortHeader
                      key={header.id}
                      sort={header.id !== view.sort ? "none" : view.order === "asc" ? "ascending" : "descending"}
                      onSort={() => onView(nextSort(view, header.id as PodSort))}
                    >
                      <table.FlexRender header={header} />
                    </SortHeader>
                  ))}
                </tr>
              </thead>
              <tbody>
                {table.getRowModel().rows.map((row) => (
                  <PodRow key={row.id} row={row} search={search} />
                ))}
              </tbody>
            </table>
          </TableScroll>
          <Pagination
            what={answer.total === 1 ? "pod" : "pods"}
            page={Math.min(view.page, last)}
            size={view.size}
            total={answer.total}
            onPage={(page) => onView({ page })}
            sizes={PAGE_SIZES}
            onSize={(size) => onView({ size })}
          />
        </>
      )}
    </Panel>
  );
}

/** Drawn again only when its pod has changed: the page itself is, every second, for the ages on it. */
const PodRow = memo(function PodRow({ row, search }: { readonly row: Row<typeof features, Pod>; readonly search: string }) {
  return (
    <tr>
      {row.getAllCells().map((cell) => {
        const { id, columnDef } = cell.column;
        const content = flexRender(columnDef.cell, cell.getContext());
        return id === "name" ? (
          <th key={id} scope="row">
            <Link to={{ pathname: podPath(row.original), search }}>{content}</Link>
          </th>
        ) : (
          <td key={id} data-column={id} title={id === "age" ? (row.original.createdAt ?? undefined) : undefined}>
            {content}
          </td>
        );
      })}
    </tr>
  );
});

interface FiltersProps {
  readonly view: PodsView;
  readonly onView: (change: Partial<PodsView>) => void;
  readonly namespaces: readonly string[];
  readonly nodes: readonly string[];
}

function Filters({ view, onView, namespaces, nodes }: FiltersProps) {
  const search = useMemo(() => (text: string) => onView({ search: text }), [onView]);
  return (
    <div className="kubernetes-filters" role="search" aria-label="Pods">
      <SearchField label="Search" placeholder="Part of a name" value={view.search} onSearch={search} />
      <Choice label="Namespace" value={view.namespace} options={namespaces} onChange={(namespace) => onView({ namespace })} />
      <Choice label="Status" value={view.status} options={POD_STATUSES} onChange={(status) => onView({ status: status as PodsView["status"] })} />
      <Choice label="Node" value={view.nodeName} options={nodes} onChange={(nodeName) => onView({ nodeName })} />
    </div>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly string[];
  readonly onChange: (value: string) => void;
}

function Choice({ label, value, options, onChange }: ChoiceProps) {
  const id = useId();
  // What the address asks for is shown also when there is nothing like it.
  const shown = value && !options.includes(value) ? [value, ...options] : options;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} className="input" value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">All</option>
        <Options options={shown} />
      </select>
    </div>
  );
}

/** Hundreds of nodes, the same ones in each answer: compared by what they say, drawn again only when that changes. */
const Options = memo(
  function Options({ options }: { readonly options: readonly string[] }) {
    return options.map((option) => <option key={option}>{option}</option>);
  },
  (before, after) =>
    before.options === after.options ||
    (before.options.length === after.options.length && before.options.every((option, at) => option === after.options[at])),
);
