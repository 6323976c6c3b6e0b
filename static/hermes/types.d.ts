// The contracts between the client's modules, with their guarantees; what users need is in ../hermes.d.ts. They stand
// here, in a namespace that only the type checker knows, because every page loads the modules, comments and all.

declare namespace Hermes {
  type Backoff = import("../hermes.js").Backoff;
  type HermesError = import("../hermes.js").HermesError;
  type HermesEvent = import("../hermes.js").HermesEvent;
  type Options = import("../hermes.js").Options;
  type State = import("../hermes.js").State;
  type Stream = import("../hermes.js").Stream;
  type Subscribing = import("../hermes.js").Subscribing;

  /** Everything that the client takes from the world, so that a test can put its own in place. */
  interface Env {
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
    /** What relative URLs are relative to; its origin is our own. */
    base: string | undefined;
    console: Pick<Console, "error" | "debug">;
  }

  // -- parser.js -------------------------------------------------------------------------------------------------------

  /** One dispatched block of an event stream. */
  interface Frame {
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

  type Incoming = Pick<Frame, "type" | "data"> & Partial<Frame>;

  interface ParserSink {
    frame(frame: Frame): void;
    /** An id that came without data: no event, but the position moves. */
    id(id: string): void;
    /** ms */
    retry(ms: number): void;
  }

  /**
   * Takes the stream's bytes in chunks of any size. Linear in their number, bounded by `limit` characters for one event.
   * Returns `push`, which throws a FormatError when an event outgrows the limit.
   */
  type CreateParser = (sink: ParserSink, limit?: number) => (bytes: Uint8Array) => void;

  /** Each handler sees events in order; one that throws, or returns a promise that rejects, is reported and harms nobody. */
  interface Emitter {
    on(type: string, handler: (event: any) => unknown): () => void;
    off(type: string, handler?: (event: any) => unknown): void;
    has(type: string): boolean;
    /** `own`: one of the client's names, which patterns do not match; else something that was published. */
    emit(type: string, event: unknown, own: boolean): void;
  }
  type CreateEmitter = (report: (cause: unknown, type: string) => void) => Emitter;

  // -- delivery.js -----------------------------------------------------------------------------------------------------

  interface Cursor {
    epoch: string;
    number: number;
  }
  /** `<epoch>-<number>`; a `~` and what follows it is a mark that says nothing about the position. */
  type ParseCursor = (text: string | null) => Cursor | null;

  /** Frames into events, each once and in order, and the cursor that moves with them. */
  interface Inbox {
    cursor: string | null;
    /** Ask for retained state with the next request: what was owed has not come whole. */
    wantsRetained: boolean;
    /** A connection begins: events come from history until the heartbeat that ends its opening. */
    begin(): void;
    /** Goes on from `id`, unless that is behind: a stream's ids never decrease. */
    moveTo(id: string | null): void;
    /** The event of a frame, or null when it was delivered before. */
    accept(frame: Incoming): HermesEvent | null;
  }
  /** `cursor` is that of an earlier page: the stream goes on from there, but this page shows nothing yet. */
  type CreateInbox = (cursor: string | null, moved?: (cursor: string) => void) => Inbox;

  // -- world.js, page.js -----------------------------------------------------------------------------------------------

  /** The cursor over page loads. Storage that is full or refused is the same as none. */
  interface CursorStore {
    key: string;
    read(): string | null;
    /** Written at most twice a second, and by `flush`. */
    write(cursor: string): void;
    flush(): void;
    remove(): void;
  }
  type CreateStore = (env: Env, kind: "session" | "local" | false, key: string) => CursorStore;
  type StorageKey = (url: URL, subscription: Subscription) => string;

  /** `hide`: let go of the link. */
  type PageEvent = "wake" | "online" | "offline" | "hide";
  interface Page {
    readonly offline: boolean;
    stop(): void;
  }
  type WatchPage = (core: Core) => Page;

  // -- connection.js, transport-poll.js --------------------------------------------------------------------------------

  /** Channels, types and filters in one order, so that equal ones are equal text. */
  interface Subscription {
    channels?: string[];
    types?: string[];
    filters?: object;
  }

  interface Query {
    url: URL;
    /** Our own; null where there is none. */
    origin: string | null;
    subscription: Subscription;
    cursor: string | null;
    retained?: string | null;
    /** This client's former connection id. */
    connection?: string | null;
    token?: string | null;
    headers?: Record<string, string>;
    credentials?: RequestCredentials;
    /** Of a page; left out: a stream. */
    poll?: Record<string, string>;
  }

  interface BuiltRequest {
    url: string;
    init: RequestInit;
    /** What it goes on from. */
    cursor: string | null;
  }
  type BuildRequest = (query: Query) => BuiltRequest;
  type ToSubscription = (subscribing: Subscribing) => Subscription;

  // -- errors.js -------------------------------------------------------------------------------------------------------

  /** Of any status but 200 and 204, and of 401 when there is no other token. `missing`: fatal when it stays. */
  type Verdict = (status: number) => "missing" | "fatal" | "retry";
  /** The body of a 200 of that type; anything else is thrown. `date` is ms since 1970. */
  type BodyOf = (response: Response, type: string, date: number) => Promise<ReadableStream<Uint8Array>>;
  /** `Retry-After` (RFC 9110, section 10.2.3) in ms, 0 when there is none that can be read. */
  type RetryAfter = (value: string | null, date: number) => number;
  /**
   * ms until the next attempt: full jitter on top of what the server asked for (`floor`, ms). Its `retry:` is spread
   * already, so the first reconnect after an orderly end waits exactly that.
   */
  type RetryDelay = (
    end: { attempt: number; floor: number; orderly?: boolean }, backoff: Backoff | undefined, random: () => number,
  ) => number;

  /** What a connection asks and tells. */
  interface Sink {
    request(poll?: Record<string, string>): Promise<BuiltRequest>;
    frame(frame: Incoming): void;
    id(id: string): void;
    /** Something arrived; comes after the frames that it held. */
    alive(): void;
  }

  /** One use of a transport, from its request to its end. */
  interface Connection {
    /** The server's `retry:` in ms, 0 when there was none. */
    retry: number;
    /** Resolves when the server or `abort()` ended it, rejects with a HermesError. */
    run(sink: Sink): Promise<void>;
    /** The server's heartbeat interval, s. */
    expect(seconds: number): void;
    /** Deliver nothing more until `hold(false)`; what comes stays with the sender. */
    hold(on: boolean): void;
    /** Is it still alive? Ends it if not. */
    check(): void;
    abort(error?: HermesError): void;
  }
  type CreateConnection = (env: Env) => Connection;
  type CreatePollConnection = (core: Core) => Connection;

  /** One answer to a poll. */
  interface PollPage {
    events: object[];
    cursor: string | null;
    reset?: object | null;
    retained?: object[] | null;
    close?: object | null;
  }

  /** Notices silence: two heartbeats and a second. Compares clocks, since timers of hidden pages come late. */
  interface Watchdog {
    expect(seconds: number): void;
    alive(): void;
    check(): void;
    stop(): void;
  }
  type CreateWatchdog = (env: Env, dead: () => void) => Watchdog;

  // -- link.js, handover.js, update.js ---------------------------------------------------------------------------------

  /** Keeps a stream connected. Only what comes through its present connection counts. */
  interface Link {
    readonly state: State;
    /** Attempts that failed in a row. */
    readonly attempts: number;
    /** ms */
    readonly retryIn: number;
    readonly connection: Connection | null;
    /** What is being opened beside the present connection. */
    beside: { drop(): void } | null;
    /** Pause before the next probe while polling, ms. */
    probeIn: number;
    /** Connects now, whatever there was; `afresh`: as if nothing had ever failed. */
    open(afresh?: boolean): void;
    /** Lets go of everything. */
    drop(): void;
    stop(state: State): void;
    /** Streaming works, or polling cannot even be loaded. */
    back(): void;
    /** The page is back. What was only jitter need not be waited for; what the server asked for must. */
    wake(): void;
    /** True if it is worth another request with another token. */
    unauthorized(error: HermesError): boolean;
    /** From now on that is the connection; the former one is dropped. */
    take(connection: Connection): void;
    sink(from: Connection): Sink;
    /** `orderly`: with a `close` frame. */
    ended(from: Connection, error?: HermesError, orderly?: boolean): void;
  }
  type CreateLink = (core: Core) => Link;

  /** A subscription that `update()` asked for. */
  interface Change {
    subscription: Subscription;
    /** It shows what the former one did not, so retained state is asked for. */
    wider: boolean;
    done(): void;
    /** Takes it back. */
    failed(error: Error): void;
  }

  /**
   * Opens a connection beside the present one. `taken` is called at its `connected`, with the cursor that it goes on
   * from: true makes it the link's own, before that frame is delivered. Resolves true when it has been connected, false
   * when the link let go of everything meanwhile; rejects when it failed, and then nothing has changed.
   */
  type HandOver = (core: Core, how: { change?: Change; taken(cursor: string | null): boolean }) => Promise<boolean>;
  type Update = (core: Core, changes: Subscribing) => Promise<void>;

  /** What a stream's parts share. Whoever is told something may call back, so telling comes last. */
  interface Core {
    env: Env;
    options: Options;
    url: URL;
    subscription: Subscription;
    inbox: Inbox;
    store: CursorStore;
    link: Link;
    page: Page | null;
    /** Ask for a fresh token. */
    refresh: boolean;
    /** The change that the next connection opens with: done when it is open, taken back when that is refused for good. */
    change: Change | null;
    queued: { changes: Subscribing; done: Promise<void> } | null;
    updating: Promise<void>;
    request(poll?: Record<string, string>, change?: Change): Promise<BuiltRequest>;
    deliver(event: HermesEvent): void;
    error(error: HermesError): void;
    /** Another state. */
    moved(previous: State): void;
    /** Ends the pending change. */
    settle(error?: Error): void;
  }
  type Connect = (url: string | URL, options?: Options) => Stream;
}
