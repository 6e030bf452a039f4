import { useQuery } from "@tanstack/react-query";
import { act, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { activityQuery } from "../devops/activity";
import { gateway, show } from "../test/render";
import { useDaemonName, useFollow } from "./useLive";

afterEach(() => {
  vi.unstubAllGlobals();
});

function Page() {
  useFollow();
  useQuery(activityQuery(useDaemonName()));
  return null;
}

test("[US-09] an open page asks again at once for what has changed", async () => {
  const sources: EventTarget[] = [];
  class FakeSource extends EventTarget {
    readonly readyState = 1;
    constructor(readonly url: string) {
      super();
      sources.push(this);
    }
    close() {
      /* nothing to give back */
    }
  }
  vi.stubGlobal("EventSource", FakeSource);
  const daemon = { name: "east", endpoint: "", connection: "live", ageSeconds: 0, version: "", subject: "", control: true };
  const { asked } = gateway({
    "/api/daemons": { body: { daemons: [daemon], control: true } },
    "/api/devops": { body: { current: null, recent: [] } },
  });
  const times = () => asked.filter((path) => path.endsWith("daemon=east")).length;
  show(<Page />);
  await waitFor(() => expect(times()).toBe(1));
  await waitFor(() => expect(sources).toHaveLength(1));
  act(() => {
    sources[0]?.dispatchEvent(new MessageEvent("changed", { data: JSON.stringify({ what: "devops" }) }));
  });
  await waitFor(() => expect(times()).toBe(2));
});
