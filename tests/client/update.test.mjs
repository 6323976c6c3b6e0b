// update(): another subscription, make before break, no event lost or repeated.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connectedFrame, event, fakeEnv, FakeStorage, frame, heartbeat, listen, model, seeded, serve, settle, until } from "./support.mjs";

const opening = (id, data, retry) => [":\n\n", connectedFrame(data, retry), heartbeat(id)];
const channelsOf = (x) => x.query.get("channels");

/** An open stream on channel "c" at e-1; the requests after it are left to the test. */
async function opened(t, options = {}) {
  const server = await serve(t, (x) => x.index === 0 && x.sse(...opening("e-1")));
  const listening = listen(t, server.url, options);
  await until(() => listening.seen.heartbeats.length === 1);
  return { server, first: server.exchanges[0], ...listening };
}

test("update: the old link lives until the new one is connected, and goes on where it was", async (t) => {
  const { server, first, stream, seen, ids } = await opened(t);
  first.sse(event("e-2"));
  await until(() => seen.events.length === 1);
  let done = false;
  const promise = stream.update({ channels: ["c", "d"] }).then(() => done = true);
  const second = await server.exchange(1);
  assert.deepEqual([channelsOf(second), second.headers["last-event-id"], second.query.get("retained"), second.query.get("connection")], ["c,d", "e-2", "1", "c1"]);
  first.sse(event("e-3"));
  second.sse(":\n\n");
  await settle();
  assert.deepEqual([first.gone, done, stream.state, ids()], [false, false, "open", ["e-2"]]);
  second.sse(connectedFrame({ recovered: true, connection_id: "c2" }), event("e-3"), event("e-4", "thing", {}, "d"), heartbeat("e-4"));
  await promise;
  await until(() => first.gone && seen.events.length === 3);
  assert.deepEqual(ids(), ["e-2", "e-3", "e-4"]);
  assert.deepEqual([seen.states, seen.errors, seen.connected.length], [["connecting", "open"], [], 2]);
});

test("update: a subscription that only leaves out channels needs no retained state", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening("e-1")));
  const { stream, seen } = listen(t, server.url, { channels: ["c", "d"] });
  await until(() => seen.heartbeats.length === 1);
  await stream.update({ channels: ["c"] });
  assert.deepEqual([channelsOf(server.exchanges[1]), server.exchanges[1].query.get("retained")], ["c", null]);
  await stream.update({ types: ["x"] });
  assert.deepEqual([channelsOf(server.exchanges[2]), server.exchanges[2].query.get("types"), server.exchanges[2].query.get("retained")], ["c", "x", "1"]);
  await stream.update({ channels: null, types: null });
  assert.deepEqual([channelsOf(server.exchanges[3]), server.exchanges[3].query.get("types")], [null, null]);
});

test("update: what is the same already needs nothing", async (t) => {
  const { server, stream } = await opened(t);
  await stream.update({ channels: ["c"] });
  await stream.update({});
  assert.equal(server.exchanges.length, 1);
});

test("update: retained state that was asked for is asked for again when the new link breaks in its opening", async (t) => {
  const { server, stream, state, time } = await opened(t);
  const promise = stream.update({ channels: ["d"] });
  (await server.exchange(1)).sse(connectedFrame({ recovered: true }, 0));
  await promise;
  server.exchanges[1].cut();
  await state("waiting");
  time.advance(60_000);
  const third = await server.exchange(2);
  assert.deepEqual([channelsOf(third), third.query.get("retained")], ["d", "1"]);
});

for (const [name, answer, expected] of [
  ["a 403", (x) => x.status(403, '{"error":{"code":"FORBIDDEN","message":"not d"}}'), { name: "RefusedError", code: "FORBIDDEN", status: 403 }],
  ["a 404", (x) => x.status(404), { status: 404 }],
  ["a 429", (x) => x.status(429, "", { "Retry-After": "3" }), { status: 429, retryAfter: 3000 }],
  ["a 401 without getToken", (x) => x.status(401), { status: 401 }],
  ["a 204", (x) => x.status(204), { status: 204 }],
  ["an error frame", (x) => x.sse(frame({ event: "error", data: { code: "MAX_CONNECTIONS", message: "full" } })), { name: "RefusedError", code: "MAX_CONNECTIONS" }],
  ["another type", (x) => x.status(200, "<html>", { "Content-Type": "text/html" }), { name: "FormatError" }],
  ["a broken link", (x) => x.cut(), { name: "NetworkError" }],
  ["an end before connected", (x) => x.sse(":\n\n").res.end(), { name: "NetworkError" }],
]) {
  test(`update: ${name} rejects and leaves all as it was`, async (t) => {
    const { server, first, stream, seen, ids } = await opened(t);
    const promise = stream.update({ channels: ["d"] });
    const second = await server.exchange(1);
    first.sse(event("e-2"));
    await settle();
    assert.deepEqual(ids(), []);
    answer(second);
    await assert.rejects(promise, expected);
    await until(() => seen.events.length === 1);
    first.sse(event("e-3"));
    await until(() => seen.events.length === 2);
    assert.deepEqual([ids(), stream.state, seen.errors, first.gone], [["e-2", "e-3"], "open", [], false]);
    stream.reconnect();
    assert.equal(channelsOf(await server.exchange(2)), "c");
  });
}

test("update: a new link that is not connected in time is given up", async (t) => {
  const { server, first, stream, seen, time } = await opened(t);
  const promise = stream.update({ channels: ["d"] });
  (await server.exchange(1)).sse(":\n\n");
  await settle();
  time.advance(10_000);
  await assert.rejects(promise, { code: "TIMEOUT" });
  first.sse(event("e-2"));
  await until(() => seen.events.length === 1);
  await until(() => server.exchanges[1].gone);
});

test("update: the watchdog of a link that is held does not bark, and wakes with it", async (t) => {
  const server = await serve(t, (x) => x.index === 0 && x.sse(...opening("e-1", { heartbeat_interval: 1 })));
  const { stream, seen, time, state } = listen(t, server.url);
  await until(() => seen.heartbeats.length === 1);
  const promise = stream.update({ channels: ["d"] });
  await server.exchange(1);
  time.advance(9_000);
  assert.equal(stream.state, "open");
  server.exchanges[1].status(403);
  await assert.rejects(promise);
  time.advance(3_000);
  await state("waiting");
  assert.equal(seen.errors[0].code, "TIMEOUT");
});

test("update: a token that was refused is fetched again", async (t) => {
  const server = await serve(t, (x) => x.headers.authorization === "Bearer old" && x.index ? x.status(401) : x.sse(...opening("e-1", { recovered: true })));
  const { stream, seen } = listen(t, server.url, { getToken: ({ refresh }) => refresh ? "new" : "old" });
  await until(() => seen.heartbeats.length === 1);
  await stream.update({ channels: ["d"] });
  assert.deepEqual(server.exchanges.map((x) => x.headers.authorization), ["Bearer old", "Bearer old", "Bearer new"]);
});

test("update: when the old link ends meanwhile, the change comes with the next one", async (t) => {
  const { server, first, stream, seen, time, state } = await opened(t);
  const promise = stream.update({ channels: ["d"] });
  await server.exchange(1);
  first.cut();
  await state("waiting");
  await until(() => server.exchanges[1].gone);
  server.handler = (x) => x.sse(...opening("e-1", { recovered: true }));
  time.advance(60_000);
  await promise;
  assert.deepEqual([channelsOf(server.exchanges[2]), server.exchanges[2].query.get("retained"), stream.state, seen.errors.length], ["d", "1", "open", 1]);
});

test("update: reconnect, pause and close meanwhile", async (t) => {
  {
    const { server, stream } = await opened(t);
    const promise = stream.update({ channels: ["d"] });
    await server.exchange(1);
    server.handler = (x) => x.sse(...opening("e-1"));
    stream.reconnect();
    await promise;
    assert.equal(channelsOf(server.exchanges.at(-1)), "d");
  }
  {
    const { server, stream } = await opened(t);
    const promise = stream.update({ channels: ["d"] });
    await server.exchange(1);
    stream.pause();
    await promise;
    server.handler = (x) => x.sse(...opening("e-1"));
    stream.resume();
    assert.equal(channelsOf(await server.exchange(2)), "d");
  }
  {
    const { server, stream, time } = await opened(t);
    const promise = stream.update({ channels: ["d"] });
    await server.exchange(1);
    stream.close();
    await assert.rejects(promise, { code: "CLOSED" });
    await until(() => server.exchanges.every((x) => x.gone));
    assert.deepEqual(time.pending, []);
  }
});

test("update: while idle and paused it takes effect with the next connection", async (t) => {
  const server = await serve(t, (x) => x.sse(...opening("e-1")));
  const { stream, state } = listen(t, server.url, { enabled: false });
  await stream.update({ channels: ["d"] });
  stream.resume();
  await state("open");
  stream.pause();
  await stream.update({ types: ["x"] });
  stream.resume();
  await state("open");
  assert.deepEqual(server.exchanges.map((x) => [channelsOf(x), x.query.get("types")]), [["d", null], ["d", "x"]]);
});

test("update: while connecting it starts again, while waiting it waits", async (t) => {
  const server = await serve(t, (x) => x.index === 1 ? x.status(503) : x.index > 1 && x.sse(...opening("e-1")));
  const { stream, state, time } = listen(t, server.url);
  await server.exchange(0);
  const first = stream.update({ channels: ["d"] });
  await state("waiting");
  const second = stream.update({ channels: ["f"] });
  await settle();
  assert.equal(server.exchanges.length, 2);
  time.advance(60_000);
  await Promise.all([first, second]);
  await until(() => channelsOf(server.exchanges.at(-1)) === "f");
  assert.deepEqual(server.exchanges.slice(0, 3).map(channelsOf), ["c", "d", "d"]);
});

test("update: refused for good while not open, it is taken back", async (t) => {
  const server = await serve(t, (x) => channelsOf(x) === "d" ? x.status(403) : x.index && x.sse(...opening("e-1")));
  const { stream, seen, state } = listen(t, server.url);
  await server.exchange(0);
  await assert.rejects(stream.update({ channels: ["d"] }), { status: 403 });
  await state("open");
  assert.deepEqual([channelsOf(server.exchanges.at(-1)), seen.gaveup, seen.errors], ["c", [], []]);
});

test("update: refused for good, and the old one too: it gives up", async (t) => {
  const server = await serve(t, (x) => x.index && x.status(403));
  const { stream, seen, state } = listen(t, server.url);
  await server.exchange(0);
  await assert.rejects(stream.update({ channels: ["d"] }), { status: 403 });
  await state("closed");
  assert.equal(seen.gaveup.length, 1);
  assert.equal(server.exchanges.length, 3);
});

test("update: calls come one after the other; those that wait become one", async (t) => {
  const { server, stream } = await opened(t);
  server.handler = (x) => x.sse(...opening("e-1", { recovered: true }));
  const all = [stream.update({ channels: ["d"] })];
  await server.exchange(1);
  all.push(stream.update({ channels: ["f"] }), stream.update({ types: ["x"] }), stream.update({ channels: ["g"] }));
  await Promise.all(all);
  assert.deepEqual(server.exchanges.map((x) => [channelsOf(x), x.query.get("types")]), [["c", null], ["d", null], ["g", "x"]]);
});

test("update: one that is refused does not spoil the next", async (t) => {
  const { server, stream } = await opened(t);
  server.handler = (x) => channelsOf(x) === "d" ? x.status(403) : x.sse(...opening("e-1", { recovered: true }));
  const first = stream.update({ channels: ["d"] });
  await server.exchange(1);
  const second = stream.update({ channels: ["f"] });
  await assert.rejects(first);
  await second;
  assert.equal(channelsOf(server.exchanges.at(-1)), "f");
});

test("update: from within a handler, in the middle of a chunk", async (t) => {
  const { server, first, stream, ids } = await opened(t);
  stream.on("thing", (e) => e.id === "e-2" && stream.update({ channels: ["d"] }));
  first.sse([event("e-2"), event("e-3")].join(""));
  const second = await server.exchange(1);
  assert.equal(second.headers["last-event-id"], "e-3", "what came with it was delivered, and is not asked for again");
  assert.deepEqual(ids(), ["e-2", "e-3"]);
});

test("update: what cannot be is refused at once", async (t) => {
  const { server, stream } = await opened(t);
  await assert.rejects(stream.update({ channels: 5 }), { code: "OPTION" });
  assert.equal(server.exchanges.length, 1);
});

test("update: the cursor is kept under the new subscription", async (t) => {
  const storage = new FakeStorage();
  const { server, stream } = await opened(t, { env: fakeEnv({ storage }) });
  server.handler = (x) => x.sse(...opening("e-7", { recovered: true }));
  await stream.update({ channels: ["d"] });
  await until(() => stream.lastEventId === "e-7");
  stream.close();
  assert.deepEqual([...storage.items.values()], ["e-7"]);
  const page = listen(t, server.url, { channels: ["d"], env: fakeEnv({ storage }) });
  assert.equal(page.stream.lastEventId, "e-7");
  await page.state("open");
});

test("update: 200 random changes under fire: nothing lost, nothing twice, in order, nothing that was left out", async (t) => {
  const server = await model(t), random = seeded(11), names = ["a", "b", "c", "d"];
  let current = ["a"], wanted = current;
  let owed = [];
  const got = new Set(), strays = [];
  const { stream, seen, time, env } = listen(t, server.url, { channels: current, env: fakeEnv({ random }) });
  await until(() => seen.heartbeats.length);
  server.refuse = (x) => x.index % 7 === 3 && (x.status(403), true);
  stream.on("*", (e) => {
    got.add(e.data.n);
    if (!current.includes(e.channel) && !wanted.includes(e.channel)) strays.push(e);
  });
  const publish = () => {
    const entry = server.publish(names[Math.floor(random() * 4)]);
    if (current.includes(entry.channel) && wanted.includes(entry.channel)) owed.push(entry.number);
  };
  for (let round = 0; round < 200; round++) {
    const next = names.filter(() => random() < 0.5);
    if (!next.length) next.push("a");
    wanted = next;
    // what is on its way of a channel that is left out may come or not
    owed = owed.filter((n) => got.has(n) || next.includes(server.log[n - 1].channel));
    let settled = false;
    stream.update({ channels: next }).then(() => current = next, () => wanted = current).finally(() => settled = true);
    while (!settled) {
      if (random() < 0.3) publish();
      await settle(1);
    }
    for (let n = random() * 4; n > 1; n--) publish();
    if (random() < 0.1) {
      await until(() => server.live.size);
      server.cut();
      await until(() => stream.state !== "open");
      server.refuse = null;
      await until(() => (env.busy || time.advance(1000), stream.state === "open"));
      server.refuse = (x) => x.index % 7 === 3 && (x.status(403), true);
    }
  }
  await until(() => seen.events.some((e) => e.data.n >= owed.at(-1)));
  const numbers = seen.events.map((e) => e.data.n);
  assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b), "once, in order");
  assert.deepEqual(owed.filter((number) => !got.has(number)), [], "missing");
  assert.deepEqual(strays, [], "left out, and delivered");
  assert.ok(owed.length > 50);
});

test("update: old snapshot and events are a fresh snapshot, whatever changes", async (t) => {
  const server = await model(t), random = seeded(5), names = ["a", "b", "c"];
  for (let i = 0; i < 6; i++) server.publish(names[i % 3], "state", `k${i % 2}`);
  let current = ["a"];
  const { stream, seen } = listen(t, server.url, { channels: current, env: fakeEnv({ random }) });
  const state = new Map();
  stream.on("state.*", () => {});
  stream.on("*", ({ data }) => state.set(`${data.channel} ${data.key}`, data.n));
  await until(() => seen.heartbeats.length);
  for (let round = 0; round < 80; round++) {
    const next = names.filter(() => random() < 0.6);
    if (!next.length) next.push("b");
    let settled = false;
    stream.update({ channels: next }).finally(() => settled = true);
    while (!settled) {
      if (random() < 0.5) server.publish(names[Math.floor(random() * 3)], "state", `k${Math.floor(random() * 2)}`);
      await settle(1);
    }
    current = next;
    const tip = server.publish(current[0], "state", "k0").number;
    await until(() => seen.events.some((e) => e.data.n === tip));
    for (const channel of current) {
      for (const key of ["k0", "k1"]) {
        const newest = server.log.filter((entry) => entry.channel === channel && entry.key === key).at(-1);
        assert.equal(state.get(`${channel} ${key}`), newest?.number, `round ${round}: ${channel} ${key}`);
      }
    }
  }
});
