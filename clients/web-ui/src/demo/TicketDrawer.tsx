import { useQuery } from "@tanstack/react-query";
import { about } from "../live/chronicle";
import { useDaemonName, useServerNow } from "../live/useLive";
import type { Ticket } from "../live/records";
import { getJson } from "../shared/api";
import { Drawer } from "../shared/Drawer";
import { moment, timeOfDay } from "../shared/format";
import { EmptyState, ErrorWithRetry, Skeleton } from "../shared/states";
import { Badge } from "../shared/StatusGlyph";
import { DiagnosisView } from "./AgentPanel";
import { TICKET_LOOK } from "./TicketsPanel";
import * as read from "../live/read";

interface TicketEvent {
  number: number;
  at: number;
  who: string;
  what: string;
  data: Record<string, unknown>;
}

interface TicketDetail {
  ticket: Ticket;
  history: TicketEvent[];
}

/** How one ticket came to be what it is: everything that was said of it, by whom. */
export function TicketDrawer({ id, open, onClose }: { id: number | null; open: boolean; onClose: () => void }) {
  const daemon = useDaemonName();
  const now = useServerNow();
  const { data, error, isPending, isFetching, refetch } = useQuery({
    queryKey: ["tickets", daemon, "detail", id],
    queryFn: async ({ signal }) => {
      const said = await getJson<TicketDetail>(`/api/tickets/${id ?? 0}?daemon=${encodeURIComponent(daemon)}`, signal, ["ticket", "history"]);
      return { ...said, ticket: read.ticket(said.ticket) };
    },
    enabled: open && daemon !== "" && id !== null,
    refetchInterval: 5_000,
  });
  const ticket = data?.ticket;
  return (
    <Drawer
      open={open}
      onClose={onClose}
      wide
      title={ticket ? `Ticket #${ticket.id}: ${about(ticket.invariant, ticket.node)}` : `Ticket #${id ?? ""}`}
      subtitle={ticket ? `opened ${moment(ticket.opened_at * 1000, now)}` : undefined}
    >
      {isPending ? (
        <Skeleton label="Loading the ticket" lines={8} />
      ) : !data || !ticket ? (
        <ErrorWithRetry what="The ticket" error={error} onRetry={() => void refetch()} retrying={isFetching} />
      ) : (
        <>
          <p>
            <Badge tone={TICKET_LOOK[ticket.status].tone}>{ticket.status}</Badge> {ticket.message}
          </p>
          {ticket.diagnosis && (
            <section>
              <h3>Diagnosis</h3>
              <DiagnosisView diagnosis={ticket.diagnosis} />
            </section>
          )}
          {ticket.notes.length > 0 && (
            <section>
              <h3>Notes</h3>
              <ul className="notes">
                {ticket.notes.map((note, position) => (
                  <li key={position}>{note}</li>
                ))}
              </ul>
            </section>
          )}
          <section>
            <h3>History</h3>
            {data.history.length === 0 ? (
              <EmptyState title="No history" compact />
            ) : (
              <ol className="history">
                {data.history.map((event) => (
                  <li key={event.number}>
                    <time>{timeOfDay(event.at * 1000)}</time>
                    <span className="dim">{event.who}</span>
                    <span>
                      <strong>{event.what}</strong> {said(event.data)}
                    </span>
                  </li>
                ))}
              </ol>
            )}
          </section>
        </>
      )}
    </Drawer>
  );
}

/** The scalars of an event, as words. */
function said(data: Record<string, unknown>): string {
  return Object.entries(data)
    .filter(([, value]) => ["string", "number", "boolean"].includes(typeof value) && value !== "")
    .map(([name, value]) => (["text", "message", "summary", "note"].includes(name) ? String(value) : `${name} ${String(value)}`))
    .join(", ")
    .slice(0, 400);
}
