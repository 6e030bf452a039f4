import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { about } from "../live/chronicle";
import { isLive } from "../live/data";
import { useDaemonName, useLive, useServerNow } from "../live/useLive";
import type { Severity, Ticket, TicketStatus } from "../live/records";
import { foremost } from "../live/story";
import { getJson } from "../shared/api";
import { Button } from "../shared/Button";
import { age, count, duration } from "../shared/format";
import { Panel } from "../shared/Panel";
import { EmptyState, ErrorWithRetry, Skeleton, StaleBadge } from "../shared/states";
import { Badge, StatusGlyph, type Shape, type Tone } from "../shared/StatusGlyph";

const SHOWN = 8;
const MORE = 24;
/** The most that the gateway gives at once. */
const MOST = 1000;

interface TicketPage {
  tickets: Ticket[];
  nextCursor: number | null;
}

const SEVERITY: Record<Severity, Tone> = { info: "info", warning: "warn", critical: "bad" };
export const TICKET_LOOK: Record<TicketStatus, { tone: Tone; shape?: Shape }> = {
  open: { tone: "bad", shape: "dot" },
  diagnosing: { tone: "info", shape: "spinner" },
  diagnosed: { tone: "info", shape: "dot" },
  acting: { tone: "info", shape: "spinner" },
  resolved: { tone: "good" },
  escalated: { tone: "warn" },
  held: { tone: "plain" },
};

/** What does not hold, since when, and the tickets of it: the open ones live, the last resolved ones below. */
export function TicketsPanel({ selected, onSelect }: { selected: number | null; onSelect: (ticket: number) => void }) {
  const daemon = useDaemonName();
  const open = useLive((data) => data.state.tickets);
  const violations = useLive((data) => data.state.violations);
  const detection = useLive((data) => foremost(data.story));
  const cluster = useLive((data) => data.state.cluster);
  const connected = useLive(isLive) ?? false;
  const now = useServerNow();
  const [shown, setShown] = useState(SHOWN);
  const query = useQuery<TicketPage>({
    queryKey: ["tickets", daemon, shown],
    placeholderData: (before, query) => (query?.queryKey[1] === daemon ? before : undefined),
    queryFn: ({ signal }) => getJson<TicketPage>(`/api/tickets?limit=${shown}&daemon=${encodeURIComponent(daemon)}`, signal, ["tickets"]),
    enabled: daemon !== "",
  });
  const { refetch } = query;
  // Which tickets are open, and how they stand, comes over the stream; the list of the others follows it.
  const state = [...(open?.values() ?? [])].map((ticket) => `${ticket.id}${ticket.status}`).join();
  useEffect(() => {
    if (daemon) void refetch();
  }, [daemon, state, refetch]);

  const live = [...(open?.values() ?? [])].sort((a, b) => b.id - a.id);
  const past = (query.data?.tickets ?? []).filter((ticket) => ticket.status === "resolved" && !open?.has(ticket.id)).slice(0, shown - Math.min(live.length, shown - 2));
  const broken = violations?.size ?? 0;
  return (
    <Panel
      title="Tickets"
      area="tickets"
      tone={broken > 0 ? "bad" : undefined}
      aside={
        <>
          <StaleBadge stale={query.isError && query.data !== undefined} ageSeconds={(now - query.dataUpdatedAt) / 1000} reason={query.error?.message ?? ""} />
          {broken > 0 ? (
            <Badge tone="bad">{broken} broken</Badge>
          ) : cluster === null || cluster.ok === null ? (
            <Badge tone="warn">nothing observed</Badge>
          ) : (
            <Badge tone={connected ? "good" : "plain"}>all invariants hold</Badge>
          )}
        </>
      }
    >
      <div className="stack">
        {detection && (
          <p className="detected" role="status">
            <StatusGlyph tone="bad" shape="triangle" />
            <span>
              <strong>Detected</strong> {about(detection.violation.invariant, detection.violation.node)}
              {detection.afterS !== null && (
                <>
                  {" "}
                  <strong>{duration(detection.afterS)}</strong> after the injection
                </>
              )}
            </span>
          </p>
        )}
        {broken > 0 && (
          <ul className="violations" aria-label="Broken invariants">
            {[...(violations?.values() ?? [])].map((one) => (
              <li key={one.id}>
                <StatusGlyph tone={SEVERITY[one.severity]} label={one.severity} />
                <span>
                  <strong>{about(one.invariant, one.node)}</strong> {one.message}
                </span>
                <span className="dim">{age(now / 1000 - one.first_seen_at)}</span>
              </li>
            ))}
          </ul>
        )}
        {query.isPending && live.length === 0 ? (
          <Skeleton label="Loading tickets" lines={3} />
        ) : query.isError && !query.data && live.length === 0 ? (
          <ErrorWithRetry what="Tickets" error={query.error} onRetry={() => void refetch()} retrying={query.isFetching} compact />
        ) : live.length + past.length === 0 ? (
          <EmptyState title="No ticket so far" tone="good" compact>
            One is opened when an invariant does not hold past its grace.
          </EmptyState>
        ) : (
          <ul className="tickets" aria-label="Tickets">
            {[...live, ...past].map((ticket) => (
              <Row key={ticket.id} ticket={ticket} now={now} selected={ticket.id === selected} onSelect={onSelect} />
            ))}
          </ul>
        )}
        {typeof query.data?.nextCursor === "number" && shown < MOST && (
          <p>
            <Button look="quiet" busy={query.isPlaceholderData} onClick={() => setShown(Math.min(MOST, shown + MORE))}>
              Older tickets
            </Button>
          </p>
        )}
      </div>
    </Panel>
  );
}

function Row({ ticket, now, selected, onSelect }: { ticket: Ticket; now: number; selected: boolean; onSelect: (ticket: number) => void }) {
  const look = TICKET_LOOK[ticket.status];
  const since = ticket.status === "resolved" ? (ticket.resolved_at ?? ticket.updated_at) : ticket.opened_at;
  return (
    <li>
      <button type="button" className="ticket" aria-pressed={selected} data-ticket={ticket.id} data-status={ticket.status} onClick={() => onSelect(ticket.id)}>
        <span className="dim">#{ticket.id}</span>
        <span className="ticket-what">
          {about(ticket.invariant, ticket.node)}
          {ticket.occurrences > 1 && <span className="dim"> ×{ticket.occurrences}</span>}
          {ticket.reopened > 0 && <span className="tone-warn"> reopened {count(ticket.reopened, "time")}</span>}
        </span>
        <Badge tone={look.tone} glyph={false}>
          <StatusGlyph tone={look.tone} {...(look.shape ? { shape: look.shape } : {})} /> {ticket.status}
        </Badge>
        <span className="dim ticket-age">
          {age(now / 1000 - since)}
          {ticket.status === "resolved" ? " ago" : ""}
        </span>
      </button>
    </li>
  );
}
