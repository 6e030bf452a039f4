/** What the Services page asks the gateway for, every 30 s and whenever the stream says that something changed. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { getJson } from "../shared/api";
import type { Thresholds } from "./thresholds";
import type { Catalogue, MetricName, ServicesHealth, Sparkline } from "./types";

export const REFRESH_MS = 30_000;

export function useServicesHealth() {
  return useQuery({
    queryKey: ["services", "health"],
    queryFn: ({ signal }) => getJson<ServicesHealth>("/api/metrics/services/health", signal, ["services"]),
    refetchInterval: REFRESH_MS,
  });
}

/** The catalogue changes with the gateway's configuration only, hence with a restart. */
export function useCatalogue() {
  return useQuery({
    queryKey: ["catalogue"],
    queryFn: ({ signal }) => getJson<Catalogue>("/api/metrics/catalogue", signal, ["nodes", "connections", "thresholds"]),
    staleTime: 5 * 60_000,
  });
}

/** The one threshold table; undefined until it is there. */
export function useThresholds(): Thresholds | undefined {
  return useCatalogue().data?.thresholds;
}

export function useSparkline(service: string, metric: MetricName, wanted = true) {
  return useQuery({
    queryKey: ["services", "sparkline", service, metric],
    queryFn: ({ signal }) =>
      getJson<Sparkline>(`/api/metrics/services/${encodeURIComponent(service)}/sparkline?metric=${metric}`, signal, ["dataPoints"]),
    refetchInterval: REFRESH_MS,
    enabled: wanted,
    placeholderData: keepPreviousData,
  });
}
