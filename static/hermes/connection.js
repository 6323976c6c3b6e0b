// One HTTP connection: request, answer, frames, silence.
import { FormatError, HermesError, NetworkError, OptionError, retryAfter, TimeoutError, toRefusal } from "./errors.js";
import { createParser } from "./parser.js";

/** Until the first byte, ms. */
export const OPEN_TIMEOUT = 10_000;

/** @param {any} value */
const names = (value) => {
  if (typeof value === "string") value = value.split(",");
  if (!Array.isArray(value)) throw new OptionError("channels and types are arrays");
  return [...new Set(value)].sort();
};

/** @type {Hermes.ToSubscription} */
export const toSubscription = ({ channels, types, filters }) => ({
  ...channels != null && { channels: names(channels) },
  ...types != null && { types: names(types) },
  ...filters != null && { filters },
});

/** @type {Hermes.StorageKey} */
export const storageKey = (url, subscription) => {
  url = new URL(url);
  url.searchParams.delete("token"); // a secret
  return `hermes:${url} ${JSON.stringify(subscription)}`;
};

/** @type {Hermes.BuildRequest} */
export const buildRequest = ({ url, origin, subscription, cursor, token, poll, credentials, headers: extra, ...rest }) => {
  url = new URL(url);
  const query = url.searchParams, headers = new Headers(extra);
  headers.set("Accept", poll ? "application/json" : "text/event-stream, application/json");
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (cursor) {
    for (const name of ["last_event_id", "lastEventId", "Last-Event-ID"]) query.delete(name);
    // To another origin the header would cost a preflight.
    if ((origin ?? url.origin) === url.origin && /^[!#-'*-9;=A-Z^-z|~]{1,128}$/.test(cursor)) headers.set("Last-Event-ID", cursor);
    else query.set("last_event_id", cursor);
  }
  for (const [name, value] of Object.entries({ ...subscription, ...rest, ...poll })) {
    if (value != null) query.set(name, name === "filters" ? JSON.stringify(value) : `${value}`);
  }
  return { cursor, url: url.href, init: { headers, credentials: credentials ?? "same-origin", cache: "no-store" } };
};

/** @param {unknown} cause */
export const toHermesError = (cause) =>
  cause instanceof HermesError ? cause : new NetworkError("the connection failed or broke", { cause });

/** @type {Hermes.BodyOf} */
export const bodyOf = async (response, type, date) => {
  const { status, headers, body } = response;
  if (status !== 200) {
    const found = await response.json().catch(() => null);
    throw toRefusal({ message: `the server answered ${status}`, code: `HTTP_${status}`, ...found?.error }, {
      status, retryAfter: retryAfter(headers.get("Retry-After"), date),
    });
  }
  const found = headers.get("Content-Type")?.split(";")[0].trim().toLowerCase();
  if (!body || found !== type) throw new FormatError(`expected ${type}, got ${found}`);
  return body;
};

/** @type {Hermes.CreateWatchdog} */
export const createWatchdog = (env, dead) => {
  let limit = 61_000, seen = 0, date = 0;
  /** @type {unknown} */
  let timer = null;
  // The monotonic clock stands still while some machines sleep, hence both.
  const left = () => limit - Math.max(env.now() - seen, env.date() - date);
  const watch = () => {
    timer = env.setTimeout(() => {
      if (left() > 0) watch();
      else dog.check();
    }, left());
  };
  /** @type {Hermes.Watchdog} */
  const dog = {
    expect(seconds) {
      if (!(seconds > 0)) return;
      limit = Math.min(seconds * 2000 + 1000, 2 ** 31 - 1);
      dog.stop();
      dog.alive();
    },
    alive() {
      seen = env.now();
      date = env.date();
      if (timer === null) watch();
    },
    check() {
      if (timer === null || left() > 0) return;
      dog.stop();
      dead();
    },
    stop() {
      env.clearTimeout(timer);
      timer = null;
    },
  };
  return dog;
};

/** @type {Hermes.CreateConnection} */
export const createConnection = (env) => {
  const controller = new AbortController(), { signal } = controller;
  const watchdog = createWatchdog(env, () => self.abort(new TimeoutError("silence for two heartbeats")));
  /** @type {Hermes.HermesError | undefined} */
  let cause;
  /** @type {Promise<void> | undefined} */
  let held;
  let release = () => {};

  /** @type {ReturnType<Hermes.CreateConnection>} */
  const self = {
    retry: 0,
    async run(sink) {
      /** @type {unknown} */
      let timer;
      try {
        const { url, init } = await sink.request();
        if (signal.aborted) return;
        timer = env.setTimeout(() => self.abort(new TimeoutError("nothing arrived")), OPEN_TIMEOUT);
        const body = await bodyOf(await env.fetch(url, { ...init, signal }), "text/event-stream", env.date());
        const push = createParser({ ...sink, retry: (ms) => self.retry = ms }), reader = body.getReader();
        for (let part; !(part = await reader.read()).done;) {
          while (held && !signal.aborted) await held;
          if (signal.aborted) break;
          env.clearTimeout(timer);
          watchdog.alive();
          push(part.value);
          sink.alive();
        }
      } catch (error) {
        if (!signal.aborted) throw toHermesError(error);
      } finally {
        env.clearTimeout(timer);
        self.abort();
      }
      if (cause) throw cause;
    },
    expect: watchdog.expect,
    check: watchdog.check,
    hold(on) {
      release();
      held = on ? new Promise((resolve) => release = resolve) : undefined;
      if (on) watchdog.stop();
      else watchdog.alive();
    },
    abort(error) {
      if (signal.aborted) return;
      cause = error;
      controller.abort();
      release();
      watchdog.stop();
    },
  };
  return self;
};
