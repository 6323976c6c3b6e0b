// Keeps a stream connected: one connection at a time, the next one after its end, another transport when needed, and
// the hand-over from one connection to its successor.
/** @import { Change, Connection, Frame, Host } from "./types.js" */
/** @import { HermesEvent, State } from "../hermes.js" */

import { HermesError, NetworkError, RefusedError, TimeoutError } from "./errors.js";
import { Fallback } from "./fallback.js";
import { parseData } from "./inbox.js";
import { verdict } from "./response.js";
import { Schedule } from "./schedule.js";
import { FetchConnection, OPEN_TIMEOUT } from "./transport-fetch.js";

/** Answers 404 in a row until we believe it. */
const TRIES = 3;

/** What a 204 says in a word less. @type {Frame} */
const COMPLETE = {
  type: "close", data: '{"reason":"complete","reconnect":false}',
  id: null, lastEventId: "", channel: null, time: null, retained: false,
};

/**
 * A connection that takes over once it is `connected`: for a change, or as a probe (null) while polling.
 * @typedef {{connection: Connection, change: Change | null, cursor: string | null, timer: unknown}} Candidate
 */

export class Link {
  state = /** @type {State} */ ("idle");
  schedule;
  #env;
  #maxRetries;
  #tokens;
  #inbox;
  #host;
  #fallback;
  #connection = /** @type {Connection | null} */ (null);
  #candidate = /** @type {Candidate | null} */ (null);
  #missing = 0;

  /** @param {Host} host */
  constructor(host) {
    const { env, options, tokens, inbox } = this.#host = host;
    this.#env = env;
    this.#inbox = inbox;
    this.#maxRetries = options.maxRetries;
    this.#tokens = tokens;
    this.schedule = new Schedule(env, options.limits);
    this.#fallback = new Fallback(env, options.transport);
  }

  /** Connects now, whatever there was. */
  open() {
    this.drop();
    if (this.#fallback.polls) this.#poll();
    else this.#run(this.#connection = new FetchConnection(this.#env));
    this.#set("connecting");
  }

  /** Lets go of everything; a change that was under way comes with the next connection. */
  drop() {
    this.schedule.cancel();
    this.schedule.ended();
    this.#fallback.stop();
    this.#connection?.abort();
    this.#connection = null;
    const change = this.#dismiss();
    if (change) this.#host.adopt(change);
  }

  /** @param {State} state */
  stop(state) {
    this.drop();
    this.#set(state);
  }

  /** As if it had never failed. */
  forget() {
    this.schedule.forget();
    this.#fallback.back();
    this.#tokens.accepted();
    this.#missing = 0;
  }

  /** Something may have happened while nobody looked. */
  wake() {
    this.#connection?.check();
    this.schedule.hurry();
  }

  /**
   * Make before break. The old connection is held meanwhile, so the new one goes on from exactly its last event, and
   * a snapshot that the new one brings is not older than what was delivered.
   * @param {Change | null} change
   */
  handOver(change) {
    const connection = new FetchConnection(this.#env);
    if (change) this.#connection?.hold(true);
    const timer = this.#env.setTimeout(() => connection.abort(new TimeoutError("not connected in time")), OPEN_TIMEOUT);
    this.#run(connection, this.#candidate = { connection, change, cursor: null, timer });
  }

  #poll() {
    /** @type {Connection} */
    const loading = this.#connection = { retry: 0, run: async () => {}, hold() {}, expect() {}, check() {}, abort() {} };
    import("./transport-poll.js").then(({ PollConnection }) => {
      if (loading === this.#connection) this.#run(this.#connection = new PollConnection(this.#env));
    }, (cause) => {
      if (loading === this.#connection) this.#fallback.back();
      this.#ended(loading, new NetworkError("polling could not be loaded", { cause }));
    });
  }

  /** @param {Connection} connection  @param {Candidate} [candidate] */
  #run(connection, candidate) {
    if (!candidate) this.#begin();
    connection.run({
      request: async (query) => {
        const request = await this.#host.request(query, candidate?.change);
        if (candidate) candidate.cursor = request.cursor;
        return request;
      },
      alive: () => connection === this.#connection && this.#opened(),
      frame: (frame) => this.#take(connection, frame),
      id: (id) => connection === this.#connection && this.#inbox.moveTo(id),
    }).then(() => this.#ended(connection), (error) => this.#ended(connection, error));
  }

  #begin() {
    this.#fallback.begin();
    this.#inbox.begin();
  }

  #opened() {
    this.#missing = 0;
    this.#tokens.accepted();
    if (!this.schedule.opened()) return;
    this.#fallback.later(() => this.handOver(null));
    this.#set(this.#fallback.polls ? "polling" : "open");
  }

  /** @param {Connection} connection  @param {Frame} frame */
  #take(connection, frame) {
    if (connection === this.#candidate?.connection) this.#promote(this.#candidate, frame);
    if (connection === this.#connection && frame.type !== "error" && frame.type !== "close") this.#opened();
    if (connection !== this.#connection) return;
    const event = this.#inbox.accept(frame);
    if (!event) return;
    if (event.type === "connected") connection.expect(event.data?.heartbeat_interval);
    if (event.type === "heartbeat" && event.id) this.#fallback.complete();
    if (event.type === "error") return this.#refused(refusalOf(event));
    if (event.type === "close") this.#closed(connection, event);
    this.#host.deliver(event);
  }

  /** @param {HermesError} error */
  #refused(error) {
    if (error.code === "SSE_DISABLED" && this.#fallback.disabled()) this.open();
    this.#host.error(error);
  }

  /** @param {Connection} connection  @param {HermesEvent} event */
  #closed(connection, { data }) {
    if (data?.reason === "expired") this.#tokens.expired();
    if (data?.reconnect === false) return this.#finish();
    this.#fallback.complete();
    this.#ended(connection, undefined, true);
  }

  /** @param {Candidate} candidate  @param {Frame} frame */
  #promote(candidate, frame) {
    const { connection, change, cursor } = candidate;
    if (frame.type !== "connected") {
      return this.#failed(refusalOf({ data: parseData(frame.data) }));
    }
    this.#dismiss(false);
    if (!change) {
      this.#fallback.back();
      if (cursor !== this.#inbox.cursor) {
        connection.abort();
        return this.open(); // pages came meanwhile: what a snapshot would say is older than they are
      }
      this.schedule.ended();
    }
    this.#connection?.abort();
    this.#connection = connection;
    if (change) this.#host.adopt(change);
    this.#begin();
  }

  /** @param {boolean} [abort] */
  #dismiss(abort = true) {
    const candidate = this.#candidate;
    this.#candidate = null;
    this.#env.clearTimeout(candidate?.timer);
    if (abort) candidate?.connection.abort();
    return candidate?.change;
  }

  /** @param {Connection} connection  @param {HermesError} [error]  @param {boolean} [orderly] */
  #ended(connection, error, orderly = false) {
    if (connection === this.#candidate?.connection) return this.#failed(error);
    if (connection !== this.#connection) return;
    const opened = this.schedule.ended();
    this.#fallback.ended();
    this.drop();
    if (error instanceof RefusedError && this.#judge(error)) return;
    if (this.#maxRetries && this.schedule.attempts >= this.#maxRetries && !this.#host.isOffline()) {
      return this.#giveUp(error ?? new NetworkError("the server keeps ending the stream"));
    }
    const floor = Math.max(error?.retryAfter ?? 0, opened && !(error instanceof TimeoutError) ? connection.retry : 0);
    this.schedule.wait({ floor, orderly }, () => this.open());
    this.#set("waiting");
    if (error) this.#host.error(error);
  }

  /** A refusal that waiting does not cure. True when that was all. @param {RefusedError} error */
  #judge(error) {
    const means = verdict(error.status);
    if (means === "end") {
      this.#finish();
      this.#host.deliver(/** @type {HermesEvent} */ (this.#inbox.accept(COMPLETE)));
    } else if (means === "token" && this.#tokens.refused()) {
      this.open();
    } else if (means === "fatal" || means === "token" || means === "missing" && ++this.#missing >= TRIES) {
      if (this.#host.revert(error)) this.open();
      else this.#giveUp(error);
    } else if (error.code === "SSE_DISABLED" && this.#fallback.disabled()) {
      this.open();
      this.#host.error(error);
    } else {
      return false;
    }
    return true;
  }

  /** The candidate, that is: all stays as it was. @param {HermesError} [error] */
  #failed(error = new NetworkError("the new connection ended before it was connected")) {
    const change = this.#dismiss();
    if (!change) return this.#fallback.later(() => this.handOver(null));
    if (error.status === 401 && this.#tokens.refused()) return this.handOver(change);
    this.#connection?.hold(false);
    change.reject(error);
  }

  #finish() {
    this.stop("closed");
    this.#host.finished();
  }

  /** @param {HermesError} error */
  #giveUp(error) {
    error.fatal = true;
    this.stop("closed");
    this.#host.error(error);
  }

  /** @param {State} state */
  #set(state) {
    const previous = this.state;
    this.state = state;
    if (state !== previous) this.#host.state(previous);
  }
}

/** @param {{data: any}} event */
function refusalOf({ data }) {
  return new RefusedError(String(data?.message ?? "the server refused"), { code: String(data?.code ?? "REFUSED") });
}
