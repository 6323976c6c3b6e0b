// The browser client: a stream that is kept up. See hermes.d.ts.
import { buildRequest, storageKey, toHermesError, toSubscription } from "./hermes/connection.js";
import { createEmitter, createInbox, isControl } from "./hermes/delivery.js";
import { ClosedError, HandlerError, OptionError, TokenError } from "./hermes/errors.js";
import { createLink } from "./hermes/link.js";
import { createStore, worldEnv } from "./hermes/world.js";

export * from "./hermes/errors.js";

/** @type {any} One promise, so that calls keep their order. */
let updates;

/** @type {Hermes.Connect} */
export const connect = (address, options = {}) => {
  const { signal, transport = "auto", persist = "session", retained = "auto", enabled = true, getToken } = options;
  const env = { ...worldEnv(), ...options.env };
  if (!["auto", "fetch", "poll"].includes(transport)) throw new OptionError(`transport "${transport}" is not supported`);
  const url = new URL(address, env.base), origin = env.base ? new URL(env.base).origin : null, subscription = toSubscription(options);
  const store = createStore(env, persist, storageKey(url, subscription));
  /** @type {string | undefined} */
  let connection;
  let over = false;
  /** @param {...unknown} what */
  const debug = (...what) => {
    if (options.debug) env.console.debug("hermes:", ...what);
  };

  const emitter = createEmitter((cause, type) => {
    env.console.error("hermes: a handler threw", cause);
    if (type !== "error") core.error(new HandlerError(`a handler of "${type}" threw`, { cause }));
  });

  const core = /** @type {Hermes.Core} */ ({
    env, options, url, subscription, store, inbox: createInbox(store.read(), store.write),
    change: null, queued: null, updating: Promise.resolve(), refresh: false, page: null,

    async request(poll, change) {
      let token;
      try {
        token = await getToken?.({ refresh: core.refresh });
        core.refresh = false;
      } catch (cause) {
        throw new TokenError("getToken failed", { cause });
      }
      const { headers, credentials } = options, { cursor, wantsRetained } = core.inbox;
      const owed = cursor && (wantsRetained || change?.wider);
      return buildRequest({
        url, origin, cursor, poll, token, headers, credentials, connection,
        subscription: (change ?? core).subscription,
        retained: retained === "auto" ? owed ? "1" : null : retained ? "1" : "0",
      });
    },

    deliver(event) {
      const { type, data } = event;
      if (type === "connected") connection = data?.connection_id;
      if (type === "connected" || type === "heartbeat") core.settle();
      emitter.emit(type, event, isControl(type));
    },

    error(error) {
      debug("error", error);
      if (error.fatal && !emitter.has("error")) env.console.error("hermes:", error);
      emitter.emit("error", error, true);
      if (error.fatal) emitter.emit("gaveup", error, true);
    },

    moved(previous) {
      const { state, attempts, retryIn } = core.link;
      if (state === "closed") {
        core.page?.stop();
        core.page = null;
        store.flush();
        core.settle(new ClosedError("the stream was closed"));
      } else if (env.window && !core.page) {
        const page = core.page = { offline: false, stop() {} };
        import("./hermes/page.js").then(({ watchPage }) => {
          if (core.page === page) core.page = watchPage(core);
        }, debug);
      }
      debug("state", state, retryIn);
      emitter.emit("state", { type: "state", state, previous, attempts, retryIn }, true);
    },

    settle(error) {
      const { change } = core;
      core.change = null;
      if (error) change?.failed(error);
      else change?.done();
    },
  });
  const link = core.link = createLink(core);

  /** @type {ReturnType<Hermes.Connect>} */
  const stream = {
    get state() { return link.state; },
    get attempts() { return link.attempts; },
    get retryIn() { return link.retryIn; },
    get lastEventId() { return core.inbox.cursor; },
    on: emitter.on,
    off: emitter.off,
    async update(changes) {
      const { update } = await (updates ??= import("./hermes/update.js").catch((cause) => {
        updates = null;
        throw toHermesError(cause);
      }));
      return update(core, changes);
    },
    reconnect() {
      if (!over) link.open(true);
    },
    pause() {
      store.flush();
      if (link.state !== "closed") link.stop("paused");
    },
    resume() {
      if (link.state === "paused" || link.state === "idle") link.open();
    },
    close() {
      over = true;
      link.stop("closed");
    },
  };
  signal?.addEventListener("abort", stream.close);
  queueMicrotask(() => {
    if (signal?.aborted) stream.close();
    else if (enabled && link.state === "idle") link.open();
  });
  return stream;
};
