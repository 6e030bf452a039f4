/** Answers of the gateway as tests need them. Used by tests only. */
import type { ClusterHealth, ClusterNode, NodesAnswer, Pod, PodDetail, PodsAnswer } from "./types";

const fresh = { stale: false, ageSeconds: 1, source: "live" } as const;

export const clusterHealth: ClusterHealth = {
  ...fresh,
  status: "degraded",
  nodesReady: 498,
  nodesTotal: 500,
  podsRunning: 9400,
  podsTotal: 10_000,
  podsPending: 200,
  podsFailed: 150,
  cpuUsagePercent: 30.1,
  memoryUsagePercent: 88,
  lastUpdated: "2026-11-21T12:00:00Z",
  reasons: ["node-7 is not ready"],
};

export function node(name: string, change: Partial<ClusterNode> = {}): ClusterNode {
  return {
    name,
    status: "Ready",
    roles: ["worker"],
    version: "v1.34.4",
    os: "Debian GNU/Linux 12",
    containerRuntime: "containerd://1.7.24",
    capacity: { cpu: "8", memory: "33554432Ki", pods: 110 },
    allocatable: { cpu: "7910m", memory: "32086508Ki", pods: 110 },
    usage: { cpuPercent: 20, memoryPercent: 72, diskPercent: 90, podsCount: 12 },
    conditions: [
      { type: "Ready", status: "True", reason: "KubeletReady", message: "ready", lastTransition: "2026-11-20T12:00:00Z" },
    ],
    createdAt: "2026-11-01T12:00:00Z",
    schedulable: true,
    ...change,
  };
}

export const nodesAnswer = (nodes: readonly ClusterNode[]): NodesAnswer => ({ ...fresh, nodes, total: nodes.length });

export function pod(name: string, change: Partial<Pod> = {}): Pod {
  return {
    name,
    namespace: "default",
    status: "Running",
    phase: "Running",
    reason: "Running",
    nodeName: "node-1",
    podIP: "10.0.0.9",
    hostIP: "192.0.2.1",
    containers: [
      { name: "main", image: "example/main:1", ready: true, restartCount: 0, state: "running", stateReason: null, lastState: null },
      {
        name: "proxy",
        image: "example/proxy:1",
        ready: false,
        restartCount: 4,
        state: "waiting",
        stateReason: "CrashLoopBackOff",
        lastState: { state: "terminated", reason: "OOMKilled", exitCode: 137, startedAt: null, finishedAt: "2026-11-21T11:59:00Z" },
      },
    ],
    restarts: 4,
    age: "3d",
    createdAt: "2026-11-18T12:00:00Z",
    labels: { app: "main" },
    ownerKind: "ReplicaSet",
    ownerName: "main-1",
    ...change,
  };
}

export function podsAnswer(pods: readonly Pod[], change: Partial<PodsAnswer> = {}): PodsAnswer {
  return { ...fresh, pods, total: pods.length, limit: 50, offset: 0, namespaces: ["default", "staging"], nodes: ["node-1"], ...change };
}

export function podDetail(which: Pod): PodDetail {
  return {
    ...fresh,
    pod: which,
    initContainers: [],
    events: [
      {
        type: "Warning",
        reason: "BackOff",
        message: "Back-off restarting failed container",
        count: 12,
        firstSeen: "2026-11-21T11:00:00Z",
        lastSeen: "2026-11-21T11:59:00Z",
        source: "kubelet",
      },
    ],
    eventsProblem: null,
    log: { container: "main", lines: [], truncated: false, problem: null },
  };
}
