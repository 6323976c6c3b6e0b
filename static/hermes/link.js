// Keeps a stream connected, by this transport or the next.
import { createConnection } from "./connection.js";
import { NetworkError, retryDelay, TimeoutError, toRefusal, verdict } from "./errors.js";

/** Open for so long, ms, failures are forgotten. */
const HEALTHY = 10_000;
/** Answers 404 until we believe it; opens that brought no whole opening until we poll. */
const TRIES = 3;
/** What a 204 means. */
const COMPLETE = { type: "close", data: '{"reason":"complete","reconnect":false}' };

/** @type {Hermes.CreateLink} */
export const createLink = (core) => {
  const { env, inbox, options: { transport = "auto", maxRetries = 0, getToken, backoff } } = core;
  /** @type {Hermes.State} */
  let state = "idle";
  /** @type {Hermes.Connection | null} */
  let connection = null;
  /** @type {number | null} */
  let openedAt = null;
  /** @type {unknown} */
  let timer;
  let polls = transport === "poll", complete = false, asked = false;
  let misses = 0, missing = 0, attempts = 0, due = 0, earliest = 0;

  /** @param {Hermes.State} next */
  const set = (next) => {
    const previous = state;
    state = next;
    if (next !== previous) core.moved(previous);
  };

  const opened = () => {
    missing = 0;
    asked = false;
    openedAt ??= env.now();
    set(polls ? "polling" : "open");
  };

  /** @param {Hermes.Connection} next */
  const start = (next) => {
    link.take(next);
    next.run(link.sink(next)).then(() => link.ended(next), (error) => link.ended(next, error));
  };

  const startPolling = async () => {
    const loading = connection = /** @type {any} */ ({ abort() {} });
    try {
      const { createPollConnection } = await import("./transport-poll.js");
      if (loading === connection) start(createPollConnection(core));
    } catch (cause) {
      if (loading === connection) link.back();
      link.ended(loading, new NetworkError("polling could not be loaded", { cause }));
    }
  };

  /** @param {number} at */
  const openAt = (at) => {
    env.clearTimeout(timer);
    due = at;
    timer = env.setTimeout(() => link.open(), Math.max(0, at - env.now()));
  };

  /** @param {Hermes.HermesError} error  @returns {true} */
  const giveUp = (error) => {
    error.fatal = true;
    link.stop("closed");
    core.error(error);
    return true;
  };

  /** What helps more than to wait: true if it was done. @param {Hermes.HermesError} error */
  const cure = (error) => {
    const { code, status } = error, means = status && verdict(status);
    if (code === "SSE_DISABLED" && !polls && transport === "auto") {
      link.probeIn = 60_000;
      polls = true;
      link.open();
      core.error(error);
    } else if (link.unauthorized(error)) {
      link.open();
    } else if (means === "fatal" || means === "missing" && ++missing >= TRIES) {
      if (!core.change) return giveUp(error);
      core.settle(error);
      link.open();
    } else {
      return false;
    }
    return true;
  };

  /** @type {Hermes.Link} */
  const link = {
    beside: null,
    probeIn: 0,
    get state() {
      return state;
    },
    get attempts() {
      return openedAt !== null && env.now() - openedAt >= HEALTHY ? 0 : attempts;
    },
    get retryIn() {
      return Math.max(0, due - env.now());
    },
    get connection() {
      return connection;
    },

    open(afresh) {
      link.drop();
      if (afresh) {
        attempts = missing = 0;
        asked = false;
        link.back();
      }
      if (polls) startPolling();
      else start(createConnection(env));
      set("connecting");
    },
    drop() {
      env.clearTimeout(timer);
      due = 0;
      attempts = link.attempts;
      openedAt = null;
      connection?.abort();
      connection = null;
      link.beside?.drop();
    },
    stop(next) {
      link.drop();
      set(next);
    },
    back() {
      polls = transport === "poll";
      misses = 0;
    },
    wake() {
      connection?.check();
      if (state === "waiting") openAt(earliest);
    },
    unauthorized({ status }) {
      return status === 401 && getToken && !asked ? asked = core.refresh = true : false;
    },
    take(next) {
      connection?.abort();
      connection = next;
      complete = false;
      inbox.begin();
    },

    sink: (from, refused = false) => ({
      request: (poll) => core.request(poll),
      alive: () => from === connection && !refused && opened(),
      id: (id) => from === connection && inbox.moveTo(id),
      frame(frame) {
        if (from !== connection) return;
        if (frame.type !== "error" && frame.type !== "close") opened();
        const event = from === connection && inbox.accept(frame);
        if (!event) return;
        const { type, data, id } = event;
        if (type === "connected") from.expect(data?.heartbeat_interval);
        if (type === "close" || type === "heartbeat" && id) {
          complete = true;
          misses = 0;
        }
        if (type === "error") {
          refused = true;
          const error = toRefusal(data);
          return cure(error) || core.error(error);
        }
        if (type === "close") {
          core.refresh ||= data?.reason === "expired";
          if (data?.reconnect === false) {
            link.stop("closed");
            core.store.remove();
          } else {
            link.ended(from, undefined, true);
          }
        }
        core.deliver(event);
      },
    }),

    ended(from, error, orderly) {
      if (from !== connection) return;
      if (error?.status === 204) return link.sink(from).frame(COMPLETE);
      const floor = error instanceof TimeoutError ? 0 : from.retry;
      link.drop();
      if (!complete && !polls && ++misses >= TRIES && transport === "auto") {
        polls = true;
        link.probeIn = 0;
      }
      if (error && cure(error)) return;
      if (maxRetries && attempts >= maxRetries && !core.page?.offline) {
        return giveUp(error ?? new NetworkError("the server keeps ending the stream"));
      }
      const end = { attempt: attempts++, floor: Math.max(floor, error?.retryAfter ?? 0), orderly };
      const delay = retryDelay(end, backoff, env.random);
      earliest = env.now() + Math.min(delay, end.floor);
      openAt(env.now() + delay);
      set("waiting");
      if (error) core.error(error);
    },
  };
  return link;
};
