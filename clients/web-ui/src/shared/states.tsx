/** What stands in place of data: not there yet, none, failed, old. */

import type { ReactNode } from "react";
import { ApiFailure } from "./api";
import { Button } from "./Button";
import { age } from "./format";
import { Badge, StatusGlyph, type Tone } from "./StatusGlyph";

export interface SkeletonProps {
  /** Rows of text, or cards with `shape="block"`. */
  lines?: number;
  shape?: "line" | "block";
  /** What is being loaded, for screen readers: "Loading nodes". */
  label: string;
}

/** Grey bars where the data will stand. */
export function Skeleton({ lines = 3, shape = "line", label }: SkeletonProps) {
  return (
    <div className="skeleton" data-shape={shape} role="status" aria-label={label} data-testid="skeleton">
      {Array.from({ length: lines }, (_, row) => (
        <span key={row} style={{ width: shape === "line" ? `${96 - ((row * 17) % 40)}%` : "100%" }} />
      ))}
    </div>
  );
}

export interface EmptyStateProps {
  title: string;
  /** What would have to happen for something to appear. */
  children?: ReactNode;
  tone?: Tone;
  compact?: boolean;
}

/** There is nothing, and that is no error. */
export function EmptyState({ title, children, tone = "plain", compact = false }: EmptyStateProps) {
  return (
    <div className="notice" data-testid="empty" data-compact={compact ? "" : undefined}>
      <StatusGlyph tone={tone} />
      <h3>{title}</h3>
      {children !== undefined && <p>{children}</p>}
    </div>
  );
}

export interface ErrorWithRetryProps {
  /** What could not be shown: "Nodes". */
  what: string;
  error: unknown;
  onRetry: () => void;
  /** While the retry runs. */
  retrying?: boolean;
  compact?: boolean;
}

/** The error with its hint and a way to try again. The data is never replaced by invented data. */
export function ErrorWithRetry({ what, error, onRetry, retrying = false, compact = false }: ErrorWithRetryProps) {
  const failure = error instanceof ApiFailure ? error : null;
  return (
    <div className="notice" role="alert" data-testid="error" data-compact={compact ? "" : undefined}>
      <StatusGlyph tone="bad" />
      <h3>{what} could not be loaded</h3>
      <p>{error instanceof Error ? error.message : "The reason is not known."}</p>
      {failure?.hint ? <p>{failure.hint}</p> : null}
      <Button onClick={onRetry} busy={retrying}>
        Try again
      </Button>
    </div>
  );
}

export interface StaleBadgeProps {
  /** Nothing is shown when false. */
  stale: boolean;
  /** Age of the data. */
  ageSeconds: number | null | undefined;
  /** Why, shown as a tooltip and read out. */
  reason?: string;
}

/** "stale, 42 s old" beside the heading of data that is not fresh. */
export function StaleBadge({ stale, ageSeconds, reason }: StaleBadgeProps) {
  if (!stale) return null;
  return (
    <span data-testid="stale">
      <Badge tone="warn" {...(reason ? { title: reason } : {})}>
        stale, {age(ageSeconds)} old
        {reason ? <span className="visually-hidden">: {reason}</span> : null}
      </Badge>
    </span>
  );
}

/** Says in plain sight that what is shown is mock data. */
export function MockNotice({ what }: { what: string }) {
  return (
    <p className="mock-notice" role="note" data-testid="mock">
      <StatusGlyph tone="warn" /> <strong>Mock data.</strong> {what} on this page is invented for development; none of it was
      measured.
    </p>
  );
}
