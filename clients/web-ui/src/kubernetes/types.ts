/** The contracts of /api/k8s (docs/console-kubernetes.md), as the gateway sends them. */
import type { Freshness } from "../services/types";

export type ClusterStatus = "healthy" | "degraded" | "critical";
export type NodeStatus = "Ready" | "NotReady" | "Unknown";
export type PodStatus = "Running" | "Pending" | "Succeeded" | "Failed" | "Unknown";

export interface ClusterHealth extends Freshness {
  readonly status: ClusterStatus;
  readonly nodesReady: number;
  readonly nodesTotal: number;
  readonly podsRunning: number;
  readonly podsTotal: number;
  readonly podsPending: number;
  readonly podsFailed: number;
  readonly cpuUsagePercent: number | null;
  readonly memoryUsagePercent: number | null;
  readonly lastUpdated: string;
  /** why it is not healthy */
  readonly reasons?: readonly string[];
}

export interface Resources {
  readonly cpu: string;
  readonly memory: string;
  readonly pods: number;
}

export interface NodeUsage {
  readonly cpuPercent: number | null;
  readonly memoryPercent: number | null;
  readonly diskPercent: number | null;
  readonly podsCount: number;
}

export interface NodeCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly lastTransition: string | null;
}

export interface ClusterNode {
  readonly name: string;
  readonly status: NodeStatus;
  readonly roles: readonly string[];
  readonly version: string;
  readonly os: string;
  readonly containerRuntime: string;
  readonly capacity: Resources;
  readonly allocatable: Resources;
  readonly usage: NodeUsage;
  readonly conditions: readonly NodeCondition[];
  readonly createdAt: string | null;
  /** false while it is cordoned */
  readonly schedulable?: boolean;
}

export interface NodesAnswer extends Freshness {
  readonly nodes: readonly ClusterNode[];
  readonly total: number;
}

export interface ContainerState {
  readonly state: "running" | "waiting" | "terminated";
  readonly reason?: string | null;
  readonly exitCode?: number | null;
  readonly startedAt?: string | null;
  readonly finishedAt?: string | null;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state: "running" | "waiting" | "terminated";
  readonly stateReason?: string | null;
  readonly lastState?: ContainerState | null;
}

export interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly status: PodStatus;
  readonly phase: string;
  /** what kubectl's column STATUS says: CrashLoopBackOff, Evicted */
  readonly reason?: string | null;
  readonly nodeName: string | null;
  readonly podIP: string | null;
  readonly hostIP: string | null;
  readonly containers: readonly Container[];
  readonly restarts: number;
  readonly age: string;
  readonly createdAt: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly ownerKind: string | null;
  readonly ownerName: string | null;
}

export interface ClusterEvent {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly firstSeen: string | null;
  readonly lastSeen: string | null;
  readonly source: string;
}

/** A page of pods; `total` counts what the filters let through, `namespaces` and `nodes` are all there are. */
export interface PodsAnswer extends Freshness {
  readonly pods: readonly Pod[];
  readonly total: number;
  readonly limit: number;
  readonly offset: number;
  readonly namespaces: readonly string[];
  readonly nodes: readonly string[];
}

/** The last lines of one container. */
export interface LogTail {
  readonly container: string;
  readonly lines: readonly string[];
  /** older lines of those that were asked for are missing */
  readonly truncated: boolean;
  /** why there are no lines */
  readonly problem: string | null;
}

export interface PodDetail extends Freshness {
  readonly pod: Pod;
  readonly initContainers: readonly Container[];
  readonly events: readonly ClusterEvent[] | null;
  readonly eventsProblem: string | null;
  readonly log: LogTail;
}

export interface NodeDetail extends Freshness {
  readonly node: ClusterNode;
  readonly labels: Readonly<Record<string, string>>;
  readonly pods: readonly Pod[];
  readonly events: readonly ClusterEvent[] | null;
  readonly eventsProblem: string | null;
}
