/** The control token of this tab, and the dialog that asks for it. */

import { create } from "zustand";
import { ApiFailure, postJson } from "./api";

const KEY = "operator.token";

export interface Session {
  token: string;
  /** The dialog is open, and says this. */
  asking: { because: string } | null;
  setToken: (token: string) => void;
  ask: (because: string) => void;
  dismiss: () => void;
}

/** Takes `#token=…` out of the address, at once: it is not to be seen, copied or kept in the history. */
export function tokenFromFragment(): string {
  const token = new URLSearchParams(window.location.hash.slice(1)).get("token") ?? "";
  if (token) window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
  return token;
}

function remembered(): string {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function remember(token: string): void {
  try {
    if (token) sessionStorage.setItem(KEY, token);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Storage is blocked: the token is kept for this page only.
  }
}

/** The little state of the session. */
export const useSession = create<Session>((set) => ({
  token: remembered(),
  asking: null,
  setToken: (token) => {
    remember(token);
    set({ token, asking: null });
  },
  ask: (because) => set({ asking: { because } }),
  dismiss: () => set({ asking: null }),
}));

/** Adopts the token of the fragment, before the first render. */
export function adoptFragment(): void {
  const token = tokenFromFragment();
  if (token) useSession.getState().setToken(token);
}

/** Asks the gateway whether `token` is right; raises `ApiFailure` with what is wrong. */
export async function checkToken(token: string): Promise<void> {
  await postJson<unknown>("/api/session", {}, token);
}

/** Sends a command with the token of this tab. Without one, or with one that is refused, asks for it. */
export async function command<T>(path: string, body: unknown): Promise<T> {
  const { token, ask } = useSession.getState();
  if (!token) {
    ask("This needs the control token.");
    throw new ApiFailure(401, "no_token", "This needs the control token.", "`operator-web token show` prints it.");
  }
  try {
    return await postJson<T>(path, body, token);
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 401) ask(error.message);
    throw error;
  }
}
