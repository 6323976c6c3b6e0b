// The dashboard's pages, their pure parts: questions to the API, and what is said of connections and channels.

import assert from "node:assert/strict";
import { test } from "node:test";
import { api, ApiError, part, problemOf, refusal, withQuery } from "../../static/dashboard/frame/api.js";
import { age, exact } from "../../static/dashboard/frame/parts.js";
import { channelPath, connectionsLink, countWords as channelCount, eventsLink, isFound, rateWords, subscriberWords } from "../../static/dashboard/pages/channel-words.js";
import { countWords, filterWords, lagWords, narrowingWords, newestFirst, subtitleOf, titleOf } from "../../static/dashboard/pages/connection-words.js";

const NOW = Date.parse("2026-11-20T22:00:00.000Z");
const HOSTILE = ["s/a", "s//a", "%2F", "a?b#c&d=e", "<b>", "../x", "é😀", "a+b;c", "__proto__"];

/** Answers to `fetch`, while `run` runs. */
async function answering(fetch, run) {
  const before = globalThis.fetch;
  globalThis.fetch = fetch;
  try {
    return await run();
  } finally {
    globalThis.fetch = before;
  }
}

test("api: a name is one part of a path, whatever is in it", () => {
  for (const name of HOSTILE) {
    const { pathname, search, hash } = new URL(`/api/v1/channels/${part(name)}/presence`, "http://h");
    assert.deepEqual(pathname.split("/").map(decodeURIComponent).slice(4), [name, "presence"]);
    assert.equal(search + hash, "");
  }
  for (const step of [".", ".."]) assert.equal(part(step), null, "a URL would take it for a step");
});

test("api: what is empty is not asked for", () => {
  assert.equal(withQuery("/a", { user: "", after: null, node: undefined }), "/a");
  assert.equal(withQuery("/a", { user: "a&b=c", limit: 0 }), "/a?user=a%26b%3Dc&limit=0");
});

test("api: a refusal is a sentence", () => {
  assert.equal(refusal(400, { error: { code: "X", message: "the request is not valid", details: [{ field: "user", message: "has at most 255 characters" }] } }).message, "User has at most 255 characters.");
  assert.equal(refusal(404, { error: { message: "no such key" } }).message, "No such key.");
  assert.equal(refusal(502, null).message, "The server answered 502.");
  assert.equal(refusal(403, { error: { message: "no", details: { channels: ["a"] } } }).message, "No.");
  const signedOut = refusal(401, { error: { message: "who are you" } });
  assert.equal(signedOut.status, 401);
  assert.match(signedOut.message, /signed out/);
  assert.equal(problemOf(new Error("it broke")), "It broke.");
  assert.equal(problemOf("?"), "?");
});

test("api: answers, refusals, silence", async () => {
  const asked = [];
  const fetch = async (path, { method, body }) => {
    asked.push([method, path, body]);
    return path === "/gone" ? Response.json({ error: { message: "gone" } }, { status: 410 }) : path === "/empty" ? new Response(null, { status: 204 }) : Response.json({ n: 1 });
  };
  await answering(fetch, async () => {
    assert.deepEqual(await api("GET", "/a", { query: { q: "x" } }), { n: 1 });
    assert.equal(await api("DELETE", "/empty"), null);
    await assert.rejects(api("POST", "/gone", { body: { a: 1 } }), (error) => error instanceof ApiError && error.status === 410);
  });
  assert.deepEqual(asked, [["GET", "/a?q=x", undefined], ["DELETE", "/empty", undefined], ["POST", "/gone", '{"a":1}']]);
  await answering(() => Promise.reject(new TypeError("Failed to fetch")), () => assert.rejects(api("GET", "/a"), (error) => error.status === 0 && /No answer/.test(error.message)));
});

test("parts: how long ago; no time is none", () => {
  assert.equal(age("2026-11-20T21:56:00.000Z", NOW), "4 min");
  assert.equal(age("2026-11-20T22:00:09.000Z", NOW), "0 s", "a clock that is ahead");
  for (const none of [null, "", "never"]) assert.equal(age(none, NOW) + exact(none), "");
  assert.match(exact("2026-11-20T12:00:00.000Z"), /^2026-11-20 \d\d:00:00$/);
});

test("connections: who it is", () => {
  const names = (user_id, principal) => [titleOf({ user_id, principal }), subtitleOf({ user_id, principal })];
  assert.deepEqual(names("ann", "user:ann"), ["ann", ""]);
  assert.deepEqual(names("ann", "key:k1"), ["ann", "API key k1"]);
  assert.deepEqual(names(null, "key:hermes-b7ac"), ["API key hermes-b7ac", ""]);
  assert.deepEqual(names(null, "session:x9"), ["Dashboard", ""]);
  assert.deepEqual(names(null, "anonymous"), ["Anonymous", ""]);
  assert.deepEqual(names("<b>\n", "user:<b>\n"), ["<b>\n", ""]);
});

test("connections: a filter in a line", () => {
  assert.equal(filterWords(null), "");
  assert.equal(filterWords({ region: "eu", n: [1, 2] }), 'region = "eu", n in [1,2]');
  assert.equal(filterWords({ "a.b": { gte: 1, lt: 9 }, c: { exists: true }, d: { exists: false } }), "a.b ≥ 1, a.b < 9, c is there, d is not there");
  assert.equal(filterWords({ a: { b: { c: null } } }), "a.b.c = null");
  assert.equal(filterWords({ a: { constructor: 1 } }), "a.constructor = 1");
  assert.equal(narrowingWords({ types: ["job.*", "x"], filters: { a: 1 } }), "types job.*, x · a = 1");
  assert.equal(narrowingWords({ types: [], filters: null }), "");
});

test("connections: how far behind", () => {
  assert.deepEqual(lagWords({ lag: 0, queued: 0 }), { first: "live", second: "", tone: "quiet" });
  assert.deepEqual(lagWords({ lag: 1, queued: 0 }), { first: "1 event", second: "", tone: "" });
  assert.deepEqual(lagWords({ lag: 100, queued: 2048 }), { first: "100 events", second: "2.00 KB queued", tone: "late" });
  assert.equal(lagWords({ lag: 0, queued: 70_000 }).tone, "late");
  assert.equal(lagWords({ lag: null, queued: null }).first, "unknown");
});

test("connections: how many there are, and that there may be more", () => {
  const words = (shown, more, total, isNarrowed) => countWords({ shown, more, total, isNarrowed });
  assert.equal(words(0, false, 0, false), "");
  assert.equal(words(1, false, 0, false), "1 stream");
  assert.equal(words(1, false, 0, true), "1 stream matches");
  assert.equal(words(2, false, 0, true), "2 streams match");
  assert.equal(words(100, true, 2341, false), "100 of 2\u202f341 streams");
  assert.equal(words(100, true, 0, true), "the first 100 streams");
});

test("connections: the newest come first, the same always in the same order", () => {
  const at = (connection_id, connected_at) => ({ connection_id, connected_at });
  const sorted = [at("b", "1"), at("a", "1"), at("c", "2")].sort(newestFirst);
  assert.deepEqual(sorted.map(({ connection_id }) => connection_id), ["c", "a", "b"]);
});

test("channels: their addresses, with any name", () => {
  assert.equal(channelPath("s/a", "/presence"), "/api/v1/channels/s%2Fa/presence");
  assert.equal(channelPath(".."), null);
  for (const name of [...HOSTILE, ".."]) {
    const { searchParams, hash } = new URL(eventsLink(name), "http://h");
    assert.equal(searchParams.get("channels"), name);
    assert.equal(hash, "#/events");
    assert.equal(new URLSearchParams(connectionsLink(name).split("?").slice(1).join("?")).get("channel"), name);
  }
});

test("channels: rates and subscribers", () => {
  assert.deepEqual([0, 0.001, 0.017, 1, 12.4, 2500].map(rateWords), ["0", "<0.01", "0.02", "1.00", "12", "2\u202f500"]);
  assert.equal(subscriberWords(0, 0), "none");
  assert.equal(subscriberWords(3, 3), "3, by its name");
  assert.equal(subscriberWords(0, 2), "2, by a pattern");
  assert.equal(subscriberWords(4, 9), "9: 4 by its name, 5 by a pattern");
  assert.equal(subscriberWords(4, 3), "3, by its name", "they were counted one after the other");
});

test("channels: a search, and how many it leaves", () => {
  assert.ok(isFound("EU ord", "orders:eu"));
  assert.ok(!isFound("eu us", "orders:eu"));
  assert.ok(isFound("", "orders:eu"));
  assert.equal(channelCount(0, 0, false), "");
  assert.equal(channelCount(1, 1, false), "1 channel");
  assert.equal(channelCount(2, 9, false), "2 of 9 channels");
  assert.equal(channelCount(2, 500, true), "2 of the first 500 channels");
});
