/** What the page knows of one daemon: state, story and how fresh both are. Pure: events in, data out. */

import { isRecord } from "../shared/api";
import * as read from "./read";
import type * as r from "./records";
import { apply, EMPTY, fromWire, type LiveState } from "./state";
import { NO_STORY, see, settle, type Story } from "./story";

/** The gateway's connection to the daemon, as it tells it. */
export type DaemonConnection = "live" | "joining" | "lost";
/** The page's connection to the gateway. */
export type Link = "connecting" | "open" | "lost";

export interface LiveData {
  daemon: string;
  /** A snapshot of a daemon that was heard of has come. */
  loaded: boolean;
  state: LiveState;
  story: Story;
  link: Link;
  connection: DaemonConnection;
  /** Why the connection is not what it should be. */
  reason: string;
  /** Age of the data at `heardAt`, seconds. */
  ageSeconds: number;
  /** When the gateway was heard last, by this machine's clock, epoch milliseconds. */
  heardAt: number;
  /** The gateway's clock minus this machine's, milliseconds. */
  clockOffsetMs: number;
  /** Snapshots after the first: how often the page had to begin anew. */
  resyncs: number;
}

export function nothingYet(daemon: string, now: number): LiveData {
  return {
    daemon,
    loaded: false,
    state: EMPTY,
    story: NO_STORY,
    link: "connecting",
    connection: "joining",
    reason: "",
    ageSeconds: 0,
    heardAt: now,
    clockOffsetMs: 0,
    resyncs: 0,
  };
}

/** A browser that hears nothing for so long has lost its connection; a heartbeat is due every 5 s. */
export const SILENT_AFTER_MS = 12_000;

/** Takes in one event of the stream. What cannot be read changes nothing but `heardAt`. */
export function receive(data: LiveData, event: string, payload: unknown, now: number): LiveData {
  // What the daemon sent is as old as it was when it was last heard of, plus the time since.
  const aged = data.connection === "live" ? 0 : dataAge(data, now);
  const heard: LiveData = { ...data, link: "open", heardAt: now, ageSeconds: aged };
  if (!isRecord(payload)) return heard;
  switch (event) {
    case "snapshot":
      return loaded(connected(heard, payload), payload);
    case "frame":
      return framed(heard, payload);
    case "connection":
      return connected(heard, payload);
    case "heartbeat":
      return { ...heard, clockOffsetMs: offset(payload["now"], now, data.clockOffsetMs) };
    default:
      return heard;
  }
}

/** Whether what is shown is what is. */
export function isLive(data: LiveData): boolean {
  return data.link === "open" && data.connection === "live";
}

/** How old what is shown is, seconds; 0 while everything is live. */
export function dataAge(data: LiveData, now: number): number {
  if (isLive(data)) return 0;
  return data.ageSeconds + Math.max(0, now - data.heardAt) / 1000;
}

function connected(data: LiveData, payload: Record<string, unknown>): LiveData {
  const said = payload["connection"];
  const connection: DaemonConnection = said === "live" || said === "lost" ? said : "joining";
  const ageSeconds = typeof payload["ageSeconds"] === "number" ? payload["ageSeconds"] : 0;
  const reason = typeof payload["reason"] === "string" ? payload["reason"] : "";
  return { ...data, connection, ageSeconds: connection === "live" ? 0 : ageSeconds, reason };
}

function loaded(data: LiveData, payload: Record<string, unknown>): LiveData {
  const state = fromWire(payload["state"]);
  let story = data.story;
  let before = EMPTY;
  for (const frame of read.readable(payload["tail"], read.frame)) {
    const at = Date.parse(frame.at);
    try {
      if (at > data.story.lastAt) story = see(story, before, frame);
      before = apply(before, frame.topic, frame.body);
    } catch (error) {
      if (!(error instanceof read.Malformed)) throw error;
    }
  }
  // A daemon that was never heard of has no state: what is empty then is not known to be empty.
  const heard = data.connection === "live" || typeof payload["ageSeconds"] === "number";
  return { ...data, loaded: data.loaded || heard, state, story: settle(story, state), resyncs: data.resyncs + (data.loaded ? 1 : 0) };
}

function framed(data: LiveData, payload: Record<string, unknown>): LiveData {
  try {
    const frame: r.Frame = read.frame(payload);
    const state = apply(data.state, frame.topic, frame.body);
    const story = see(data.story, data.state, frame);
    return { ...data, state, story, connection: "live", ageSeconds: 0, reason: "" };
  } catch (error) {
    if (error instanceof read.Malformed) return data;
    throw error;
  }
}

function offset(said: unknown, now: number, otherwise: number): number {
  const server = typeof said === "number" ? said * 1000 : typeof said === "string" ? Date.parse(said) : Number.NaN;
  return Number.isNaN(server) ? otherwise : server - now;
}
