/** Small parts for tables; the tables themselves are TanStack Table's. */

import type { ReactNode } from "react";

export type SortState = "ascending" | "descending" | "none";

const ARROW: Record<SortState, string> = { ascending: "▲", descending: "▼", none: "↕" };

export interface SortHeaderProps {
  sort: SortState;
  onSort: () => void;
  numeric?: boolean;
  children: ReactNode;
}

/** A column heading that sorts: a button inside a `th` with `aria-sort`. */
export function SortHeader({ sort, onSort, numeric = false, children }: SortHeaderProps) {
  return (
    <th scope="col" aria-sort={sort} className={numeric ? "num" : undefined}>
      <button type="button" className="sort-button" onClick={onSort}>
        {children}
        <span aria-hidden="true">{ARROW[sort]}</span>
      </button>
    </th>
  );
}

/** A table that scrolls sideways by itself, also by keyboard. `label` is its caption for screen readers. */
export function TableScroll({ label, children }: { label: string; children: ReactNode }) {
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="table-scroll" role="region" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}

/** A share as a bar with its figure; `tone` from the caller's thresholds. A missing share is a dash. */
export function Meter({ value, tone, label }: { value: number | null | undefined; tone: string; label: string }) {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return (
      <span className="dim" aria-label={`${label}: no figure`} role="img">
        –
      </span>
    );
  }
  const shown = Math.min(100, Math.max(0, value));
  return (
    <span className={`meter tone-${tone}`}>
      <span aria-hidden="true">
        <span style={{ width: `${shown}%` }} />
      </span>
      <span>{value < 9.95 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} %</span>
    </span>
  );
}
