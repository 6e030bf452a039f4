/** What a person can have the daemon do from the Demo page. */

import { useMutation, type UseMutationResult } from "@tanstack/react-query";
import { useDaemonName } from "../live/useLive";
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
  return useMutation({
    mutationFn: ({ path, body }: Order) => command<unknown>(`/api/${path}?daemon=${encodeURIComponent(daemon)}`, body ?? {}),
  });
}

/** Whether exactly this order is under way. */
export const underWay = (one: Command, path: string): boolean => one.isPending && one.variables.path === path;
