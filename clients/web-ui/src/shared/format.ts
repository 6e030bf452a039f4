/** How the console writes numbers, durations, sizes and times; the same words as the terminal viewer. */

const MISSING = "–";

const known = (value: number | null | undefined): value is number => typeof value === "number" && Number.isFinite(value);

/** `2,001`; one decimal below ten; a dash for what is not a number. */
export function number(value: number | null | undefined): string {
  if (!known(value)) return MISSING;
  const digits = Math.abs(value) > 0 && Math.abs(value) < 9.95 && !Number.isInteger(value) ? 1 : 0;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `42 %`; one decimal below ten. */
export function percent(value: number | null | undefined): string {
  return known(value) ? `${number(value)} %` : MISSING;
}

/** `31 ms`, `0.2 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`. */
export function duration(seconds: number | null | undefined): string {
  if (!known(seconds)) return MISSING;
  const value = Math.max(0, seconds);
  if (value < 0.0995) return `${Math.round(value * 1000)} ms`;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  const hours = Math.floor(whole / 3600);
  if (hours < 24) return `${hours} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A duration in whole seconds, for what is redrawn as it grows: `0 s`, `12 s`, `3 min 05 s`. */
export function age(seconds: number | null | undefined): string {
  if (!known(seconds)) return MISSING;
  return seconds >= 10 ? duration(Math.floor(seconds)) : `${Math.max(0, Math.floor(seconds))} s`;
}

/** `0.31 ms`, `13.7 ms`, `950 ms`. */
export function milliseconds(value: number | null | undefined): string {
  if (!known(value)) return MISSING;
  return `${value.toFixed(value < 1 ? 2 : value < 100 ? 1 : 0)} ms`;
}

/** `312 B`, `4.2 MiB`. */
export function byteSize(bytes: number | null | undefined): string {
  if (!known(bytes)) return MISSING;
  let value = bytes;
  let unit = "B";
  for (const bigger of ["KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1024) break;
    value /= 1024;
    unit = bigger;
  }
  return unit === "B" || value >= 100 ? `${Math.round(value)} ${unit}` : `${value.toFixed(1)} ${unit}`;
}

/** `14:03:07` in local time; `at` as epoch milliseconds or ISO 8601. */
export function timeOfDay(at: number | string | null | undefined): string {
  const date = toDate(at);
  return date ? date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" }) : MISSING;
}

/** `14:03:07` for today, else `20 Nov, 14:03`; local time. */
export function moment(at: number | string | null | undefined, nowMs: number): string {
  const date = toDate(at);
  if (!date) return MISSING;
  if (date.toDateString() === new Date(nowMs).toDateString()) return timeOfDay(date.getTime());
  return date.toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

/** Seconds from `at` (epoch milliseconds or ISO 8601) to `nowMs`; null when `at` is no time. */
export function secondsSince(at: number | string | null | undefined, nowMs: number): number | null {
  const date = toDate(at);
  return date ? (nowMs - date.getTime()) / 1000 : null;
}

function toDate(at: number | string | null | undefined): Date | null {
  if (at === null || at === undefined || at === "") return null;
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** `1 node`, `3 nodes`. */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString("en-US")} ${value === 1 ? one : many}`;
}
