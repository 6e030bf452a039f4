/** The golden messages of the wire: the same files that the daemon and its Python clients are held to. */

import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";

const DIRECTORY = resolve(import.meta.dirname, "../../../../tests/protocol/golden");

/** The parts of one message, as JSON; the topic of a frame is its first. */
export function golden(name: string): unknown[] {
  return readFileSync(resolve(DIRECTORY, `${name}.golden`), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("json "))
    .map((line) => JSON.parse(line.slice(5)) as unknown);
}

/** The names of all frames. */
export function frames(): string[] {
  return readdirSync(DIRECTORY)
    .filter((name) => name.startsWith("frame."))
    .map((name) => name.replace(/\.golden$/, ""));
}

/** Topic and body of a golden frame. */
export function frame(name: string): { topic: string; body: Record<string, unknown> } {
  const [topic, , body] = golden(`frame.${name}`);
  return { topic: topic as string, body: body as Record<string, unknown> };
}
