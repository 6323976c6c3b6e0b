// A stream as its user has it: handlers, controls, subscription, cursor. What keeps it connected is in link.js.
/** @import { Change, Host, PageEvent, Subscription } from "./types.js" */
/** @import { HermesError, HermesEvent, Options, State, Subscribing } from "../hermes.js" */

import { Emitter } from "./emitter.js";
import { worldEnv } from "./env.js";
import { ClosedError, HandlerError } from "./errors.js";
import { Inbox, isControl } from "./inbox.js";
import { Link } from "./link.js";
import { absoluteUrl, readOptions } from "./options.js";
import { watchPage } from "./page.js";
import { buildRequest, merge, toSubscription, widens } from "./request.js";
import { CursorStore, storageKey } from "./storage.js";
import { TokenSource } from "./token.js";

export class Stream {
  #env;
  #options;
  #url;
  #subscription;
  #emitter;
  #store;
  #tokens;
  #link;
  #stopWatching = /** @type {(() => void) | undefined} */ (undefined);
  #inbox;
  #connectionId = /** @type {string | null} */ (null);
  #change = /** @type {Change | null} */ (null);
  #queued = /** @type {{changes: Subscribing, done: Promise<void>} | null} */ (null);
  #updating = Promise.resolve();
  #over = false;
  #offline = false;
  #suspended = false;

  /** @param {string | URL} url  @param {Options} [options] */
  constructor(url, options = {}) {
    const env = this.#env = { ...worldEnv(), ...options.env };
    const { persist, signal, enabled, getToken } = this.#options = readOptions(options);
    this.#url = absoluteUrl(url, env.base);
    this.#subscription = toSubscription(options);
    this.#emitter = new Emitter((cause, type) => this.#threw(cause, type));
    this.#store = new CursorStore(env, persist, this.#key());
    this.#tokens = new TokenSource(getToken);
    this.#inbox = new Inbox(this.#store.read(), (cursor) => this.#store.write(cursor));
    this.#link = new Link(this.#host());
    signal?.addEventListener("abort", () => this.close());
    queueMicrotask(() => {
      if (signal?.aborted) this.close();
      else if (enabled && this.state === "idle") this.#link.open();
    });
  }

  /** @returns {State} */
  get state() {
    return this.#link.state;
  }

  get attempts() {
    return this.#link.schedule.attempts;
  }

  get retryIn() {
    return this.#link.schedule.retryIn;
  }

  get lastEventId() {
    return this.#inbox.cursor;
  }

  /** @param {string} type  @param {(event: any) => unknown} handler */
  on(type, handler) {
    return this.#emitter.on(type, handler);
  }

  /** @param {string} type  @param {(event: any) => unknown} [handler] */
  off(type, handler) {
    this.#emitter.off(type, handler);
  }

  /** Changes that wait for their turn become one. @param {Subscribing} changes  @returns {Promise<void>} */
  async update(changes) {
    toSubscription(changes);
    if (this.#queued) {
      Object.assign(this.#queued.changes, changes);
      return this.#queued.done;
    }
    const queued = this.#queued = { changes: { ...changes }, done: this.#updating };
    queued.done = this.#updating.catch(() => {}).then(() => {
      this.#queued = null;
      return this.#apply(queued.changes);
    });
    return this.#updating = queued.done;
  }

  reconnect() {
    if (this.#over) return;
    this.#link.forget();
    this.#link.open();
  }

  pause() {
    if (this.state === "closed") return;
    this.#store.flush();
    this.#link.stop("paused");
  }

  resume() {
    if (this.state === "paused" || this.state === "idle") this.#link.open();
  }

  close() {
    this.#over = true;
    this.#link.stop("closed");
  }

  // What the link asks, and what it tells.

  /** @returns {Host} */
  #host() {
    return {
      env: this.#env, options: this.#options, tokens: this.#tokens, inbox: this.#inbox,
      isOffline: () => this.#offline,
      request: (query, change) => this.#request(query, change),
      deliver: (event) => this.#deliver(event),
      error: (error) => this.#error(error),
      state: (previous) => this.#moved(previous),
      adopt: (change) => this.#adopt(change),
      revert: (error) => this.#revert(error),
      finished: () => this.#store.remove(),
    };
  }

  /** @param {Record<string, string>} [query]  @param {Change | null} [change] */
  async #request(query, change) {
    const { retained, headers, credentials } = this.#options, { base } = this.#env;
    const token = await this.#tokens.get();
    const { cursor, wantsRetained } = this.#inbox;
    const owed = cursor !== null && (wantsRetained || change?.wider);
    return buildRequest({
      url: this.#url, origin: base ? new URL(base).origin : null, headers, credentials, token, query, cursor,
      subscription: change?.next ?? this.#subscription, connection: this.#connectionId,
      retained: retained === "auto" ? owed ? "1" : undefined : retained ? "1" : "0",
    });
  }

  /** @param {HermesEvent} event */
  #deliver(event) {
    const { type, data } = event;
    if (type === "connected") this.#connectionId = data?.connection_id ?? null;
    if (type === "connected" || type === "heartbeat") this.#settle();
    if (isControl(type)) this.#emitter.emit(type, event);
    else this.#emitter.publish(type, event);
  }

  /** @param {State} previous */
  #moved(previous) {
    const { state, attempts, retryIn } = this;
    if (state === "closed") {
      this.#stopWatching?.();
      this.#stopWatching = undefined;
      this.#store.flush();
      this.#settle(new ClosedError("the stream was closed"));
    } else {
      this.#stopWatching ??= watchPage(this.#env.window, (what) => this.#page(what));
    }
    this.#debug("state", state, retryIn);
    this.#emitter.emit("state", { type: "state", state, previous, attempts, retryIn });
  }

  /** @param {HermesError} error */
  #error(error) {
    this.#debug("error", error);
    if (error.fatal && !this.#emitter.has("error") && !this.#emitter.has("gaveup")) this.#env.console.error("hermes:", error);
    this.#emitter.emit("error", error);
    if (error.fatal) this.#emitter.emit("gaveup", error);
  }

  /** @param {unknown} cause  @param {string} type */
  #threw(cause, type) {
    this.#env.console.error("hermes: a handler threw", cause);
    if (type !== "error") this.#error(new HandlerError(`a handler of "${type}" threw`, { cause }));
  }

  /** @param {...unknown} what */
  #debug(...what) {
    if (this.#options.debug) this.#env.console.debug("hermes:", ...what);
  }

  /** @param {PageEvent} what */
  #page(what) {
    const { state } = this, link = this.#link;
    const active = state !== "paused" && state !== "idle";
    if (what === "offline") {
      this.#offline = true;
    } else if (what === "hide") {
      this.#store.flush();
      this.#suspended = active;
      if (active) link.drop();
    } else if (active && (this.#suspended || what === "online" && this.#offline && state !== "waiting")) {
      this.#suspended = this.#offline = false;
      link.open(); // whatever link there was did not outlive that, or nobody can tell
    } else {
      if (what === "online") this.#offline = false;
      link.wake();
    }
  }

  // The subscription.

  #key() {
    return storageKey(this.#url, this.#subscription);
  }

  /** @param {Subscribing} changes  @returns {Promise<void>} */
  async #apply(changes) {
    const { state } = this, previous = this.#subscription, next = merge(previous, changes);
    if (state === "closed") throw new ClosedError("the stream is closed");
    if (JSON.stringify(previous) === JSON.stringify(next)) return;
    await new Promise((resolve, reject) => {
      const change = { previous, next, wider: widens(previous, next), resolve: () => resolve(null), reject };
      if (state === "open") return this.#link.handOver(change);
      this.#adopt(change);
      if (state === "idle" || state === "paused") this.#settle();
      else if (state !== "waiting") this.#link.open();
    });
  }

  /** @param {Change} change */
  #adopt(change) {
    this.#change = change;
    if (change.wider) this.#inbox.wantsRetained = true;
    this.#subscribe(change.next);
  }

  /** @param {HermesError} error */
  #revert(error) {
    const change = this.#change;
    if (change) this.#subscribe(change.previous);
    this.#settle(error);
    return change !== null;
  }

  /** @param {Error} [error] */
  #settle(error) {
    const change = this.#change;
    this.#change = null;
    if (error) change?.reject(error);
    else change?.resolve();
  }

  /** @param {Subscription} subscription */
  #subscribe(subscription) {
    this.#subscription = subscription;
    this.#store.move(this.#key(), this.#inbox.cursor);
  }
}
