// Types that the client's modules share with each other; what users need is in ../hermes.d.ts.

import type { Backoff, HermesError, HermesEvent, State } from "../hermes.js";
import type { Inbox } from "./inbox.js";
import type { readOptions } from "./options.js";
import type { TokenSource } from "./token.js";

/** Everything that the client takes from the world, so that a test can put its own in place. */
export interface Env {
  /** Monotonic clock, ms. */
  now(): number;
  /** Wall clock, ms since 1970. */
  date(): number;
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
  /** 0 <= x < 1 */
  random(): number;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** May throw: some browsers refuse storage. */
  storage(kind: "session" | "local"): Pick<Storage, "getItem" | "setItem" | "removeItem"> | undefined;
  /** Where page events come from; null outside of browsers. */
  window: EventTarget | null;
  /** What relative URLs are relative to, and the origin that counts as our own. */
  base: string | undefined;
  console: Pick<Console, "error" | "debug">;
}

/** One dispatched block of an event stream. */
export interface Frame {
  type: string;
  data: string;
  /** The id that this frame itself carries; null: none. */
  id: string | null;
  /** The standard's last event id: that of this frame or of an earlier one. */
  lastEventId: string;
  channel: string | null;
  time: string | null;
  retained: boolean;
}

export interface ParserSink {
  frame(frame: Frame): void;
  /** An id that came without data. */
  id(id: string): void;
  retry(ms: number): void;
}

/** Channels, types and filters, in one order, so that equal ones are equal text. */
export interface Subscription {
  channels?: string[];
  types?: string[];
  filters?: object;
}

export interface BuiltRequest {
  url: string;
  init: RequestInit;
  /** What it goes on from. */
  cursor: string | null;
}

/** What a transport tells its stream. */
export interface Sink {
  request(query?: Record<string, string>): Promise<BuiltRequest>;
  /** Something arrived (after the frames that it held). */
  alive(): void;
  frame(frame: Frame): void;
  id(id: string): void;
}

/** One use of a transport, from its request to its end. */
export interface Connection {
  /** The server's `retry:` in ms, 0 when there was none. */
  retry: number;
  /** Resolves when the server ended it, rejects with a HermesError. */
  run(sink: Sink): Promise<void>;
  /** Deliver nothing more until `hold(false)`. */
  hold(on: boolean): void;
  /** The server's heartbeat interval, s. */
  expect(seconds: number): void;
  /** Is it still alive? Ends it if not. */
  check(): void;
  abort(error?: Error): void;
}

export interface Cursor {
  epoch: string;
  number: number;
}

/** A subscription that `update()` asked for. */
export interface Change {
  previous: Subscription;
  next: Subscription;
  /** It shows what the previous one did not, so retained state is asked for. */
  wider: boolean;
  resolve(): void;
  reject(error: Error): void;
}

export type PageEvent = "wake" | "online" | "offline" | "hide";

/** What a link asks of its stream, and tells it. Whatever it tells may call back into the link: it tells last. */
export interface Host {
  env: Env;
  options: ReturnType<typeof readOptions>;
  tokens: TokenSource;
  inbox: Inbox;
  isOffline(): boolean;
  request(query?: Record<string, string>, change?: Change | null): Promise<BuiltRequest>;
  deliver(event: HermesEvent): void;
  error(error: HermesError): void;
  state(previous: State): void;
  /** From now on that is the subscription. */
  adopt(change: Change): void;
  /** A fatal error: true when it was that of an adopted change, which is taken back. */
  revert(error: HermesError): boolean;
  /** The server ended the stream for good. */
  finished(): void;
}

export type Limits = Required<Backoff>;
