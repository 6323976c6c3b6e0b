// What the client's tests stand on: a clock that they move, a server that they script, and a model of Hermes.

import http from "node:http";
import { connect } from "../../static/hermes.js";

/** Waits, without sleeping, until `condition()` is truthy; fails after five real seconds. */
export async function until(condition, what = condition.toString()) {
  const deadline = performance.now() + 5000;
  for (;;) {
    const value = condition();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Lets everything that is under way in this process go on for a few turns. */
export async function settle(turns = 20) {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A seeded generator: the same numbers in each run (mulberry32). */
export function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Clock and timers that move only when told to. */
export class FakeTime {
  now = 1000;
  offset = 1.8e12;
  #timers = new Map();
  #next = 1;

  setTimeout = (fn, ms) => {
    const id = this.#next++;
    this.#timers.set(id, { at: this.now + Math.max(0, ms), fn });
    return id;
  };

  clearTimeout = (id) => void this.#timers.delete(id);

  get pending() {
    return [...this.#timers.values()].map(({ at }) => at - this.now).sort((a, b) => a - b);
  }

  advance(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = Math.max(this.now, due[1].at);
      due[1].fn();
    }
    this.now = end;
  }
}

export class FakeStorage {
  items = new Map();
  writes = 0;
  getItem = (key) => this.items.get(key) ?? null;
  setItem = (key, value) => (this.writes++, void this.items.set(key, value));
  removeItem = (key) => void this.items.delete(key);
}

/** An `env` on a FakeTime, with the real fetch. */
export function fakeEnv({ random = () => 0.5, storage = new FakeStorage(), window = null, base, fetch } = {}) {
  const time = new FakeTime();
  const logged = [];
  const env = {
    /** Requests that have no answer yet: time should not pass while one is only slow to come. */
    busy: 0,
    time, storage: () => storage, session: storage, window, base, logged, random,
    now: () => time.now,
    date: () => time.now + time.offset,
    setTimeout: time.setTimeout,
    clearTimeout: time.clearTimeout,
    fetch(url, init) {
      env.busy++;
      return (fetch ?? globalThis.fetch)(url, init).finally(() => env.busy--);
    },
    console: { error: (...args) => logged.push(args), debug: (...args) => logged.push(args) },
  };
  return env;
}

export const frame = (fields) => Object.entries(fields)
  .map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}\n`).join("") + "\n";

export const connectedFrame = (data = {}, retry = 2000) => frame({
  event: "connected", retry,
  data: { connection_id: "c1", timestamp: "t", channels: [], user_id: null, heartbeat_interval: 30, cursor: "e-0", recovered: null, ...data },
});
export const heartbeat = (id) => frame({ id, event: "heartbeat", data: { timestamp: "t" } });
export const event = (id, type = "thing", data = { id }, channel = "c") => frame({ id, event: type, channel, time: "2026-11-20T19:18:04.123Z", data });

/** A server on 127.0.0.1 that records requests and leaves the answers to `handler(exchange)`. Closed with the test. */
export async function serve(t, handler = () => {}) {
  const exchanges = [];
  const server = http.createServer((req, res) => {
    const url = new URL(req.url, "http://x");
    const exchange = {
      req, res, path: url.pathname, query: url.searchParams, headers: req.headers, index: exchanges.length, gone: false,
      sse(...texts) {
        if (!res.headersSent) res.writeHead(200, { "Content-Type": "text/event-stream" });
        for (const text of texts) res.write(text);
        return exchange;
      },
      status(status, body = "", headers = {}) {
        res.writeHead(status, headers);
        res.end(body);
      },
      page(page) {
        res.writeHead(200, { "Content-Type": "application/json" });
        res.end(JSON.stringify({ events: [], cursor: null, reset: null, retained: null, close: null, ...page }));
      },
      cut: () => req.socket.destroy(),
    };
    res.on("close", () => exchange.gone = true);
    exchanges.push(exchange);
    handler(exchange);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections?.();
  });
  t.after(close);
  return {
    url: `http://127.0.0.1:${server.address().port}/stream`, exchanges, close,
    exchange: (index) => until(() => exchanges[index], `request ${index}`),
    set handler(next) {
      handler = next;
    },
  };
}

/** A stream on a fake env, with everything that it says written down. Closed with the test. */
export function listen(t, url, options = {}) {
  const env = options.env ?? fakeEnv();
  const stream = connect(url, { channels: ["c"], ...options, env });
  const seen = { events: [], states: [], errors: [], resets: [], heartbeats: [], connected: [], closes: [], gaveup: [] };
  stream.on("*", (e) => seen.events.push(e));
  stream.on("state", (e) => seen.states.push(e.state));
  stream.on("error", (e) => seen.errors.push(e));
  stream.on("reset", (e) => seen.resets.push(e));
  stream.on("heartbeat", (e) => seen.heartbeats.push(e));
  stream.on("connected", (e) => seen.connected.push(e));
  stream.on("close", (e) => seen.closes.push(e));
  stream.on("gaveup", (e) => seen.gaveup.push(e));
  t.after(() => stream.close());
  return { stream, seen, env, time: env.time, ids: () => seen.events.map((e) => e.id), state: (state) => until(() => stream.state === state, `state ${state}, not ${stream.state}`) };
}

/**
 * A small Hermes: one log, streams as positions in it, pages; retained state by `key`. Faults are the caller's:
 * `cut()` breaks every link, `refuse` answers instead.
 */
export async function model(t) {
  const log = [], live = new Set(), retained = new Map();
  const one = (entry) => ({ id: `e-${entry.number}`, channel: entry.channel, type: entry.type, data: entry.data, time: "t" });
  const text = (entry) => event(`e-${entry.number}`, entry.type, entry.data, entry.channel);
  const wants = (stream, entry) => stream.channels.includes(entry.channel);
  const position = (exchange) => {
    const cursor = exchange.headers["last-event-id"] ?? exchange.query.get("last_event_id");
    return cursor ? Number(cursor.split("-")[1]) : null;
  };
  const snapshot = (stream) => [...retained.values()].filter((entry) => wants(stream, entry));
  const server = await serve(t, (exchange) => {
    if (server.refuse?.(exchange)) return;
    const channels = (exchange.query.get("channels") ?? "").split(",");
    const stream = { exchange, channels };
    const from = position(exchange);
    const asks = from === null || exchange.query.get("retained") === "1";
    if (exchange.query.get("poll")) {
      const answer = () => {
        const events = from === null ? [] : log.filter((entry) => entry.number > from && wants(stream, entry));
        exchange.page({ events: events.map(one), cursor: `e-${log.length}`, retained: asks ? snapshot(stream).map(one) : null });
      };
      if (exchange.query.get("wait") === "0" || from === null || log.some((entry) => entry.number > from)) answer();
      else live.add({ exchange, channels, wake: answer });
      return;
    }
    exchange.sse(":\n\n", connectedFrame({ recovered: from === null ? null : true, connection_id: `c${exchange.index}` }, 100));
    const tip = log.length, state = asks ? snapshot(stream).map((entry) => text(entry).replace(/^id.*\n/, "retained: 1\n")) : [];
    if (from === null) exchange.sse(...state);
    else exchange.sse(...log.filter((entry) => entry.number > from && wants(stream, entry)).map(text), ...state);
    exchange.sse(heartbeat(`e-${tip}`));
    live.add(stream);
  });
  return Object.assign(server, {
    log, live,
    publish(channel, type = "thing", key = undefined) {
      const entry = { number: log.length + 1, channel, type, key, data: { n: log.length + 1, channel, key } };
      log.push(entry);
      if (key) retained.set(`${channel} ${key}`, entry);
      for (const stream of live) {
        if (stream.exchange.gone) live.delete(stream);
        else if (stream.wake) live.delete(stream), stream.wake();
        else if (wants(stream, entry)) stream.exchange.sse(text(entry));
      }
      return entry;
    },
    cut() {
      for (const { exchange } of live) exchange.cut();
      live.clear();
    },
  });
}
