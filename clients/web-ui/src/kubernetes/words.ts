/** How the Kubernetes page says what it shows. */
import { byteSize } from "../shared/format";
import type { Tone } from "../shared/StatusGlyph";
import type { ClusterStatus, Container, NodeStatus, Pod, PodStatus } from "./types";

export const CLUSTER_TONE: Readonly<Record<ClusterStatus, Tone>> = { healthy: "good", degraded: "warn", critical: "bad" };
export const NODE_TONE: Readonly<Record<NodeStatus, Tone>> = { Ready: "good", NotReady: "bad", Unknown: "warn" };
export const POD_TONE: Readonly<Record<PodStatus, Tone>> = {
  Running: "good",
  Pending: "warn",
  Succeeded: "plain",
  Failed: "bad",
  Unknown: "fault",
};

/** `2/3`: containers that are ready. */
export function readiness(containers: readonly Container[]): string {
  return `${containers.filter(({ ready }) => ready).length}/${containers.length}`;
}

/** What kubectl says of a pod when that is more than its status: `CrashLoopBackOff`. */
export function trouble({ reason, status }: Pod): string | undefined {
  return reason && reason !== status && reason !== "Completed" ? reason : undefined;
}

/** A pod that runs is not well while it restarts or one of its containers is not ready. */
export function podTone(pod: Pod): Tone {
  return pod.status === "Running" && trouble(pod) ? "bad" : POD_TONE[pod.status];
}

export const podPath = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `/kubernetes/pods/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;

export const nodePath = (name: string): string => `/kubernetes/nodes/${encodeURIComponent(name)}`;

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** A quantity of memory as Kubernetes writes it (`32086508Ki`) for people (`30.6 GiB`); as it is when it is none. */
export function memory(quantity: string): string {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(quantity) ?? [];
  const factor = UNITS[unit ?? ""];
  return amount === undefined || factor === undefined ? quantity : byteSize(Number(amount) * factor);
}
