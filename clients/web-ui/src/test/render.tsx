import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, type RenderResult } from "@testing-library/react";
import type { ReactNode } from "react";
import { MemoryRouter } from "react-router";
import { vi } from "vitest";

/** Renders with a fresh cache that never tries twice, and a router at `path`. */
export function show(children: ReactNode, path = "/"): RenderResult & { client: QueryClient } {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, networkMode: "always" } } });
  const result = render(
    <QueryClientProvider client={client}>
      <MemoryRouter initialEntries={[path]}>{children}</MemoryRouter>
    </QueryClientProvider>,
  );
  return { ...result, client };
}

export interface Answer {
  status?: number;
  body: unknown;
}

/** Answers requests by the beginning of their path; what is not named is 404. Returns the paths that were asked. */
export function gateway(answers: Record<string, Answer | (() => Answer)>): { asked: string[]; sent: { path: string; init: RequestInit }[] } {
  const asked: string[] = [];
  const sent: { path: string; init: RequestInit }[] = [];
  vi.stubGlobal("fetch", async (path: string, init: RequestInit = {}) => {
    asked.push(path);
    sent.push({ path, init });
    const found = Object.entries(answers)
      .sort(([a], [b]) => b.length - a.length)
      .find(([start]) => path.startsWith(start))?.[1];
    const answer = typeof found === "function" ? found() : (found ?? { status: 404, body: { error: { code: "not_found", message: "no such path", hint: "" } } });
    const status = answer.status ?? 200;
    return new Response(status === 204 ? null : JSON.stringify(answer.body), { status });
  });
  return { asked, sent };
}

/** The gateway's form of an error. */
export const refusal = (status: number, code: string, message: string, hint = ""): Answer => ({ status, body: { error: { code, message, hint } } });
