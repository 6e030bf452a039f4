/** What a person can have the daemon do from the Demo page. */

import { useMutation, useQuery, type UseMutationResult } from "@tanstack/react-query";
import { daemonsQuery, useDaemonName } from "../live/useLive";
import { ApiFailure } from "../shared/api";
import { command } from "../shared/session";

export interface Order {
  /** Below `/api/`. */
  path: string;
  body?: Record<string, unknown>;
  /** What it is called where its failure is told: "Next chapter". */
  name: string;
}

export type Command = UseMutationResult<unknown, Error, Order>;

/** A command to the daemon that is shown. What it changes comes over the stream. */
export function useCommand(): Command {
  const daemon = useDaemonName();
  const { data } = useQuery(daemonsQuery);
  const shows = data && !(data.control && data.daemons.find(({ name }) => name === daemon)?.control);
  return useMutation({
    mutationFn: async ({ path, body }: Order) => {
      // No token would help, so none is asked for.
      if (shows) throw new ApiFailure(403, "read_only", "this console only shows.", "It runs with --read-only, or behind a read key.");
      return command<unknown>(`/api/${path}?daemon=${encodeURIComponent(daemon)}`, body ?? {});
    },
  });
}

/** Whether exactly this order is under way. */
export const underWay = (one: Command, path: string): boolean => one.isPending && one.variables.path === path;
