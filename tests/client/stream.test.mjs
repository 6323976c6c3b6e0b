// A stream over a real server on 127.0.0.1: opening, events, ends, statuses, tokens, controls. Time is moved by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, FormatError, HandlerError, HermesError, OptionError, RefusedError, TimeoutError, TokenError } from "../../static/hermes.js";
import { connectedFrame, event, fakeEnv, FakeStorage, frame, heartbeat, listen, model, seeded, serve, settle, until } from "./support.mjs";

const opening = (id, data, retry) => [":\n\n", connectedFrame(data, retry), heartbeat(id)];

test("opens, and delivers events with all that they have", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening("e-1"), event("e-2", "job.done", { a: 1 }), frame({ id: "e-3", data: "text" })));
  const { stream, seen } = listen(t, server.url, { types: ["job.*"], filters: { a: 1 }, headers: { "X-API-Key": "k" } });
  const [done, jobs] = [[], []];
  stream.on("job.done", (e) => done.push(e));
  stream.on("job.*", (e) => jobs.push(e));
  assert.equal(stream.state, "idle");
  await until(() => seen.events.length === 2);
  assert.deepEqual(seen.events[0], {
    type: "job.done", data: { a: 1 }, text: '{"a":1}', id: "e-2", channel: "c", time: "2026-11-20T19:18:04.123Z", replayed: false, retained: false,
  });
  assert.deepEqual([seen.events[1].type, seen.events[1].data], ["message", "text"]);
  assert.deepEqual([done.length, jobs.length], [1, 1]);
  assert.deepEqual(seen.states, ["connecting", "open"]);
  assert.deepEqual([stream.state, stream.lastEventId, stream.attempts, stream.retryIn], ["open", "e-3", 0, 0]);
  assert.equal(seen.connected[0].data.connection_id, "c1");
  const { query, headers } = server.exchanges[0];
  assert.deepEqual(Object.fromEntries(query), { channels: "c", types: "job.*", filters: '{"a":1}' });
  assert.deepEqual([headers.accept, headers["x-api-key"], headers["last-event-id"]], ["text/event-stream, application/json", "k", undefined]);
});

test("it is open at the first byte, and not before", async (t) => {
  const server = await serve(t, (x) => x.res.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders());
  const { state, stream } = listen(t, server.url);
  await server.exchange(0);
  await settle();
  assert.equal(stream.state, "connecting");
  server.exchanges[0].sse(":\n\n");
  await state("open");
});

test("options that cannot be are refused with a sentence", () => {
  const env = fakeEnv();
  assert.throws(() => connect("http://h/", { transport: "eventsource", env }), OptionError);
  assert.throws(() => connect("http://h/", { transport: "carrier pigeon", env }), OptionError);
  assert.throws(() => connect("http://h/", { channels: 7, env }), OptionError);
  assert.throws(() => connect("/relative", { env }), TypeError);
});

test("a relative URL is that of the page", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening("e-1")));
  const { state } = listen(t, "/some/stream", { env: fakeEnv({ base: server.url }) });
  await state("open");
  assert.equal(server.exchanges[0].path, "/some/stream");
});

test("the cursor goes by header to the own origin, by query to another", async (t) => {
  const server = await serve(t, (x) => x.index ? x.sse(...opening("e-5")) : x.sse(...opening("e-5")).res.end());
  for (const [base, header, query] of [[server.url, "e-5", null], ["http://elsewhere.test/", undefined, "e-5"]]) {
    const from = server.exchanges.length;
    server.handler = (x) => x.index > from ? x.sse(...opening("e-5")) : x.sse(...opening("e-5")).res.end();
    const { state, time, stream } = listen(t, server.url, { env: fakeEnv({ base }) });
    await state("waiting");
    time.advance(60_000);
    const second = await server.exchange(from + 1);
    assert.deepEqual([second.headers["last-event-id"], second.query.get("last_event_id"), second.query.get("connection")], [header, query, "c1"]);
    stream.close();
  }
});

test("an orderly end waits exactly the server's retry, then goes on from the cursor", async (t) => {
  const server = await serve(t, (x) => x.index
    ? x.sse(...opening("e-3"))
    : x.sse(...opening("e-1"), event("e-3"), frame({ retry: 4321, event: "close", data: { reason: "drain", reconnect: true } })));
  const { stream, seen, state, time } = listen(t, server.url);
  await state("waiting");
  assert.equal(stream.retryIn, 4321);
  assert.equal(stream.attempts, 1);
  assert.deepEqual(seen.closes.map((e) => e.data), [{ reason: "drain", reconnect: true }]);
  assert.deepEqual(seen.errors, []);
  time.advance(4320);
  assert.equal(stream.retryIn, 1);
  await settle();
  assert.equal(server.exchanges.length, 1);
  time.advance(1);
  await state("open");
  assert.equal(server.exchanges[1].headers["last-event-id"], "e-3");
});

test("a link that breaks waits the stream's retry and a jitter, and says so", async (t) => {
  const server = await serve(t, (x) => {
    x.sse(...opening("e-1", {}, 1500));
    setImmediate(x.cut);
  });
  const { stream, seen, state } = listen(t, server.url);
  await state("waiting");
  assert.equal(stream.retryIn, 1500 + 0.5 * 1000);
  assert.deepEqual([seen.errors.length, seen.errors[0]?.code, seen.errors[0]?.fatal], [1, "NETWORK", false]);
});

test("failures back off with full jitter; ten healthy seconds forget them, less does not", async (t) => {
  const server = await serve(t, (x) => x.index < 4 ? x.status(503) : x.sse(...opening("e-1", {}, 0)));
  const { stream, state, time } = listen(t, server.url, { transport: "fetch", backoff: { base: 100, cap: 500 } });
  const delays = [];
  for (let i = 0; i < 4; i++) {
    await until(() => stream.attempts === i + 1 && stream.state === "waiting");
    delays.push(stream.retryIn);
    time.advance(stream.retryIn);
  }
  assert.deepEqual(delays, [50, 100, 200, 250]);
  await state("open");
  assert.equal(stream.attempts, 4);
  time.advance(9_999);
  server.exchanges[4].res.end();
  await state("waiting");
  assert.equal(stream.attempts, 5);
  time.advance(stream.retryIn);
  await state("open");
  time.advance(10_000);
  assert.equal(stream.attempts, 0);
  server.exchanges[5].res.end();
  await state("waiting");
  assert.deepEqual([stream.attempts, stream.retryIn], [1, 50]);
});

test("a server that is not there is asked again", async (t) => {
  const server = await serve(t);
  await server.close();
  const { seen, state } = listen(t, server.url);
  await state("waiting");
  assert.equal(seen.errors[0].code, "NETWORK");
  assert.ok(seen.errors[0].cause);
});

for (const status of [408, 425, 429, 500, 502, 503, 504]) {
  test(`status ${status} is retried, and Retry-After is the least`, async (t) => {
    const server = await serve(t, (x) => x.status(status, '{"error":{"code":"DRAINING","message":"soon"}}', { "Retry-After": "7" }));
    const { stream, seen, state } = listen(t, server.url, { env: fakeEnv({ random: () => 0 }) });
    await state("waiting");
    assert.equal(stream.retryIn, 7000);
    const [error] = seen.errors;
    assert.ok(error instanceof RefusedError && error instanceof HermesError);
    assert.deepEqual([error.code, error.message, error.status, error.fatal, error.retryAfter], ["DRAINING", "soon", status, false, 7000]);
  });
}

for (const status of [400, 402, 403, 405, 410, 422]) {
  test(`status ${status} is fatal`, async (t) => {
    const server = await serve(t, (x) => x.status(status, '{"error":{"code":"NO","message":"never"}}'));
    const { stream, seen, state, time } = listen(t, server.url);
    await state("closed");
    assert.deepEqual(seen.errors.map((e) => [e.code, e.status, e.fatal]), [["NO", status, true]]);
    assert.deepEqual(seen.gaveup, seen.errors);
    time.advance(1e7);
    await settle();
    assert.equal(server.exchanges.length, 1);
    server.handler = (x) => x.sse(...opening("e-1"));
    stream.reconnect();
    await state("open");
  });
}

test("a fatal error that nobody listens to is at least logged", async (t) => {
  const server = await serve(t, (x) => x.status(403)), env = fakeEnv();
  const stream = connect(server.url, { env });
  await until(() => stream.state === "closed");
  assert.equal(env.logged.length, 1);
});

test("status 204 ends for good", async (t) => {
  const server = await serve(t, (x) => x.status(204));
  const { seen, state, time } = listen(t, server.url);
  await state("closed");
  assert.deepEqual([seen.errors, seen.gaveup, seen.closes[0].data], [[], [], { reason: "complete", reconnect: false }]);
  time.advance(1e7);
  await settle();
  assert.equal(server.exchanges.length, 1);
});

test("status 404 is believed the third time in a row", async (t) => {
  const server = await serve(t, (x) => x.index === 2 ? x.sse(...opening("e-1")).res.end() : x.status(404));
  const { stream, seen, state, time } = listen(t, server.url);
  for (const count of [1, 2, 3, 4, 5]) {
    await until(() => stream.state === "waiting" && server.exchanges.length === count);
    time.advance(60_000);
  }
  await state("closed");
  assert.equal(server.exchanges.length, 6);
  assert.deepEqual([seen.gaveup.length, seen.gaveup[0]?.status], [1, 404]);
});

test("status 401 without getToken is fatal", async (t) => {
  const server = await serve(t, (x) => x.status(401));
  const { seen, state } = listen(t, server.url);
  await state("closed");
  assert.equal(seen.gaveup[0].status, 401);
});

test("status 401 asks for another token once, at once", async (t) => {
  const server = await serve(t, (x) => x.headers.authorization === "Bearer new" ? x.sse(...opening("e-1")) : x.status(401));
  const asked = [];
  const { seen, state } = listen(t, server.url, { getToken: (why) => (asked.push(why.refresh), why.refresh ? "new" : "old") });
  await state("open");
  assert.deepEqual([asked, seen.errors], [[false, true], []]);
});

test("status 401 a second time is fatal; an open stream in between counts anew", async (t) => {
  const answers = [401, 200, 401, 200, 401, 401];
  const server = await serve(t, (x) => answers[x.index] === 401 ? x.status(401) : x.sse(...opening("e-1", {}, 0)).res.end());
  let asked = 0;
  const { seen, stream, time, env } = listen(t, server.url, { getToken: async () => `t${++asked}` });
  await until(() => (env.busy || time.advance(1000), stream.state === "closed"));
  assert.deepEqual([asked, server.exchanges.length, seen.gaveup.length], [6, 6, 1]);
});

test("a getToken that fails is asked again later", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening("e-1")));
  let fails = true;
  const { seen, state, time } = listen(t, server.url, { getToken: () => {
    if (fails) throw new Error("offline");
    return "t";
  } });
  await state("waiting");
  assert.ok(seen.errors[0] instanceof TokenError);
  assert.equal(seen.errors[0].cause.message, "offline");
  assert.equal(server.exchanges.length, 0);
  fails = false;
  time.advance(5000);
  await state("open");
  assert.equal(server.exchanges[0].headers.authorization, "Bearer t");
});

test("a stream that expired comes back with a fresh token and its cursor", async (t) => {
  const server = await serve(t, (x) => x.index ? x.sse(...opening("e-4"))
    : x.sse(...opening("e-1"), event("e-4"), frame({ event: "close", data: { reason: "expired", reconnect: true } })));
  const asked = [];
  const { state, time } = listen(t, server.url, { getToken: ({ refresh }) => (asked.push(refresh), `t${asked.length}`) });
  await state("waiting");
  time.advance(5000);
  await state("open");
  assert.deepEqual(asked, [false, true]);
  assert.deepEqual([server.exchanges[1].headers.authorization, server.exchanges[1].headers["last-event-id"]], ["Bearer t2", "e-4"]);
});

test("close without reconnect ends for good", async (t) => {
  const storage = new FakeStorage();
  const server = await serve(t, (x) => x.sse(...opening("e-1"), frame({ id: "e-1~r1", event: "close", data: { reason: "complete", reconnect: false } }), event("e-9")));
  const { stream, seen, state, time } = listen(t, server.url, { env: fakeEnv({ storage }) });
  await state("closed");
  assert.deepEqual(seen.closes.map((e) => e.data.reason), ["complete"]);
  assert.deepEqual([seen.gaveup, seen.errors, seen.events], [[], [], []]);
  assert.equal(stream.lastEventId, "e-1~r1");
  assert.equal(storage.items.size, 0, "a page that is loaded again shall see the state, not a 204");
  time.advance(1e7);
  await settle();
  assert.equal(server.exchanges.length, 1);
});

test("the mark of a finished run goes back as it came", async (t) => {
  const server = await serve(t, (x) => x.index ? x.status(204)
    : x.sse(...opening("e-1"), frame({ id: "e-1~r1", event: "close", data: { reason: "drain", reconnect: true } })));
  const { state, time } = listen(t, server.url);
  await state("waiting");
  time.advance(5000);
  await state("closed");
  assert.equal(server.exchanges[1].headers["last-event-id"], "e-1~r1");
});

test("an error frame is an error; a refusal as a stream waits its retry", async (t) => {
  const server = await serve(t, (x) => x.sse(frame({ retry: 9000, event: "error", data: { code: "RATE_LIMITED", message: "slow down" } })).res.end());
  const { stream, seen, state } = listen(t, server.url, { env: fakeEnv({ random: () => 0 }) });
  await state("waiting");
  assert.deepEqual(seen.errors.map((e) => [e.name, e.code, e.message]), [["RefusedError", "RATE_LIMITED", "slow down"]]);
  assert.ok(!seen.states.includes("open"), "it was never open");
  assert.equal(stream.retryIn, 9000);
});

test("INTERNAL_ERROR on an open stream does not end it", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening("e-1"), frame({ event: "error", data: { code: "INTERNAL_ERROR", message: "oops" } }), event("e-2")));
  const { seen, stream } = listen(t, server.url);
  await until(() => seen.events.length === 1);
  assert.deepEqual([seen.errors[0].code, stream.state], ["INTERNAL_ERROR", "open"]);
});

test("nothing for ten seconds is an error, with or without headers", async (t) => {
  for (const headers of [true, false]) {
    const server = await serve(t, (x) => headers && x.res.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders());
    const { seen, state, time } = listen(t, server.url);
    await server.exchange(0);
    await until(() => time.pending.length);
    time.advance(9_999);
    await settle();
    assert.deepEqual(seen.errors, []);
    time.advance(1);
    await state("waiting");
    assert.ok(seen.errors[0] instanceof TimeoutError);
    await until(() => server.exchanges[0].gone);
  }
});

test("a silent link is dropped after two heartbeats and a second, and its retry is not waited for", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening("e-1", { heartbeat_interval: 5 }, 60_000)));
  const { stream, seen, state, time } = listen(t, server.url);
  await until(() => seen.heartbeats.length === 1);
  for (let i = 0; i < 5; i++) {
    time.advance(10_000);
    server.exchanges[0].sse(heartbeat(`e-${2 + i}`));
    await until(() => seen.heartbeats.length === 2 + i);
  }
  time.advance(10_999);
  assert.equal(stream.state, "open");
  time.advance(1);
  await state("waiting");
  assert.ok(seen.errors[0] instanceof TimeoutError);
  assert.ok(stream.retryIn <= 1000);
  await until(() => server.exchanges[0].gone);
  time.advance(1000);
  assert.equal((await server.exchange(1)).headers["last-event-id"], "e-6");
});

test("an event that is too large is an error and a reconnect", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening("e-1"), `id: e-2\ndata: ${"x".repeat(1 << 20)}\n`));
  const { seen, state } = listen(t, server.url);
  await state("waiting");
  assert.ok(seen.errors[0] instanceof FormatError);
  assert.deepEqual(seen.events, []);
});

test("events come once: what is sent again is dropped, another epoch is not", async (t) => {
  const server = await serve(t, (x) => x.index
    ? x.sse(":\n\n", connectedFrame({ recovered: true }), event("e-2"), event("e-3"), event("e-4"), heartbeat("e-4"), event("f-1"), event("f-1"), heartbeat("f-1"))
    : x.sse(...opening("e-1", {}, 10), event("e-2"), event("e-2"), event("e-3")).res.end());
  const { ids, seen, state, time } = listen(t, server.url);
  await state("waiting");
  time.advance(5000);
  await until(() => seen.heartbeats.length === 3);
  assert.deepEqual(ids(), ["e-2", "e-3", "e-4", "f-1"]);
  assert.deepEqual(seen.events.map((e) => e.replayed), [false, false, true, false]);
});

test("retained state and reset are surfaced, and retained state is never taken for old", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening("e-5"), frame({ event: "reset", data: { reason: "history_truncated", channels: ["c"] } }),
    frame({ event: "thing", channel: "c", retained: 1, data: { a: 1 } }), frame({ event: "thing", channel: "c", retained: 1, data: { a: 1 } }), event("e-6"), heartbeat("e-6"), event("e-7")));
  const { seen } = listen(t, server.url);
  await until(() => seen.events.length === 4);
  assert.deepEqual(seen.resets.map((e) => e.data), [{ reason: "history_truncated", channels: ["c"] }]);
  assert.deepEqual(seen.events.map((e) => [e.id, e.retained, e.replayed]), [[null, true, false], [null, true, false], ["e-6", false, true], ["e-7", false, false]]);
});

test("a page that is loaded again resumes, and asks for retained state until an opening came whole", async (t) => {
  const storage = new FakeStorage();
  const server = await serve(t, (x) => x.index === 1 ? x.sse(":\n\n", connectedFrame({ recovered: true }, 0), event("e-3")).res.end() : x.sse(...opening(`e-${x.index + 2}`, {}, 0), event(`e-${x.index + 3}`)));
  const first = listen(t, server.url, { env: fakeEnv({ storage }) });
  await until(() => first.stream.lastEventId === "e-3");
  first.stream.close();
  assert.equal(storage.items.size, 1);
  storage.items.set([...storage.items.keys()][0], "e-2");

  const second = listen(t, server.url, { env: fakeEnv({ storage }) });
  assert.equal(second.stream.lastEventId, "e-2");
  await second.state("waiting");
  second.time.advance(5000);
  await until(() => second.seen.heartbeats.length === 1);
  server.exchanges[2].res.end();
  await second.state("waiting");
  second.time.advance(60_000);
  await server.exchange(3);
  assert.deepEqual(server.exchanges.map((x) => [x.headers["last-event-id"], x.query.get("retained")]),
    [[undefined, null], ["e-2", "1"], ["e-3", "1"], ["e-5", null]]);
});

test("persist and retained as told", async (t) => {
  const storage = new FakeStorage(), kinds = [];
  const server = await serve(t, (x) => x.sse(...opening("e-1")));
  for (const [persist, retained, expected] of [["local", true, "1"], [false, 0, "0"], ["session", "auto", null]]) {
    const env = { ...fakeEnv({ storage }), storage: (kind) => (kinds.push(kind), storage) };
    const { stream, seen } = listen(t, server.url, { env, persist, retained });
    await until(() => seen.heartbeats.length);
    stream.close();
    assert.equal(server.exchanges.at(-1).query.get("retained"), expected);
    storage.items.clear();
  }
  assert.deepEqual([...new Set(kinds)], ["local", "session"]);
});

test("a handler that throws or rejects breaks nothing and is reported", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening("e-1"), event("e-2"), event("e-3")));
  const { stream, seen, env } = listen(t, server.url);
  stream.on("thing", (e) => {
    if (e.id === "e-2") throw new Error("mine");
    return Promise.reject(new Error("later"));
  });
  stream.on("error", () => {
    throw new Error("even here");
  });
  await until(() => seen.errors.length === 2);
  assert.ok(seen.errors.every((e) => e instanceof HandlerError && !e.fatal));
  assert.deepEqual(seen.errors.map((e) => e.cause.message), ["mine", "later"]);
  assert.equal(env.logged.length, 4);
  assert.deepEqual([seen.events.length, stream.state], [2, "open"]);
});

test("a handler that closes the stream sees nothing more, in the same chunk neither", async (t) => {
  const server = await serve(t, (x) => x.sse([...opening("e-1"), event("e-2"), event("e-3")].join("")));
  const { stream, ids, state } = listen(t, server.url);
  stream.on("thing", () => stream.close());
  await state("closed");
  await until(() => server.exchanges[0].gone);
  assert.deepEqual(ids(), ["e-2"]);
  assert.equal(stream.lastEventId, "e-2");
});

test("pause drops the link and keeps the cursor; resume goes on", async (t) => {
  const server = await serve(t, (x) => x.index ? x.sse(...opening("e-2", { recovered: true })) : x.sse(...opening("e-1"), event("e-2")));
  const { stream, seen, state, time } = listen(t, server.url);
  await until(() => seen.events.length === 1);
  stream.pause();
  stream.pause();
  assert.equal(stream.state, "paused");
  await until(() => server.exchanges[0].gone);
  time.advance(1e6);
  await settle();
  assert.equal(server.exchanges.length, 1);
  stream.resume();
  await state("open");
  stream.resume();
  assert.equal(server.exchanges[1].headers["last-event-id"], "e-2");
  assert.deepEqual(seen.states, ["connecting", "open", "paused", "connecting", "open"]);
  assert.deepEqual(seen.errors, []);
});

test("pause while waiting forgets the attempt; reconnect goes on from pause", async (t) => {
  const server = await serve(t, (x) => x.index ? x.sse(...opening("e-1")) : x.status(503));
  const { stream, state, time } = listen(t, server.url);
  await state("waiting");
  stream.pause();
  assert.deepEqual([stream.retryIn, time.pending], [0, []]);
  stream.reconnect();
  assert.equal(stream.attempts, 0);
  await state("open");
});

test("reconnect drops what there is and connects at once", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening(`e-${x.index + 1}`)));
  const { stream, seen } = listen(t, server.url);
  await until(() => seen.heartbeats.length === 1);
  stream.reconnect();
  await until(() => seen.heartbeats.length === 2);
  await until(() => server.exchanges[0].gone);
  assert.equal(server.exchanges[1].headers["last-event-id"], "e-1");
  assert.deepEqual(seen.errors, []);
});

test("not enabled: idle until told", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening("e-1")));
  const { stream, state } = listen(t, server.url, { enabled: false });
  await settle();
  assert.deepEqual([stream.state, server.exchanges.length], ["idle", 0]);
  stream.resume();
  await state("open");
});

test("close in every state: nothing is left behind, and nothing comes back", async (t) => {
  const open = (x) => x.query.get("poll") ? x.page({ cursor: "e-1" }) : x.sse(...opening("e-1"));
  const ways = {
    idle: [{ enabled: false }, open],
    connecting: [{}, () => {}],
    open: [{}, open],
    waiting: [{}, (x) => x.status(503)],
    polling: [{ transport: "poll" }, (x) => x.query.get("wait") === "0" && open(x)],
    paused: [{}, open],
    closed: [{}, (x) => x.status(403)],
  };
  for (const [name, [options, answer]] of Object.entries(ways)) {
    const server = await serve(t, answer);
    const { stream, state, time, seen } = listen(t, server.url, options);
    if (name === "paused") {
      await state("open");
      stream.pause();
    }
    await state(name);
    if (name === "connecting") await server.exchange(0);
    if (name === "polling") await server.exchange(1);
    const errors = seen.errors.length;
    stream.close();
    stream.close();
    assert.equal(stream.state, "closed", name);
    for (const control of ["reconnect", "resume", "pause"]) stream[control]();
    await until(() => server.exchanges.every((x) => x.gone), `${name}: let go of`);
    const asked = server.exchanges.length;
    assert.deepEqual(time.pending, [], `${name}: timers`);
    time.advance(1e7);
    await settle();
    assert.deepEqual([server.exchanges.length, stream.state, seen.errors.length], [asked, "closed", errors], name);
    await assert.rejects(stream.update({ channels: ["d"] }), { code: "CLOSED" });
  }
});

test("an abort signal closes, before and after", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening("e-1")));
  const controller = new AbortController();
  const { state } = listen(t, server.url, { signal: controller.signal });
  await state("open");
  controller.abort();
  await state("closed");
  const late = listen(t, server.url, { signal: controller.signal });
  await late.state("closed");
  assert.equal(server.exchanges.length, 1);
});

test("maxRetries: that many more attempts, then it gives up; reconnect starts anew", async (t) => {
  const server = await serve(t, (x) => x.status(503));
  const { stream, seen, state, time } = listen(t, server.url, { maxRetries: 2, transport: "fetch" });
  for (let i = 1; i <= 2; i++) {
    await until(() => stream.attempts === i && stream.state === "waiting");
    time.advance(60_000);
  }
  await state("closed");
  assert.equal(server.exchanges.length, 3);
  assert.deepEqual([seen.gaveup.length, seen.gaveup[0].status, seen.gaveup[0].fatal], [1, 503, true]);
  server.handler = (x) => x.sse(...opening("e-1"));
  stream.reconnect();
  await state("open");
});

test("state events carry what a status line needs", async (t) => {
  const server = await serve(t, (x) => x.status(503));
  const { stream, state } = listen(t, server.url);
  const states = [];
  stream.on("state", (e) => states.push(e));
  await state("waiting");
  assert.deepEqual(states.at(-1), { type: "state", state: "waiting", previous: "connecting", attempts: 1, retryIn: 500 });
});

test("debug logs, silence does not", async (t) => {
  const server = await serve(t, (x) => x.status(503));
  const loud = listen(t, server.url, { debug: true }), quiet = listen(t, server.url);
  await loud.state("waiting");
  await quiet.state("waiting");
  assert.ok(loud.env.logged.length >= 3);
  assert.equal(quiet.env.logged.length, 0);
});

test("through 150 broken links, at any byte: nothing lost, nothing twice, in order", async (t) => {
  const server = await model(t), random = seeded(42);
  const { stream, seen, time, env } = listen(t, server.url, { channels: ["a", "b"], env: fakeEnv({ random }) });
  await until(() => seen.heartbeats.length);
  const owed = [];
  for (let round = 0; round < 150; round++) {
    for (let n = random() * 6; n > 1; n--) {
      const entry = server.publish("abz"[Math.floor(random() * 3)]);
      if (entry.channel !== "z") owed.push(entry.number);
    }
    if (random() < 0.5) await settle(Math.floor(random() * 4));
    // a frame that breaks off in the middle must not count
    for (const { exchange } of server.live) {
      if (random() < 0.3) exchange.sse(event(`e-${server.log.length + 1}`).slice(0, 8 + Math.floor(random() * 40)).replace(/\n+$/, ""));
    }
    await settle(2);
    await until(() => server.live.size);
    server.cut();
    await until(() => stream.state !== "open");
    await until(() => (env.busy || time.advance(1000), stream.state === "open"));
  }
  await until(() => seen.events.length >= owed.length);
  assert.deepEqual(seen.events.map((e) => e.data.n), owed);
  assert.ok(server.exchanges.length > 150);
  assert.ok(!seen.states.includes("polling"));
});
