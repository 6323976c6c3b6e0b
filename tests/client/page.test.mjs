// What the page does to a stream: hidden and shown, left and come back to, offline and online.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connectedFrame, event, fakeEnv, FakeStorage, heartbeat, listen, serve, settle, until } from "./support.mjs";

const opening = (id, data, retry) => [":\n\n", connectedFrame(data, retry), heartbeat(id)];

class FakeWindow extends EventTarget {
  document = { visibilityState: "visible" };
  listening = 0;
  addEventListener(...args) {
    this.listening++;
    super.addEventListener(...args);
  }
  removeEventListener(...args) {
    this.listening--;
    super.removeEventListener(...args);
  }
  fire(type) {
    this.dispatchEvent(new Event(type));
  }
}

async function paged(t, handler, options = {}) {
  const server = await serve(t, handler), window = new FakeWindow(), storage = new FakeStorage();
  const listening = listen(t, server.url, { env: fakeEnv({ window, storage, base: server.url }), ...options });
  await until(() => window.listening === 5);
  return { server, window, storage, ...listening };
}

test("page: left, it lets go of the link and keeps the cursor; shown again, it goes on", async (t) => {
  const { server, window, storage, seen, time } = await paged(t, (x) => x.sse(...opening(`e-${x.index + 1}`)));
  await until(() => seen.heartbeats.length === 1);
  window.fire("pagehide");
  assert.deepEqual([...storage.items.values()], ["e-1"]);
  await until(() => server.exchanges[0].gone);
  time.advance(1e6);
  await settle();
  assert.equal(server.exchanges.length, 1);
  window.fire("pageshow");
  await until(() => seen.heartbeats.length === 2);
  assert.equal(server.exchanges[1].headers["last-event-id"], "e-1");
  assert.deepEqual(seen.errors, []);
});

test("page: the first pageshow of a page changes nothing", async (t) => {
  const { server, window, state } = await paged(t, (x) => x.sse(...opening("e-1")));
  await state("open");
  window.fire("pageshow");
  window.fire("visibilitychange");
  await settle();
  assert.equal(server.exchanges.length, 1);
});

test("page: shown, a link that died in the dark is replaced at once; a live one is not", async (t) => {
  const { server, window, state, time, env, seen } = await paged(t, (x) => x.sse(...opening("e-1")));
  await until(() => seen.heartbeats.length === 1);
  time.now += 60_000; // no timer ran
  window.fire("visibilitychange");
  await settle();
  assert.equal(server.exchanges.length, 1);
  env.time.now += 2_000;
  window.document.visibilityState = "hidden";
  window.fire("visibilitychange");
  await settle();
  assert.equal(server.exchanges[0].gone, false, "hidden: nothing to do");
  window.document.visibilityState = "visible";
  window.fire("visibilitychange");
  await state("waiting");
  assert.equal(seen.errors[0].code, "TIMEOUT");
});

test("page: shown while waiting, jitter is skipped, what the server asked for is not", async (t) => {
  const { server, window, stream, state } = await paged(t, (x) => x.index ? x.status(503, "", { "Retry-After": "60" }) : x.status(503), { backoff: { base: 30_000 } });
  await state("waiting");
  assert.equal(stream.retryIn, 15_000);
  window.fire("visibilitychange");
  assert.equal(stream.retryIn, 0);
  stream.reconnect();
  await until(() => server.exchanges.length === 2 && stream.state === "waiting");
  assert.equal(stream.retryIn, 75_000);
  window.fire("online");
  assert.equal(stream.retryIn, 60_000);
});

test("page: online after offline opens anew: nobody can tell what became of the link", async (t) => {
  const { server, window, seen, state } = await paged(t, (x) => x.sse(...opening(`e-${x.index + 1}`)));
  await until(() => seen.heartbeats.length === 1);
  window.fire("online");
  await settle();
  assert.equal(server.exchanges.length, 1);
  window.fire("offline");
  server.exchanges[0].sse(event("e-2"));
  await until(() => seen.events.length === 1);
  window.fire("online");
  await until(() => seen.heartbeats.length === 2);
  await state("open");
  assert.equal(server.exchanges.length, 2);
});

test("page: offline, attempts do not count towards maxRetries", async (t) => {
  const { window, stream, time } = await paged(t, (x) => x.status(503), { maxRetries: 1, transport: "fetch" });
  window.fire("offline");
  for (let i = 1; i < 5; i++) {
    await until(() => stream.attempts === i && stream.state === "waiting");
    time.advance(60_000);
  }
});

test("page: paused stays paused, whatever happens", async (t) => {
  const { server, window, stream, state } = await paged(t, (x) => x.sse(...opening("e-1")));
  await state("open");
  stream.pause();
  for (const type of ["offline", "online", "pagehide", "pageshow", "visibilitychange"]) window.fire(type);
  await settle();
  assert.deepEqual([stream.state, server.exchanges.length], ["paused", 1]);
  stream.resume();
  await state("open");
});

test("page: a stream that ended listens to nothing; revived, it does", async (t) => {
  const { server, window, stream, state } = await paged(t, (x) => x.status(403));
  await state("closed");
  assert.equal(window.listening, 0);
  server.handler = (x) => x.sse(...opening("e-1"));
  stream.reconnect();
  await state("open");
  await until(() => window.listening === 5);
  stream.close();
  assert.equal(window.listening, 0);
});

test("page: while polling, a page that is overdue is noticed when shown", async (t) => {
  const { server, window, time, seen, state } = await paged(t, (x) => x.query.get("wait") === "0" && x.page({ cursor: "e-1" }), { transport: "poll" });
  await server.exchange(1);
  await until(() => time.pending.some((ms) => ms > 30_000));
  time.now += 36_000;
  window.fire("visibilitychange");
  await state("waiting");
  assert.equal(seen.errors[0].code, "TIMEOUT");
});
