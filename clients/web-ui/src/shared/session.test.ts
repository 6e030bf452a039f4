import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { gateway, refusal } from "../test/render";
import { ApiFailure, getJson } from "./api";
import { adoptFragment, command, useSession } from "./session";

describe("the control token", () => {
  beforeEach(() => {
    sessionStorage.clear();
    useSession.setState({ token: "", asking: null });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    window.history.replaceState(null, "", "/");
  });

  it("is taken out of the address at once, and kept for this tab only", () => {
    window.history.replaceState(null, "", "/demo?node=valkey-1#token=s3cret");
    adoptFragment();
    expect(window.location.href).toMatch(/\/demo\?node=valkey-1$/);
    expect(useSession.getState().token).toBe("s3cret");
    expect(sessionStorage.getItem("operator.token")).toBe("s3cret");
    expect(localStorage.length).toBe(0);
  });

  it("goes with commands as a bearer token, and never into an address", async () => {
    const { sent } = gateway({ "/api/demo/next": { body: { ok: true, result: {} } } });
    useSession.getState().setToken("s3cret");
    await command("/api/demo/next", {});
    expect(sent[0]?.path).toBe("/api/demo/next");
    expect((sent[0]?.init.headers as Record<string, string>)["Authorization"]).toBe("Bearer s3cret");
  });

  it("is asked for when there is none, before anything is sent", async () => {
    const { asked } = gateway({});
    await expect(command("/api/faults", {})).rejects.toMatchObject({ code: "no_token" });
    expect(asked).toEqual([]);
    expect(useSession.getState().asking).not.toBeNull();
  });

  it("is asked for again when the gateway says that it has expired", async () => {
    gateway({ "/api/faults": refusal(401, "token_expired", "the control token is expired", "rotate it") });
    useSession.getState().setToken("old");
    await expect(command("/api/faults", {})).rejects.toBeInstanceOf(ApiFailure);
    expect(useSession.getState().asking?.because).toBe("the control token is expired");
  });
});

describe("errors of the gateway", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("keep their code, message and hint", async () => {
    gateway({ "/api/x": refusal(503, "unavailable", "the source is down", "start it") });
    await expect(getJson("/api/x")).rejects.toMatchObject({ status: 503, code: "unavailable", message: "the source is down", hint: "start it" });
  });

  it("are told apart from a gateway that cannot be reached, and from an answer that is no JSON", async () => {
    vi.stubGlobal("fetch", async () => {
      throw new TypeError("failed to fetch");
    });
    await expect(getJson("/api/x")).rejects.toMatchObject({ status: 0, code: "unreachable" });
    vi.stubGlobal("fetch", async () => new Response("<html>", { status: 200 }));
    await expect(getJson("/api/x")).rejects.toMatchObject({ code: "not_json" });
  });
});
