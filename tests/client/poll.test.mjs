// Long polling: when it begins, what a page means, how it leads back to streaming.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connectedFrame, event, fakeEnv, frame, heartbeat, listen, model, seeded, serve, settle, until } from "./support.mjs";

const opening = (id, data, retry) => [":\n\n", connectedFrame(data, retry), heartbeat(id)];
const item = (n, more = {}) => ({ id: `e-${n}`, type: "thing", channel: "c", data: { n }, time: "t", ...more });
const isPoll = (x) => x.query.get("poll") === "1";
const disabled = '{"error":{"code":"SSE_DISABLED","message":"polling only"}}';

test("poll: a page is delivered like a stream: reset, retained, events", async (t) => {
  const server = await serve(t, (x) => x.index === 0 && x.page({
    events: [item(5), item(6, { type: "job.done" })], cursor: "e-9", retained: [item(1, { data: "old" })], reset: { reason: "unknown_cursor", channels: ["c"] },
  }));
  const { stream, seen } = listen(t, server.url, { transport: "poll", types: ["x"], getToken: () => "t" });
  const order = [];
  for (const name of ["reset", "*", "heartbeat", "state"]) stream.on(name, (e) => order.push(e.state ?? e.type));
  await server.exchange(1);
  assert.deepEqual(order, ["connecting", "polling", "reset", "thing", "thing", "job.done", "heartbeat"]);
  assert.deepEqual(seen.events.map((e) => [e.id, e.retained, e.replayed, e.data]), [[null, true, false, "old"], ["e-5", false, true, { n: 5 }], ["e-6", false, true, { n: 6 }]]);
  assert.deepEqual([stream.state, stream.lastEventId], ["polling", "e-9"]);
  const [first, second] = server.exchanges;
  assert.deepEqual(Object.fromEntries(first.query), { channels: "c", types: "x", poll: "1", wait: "0", limit: "200" });
  assert.deepEqual([first.headers.accept, first.headers.authorization], ["application/json", "Bearer t"]);
  assert.deepEqual([second.query.get("wait"), second.headers["last-event-id"]], ["25", "e-9"]);
});

test("poll: pages follow each other at once while there are events, and each event comes once", async (t) => {
  const server = await serve(t, (x) => x.index < 4 && x.page({ events: [item(x.index), item(x.index + 1)], cursor: `e-${x.index + 1}` }));
  const { ids, seen } = listen(t, server.url, { transport: "poll" });
  await server.exchange(4);
  assert.deepEqual(ids(), ["e-0", "e-1", "e-2", "e-3", "e-4"]);
  assert.deepEqual(seen.events.map((e) => e.replayed), [false, false, false, false, false]);
});

test("poll: a server that does not wait is asked once a second", async (t) => {
  const server = await serve(t, (x) => x.page({ cursor: "e-1" }));
  const { time } = listen(t, server.url, { transport: "poll" });
  await until(() => server.exchanges.length === 2 && time.pending.length === 2);
  for (let count = 2; count < 5; count++) {
    time.advance(999);
    await settle();
    assert.equal(server.exchanges.length, count);
    time.advance(1);
    await server.exchange(count);
    await until(() => time.pending.some((ms) => ms <= 1000));
  }
});

test("poll: an answer that does not come in time, or is no page, is retried with backoff", async (t) => {
  const answers = [() => {}, (x) => x.status(200, "<html>", { "Content-Type": "text/html" }), (x) => x.status(200, "{", { "Content-Type": "application/json" }),
    (x) => x.status(200, "{}", { "Content-Type": "application/json" }), (x) => x.cut(), (x) => x.status(503, "", { "Retry-After": "2" }), (x) => x.page({ cursor: "e-1" })];
  const server = await serve(t, (x) => answers[x.index]?.(x));
  const { seen, stream, time, state } = listen(t, server.url, { transport: "poll" });
  await server.exchange(0);
  await until(() => time.pending.length);
  time.advance(10_000);
  for (let count = 1; count < 7; count++) {
    await until(() => stream.attempts === count && stream.state === "waiting");
    time.advance(60_000);
  }
  await state("polling");
  assert.deepEqual(seen.errors.map((e) => e.code), ["TIMEOUT", "FORMAT", "FORMAT", "FORMAT", "NETWORK", "HTTP_503"]);
});

test("poll: 403 is fatal, 204 and close end it, 401 asks for a token", async (t) => {
  {
    const server = await serve(t, (x) => x.status(403));
    const { state, seen } = listen(t, server.url, { transport: "poll" });
    await state("closed");
    assert.equal(seen.gaveup.length, 1);
  }
  {
    const server = await serve(t, (x) => x.status(204));
    const { state, seen } = listen(t, server.url, { transport: "poll" });
    await state("closed");
    assert.deepEqual([seen.errors, seen.closes.length], [[], 1]);
  }
  {
    const server = await serve(t, (x) => x.page({ events: [item(1)], cursor: "e-1~r", close: { reason: "complete", reconnect: false } }));
    const { state, seen, stream } = listen(t, server.url, { transport: "poll" });
    await state("closed");
    assert.deepEqual([seen.events.length, seen.closes[0].data.reason, stream.lastEventId, server.exchanges.length], [1, "complete", "e-1~r", 1]);
  }
  {
    const server = await serve(t, (x) => x.headers.authorization === "Bearer new" ? x.index < 3 && x.page({ cursor: "e-1" }) : x.status(401));
    const { state } = listen(t, server.url, { transport: "poll", getToken: ({ refresh }) => refresh ? "new" : "old" });
    await state("polling");
  }
});

test("poll: close with reconnect goes on", async (t) => {
  const server = await serve(t, (x) => x.index < 1 && x.page({ cursor: "e-1", close: { reason: "max_age", reconnect: true } }));
  const { state, time, seen } = listen(t, server.url, { transport: "poll" });
  await state("waiting");
  time.advance(5000);
  await server.exchange(1);
  assert.deepEqual([seen.closes.length, seen.errors.length], [1, 0]);
});

for (const [name, refuse] of [
  ["a frame", (x) => x.sse(frame({ retry: 60_000, event: "error", data: { code: "SSE_DISABLED", message: "polling only" } })).res.end()],
  ["a status", (x) => x.status(503, disabled, { "Retry-After": "60" })],
]) {
  test(`poll: SSE_DISABLED as ${name} polls at once; a minute later a probe leads back`, async (t) => {
    let off = true;
    const server = await serve(t, (x) => isPoll(x) ? x.query.get("wait") === "0" && x.page({ cursor: "e-3", events: [item(3)] }) : off ? refuse(x) : x.sse(":\n\n", connectedFrame({ recovered: true }), event("e-3"), event("e-4"), heartbeat("e-4")));
    const { stream, seen, state, time, ids } = listen(t, server.url, { backoff: { base: 0, cap: 0 } });
    await state("polling");
    await server.exchange(2);
    assert.deepEqual([seen.errors.map((e) => [e.code, e.fatal]), ids()], [[["SSE_DISABLED", false]], ["e-3"]]);
    off = false;
    for (const index of [2, 3]) { // 60 s after the first page, in steps that a page may take
      time.advance(25_000);
      server.exchanges[index].page({ cursor: "e-3" });
      await server.exchange(index + 1);
    }
    time.advance(9_999);
    await settle();
    assert.deepEqual([server.exchanges.length, stream.state], [5, "polling"]);
    time.advance(1);
    await state("open");
    await until(() => ids().length === 2);
    assert.deepEqual(ids(), ["e-3", "e-4"]);
    assert.ok(!seen.states.includes("waiting"));
    await until(() => server.exchanges.filter((x) => !x.gone).length === 1);
  });
}

test("poll: when pages come while a probe is under way, the stream goes on from them", async (t) => {
  const server = await serve(t, (x) => {
    if (isPoll(x)) return x.query.get("wait") === "0" && x.page({ cursor: "e-1" });
    if (x.index < 3) x.status(503);
  });
  const { stream, ids, state, time } = listen(t, server.url);
  for (let i = 1; i <= 3; i++) {
    await until(() => stream.attempts === i && stream.state === "waiting");
    time.advance(stream.retryIn);
  }
  await state("polling");
  const waiting = await until(() => server.exchanges.find((x) => x.query.get("wait") === "25"));
  time.advance(0);
  const probe = await until(() => server.exchanges.find((x) => x.index > 2 && !isPoll(x)));
  assert.equal(probe.headers["last-event-id"], "e-1");
  waiting.page({ events: [item(2)], cursor: "e-2" });
  await until(() => ids().length === 1);
  server.handler = (x) => isPoll(x) || x.sse(...opening("e-2", { recovered: true }));
  probe.sse(connectedFrame({ recovered: false }), frame({ event: "thing", channel: "c", retained: 1, data: "older" }));
  await state("open");
  await until(() => probe.gone);
  assert.deepEqual([ids(), stream.lastEventId, server.exchanges.at(-1).headers["last-event-id"]], [["e-2"], "e-2", "e-2"]);
});

test("poll: closed between two probes, nothing is left behind", async (t) => {
  const server = await serve(t, (x) => isPoll(x) ? x.query.get("wait") === "0" && x.page({ cursor: "e-1" }) : x.status(503, disabled));
  const { stream, state, time } = listen(t, server.url);
  await state("polling");
  assert.ok(time.pending.includes(60_000));
  stream.close();
  await until(() => !time.pending.length);
});

test("poll: only where it may: transport fetch keeps streaming", async (t) => {
  const server = await serve(t, (x) => x.status(503, disabled));
  const { seen, stream, time } = listen(t, server.url, { transport: "fetch" });
  for (let i = 1; i < 6; i++) {
    await until(() => stream.attempts === i);
    time.advance(60_000);
  }
  assert.ok(server.exchanges.every((x) => !isPoll(x)));
  assert.ok(!seen.states.includes("polling"));
});

test("poll: three opens that brought nothing, then pages; the probe tells a buffering proxy from a server that was down", async (t) => {
  const server = await serve(t, (x) => {
    if (isPoll(x)) return x.query.get("wait") === "0" && x.page({ cursor: "e-1" });
    if (x.index % 2) x.res.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders(); // and nothing more: buffered
    else x.status(200, "<html>", { "Content-Type": "text/html" }); // a captive portal
  });
  const { seen, stream, state, time } = listen(t, server.url);
  for (let i = 0; i < 3; i++) {
    await server.exchange(i);
    if (i % 2) time.advance(10_000);
    await until(() => stream.attempts === i + 1 && stream.state === "waiting");
    time.advance(stream.retryIn);
  }
  await state("polling");
  const streams = () => server.exchanges.filter((x) => !isPoll(x)).length;
  assert.deepEqual([streams(), new Set(seen.errors.map((e) => e.code))], [3, new Set(["FORMAT", "TIMEOUT"])]);
  time.advance(0);
  await until(() => streams() === 4, "a probe at once");
  time.advance(10_000); // nothing comes, whichever way: the next one is due in a minute
  await until(() => time.pending.includes(60_000));
  server.handler = (x) => isPoll(x) ? x.query.get("wait") === "0" && x.page({ cursor: "e-1" }) : x.sse(...opening("e-1", { recovered: true }));
  for (let i = 0; i < 3; i++) {
    time.advance(20_000);
    const open = server.exchanges.findLast((x) => isPoll(x) && !x.gone);
    if (i < 2) open.page({ cursor: "e-1" });
    if (i < 2) await until(() => server.exchanges.findLast(isPoll) !== open);
  }
  await state("open");
});

test("poll: a server that was only down is streamed from as soon as it answers", async (t) => {
  const server = await serve(t, (x) => x.status(503));
  const { stream, state, time } = listen(t, server.url);
  for (let i = 1; i < 5; i++) {
    await until(() => stream.attempts === i && stream.state === "waiting");
    if (i < 4) time.advance(stream.retryIn);
  }
  server.handler = (x) => isPoll(x) ? x.query.get("wait") === "0" && x.page({ cursor: "e-1" }) : x.sse(...opening("e-1", { recovered: true }));
  await until(() => stream.state === "waiting");
  time.advance(stream.retryIn);
  await state("polling");
  time.advance(0);
  await state("open");
});

test("poll: a whole opening between failures keeps it streaming", async (t) => {
  const server = await serve(t, (x) => x.index % 3 === 2 ? x.sse(...opening(`e-${x.index}`)).res.end() : x.status(503));
  const { seen, stream, time } = listen(t, server.url);
  for (let i = 1; i < 12; i++) {
    await until(() => stream.attempts === i && stream.state === "waiting");
    time.advance(60_000);
  }
  assert.ok(!seen.states.includes("polling"));
  assert.ok(server.exchanges.every((x) => !isPoll(x)));
});

test("poll: update, pause and reconnect", async (t) => {
  const server = await serve(t, (x) => x.query.get("channels") === "forbidden" ? x.status(403) : x.query.get("wait") === "0" && x.page({ cursor: "e-1" }));
  const { stream, state, seen } = listen(t, server.url, { transport: "poll" });
  await state("polling");
  await stream.update({ channels: ["d"] });
  assert.deepEqual([server.exchanges.at(-1).query.get("channels"), server.exchanges.findLast((x) => x.query.get("wait") === "0").query.get("retained")], ["d", "1"]);
  await state("polling");
  await assert.rejects(stream.update({ channels: ["forbidden"] }), { status: 403 });
  await state("polling");
  assert.equal(server.exchanges.at(-1).query.get("channels"), "d");
  stream.pause();
  await until(() => server.exchanges.every((x) => x.gone));
  stream.resume();
  await state("polling");
  stream.reconnect();
  await state("polling");
  assert.deepEqual(seen.errors, []);
});

test("poll and stream by turns, under fire: nothing lost, nothing twice, in order", async (t) => {
  const server = await model(t), random = seeded(99);
  const { stream, seen, time, env } = listen(t, server.url, { channels: ["a", "b"], env: fakeEnv({ random }) });
  const held = () => [...server.live].filter((x) => x.wake && !x.exchange.gone).length;
  await until(() => seen.heartbeats.length);
  const owed = [];
  for (let round = 0; round < 60; round++) {
    const streaming = round % 2;
    server.refuse = (x) => !streaming && !isPoll(x) && (x.status(503, disabled), true);
    if (!streaming) server.cut();
    const wanted = streaming ? "open" : "polling";
    await until(() => {
      if (env.busy > held()) return false;
      time.advance(1000);
      if (random() < 0.2) {
        const entry = server.publish("abz"[Math.floor(random() * 3)]);
        if (entry.channel !== "z") owed.push(entry.number);
      }
      return stream.state === wanted;
    }, `round ${round}: ${wanted}`);
  }
  await until(() => seen.events.length >= owed.length);
  assert.deepEqual(seen.events.map((e) => e.data.n), owed);
  assert.ok(owed.length > 50);
});
