import type { ProcessState, Risk } from "../live/records";
import type { Shape, Tone } from "../shared/StatusGlyph";

export const RISK_TONE: Record<Risk, Tone> = { read: "plain", safe: "good", disruptive: "warn", destructive: "bad" };

export const PROCESS_LOOK: Record<ProcessState["state"], { tone: Tone; shape: Shape; word: string }> = {
  ready: { tone: "good", shape: "check", word: "ready" },
  starting: { tone: "warn", shape: "half", word: "starting" },
  stopping: { tone: "warn", shape: "half", word: "stopping" },
  backoff: { tone: "bad", shape: "cross", word: "died" },
  failed: { tone: "bad", shape: "cross", word: "failed" },
  stopped: { tone: "plain", shape: "circle", word: "stopped" },
};
