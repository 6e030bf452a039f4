/** What the Kubernetes page asks the gateway for, every 30 s and whenever the stream says that something changed. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { getJson } from "../shared/api";
import type { ClusterHealth, LogTail, NodeDetail, NodesAnswer, PodDetail, PodsAnswer } from "./types";
import { podsQuery, type PodsView } from "./view";

export const REFRESH_MS = 30_000;
export const LOG_LINES = 1000;
/** A log that is looked at is read again sooner. */
const FOLLOW_MS = 5_000;

export function useClusterHealth() {
  return useQuery({
    queryKey: ["kubernetes", "health"],
    queryFn: ({ signal }) => getJson<ClusterHealth>("/api/k8s/health", signal, ["status"]),
    refetchInterval: REFRESH_MS,
  });
}

export function useNodes() {
  return useQuery({
    queryKey: ["kubernetes", "nodes"],
    queryFn: ({ signal }) => getJson<NodesAnswer>("/api/k8s/nodes", signal, ["nodes"]),
    refetchInterval: REFRESH_MS,
  });
}

/** One page of pods. While the next one comes, the last one stays. */
export function usePods(view: PodsView) {
  const query = podsQuery(view).toString();
  return useQuery({
    queryKey: ["kubernetes", "pods", query],
    queryFn: ({ signal }) => getJson<PodsAnswer>(`/api/k8s/pods?${query}`, signal, ["pods", "total"]),
    refetchInterval: REFRESH_MS,
    placeholderData: keepPreviousData,
  });
}

export interface PodName {
  readonly namespace: string;
  readonly name: string;
}

const pathOf = ({ namespace, name }: PodName) =>
  `/api/k8s/pods/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;

/** A pod with its events. */
export function usePod(pod: PodName) {
  return useQuery({
    queryKey: ["kubernetes", "pod", pod.namespace, pod.name],
    queryFn: ({ signal }) => getJson<PodDetail>(`${pathOf(pod)}?lines=0`, signal),
    refetchInterval: REFRESH_MS,
  });
}

/** The last lines of `container` of a pod, of its first one when that is empty. */
export function usePodLog(pod: PodName, container: string) {
  const query = new URLSearchParams({ lines: String(LOG_LINES), ...(container ? { container } : {}) });
  return useQuery({
    queryKey: ["kubernetes", "log", pod.namespace, pod.name, container],
    queryFn: ({ signal }) => getJson<LogTail>(`${pathOf(pod)}/log?${query.toString()}`, signal),
    refetchInterval: FOLLOW_MS,
  });
}

export function useNode(name: string) {
  return useQuery({
    queryKey: ["kubernetes", "node", name],
    queryFn: ({ signal }) => getJson<NodeDetail>(`/api/k8s/nodes/${encodeURIComponent(name)}`, signal),
    refetchInterval: REFRESH_MS,
  });
}
