/** Which banners were dismissed: kept for the tab, so that a reload does not bring them back. */

import { create } from "zustand";

const KEY = "operator.dismissed";
/** Older dismissals are of operations that are no longer kept. */
const MOST = 200;

function stored(): ReadonlySet<string> {
  try {
    const said: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return new Set(Array.isArray(said) ? said.filter((one) => typeof one === "string") : []);
  } catch {
    return new Set();
  }
}

export const useDismissed = create<{ dismissed: ReadonlySet<string>; dismiss: (what: string) => void }>((set) => ({
  dismissed: stored(),
  dismiss: (what) =>
    set(({ dismissed }) => {
      const next = [...dismissed, what].slice(-MOST);
      try {
        sessionStorage.setItem(KEY, JSON.stringify(next));
      } catch {
        // Storage is blocked: it is dismissed until the next reload.
      }
      return { dismissed: new Set(next) };
    }),
}));
