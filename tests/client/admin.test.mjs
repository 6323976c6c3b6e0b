// The pure parts of the pages Keys and Audit, and of the notice about forwarding.

import assert from "node:assert/strict";
import { test } from "node:test";
import { forwardingWords } from "../../static/dashboard/forwarding.js";
import { aboutOf, countWords as countEntries, isRefused, limitWords } from "../../static/dashboard/pages/audit-words.js";
import { bodyOf, LIFETIMES, patternsOf, problemsOf } from "../../static/dashboard/pages/key-draft.js";
import { beginningOf, countWords as countKeys, distance, fixedWhy, grantsOf, isWanted, stateOf } from "../../static/dashboard/pages/key-words.js";

const NOW = Date.parse("2026-11-20T22:00:00.000Z");
const draft = (fields = {}) => ({ name: "shop", subscribe: "", publish: "", admin: false, tokens: false, expires: "", until: "", ...fields });
const key = (fields = {}) => ({
  id: "abcd1234", name: "shop", kind: "created", subscribe: [], publish: [], admin: false, tokens: false,
  created_at: null, expires_at: null, last_used_at: null, revoked_at: null, ...fields,
});

test("new key: what was typed becomes the body", () => {
  const { body, problems } = bodyOf(draft({ name: " shop ", subscribe: "orders:*, user:{sub},, orders:*", publish: "a\nb", tokens: true, expires: "86400" }));
  assert.deepEqual(problems, {});
  assert.deepEqual(body, { name: "shop", subscribe: ["orders:*", "user:{sub}"], publish: ["a", "b"], tokens: true, expires_in: 86_400 });
});

test("new key: an administrator needs no patterns", () => {
  assert.deepEqual(bodyOf(draft({ subscribe: "a", admin: true, tokens: true })).body, { name: "shop", admin: true });
});

test("new key: a time of its own goes with its zone", () => {
  const { body } = bodyOf(draft({ expires: "date", until: "2030-12-31T23:59" }));
  assert.equal(Date.parse(body.expires_at), new Date("2030-12-31T23:59").getTime());
  assert.match(body.expires_at, /Z$/);
  for (const until of ["", "soon"]) assert.match(bodyOf(draft({ expires: "date", until })).problems.until, /^Say when/);
  assert.ok(LIFETIMES.some(([value]) => value === "date"));
});

test("new key: it needs a name; spaces are none", () => {
  assert.match(bodyOf(draft({ name: "  " })).problems.name, /whose key/);
});

test("new key: patterns keep the spaces within them, for the server to refuse", () => {
  assert.deepEqual(patternsOf("two words, b"), ["two words", "b"]);
});

test("new key: each refusal stands at its field", () => {
  assert.deepEqual(problemsOf([
    { field: "subscribe", message: "'two words': must not contain white space" }, { field: "subscribe", message: "'': is empty" },
    { field: "expires_in", message: "must be a number of seconds" }, { field: "expires_at", message: "must be a time from now on" },
    { field: "colour", message: "is not a field of a key" },
  ]), {
    subscribe: "'two words': must not contain white space. '': is empty.", expires: "Must be a number of seconds.",
    until: "Must be a time from now on.", form: "Colour is not a field of a key.",
  });
});

test("keys: whether one counts", () => {
  assert.equal(stateOf(key(), NOW), "active");
  assert.equal(stateOf(key({ expires_at: "2026-11-20T22:00:00.001Z" }), NOW), "active");
  assert.equal(stateOf(key({ expires_at: "2026-11-20T22:00:00.000Z" }), NOW), "expired");
  assert.equal(stateOf(key({ expires_at: "2026-11-20T21:00:00.000Z", revoked_at: "2026-11-20T20:00:00.000Z" }), NOW), "revoked");
});

test("keys: which can be revoked here, and how each begins", () => {
  assert.equal(fixedWhy(key()), "");
  assert.match(fixedWhy(key({ kind: "settings" })), /HERMES_API_KEYS/);
  assert.match(fixedWhy(key({ kind: "installation" })), /HERMES_API_KEYS is not set/);
  assert.equal(beginningOf(key()), "hk_abcd1234_…");
  assert.equal(beginningOf(key({ kind: "settings", id: "hermes-0af3" })), "hermes…");
});

test("keys: how far a time is away", () => {
  const at = (ms) => distance(new Date(NOW + ms).toISOString(), NOW), minute = 60_000, hour = 60 * minute, day = 24 * hour;
  assert.deepEqual([0, -59_000, -minute, -59 * minute, -90 * minute, -400 * day].map(at), ["just now", "just now", "1 min ago", "59 min ago", "1 h ago", "400 d ago"]);
  assert.deepEqual([1, 59 * minute, 26 * hour, 90 * day - 5000, 90 * day].map(at), ["in 1 min", "in 59 min", "in 1 d", "in 90 d", "in 90 d"]);
  assert.equal(distance(null, NOW), "");
});

test("keys: what one may do, in two lines", () => {
  assert.deepEqual(grantsOf(key()), ["nothing", ""]);
  assert.deepEqual(grantsOf(key({ admin: true, tokens: true, subscribe: ["a"] })), ["everything", "administrator"]);
  assert.deepEqual(grantsOf(key({ subscribe: ["a", "b:*"], publish: ["c"], tokens: true })), ["subscribe a, b:*", "publish c · mint tokens"]);
  assert.deepEqual(grantsOf(key({ publish: ["c"] })), ["publish c", ""]);
});

test("keys: which are asked for", () => {
  assert.ok(isWanted(key(), {}, NOW));
  assert.ok(isWanted(key({ name: "Shop" }), { q: "sHO", state: "active" }, NOW));
  assert.ok(isWanted(key(), { q: "abcd" }, NOW));
  assert.ok(!isWanted(key(), { q: "<b>" }, NOW));
  assert.ok(!isWanted(key(), { state: "revoked" }, NOW));
});

test("keys and audit: how many there are", () => {
  assert.equal(countKeys(0, 0, false), "");
  assert.equal(countKeys(1, 1, false), "1 key");
  assert.equal(countKeys(2, 100, true), "2 of 100 keys and more");
  assert.equal(countEntries(0, false), "");
  assert.equal(countEntries(1, false), "1 entry");
  assert.equal(countEntries(100, true), "the newest 100 entries");
});

test("audit: refused is what did not end well", () => {
  assert.ok(!isRefused({ outcome: "ok" }));
  assert.ok(isRefused({ outcome: "FORBIDDEN" }));
});

test("audit: a limit in words, known or not", () => {
  const limits = [
    { limit: "publish_rate", setting: "HERMES_PUBLISH_RATE", value: 1000, about: "Events that one user or key may publish in a second, over all processes." },
  ];
  assert.equal(aboutOf(limits[0]), "Events that one user or key may publish in a second");
  assert.equal(limitWords({ limit: "publish_rate" }, limits), "Events that one user or key may publish in a second: 1000");
  assert.equal(limitWords({ limit: "novel" }, limits), "novel");
});

test("forwarding: who, and what to do", () => {
  const peer = (name, trusted_proxies = 0) => ({ peer: name, last: "", trusted_proxies });
  assert.equal(forwardingWords([]), "");
  assert.match(forwardingWords([peer("10.0.0.1")]), /^Requests from 10\.0\.0\.1 carry .* no proxy is declared.*HERMES_TRUSTED_PROXIES/);
  assert.match(forwardingWords(["a", "b", "c"].map((name) => peer(name))), /from a, b and c carry/);
  assert.match(forwardingWords(["a", "b", "c", "d", "e"].map((name) => peer(name))), /from a, b, c and 2 more carry/);
  assert.match(forwardingWords([peer("")]), /from a Unix socket carry/);
  assert.match(forwardingWords([peer("10.0.0.1", 1)]), /declares one proxy, and requests from 10\.0\.0\.1/);
  assert.match(forwardingWords([peer("10.0.0.1", 2)]), /declares 2 proxies/);
});
