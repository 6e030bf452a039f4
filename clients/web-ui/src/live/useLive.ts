/** The stream's data in the query cache, and how components read it. */

import { queryOptions, skipToken, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { create } from "zustand";
import { getJson } from "../shared/api";
import { useNow } from "../shared/hooks";
import type { LiveData } from "./data";
import { Stream } from "./stream";

export interface DaemonInfo {
  name: string;
  endpoint: string;
  connection: "live" | "joining" | "lost";
  ageSeconds: number | null;
  version: string;
  subject: string;
  /** False behind a key that may only read. */
  control: boolean;
}

export interface DaemonsAnswer {
  daemons: DaemonInfo[];
  /** Whether the gateway takes commands at all. */
  control: boolean;
}

export const daemonsQuery = queryOptions({
  queryKey: ["daemons"],
  queryFn: ({ signal }) => getJson<DaemonsAnswer>("/api/daemons", signal, ["daemons"]),
  staleTime: 30_000,
  refetchInterval: 30_000,
});

/** Which daemon this tab looks at; empty: the first. */
export const useChoice = create<{ chosen: string; choose: (daemon: string) => void }>((set) => ({
  chosen: new URLSearchParams(window.location.search).get("daemon") ?? "",
  choose: (chosen) => set({ chosen }),
}));

/** The name of the daemon that is shown; empty while it is not known. */
export function useDaemonName(): string {
  const { chosen } = useChoice();
  const { data } = useQuery(daemonsQuery);
  if (data?.daemons.some((daemon) => daemon.name === chosen)) return chosen;
  return data?.daemons[0]?.name ?? "";
}

const liveKey = (daemon: string) => ["live", daemon] as const;

/** Follows the chosen daemon for as long as the application is shown. Called once. */
export function useFollow(): void {
  const client = useQueryClient();
  const daemon = useDaemonName();
  useEffect(() => {
    if (!daemon) return;
    const stream = new Stream({
      daemon,
      onData: (data) => client.setQueryData(liveKey(daemon), data),
      onChanged: (what) => {
        const keys = what === "*" ? ["devops", "services", "kubernetes", "tickets", "daemons"] : [what];
        for (const key of keys) void client.invalidateQueries({ queryKey: [key] });
      },
    });
    return () => stream.close();
  }, [client, daemon]);
}

/** A part of the live data; the component is drawn again only when that part has changed. Null before the first event. */
export function useLive<T>(select: (data: LiveData) => T): T | null {
  const daemon = useDaemonName();
  const { data } = useQuery<LiveData, Error, T>({
    queryKey: liveKey(daemon),
    queryFn: skipToken,
    enabled: false,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    // The reducer keeps what did not change; comparing everything again would cost more than drawing it.
    structuralSharing: false,
    select,
  });
  return data ?? null;
}

/** The gateway's clock, epoch milliseconds: ages and countdowns hold on a machine whose own clock is wrong. */
export function useServerNow(everyMs = 1000): number {
  const now = useNow(everyMs);
  const offset = useLive((data) => data.clockOffsetMs) ?? 0;
  return now + offset;
}
