import { count, moment } from "../shared/format";
import { EmptyState } from "../shared/states";
import { StatusGlyph } from "../shared/StatusGlyph";
import type { ClusterEvent } from "./types";

export interface EventsProps {
  /** null when they cannot be read */
  readonly events: readonly ClusterEvent[] | null;
  readonly problem: string | null;
  readonly nowMs: number;
}

/** What happened to a pod or a node, as Kubernetes tells it. */
export function Events({ events, problem, nowMs }: EventsProps) {
  if (events === null) {
    return (
      <EmptyState title="Events cannot be read" tone="warn" compact>
        {problem ?? "The reason is not known."}
      </EmptyState>
    );
  }
  if (events.length === 0) {
    return (
      <EmptyState title="No events" compact>
        Kubernetes keeps them for about an hour.
      </EmptyState>
    );
  }
  return (
    <ul className="kubernetes-events" aria-label={count(events.length, "event")}>
      {events.map((event) => {
        const normal = event.type === "Normal";
        return (
          <li key={`${event.reason} ${event.firstSeen} ${event.message}`} data-type={event.type}>
            <StatusGlyph tone={normal ? "info" : "warn"} label={event.type} />
            <div>
              <p>
                <strong>{event.reason}</strong>
                {event.count > 1 ? <span className="dim"> ×{event.count.toLocaleString("en-US")}</span> : null}
                <span className="dim kubernetes-events-when">
                  {moment(event.lastSeen, nowMs)}
                  {event.source ? `, ${event.source}` : ""}
                </span>
              </p>
              <p>{event.message}</p>
            </div>
          </li>
        );
      })}
    </ul>
  );
}
