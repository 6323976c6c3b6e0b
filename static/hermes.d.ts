// The types of hermes.js, for those who import it. Times are in milliseconds unless they say otherwise.

/** Opens a stream. The first request leaves after the current task, so handlers added at once miss nothing. */
export function connect(url: string | URL, options?: Options): Stream;

export interface Subscribing {
  /** Names and patterns; left out: the server's default channels. */
  channels?: string | readonly string[] | null;
  /** Event types, patterns allowed. */
  types?: string | readonly string[] | null;
  /** Conditions over `data`: dotted path -> scalar, list or operators. */
  filters?: object | null;
}

export interface Backoff {
  /** ms; default 1000. */
  base?: number;
  /** ms; default 30000. */
  cap?: number;
}

export interface Options extends Subscribing {
  /** `auto` (default): streaming by fetch, long polling when that does not work. `eventsource` is not built yet and throws. */
  transport?: "auto" | "fetch" | "eventsource" | "poll";
  /** Called before each request; `refresh` is true when the last token was refused or has expired. */
  getToken?: (why: { refresh: boolean }) => string | null | undefined | Promise<string | null | undefined>;
  headers?: Record<string, string>;
  /** As fetch has it; default `same-origin`. */
  credentials?: RequestCredentials;
  /** Where the cursor survives a page load; default `session`. */
  persist?: "session" | "local" | false;
  /** `auto` (default): retained state when the stream is fresh, was reset, or resumes in a new page. */
  retained?: "auto" | boolean | 0 | 1;
  backoff?: Backoff;
  /** Give up after this many attempts in a row; 0 (default): never. */
  maxRetries?: number;
  /** Log to the console. */
  debug?: boolean;
  /** false: stay idle until `resume()` or `reconnect()`. */
  enabled?: boolean;
  /** Closes the stream when aborted. */
  signal?: AbortSignal;
  /** For tests: clock, timers, random, fetch, storage, window. */
  env?: object;
}

export interface HermesEvent<T = any> {
  type: string;
  /** Parsed JSON, or the text where it is none. */
  data: T;
  text: string;
  /** The cursor after this event; null for retained state and events to one connection. */
  id: string | null;
  channel: string | null;
  /** UTC, ISO 8601. */
  time: string | null;
  /** Sent from history, after a connect or a reset. */
  replayed: boolean;
  /** State that the channel keeps, not news. */
  retained: boolean;
}

/** idle, connecting, open, waiting (for the next attempt), polling, paused, closed. */
export type State = "idle" | "connecting" | "open" | "waiting" | "polling" | "paused" | "closed";

export interface StateEvent {
  type: "state";
  state: State;
  previous: State;
  /** Attempts that failed in a row. */
  attempts: number;
  /** ms until the next attempt, 0 when none is due. */
  retryIn: number;
}

/** What the named handlers receive; every other name or pattern receives a HermesEvent. */
export interface Events {
  state: StateEvent;
  /** Everything that went wrong; `fatal` when the stream stopped for it. */
  error: HermesError;
  /** The stream stopped for good, not by `close()` nor by the server: fatal error, or `maxRetries` reached. `reconnect()` tries again. */
  gaveup: HermesError;
  connected: HermesEvent<{
    connection_id: string; timestamp: string; channels: string[]; user_id: string | null;
    heartbeat_interval: number; cursor: string | null; recovered: boolean | null;
  }>;
  /** Events of these channels may be missing. */
  reset: HermesEvent<{ reason: "history_truncated" | "epoch_changed" | "unknown_cursor"; channels: string[] }>;
  heartbeat: HermesEvent<{ timestamp: string }>;
  /** The server ended the stream. */
  close: HermesEvent<{
    reason: "drain" | "slow" | "expired" | "revoked" | "kicked" | "max_age" | "complete" | "error"; reconnect: boolean;
  }>;
}

export interface Stream {
  readonly state: State;
  readonly attempts: number;
  readonly retryIn: number;
  /** The cursor: what a new connection goes on from. */
  readonly lastEventId: string | null;
  /**
   * Calls `handler` for each event of `type`: a name, a pattern ("job.*"), or "*" for all that was published. The
   * names of `Events` are the client's own and match no pattern. Returns what removes the handler again.
   */
  on<K extends keyof Events>(type: K, handler: (event: Events[K]) => unknown): () => void;
  on(type: string, handler: (event: HermesEvent) => unknown): () => void;
  off(type: string, handler?: (event: any) => unknown): void;
  /**
   * Changes the subscription without losing an event: the new connection is open before the old one is dropped.
   * What is left out stays, null removes. Channels that were added send their retained state and what came after
   * `lastEventId`; nothing of a channel that was left out comes once this has resolved. While the stream is not open, it
   * resolves when it is. Rejects with a HermesError, and all stays as it was, when the new one cannot be opened.
   */
  update(changes: Subscribing): Promise<void>;
  /** Connects now, also after `gaveup`; not after `close()`. */
  reconnect(): void;
  /** Drops the connection and keeps the cursor. */
  pause(): void;
  resume(): void;
  /** Ends it for good. */
  close(): void;
}

export class HermesError extends Error {
  /** Of the server (`FORBIDDEN`, ...), or NETWORK, TIMEOUT, FORMAT, TOKEN, HANDLER, CLOSED, OPTION, HTTP_<status>. */
  code: string;
  /** HTTP status, 0 when there was none. */
  status: number;
  /** The stream stopped for it. */
  fatal: boolean;
  /** ms, 0 when the server named none. */
  retryAfter: number;
  /** What a HandlerError, TokenError or NetworkError comes from. */
  cause?: unknown;
  constructor(message: string, details?: object);
}
/** The server refused, by a status or by an `error` frame. */
export class RefusedError extends HermesError {}
/** No answer, or a link that broke. */
export class NetworkError extends HermesError {}
/** Silence for longer than the heartbeat allows, or nothing at all. */
export class TimeoutError extends HermesError {}
/** An answer that is no event stream or page, or an event that is too large. */
export class FormatError extends HermesError {}
/** `getToken` failed. */
export class TokenError extends HermesError {}
/** A handler threw: see `cause`. */
export class HandlerError extends HermesError {}
/** The stream was closed before it could be done. */
export class ClosedError extends HermesError {}
/** An option that cannot be. */
export class OptionError extends HermesError {}
