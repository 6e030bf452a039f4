import { QueryClient } from "@tanstack/react-query";
import { ApiFailure } from "../shared/api";

/** The one cache of everything that came over HTTP or the stream. */
export function newQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        refetchOnWindowFocus: true,
        // What was wrongly asked, refused or not found is not asked again; a source that is down is, once.
        retry: (failures, error) => failures < 1 && !(error instanceof ApiFailure && error.status >= 400 && error.status < 500),
        retryDelay: 1_000,
        networkMode: "always",
      },
      mutations: { networkMode: "always" },
    },
  });
}
