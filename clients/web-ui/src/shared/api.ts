/** The gateway's HTTP interface: JSON in, JSON out, one kind of error. */

/** What the gateway answers in place of data: a code for programs, a message and a hint for people. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;

  /** `status` is 0 when no answer came at all. */
  constructor(status: number, code: string, message: string, hint = "") {
    super(message);
    this.name = "ApiFailure";
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

const DEADLINE_MS = 20_000;
/** A fault, its verified recovery, an action that is executed and checked: the gateway waits 180 s for these. */
const COMMAND_DEADLINE_MS = 190_000;

/**
 * GETs `path` as JSON. `signal` is that of the query; raises `ApiFailure`, also for an answer that lacks one of
 * `members`: of a proxy, or of another version. It is an error then, and not an empty page.
 */
export async function getJson<T>(path: string, signal?: AbortSignal, members: readonly (keyof T & string)[] = []): Promise<T> {
  const said = await request(path, signal ? { signal } : {}, DEADLINE_MS);
  if (members.length > 0 && !(isRecord(said) && members.every((member) => member in said))) {
    throw new ApiFailure(200, "not_expected", "The gateway's answer is not what was asked for.", "Is it of another version?");
  }
  return said as T;
}

/** POSTs `body` as JSON with the control token; raises `ApiFailure`. */
export async function postJson<T>(path: string, body: unknown, token: string): Promise<T> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (token) headers["Authorization"] = `Bearer ${token}`;
  return (await request(path, { method: "POST", headers, body: JSON.stringify(body) }, COMMAND_DEADLINE_MS)) as T;
}

interface Asked extends Omit<RequestInit, "headers"> {
  headers?: Record<string, string>;
}

async function request(path: string, init: Asked, deadlineMs: number): Promise<unknown> {
  const deadline = AbortSignal.timeout(deadlineMs);
  const signal = init.signal ? AbortSignal.any([init.signal, deadline]) : deadline;
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, { ...init, signal, headers: { Accept: "application/json", ...init.headers } });
    text = await response.text();
  } catch (error) {
    if (init.signal?.aborted) throw error;
    if (deadline.aborted) {
      throw new ApiFailure(0, "timeout", "The gateway did not answer in time.", "It may be busy; try again.");
    }
    throw new ApiFailure(0, "unreachable", "The gateway cannot be reached.", "Is operator-web still running?");
  }
  const body = parsed(text);
  if (!response.ok) throw failure(response.status, body);
  if (body === undefined && text !== "") {
    throw new ApiFailure(response.status, "not_json", "The gateway's answer is not JSON.", "Is a proxy in the way?");
  }
  return body;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function failure(status: number, body: unknown): ApiFailure {
  const said = isRecord(body) && isRecord(body["error"]) ? body["error"] : {};
  const text = (key: string, otherwise: string) => (typeof said[key] === "string" ? said[key] : otherwise);
  return new ApiFailure(
    status,
    text("code", "http_error"),
    text("message", `The gateway answered with status ${status}.`),
    text("hint", ""),
  );
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
