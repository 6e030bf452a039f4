import { useQuery } from "@tanstack/react-query";
import * as read from "../live/read";
import type { Ticket } from "../live/records";
import { useDaemonName } from "../live/useLive";
import { getJson } from "../shared/api";

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

/** One ticket with its diagnosis and its history, as the daemon keeps it; asked for while `wanted`. */
export function useTicket(id: number | null, wanted: boolean) {
  const daemon = useDaemonName();
  return useQuery({
    queryKey: ["tickets", daemon, "detail", id],
    queryFn: async ({ signal }) => {
      const said = await getJson<TicketDetail>(`/api/tickets/${id ?? 0}?daemon=${encodeURIComponent(daemon)}`, signal, ["ticket", "history"]);
      return { ...said, ticket: read.ticket(said.ticket) };
    },
    enabled: wanted && daemon !== "" && id !== null,
    refetchInterval: 5_000,
  });
}
