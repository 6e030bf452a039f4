/** The one stream of this tab: opens it, notices when it falls silent, opens it again. */

import { nothingYet, receive, SILENT_AFTER_MS, type LiveData } from "./data";

const EVENTS = ["snapshot", "frame", "connection", "heartbeat"] as const;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
/** Renders are at most this often; a busy bus brings many frames between two. */
const RENDER_EVERY_MS = 100;

/** What of `EventSource` is used. */
export interface Source {
  readonly readyState: number;
  onopen: ((event: Event) => void) | null;
  onerror: ((event: Event) => void) | null;
  addEventListener: (type: string, listener: (event: MessageEvent) => void) => void;
  close: () => void;
}

export interface StreamOptions {
  daemon: string;
  /** Called with the newest data, coalesced. */
  onData: (data: LiveData) => void;
  /** Called with what the gateway says has changed: `devops`, `services`, `kubernetes`, or `*` after a new snapshot. */
  onChanged: (what: string) => void;
  open?: (url: string) => Source;
}

/** Follows one daemon until `close` is called. */
export class Stream {
  #data: LiveData;
  #source: Source | null = null;
  #openedAt = 0;
  #drawnAt = 0;
  #retryMs = FIRST_RETRY_MS;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #render: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval>;
  readonly #options: StreamOptions;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#data = nothingYet(options.daemon, Date.now());
    this.#watch = setInterval(() => this.#look(), 1000);
    this.#open();
  }

  close(): void {
    clearInterval(this.#watch);
    clearTimeout(this.#retry);
    clearTimeout(this.#render);
    this.#source?.close();
    this.#source = null;
  }

  #open(): void {
    this.#source?.close();
    this.#openedAt = Date.now();
    const url = `/api/stream?daemon=${encodeURIComponent(this.#options.daemon)}`;
    const source = (this.#options.open ?? ((address) => new EventSource(address)))(url);
    this.#source = source;
    for (const name of EVENTS) source.addEventListener(name, (event) => this.#take(source, name, String(event.data)));
    source.addEventListener("changed", (event) => {
      const text = String(event.data);
      this.#take(source, "changed", text);
      const what = parsed(text);
      this.#options.onChanged(typeof what === "object" && what !== null && "what" in what ? String(what.what) : "*");
    });
    source.onerror = () => this.#failed(source);
  }

  #take(source: Source, event: string, text: string): void {
    if (source !== this.#source) return;
    this.#retryMs = FIRST_RETRY_MS;
    this.#set(receive(this.#data, event, parsed(text), Date.now()));
    if (event === "snapshot" && this.#data.resyncs > 0) this.#options.onChanged("*");
  }

  #failed(source: Source): void {
    if (source !== this.#source) return;
    this.#lose("the stream was interrupted");
    // A browser tries again by itself after a broken connection, but never after an answer that is no stream.
    if (source.readyState === 2) this.#reopenLater();
  }

  #look(): void {
    const now = Date.now();
    if (now - this.#data.heardAt >= SILENT_AFTER_MS) this.#lose("the gateway fell silent");
    // A connection that is dead without having been closed is noticed by nobody else.
    if (now - Math.max(this.#data.heardAt, this.#openedAt) >= SILENT_AFTER_MS) this.#reopenLater();
  }

  #lose(reason: string): void {
    if (this.#data.link === "lost") return;
    this.#set({ ...this.#data, link: "lost", reason });
  }

  #reopenLater(): void {
    if (this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#open();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
  }

  #set(data: LiveData): void {
    const urgent = data.link !== this.#data.link || data.loaded !== this.#data.loaded;
    this.#data = data;
    const wait = this.#drawnAt + RENDER_EVERY_MS - Date.now();
    if (urgent || wait <= 0) this.#draw();
    else this.#render ??= setTimeout(() => this.#draw(), wait);
  }

  #draw(): void {
    clearTimeout(this.#render);
    this.#render = undefined;
    this.#drawnAt = Date.now();
    this.#options.onData(this.#data);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
