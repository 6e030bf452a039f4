/** Which operations the banner tells of. Pure: the answer, what was dismissed, what was seen when, and the time. */

import { activities, type ActivityAnswer, type DevOpsActivity } from "./activity";

/** A success goes by itself after so long. */
export const SUCCESS_SHOWN_MS = 10_000;
/** At most so many at once; more failures are counted. */
export const MOST = 3;

/** What this page remembers of an operation. */
export interface Memory {
  /** It was seen running here. */
  running: boolean;
  /** When it was first seen completed, by this machine's clock; null while it is not. */
  completedSeenAt: number | null;
}

export interface Banners {
  shown: DevOpsActivity[];
  /** Failures for which there is no room. */
  more: number;
  /** When to look again, milliseconds from now; null: not before something changes. */
  againInMs: number | null;
}

/** An operation that was dismissed comes back only when it fails. */
export const dismissal = (activity: DevOpsActivity): string =>
  activity.status === "failed" ? `${activity.id}:failed` : `${activity.id}:going`;

/** Updates what is remembered with a new answer. `serverNow` is the gateway's clock, `now` this machine's. */
export function remember(
  memory: ReadonlyMap<string, Memory>,
  answer: ActivityAnswer,
  serverNow: number,
  now: number,
): ReadonlyMap<string, Memory> {
  const next = new Map<string, Memory>();
  for (const activity of activities(answer)) {
    const was = memory.get(activity.id);
    const running = was?.running === true || activity.status === "in_progress";
    let completedSeenAt = was?.completedSeenAt ?? null;
    if (activity.status === "completed" && completedSeenAt === null) {
      // One that ended before this page was opened counts from its end.
      const ended = Date.parse(activity.completedAt ?? "");
      completedSeenAt = running ? now : Number.isNaN(ended) ? now - SUCCESS_SHOWN_MS : now - Math.max(0, serverNow - ended);
    }
    next.set(activity.id, { running, completedSeenAt });
  }
  return next;
}

/** What to show now. */
export function banners(
  answer: ActivityAnswer,
  memory: ReadonlyMap<string, Memory>,
  dismissed: ReadonlySet<string>,
  now: number,
): Banners {
  const wanted: DevOpsActivity[] = [];
  let againInMs: number | null = null;
  for (const activity of activities(answer)) {
    if (dismissed.has(dismissal(activity))) continue;
    if (activity.status === "completed") {
      const left = (memory.get(activity.id)?.completedSeenAt ?? Number.NEGATIVE_INFINITY) + SUCCESS_SHOWN_MS - now;
      if (left <= 0) continue;
      againInMs = Math.min(againInMs ?? left, left);
    }
    wanted.push(activity);
  }
  const shown = wanted.slice(0, MOST);
  return { shown, more: wanted.length - shown.length, againInMs };
}
