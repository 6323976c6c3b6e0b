// The dashboard's watch over its link: what it notes of an interruption, by whichever way the link comes back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkWatch } from "../../static/dashboard/link-watch.js";

const AWAY = 5000;
const RESET = { reason: "history_truncated", channels: ["a"] };

/** A stream that is moved by hand, and the notes that its watch takes. @param {import("node:test").TestContext} t */
function watched(t) {
  t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  globalThis.addEventListener ??= () => {};
  const handlers = new Map(), notes = [];
  const stream = {
    state: "idle", attempts: 0, retryIn: 0, lastEventId: "e-1",
    on: (type, handler) => handlers.set(type, [...handlers.get(type) ?? [], handler]),
  };
  const tell = (type, event = {}) => handlers.get(type)?.forEach((handler) => handler(event));
  const watch = new LinkWatch(stream);
  watch.onNote = (note) => notes.push(`${note.title}: ${note.text}`);
  return {
    notes,
    tell: (type, data) => tell(type, { type, data }),
    move(state, attempts = 0) {
      const previous = stream.state;
      stream.state = state;
      tell("state", { state, previous, attempts });
    },
    away() {
      this.move("waiting", 1);
      this.move("connecting", 3);
      t.mock.timers.tick(AWAY);
    },
  };
}

/** One that has been live. @param {import("node:test").TestContext} t */
function live(t) {
  const link = watched(t);
  link.move("open");
  link.tell("connected", { recovered: null });
  link.tell("heartbeat");
  assert.deepEqual(link.notes, []);
  return link;
}

const WHOLE = "Reconnected after 5 s: 3 attempts. Nothing was missed.";

test("link watch: back by streaming", (t) => {
  const link = live(t);
  link.away();
  link.move("open");
  link.tell("connected", { recovered: true });
  link.tell("heartbeat");
  assert.deepEqual(link.notes, [WHOLE]);
});

test("link watch: back by polling", (t) => {
  const link = live(t);
  link.away();
  link.move("polling");
  assert.deepEqual(link.notes, [], "the page is not over: it may hold a reset");
  link.tell("heartbeat");
  link.tell("heartbeat");
  assert.deepEqual(link.notes, [WHOLE]);
  link.move("open");
  link.tell("connected", { recovered: true });
  assert.equal(link.notes.length, 1, "what polling brought back is told once");
});

for (const way of ["open", "polling"]) {
  test(`link watch: a reset says itself what it means (${way})`, (t) => {
    const link = live(t);
    link.away();
    link.move(way);
    if (way === "open") link.tell("connected", { recovered: false });
    link.tell("reset", RESET);
    link.tell("heartbeat");
    assert.equal(link.notes.length, 1);
    assert.match(link.notes[0], /may be missing/);
    link.away();
    link.move("polling");
    link.tell("heartbeat");
    assert.deepEqual(link.notes.slice(1), [WHOLE], "the next time is judged anew");
  });
}

test("link watch: a short break is not worth a note", (t) => {
  const link = live(t);
  link.move("waiting", 1);
  link.move("open");
  link.tell("connected", { recovered: true });
  assert.deepEqual(link.notes, []);
});
