/** DevOps activities: what somebody does to the system, step by step, as it is done. */

import { queryOptions } from "@tanstack/react-query";
import { getJson } from "../shared/api";

export type StepStatus = "pending" | "running" | "completed" | "failed";
export type ActivityStatus = "in_progress" | "completed" | "failed";

export interface DevOpsStep {
  name: string;
  status: StepStatus;
  startedAt?: string | null;
  completedAt?: string | null;
  error?: string | null;
}

export interface DevOpsActivity {
  id: string;
  operation: string;
  status: ActivityStatus;
  startedAt: string;
  completedAt?: string | null;
  /** Why it failed as a whole, where the daemon says so. */
  error?: string | null;
  steps: DevOpsStep[];
}

export interface ActivityAnswer {
  current: DevOpsActivity | null;
  recent: DevOpsActivity[];
  stale?: boolean;
  ageSeconds?: number;
}

/** How many of the last operations the panel lists. */
export const SHOWN = 10;
/** The panel refreshes by itself this often; the stream tells of changes at once. */
export const REFRESH_MS = 10_000;

export const activityQuery = (daemon: string) =>
  queryOptions({
    queryKey: ["devops", "activity", daemon],
    queryFn: ({ signal }) => {
      const whose = daemon ? `&daemon=${encodeURIComponent(daemon)}` : "";
      return getJson<ActivityAnswer>(`/api/devops/activity?limit=${SHOWN}${whose}`, signal, ["current", "recent"]);
    },
    refetchInterval: REFRESH_MS,
    refetchOnMount: true,
  });

/** The current one and the recent ones, newest first, each once. */
export function activities(answer: ActivityAnswer): DevOpsActivity[] {
  const all = answer.current ? [answer.current, ...answer.recent] : answer.recent;
  return all.filter((one, position) => all.findIndex((other) => other.id === one.id) === position);
}

/** The step to name in one line: the failed one, else the running one, else the last that is done. */
export function currentStep(activity: DevOpsActivity): DevOpsStep | null {
  const { steps } = activity;
  return (
    steps.find((step) => step.status === "failed") ??
    steps.find((step) => step.status === "running") ??
    steps.findLast((step) => step.status === "completed") ??
    steps[0] ??
    null
  );
}

/** Seconds it took, or has taken until `nowMs`; null when its times cannot be read. */
export function took(one: { startedAt?: string | null; completedAt?: string | null }, nowMs: number): number | null {
  if (!one.startedAt) return null;
  const started = Date.parse(one.startedAt);
  const ended = one.completedAt ? Date.parse(one.completedAt) : nowMs;
  return Number.isNaN(started) || Number.isNaN(ended) ? null : Math.max(0, ended - started) / 1000;
}
