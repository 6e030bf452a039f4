import { about } from "../live/chronicle";
import { useServerNow } from "../live/useLive";
import { Drawer } from "../shared/Drawer";
import { moment, timeOfDay } from "../shared/format";
import { EmptyState, ErrorWithRetry, Skeleton } from "../shared/states";
import { Badge } from "../shared/StatusGlyph";
import { DiagnosisView } from "./AgentPanel";
import { TICKET_LOOK } from "./TicketsPanel";
import { useTicket } from "./useTicket";

/** How one ticket came to be what it is: everything that was said of it, by whom. */
export function TicketDrawer({ id, open, onClose }: { id: number | null; open: boolean; onClose: () => void }) {
  const now = useServerNow();
  const { data, error, isPending, isFetching, refetch } = useTicket(id, open);
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
