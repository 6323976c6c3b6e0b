// The pure parts: backoff, Retry-After, statuses, cursor and inbox, storage, watchdog, requests, handlers, errors.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyOf, buildRequest, createWatchdog, storageKey, toSubscription } from "../../static/hermes/connection.js";
import { createEmitter, createInbox, parseCursor, toRegExp } from "../../static/hermes/delivery.js";
import * as errors from "../../static/hermes/errors.js";
import { framesOf, readPage } from "../../static/hermes/transport-poll.js";
import { merge, widens } from "../../static/hermes/update.js";
import { createStore } from "../../static/hermes/world.js";
import { fakeEnv, FakeStorage, seeded } from "./support.mjs";

const { retryAfter, retryDelay, verdict } = errors;

test("backoff: full jitter between 0 and min(cap, base * 2^attempt)", () => {
  const limits = { base: 100, cap: 1000 };
  for (const [attempt, most] of [[0, 100], [1, 200], [2, 400], [3, 800], [4, 1000], [60, 1000], [5000, 1000]]) {
    assert.equal(retryDelay({ attempt, floor: 0 }, limits, () => 0), 0);
    assert.equal(retryDelay({ attempt, floor: 0 }, limits, () => 0.5), most / 2);
  }
});

test("backoff: 1 s and 30 s unless told otherwise", () => {
  assert.equal(retryDelay({ attempt: 0, floor: 0 }, undefined, () => 0.5), 500);
  assert.equal(retryDelay({ attempt: 9, floor: 0 }, {}, () => 0.5), 15_000);
  assert.equal(retryDelay({ attempt: 9, floor: 0 }, { cap: 4000 }, () => 0.5), 2000);
});

test("backoff: what the server asks for is the least, and jitter comes on top", () => {
  assert.equal(retryDelay({ attempt: 2, floor: 5000 }, {}, () => 0), 5000);
  assert.equal(retryDelay({ attempt: 2, floor: 5000 }, {}, () => 0.5), 7000);
});

test("backoff: the first reconnect after an orderly end waits exactly the server's retry", () => {
  assert.equal(retryDelay({ attempt: 0, floor: 1234, orderly: true }, {}, () => 0.9), 1234);
  assert.equal(retryDelay({ attempt: 1, floor: 1000, orderly: true }, {}, () => 0.5), 2000);
  assert.equal(retryDelay({ attempt: 0, floor: 0, orderly: true }, {}, () => 0.5), 500, "none given: jitter");
});

test("backoff: no server sends a client away for more than an hour", () => {
  assert.equal(retryDelay({ attempt: 0, floor: 1e15, orderly: true }, {}, () => 0.5), 3_600_000);
});

test("Retry-After: seconds, dates, nonsense", () => {
  const date = Date.parse("2026-11-20T19:00:00Z");
  for (const [value, ms] of [
    ["0", 0], ["7", 7000], [" 7 ", 7000], ["99999999", 3_600_000], [null, 0], ["", 0], ["soon", 0], ["-5", 0], ["1.5", 0],
    ["Fri, 20 Nov 2026 19:00:30 GMT", 30_000], ["Fri, 20 Nov 2026 18:00:00 GMT", 0],
  ]) assert.equal(retryAfter(value, date), ms, String(value));
});

test("every status means something", () => {
  const table = {
    missing: [404],
    fatal: [400, 401, 402, 403, 405, 406, 407, 409, 410, 411, 413, 414, 415, 418, 421, 422, 426, 428, 431, 451, 499],
    retry: [201, 202, 206, 300, 304, 307, 408, 425, 429, 500, 501, 502, 503, 504, 507, 520, 599],
  };
  for (const [means, statuses] of Object.entries(table)) {
    for (const status of statuses) assert.equal(verdict(status), means, String(status));
  }
});

test("an answer is a stream only with status 200 and the right type", async () => {
  const answer = (status, type, body = "x") => new Response(body, { status, headers: { "Content-Type": type } });
  for (const type of ["text/event-stream", "text/event-stream;charset=utf-8", "TEXT/Event-Stream ; x"]) {
    assert.ok(await bodyOf(answer(200, type), "text/event-stream", 0));
  }
  for (const type of ["text/html", "text/plain", "application/json", "text/event-streams"]) {
    await assert.rejects(bodyOf(answer(200, type), "text/event-stream", 0), { code: "FORMAT", status: 0 });
  }
  await assert.rejects(bodyOf(answer(502, "text/html", "<h1>"), "text/event-stream", 0), { code: "HTTP_502", status: 502, name: "RefusedError" });
  const ours = new Response('{"error":{"code":"RATE_LIMITED","message":"slow down"}}', { status: 429, headers: { "Retry-After": "3" } });
  await assert.rejects(bodyOf(ours, "text/event-stream", 0), { code: "RATE_LIMITED", message: "slow down", retryAfter: 3000 });
});

test("errors: one tree, a code each", () => {
  for (const [name, kind] of Object.entries(errors)) {
    if (!name.endsWith("Error")) continue;
    const error = new kind("why");
    assert.ok(error instanceof errors.HermesError && error instanceof Error);
    assert.deepEqual([error.name, error.status, error.fatal, error.retryAfter], [name, 0, false, 0]);
    assert.equal(error.code, name === "HermesError" ? "ERROR" : name.slice(0, -5).toUpperCase());
  }
});

test("cursor: epoch and number, whatever mark follows", () => {
  assert.deepEqual(parseCursor("k3f9-1042"), { epoch: "k3f9", number: 1042 });
  assert.deepEqual(parseCursor("a-b-7"), { epoch: "a-b", number: 7 });
  assert.deepEqual(parseCursor("k3f9-1042~r-9"), { epoch: "k3f9", number: 1042 });
  for (const text of [null, "", "earliest", "k3f9", "k3f9-", "k3f9-x", "1042"]) assert.equal(parseCursor(text), null);
});

const frameOf = (id, type = "thing", more = {}) => ({ type, data: "{}", id, ...more });

test("inbox: an event comes once, and never after a later one", () => {
  const inbox = createInbox(null);
  const accepted = ["e-1", "e-2", "e-2", "e-1", "e-5", "e-4", "e-6"].filter((id) => inbox.accept(frameOf(id)));
  assert.deepEqual(accepted, ["e-1", "e-2", "e-5", "e-6"]);
  assert.equal(inbox.cursor, "e-6");
});

test("inbox: numbers are compared as numbers, within an epoch", () => {
  const inbox = createInbox("e-9");
  assert.ok(inbox.accept(frameOf("e-10")));
  assert.ok(inbox.accept(frameOf("f-1")), "another epoch begins anew");
  assert.equal(inbox.accept(frameOf("f-1")), null);
});

test("inbox: a heartbeat moves the cursor, and is delivered even where it does not", () => {
  const inbox = createInbox(null);
  inbox.accept(frameOf("e-5"));
  assert.ok(inbox.accept(frameOf("e-5", "heartbeat")));
  assert.ok(inbox.accept(frameOf("e-9", "heartbeat")));
  assert.equal(inbox.accept(frameOf("e-8")), null, "examined already");
  assert.ok(inbox.accept(frameOf("e-3", "heartbeat")));
  assert.equal(inbox.cursor, "e-9");
});

test("inbox: events without an id, and retained state, are never dropped and move nothing", () => {
  const inbox = createInbox("e-5");
  for (let i = 0; i < 2; i++) {
    assert.equal(inbox.accept(frameOf(null)).id, null);
    assert.equal(inbox.accept(frameOf("e-3", "thing", { retained: true })).id, null);
  }
  assert.equal(inbox.cursor, "e-5");
});

test("inbox: an unknown kind of id is kept and never compared", () => {
  const inbox = createInbox(null);
  for (const id of ["x", "x", "y"]) assert.ok(inbox.accept(frameOf(id)));
  assert.equal(inbox.cursor, "y");
  inbox.moveTo("");
  assert.equal(inbox.cursor, null);
});

test("inbox: replayed is what lies between connected and the heartbeat that ends the opening", () => {
  const inbox = createInbox("e-1");
  const replayed = (frame) => inbox.accept(frame).replayed;
  inbox.begin();
  inbox.accept(frameOf(null, "connected", { data: '{"recovered":true}' }));
  assert.equal(replayed(frameOf("e-2")), true);
  assert.equal(replayed(frameOf(null, "thing", { retained: true })), false);
  inbox.accept(frameOf(null, "heartbeat"));
  assert.equal(replayed(frameOf("e-3")), true, "a heartbeat without id ends nothing");
  inbox.accept(frameOf("e-3", "heartbeat"));
  assert.equal(replayed(frameOf("e-4")), false);
  inbox.accept(frameOf(null, "reset"));
  assert.equal(replayed(frameOf("e-5")), true);
  inbox.accept(frameOf("e-5", "heartbeat"));
  inbox.accept(frameOf(null, "connected", { data: '{"recovered":null}' }));
  assert.equal(replayed(frameOf("e-6")), false, "a fresh stream has no past");
});

test("inbox: a page that resumes wants retained state until an opening came whole", () => {
  const inbox = createInbox("e-1");
  assert.equal(inbox.wantsRetained, true);
  inbox.accept(frameOf("e-2"));
  assert.equal(inbox.wantsRetained, true);
  inbox.accept(frameOf("e-2", "heartbeat"));
  assert.equal(inbox.wantsRetained, false);
  assert.equal(createInbox(null).wantsRetained, false);
});

test("inbox: data is JSON, or the text where it is none", () => {
  const inbox = createInbox(null);
  const data = (text) => inbox.accept({ type: "a", data: text }).data;
  assert.deepEqual([data('{"a":1}'), data("3"), data('"s"'), data("null"), data("oops"), data("")], [{ a: 1 }, 3, "s", null, "oops", ""]);
  assert.equal(inbox.accept({ type: "a", data: '{"a":1}' }).text, '{"a":1}');
});

test("storage: written at most twice a second, flushed, removed", () => {
  const env = fakeEnv(), store = createStore(env, "session", "k");
  assert.equal(store.read(), null);
  for (let i = 1; i <= 10; i++) store.write(`e-${i}`);
  assert.deepEqual([env.session.writes, env.time.pending], [0, [500]]);
  env.time.advance(500);
  assert.deepEqual([env.session.writes, store.read()], [1, "e-10"]);
  store.write("e-11");
  store.flush();
  assert.deepEqual([env.session.writes, store.read(), env.time.pending.length], [2, "e-11", 0]);
  store.write("e-12");
  store.remove();
  env.time.advance(1000);
  assert.equal(store.read(), null);
});

test("storage: refused, full, missing or unwanted is the same as none", () => {
  const throws = () => {
    throw new Error("SecurityError");
  };
  const kinds = [
    [fakeEnv({ storage: undefined }), false],
    [{ ...fakeEnv(), storage: throws }, "session"],
    [{ ...fakeEnv(), storage: () => undefined }, "local"],
    [fakeEnv({ storage: { getItem: throws, setItem: throws, removeItem: throws } }), "session"],
  ];
  for (const [env, kind] of kinds) {
    const store = createStore(env, kind, "k");
    store.write("e-1");
    store.flush();
    assert.equal(store.read(), null);
    store.remove();
  }
});

test("storage: the key follows URL and subscription, not their order, and holds no token", () => {
  const key = (url, options) => storageKey(new URL(url), toSubscription(options));
  const base = key("http://h/s", { channels: ["a", "b"] });
  assert.equal(key("http://h/s?token=secret", { channels: ["b", "a", "a"] }), base);
  assert.notEqual(key("http://h/t", { channels: ["a", "b"] }), base);
  assert.notEqual(key("http://h/s", { channels: ["a"] }), base);
  assert.notEqual(key("http://h/s", { channels: ["a", "b"], types: ["x"] }), base);
  assert.notEqual(key("http://h/s", { channels: ["a", "b"], filters: { x: 1 } }), base);
});

test("watchdog: dead after two heartbeats and a second without a byte, not before", () => {
  const env = fakeEnv();
  let dead = 0;
  const dog = createWatchdog(env, () => dead++);
  dog.alive();
  env.time.advance(60_999);
  assert.equal(dead, 0);
  env.time.advance(1);
  assert.equal(dead, 1);
  env.time.advance(1e6);
  assert.equal(dead, 1, "once");
});

test("watchdog: every byte counts, and the interval is the server's", () => {
  const env = fakeEnv();
  let dead = 0;
  const dog = createWatchdog(env, () => dead++);
  dog.alive();
  dog.expect(5);
  for (let i = 0; i < 20; i++) {
    env.time.advance(10_000);
    dog.alive();
  }
  assert.equal(dead, 0);
  env.time.advance(10_999);
  assert.equal(dead, 0);
  env.time.advance(1);
  assert.equal(dead, 1);
  dog.expect(NaN);
  dog.expect(0);
  assert.equal(env.time.pending.length, 0);
});

test("watchdog: clocks are compared, ticks are not counted", () => {
  const env = fakeEnv();
  let dead = 0;
  const dog = createWatchdog(env, () => dead++);
  dog.alive();
  env.time.now += 70_000; // timers are late: the page was hidden
  dog.alive(); // but bytes came
  env.time.advance(0);
  assert.equal(dead, 0);
  env.time.now += 70_000;
  dog.check();
  assert.equal(dead, 1);
});

test("watchdog: a machine that slept while its monotonic clock stood still", () => {
  const env = fakeEnv();
  let dead = 0;
  const dog = createWatchdog(env, () => dead++);
  dog.alive();
  env.time.offset += 3_600_000;
  dog.check();
  assert.equal(dead, 1);
  dog.check();
  assert.equal(dead, 1);
});

const ask = (more) => buildRequest({ url: new URL("http://h/s"), origin: "http://h", subscription: {}, cursor: null, ...more });
const queryOf = (request) => Object.fromEntries(new URL(request.url).searchParams);

test("request: subscription, retained, connection and page are the query", () => {
  const request = ask({ subscription: toSubscription({ channels: ["b", "user:*"], types: "x,y", filters: { a: 1 } }), retained: "1", connection: "c9" });
  assert.deepEqual(queryOf(request), { channels: "b,user:*", types: "x,y", filters: '{"a":1}', retained: "1", connection: "c9" });
  assert.deepEqual(queryOf(ask({ url: new URL("http://h/s?download_id=d"), poll: { poll: "1", wait: "25" } })), { download_id: "d", poll: "1", wait: "25" });
});

test("request: it says that it reads statuses, brings its token, and is never cached", () => {
  const { init } = ask({ token: "t", headers: { "X-API-Key": "k" }, credentials: "include" });
  assert.equal(init.headers.get("Accept"), "text/event-stream, application/json");
  assert.equal(init.headers.get("Authorization"), "Bearer t");
  assert.equal(init.headers.get("X-API-Key"), "k");
  assert.deepEqual([init.credentials, init.cache], ["include", "no-store"]);
  assert.equal(ask({ poll: {} }).init.headers.get("Accept"), "application/json");
  assert.equal(ask({}).init.headers.get("Authorization"), null);
});

test("request: the cursor is a header at home, a parameter abroad or where a header could not carry it", () => {
  const where = (more) => {
    const request = ask(more);
    return [request.init.headers.get("Last-Event-ID"), queryOf(request).last_event_id];
  };
  assert.deepEqual(where({ cursor: null }), [null, undefined]);
  assert.deepEqual(where({ cursor: "k3f9-1042~r_1" }), ["k3f9-1042~r_1", undefined]);
  assert.deepEqual(where({ cursor: "e-1", origin: null }), ["e-1", undefined]);
  assert.deepEqual(where({ cursor: "e-1", origin: "http://other" }), [null, "e-1"]);
  for (const cursor of ["é-1", "a b-1", "a\n-1", `${"x".repeat(127)}-1`, ...'"():<>?@[\\]{}'.split("").map((c) => `${c}-1`)]) {
    assert.deepEqual(where({ cursor }), [null, cursor]);
  }
});

test("request: a cursor takes the place of the one in the URL", () => {
  const request = ask({ url: new URL("http://h/s?last_event_id=earliest&lastEventId=x&Last-Event-ID=y"), cursor: "e-1" });
  assert.deepEqual(queryOf(request), {});
  assert.deepEqual(queryOf(ask({ url: new URL("http://h/s?last_event_id=earliest") })), { last_event_id: "earliest" });
});

test("subscription: what cannot be is refused", () => {
  for (const options of [{ channels: 3 }, { types: {} }]) assert.throws(() => toSubscription(options), errors.OptionError);
  assert.deepEqual(toSubscription({ channels: null, types: undefined }), {});
});

test("subscription: changes leave alone what they do not name, and null removes", () => {
  const previous = toSubscription({ channels: ["a"], types: ["t"] });
  assert.deepEqual(merge(previous, { channels: ["b"] }), { channels: ["b"], types: ["t"] });
  assert.deepEqual(merge(previous, { types: null, channels: undefined }), { channels: ["a"] });
});

test("subscription: it widens unless it only leaves out channels", () => {
  const of = (channels, types) => toSubscription({ channels, types });
  assert.equal(widens(of(["a", "b"]), of(["a"])), false);
  assert.equal(widens(of(["a"]), of(["a", "b"])), true);
  assert.equal(widens(of(["a"], ["t"]), of(["a"])), true);
  assert.equal(widens(of(["a"]), of(undefined)), true);
});

test("page: reset, retained, events, cursor, close, in this order", () => {
  const page = readPage(JSON.stringify({
    events: [{ id: "e-1", type: "a", channel: "c", data: [1], time: "t" }, { id: "e-2", type: "b", data: null }], cursor: "e-7",
    reset: { reason: "epoch_changed", channels: ["c"] }, retained: [{ type: "s", channel: "c", data: 1, id: "e-0" }], close: { reason: "complete", reconnect: false },
  }));
  const frames = framesOf(page, 0);
  assert.deepEqual(frames.map(({ type }) => type), ["reset", "s", "a", "b", "heartbeat", "close"]);
  assert.deepEqual([frames[1].retained, frames[1].id, frames[2].data, frames[4].id], [true, null, "[1]", "e-7"]);
  for (const text of ["", "null", "[]", "{}", '{"events":{}}', "<html>"]) assert.throws(() => readPage(text), errors.FormatError);
});

test("patterns: a star is any run of characters, the rest is literal", () => {
  for (const [pattern, yes, no] of [
    ["*", ["a", "", "a\nb"], []], ["job.*", ["job.", "job.x"], ["jobx", "xjob.y"]], ["*.done", ["a.done"], ["a.done!"]],
    ["a*b*c", ["abc", "axbyc"], ["ab"]], ["(x)+$", ["(x)+$"], ["xx"]], ["[a]|b", ["[a]|b"], ["a", "b"]],
  ]) {
    for (const type of yes) assert.ok(toRegExp(pattern).test(type), `${pattern} ${type}`);
    for (const type of no) assert.ok(!toRegExp(pattern).test(type), `${pattern} ${type}`);
  }
});

test("handlers: exact, patterns, off, the same one twice", () => {
  const seen = [], emitter = createEmitter(() => {});
  const fn = (e) => seen.push(e);
  emitter.on("a.b", fn);
  emitter.on("a.b", fn);
  emitter.on("a.*", fn);
  const off = emitter.on("*", fn);
  emitter.emit("a.b", 1, false);
  assert.deepEqual(seen, [1, 1, 1]);
  off();
  emitter.off("a.*");
  emitter.emit("a.b", 2, false);
  assert.deepEqual(seen, [1, 1, 1, 2]);
  emitter.off("a.b", () => {});
  emitter.off("a.b", fn);
  emitter.emit("a.b", 3, false);
  assert.equal(seen.length, 4);
});

test("handlers: the client's own names match no pattern, and no published event poses as one", () => {
  const seen = [], emitter = createEmitter(() => {});
  for (const name of ["*", "st*", "state"]) emitter.on(name, (e) => seen.push([name, e]));
  emitter.emit("state", "own", true);
  emitter.emit("state", "published", false);
  assert.deepEqual(seen, [["state", "own"], ["*", "published"], ["st*", "published"]]);
});

test("handlers: added and removed from within", () => {
  const seen = [], emitter = createEmitter(() => {});
  emitter.on("a", () => {
    seen.push(1);
    emitter.off("a", second);
    emitter.on("a", () => seen.push(3));
  });
  const second = () => seen.push(2);
  emitter.on("a", second);
  emitter.emit("a", 0, false);
  assert.deepEqual(seen, [1]);
  emitter.emit("a", 0, false);
  assert.deepEqual(seen, [1, 1, 3]);
});

test("handlers: one that throws or rejects is reported and harms nobody", async () => {
  const reported = [], seen = [];
  const emitter = createEmitter((cause, type) => reported.push([cause.message, type]));
  emitter.on("a", () => {
    throw new Error("sync");
  });
  emitter.on("a", async () => {
    throw new Error("async");
  });
  emitter.on("a", (e) => seen.push(e));
  emitter.emit("a", 1, false);
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual([reported, seen], [[["sync", "a"], ["async", "a"]], [1]]);
});

test("storage and inbox together: random writes read back as the newest", () => {
  const random = seeded(3), storage = new FakeStorage(), env = fakeEnv({ storage });
  const store = createStore(env, "session", "k");
  let newest = null;
  for (let i = 0; i < 500; i++) {
    if (random() < 0.7) store.write(newest = `e-${i}`);
    else if (random() < 0.5) env.time.advance(random() * 700);
    else store.flush();
  }
  store.flush();
  assert.equal(store.read(), newest);
});
