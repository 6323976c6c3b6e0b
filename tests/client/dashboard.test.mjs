// The dashboard's pure parts: patterns and filters, the log, series, words, drafts, commands.

import assert from "node:assert/strict";
import { test } from "node:test";
import { earlier, parseCursor } from "../../static/dashboard/cursor.js";
import { bodyOf, parseJson, problemsOf } from "../../static/dashboard/draft.js";
import { entryOf, entryOfHistory, noteOf } from "../../static/dashboard/entry.js";
import { EventLog } from "../../static/dashboard/event-log.js";
import { matcher, NONE, passes, readFilter, subscriptionOf, SYSTEM, writeFilter } from "../../static/dashboard/filter.js";
import { jsonProblem } from "../../static/dashboard/json-problem.js";
import { resetWords, returnWords, wordsOf } from "../../static/dashboard/link-words.js";
import { fits, parseList, selects } from "../../static/dashboard/patterns.js";
import { ceiling, paths, Series } from "../../static/dashboard/series.js";
import { snippets } from "../../static/dashboard/snippets.js";
import { bytes, duration, grouped, stamp } from "../../static/dashboard/words.js";

const NOW = Date.parse("2026-11-20T22:00:00.000Z");
const event = (fields = {}) => ({
  type: "hello", channel: "demo", data: { n: 1 }, text: '{"n":1}', id: null, time: "2026-11-20T21:00:00.000Z", retained: false, replayed: false, ...fields,
});
const numbered = (number, fields = {}) => entryOf(event({ id: `e-${number}`, text: String(number), ...fields }), NOW);
const filter = (fields) => ({ ...NONE, ...fields });

test("patterns: `*` is any run of characters, and private channels need their prefix", () => {
  for (const [pattern, name] of [["*", ""], ["*", "a:b"], ["a*", "a"], ["*b", "ab"], ["a*c*e", "abcde"], ["a*a", "aa"], ["a", "a"], ["**", "x"]]) {
    assert.ok(fits(pattern, name), `${pattern} ${name}`);
  }
  for (const [pattern, name] of [["a", "ab"], ["a*a", "a"], ["a*c*e", "ace "], ["ab*ba", "aba"], ["*b*b", "ab"], ["A*", "ab"]]) {
    assert.ok(!fits(pattern, name), `${pattern} ${name}`);
  }
  assert.ok(!selects("*", "user:1"));
  assert.ok(!selects("u*", "user:1"));
  assert.ok(selects("user:*", "user:1"));
  assert.ok(selects("*", "users:1"));
});

test("patterns: many stars take linear time", () => {
  const begun = performance.now();
  assert.ok(!fits("*a".repeat(120) + "b", "a".repeat(250)));
  assert.ok(performance.now() - begun < 50);
});

test("patterns: a list says what is wrong with it", () => {
  assert.deepEqual(parseList(" a, b:* ,,a ", 9), { items: ["a", "b:*"], problem: null });
  assert.match(parseList("a b", 9).problem, /“a b” has white space/);
  assert.match(parseList("x".repeat(256), 9).problem, /255/);
  assert.match(parseList("a,b,c", 2).problem, /at most 2/);
});

test("filter: the address keeps it, readably, and keeps what else is there", () => {
  const one = filter({ channels: ["orders:*", "runs"], types: ["job.*"], search: "a & b", system: true });
  const query = writeFilter(one, "?x=1");
  assert.equal(query, "?x=1&channels=orders:*,runs&types=job.*&q=a+%26+b&system=1");
  assert.deepEqual(readFilter(new URLSearchParams(query)), one);
  assert.equal(writeFilter(NONE, "?channels=a&x=1"), "?x=1");
  assert.equal(writeFilter(NONE, ""), "");
});

test("filter: what cannot be is left out of an address", () => {
  assert.deepEqual(readFilter(new URLSearchParams("channels=a b&types=%00&q=<b>")), filter({ search: "<b>" }));
});

test("filter: the charts' channel is always named", () => {
  assert.deepEqual(subscriptionOf(NONE), { channels: ["*", SYSTEM], types: null });
  assert.deepEqual(subscriptionOf(filter({ channels: ["demo"], types: ["a"] })), { channels: ["demo", SYSTEM], types: ["a", "data_update"] });
  assert.deepEqual(subscriptionOf(filter({ channels: [SYSTEM], types: ["data*"] })), { channels: [SYSTEM], types: ["data*"] });
});

test("filter: this machine's metrics are shown when asked for, by switch or by name", () => {
  const shows = (fields) => passes(filter(fields), SYSTEM, "data_update");
  assert.ok(!shows({}));
  assert.ok(!shows({ channels: ["*", "user:*"] }));
  assert.ok(shows({ system: true }));
  assert.ok(shows({ channels: ["data:*"] }));
  assert.ok(!shows({ channels: ["demo"], system: true }));
});

test("filter: the charts' events of other channels are not in the table", () => {
  const matches = matcher(filter({ types: ["hello"] }));
  assert.ok(matches(numbered(1)));
  assert.ok(!matches(numbered(2, { type: "data_update" })));
});

test("filter: each word of the search, anywhere, in any case; notes always pass", () => {
  const matches = matcher(filter({ search: "DEMO  x1" }));
  assert.ok(matches(numbered(1, { text: '"aX1b"' })));
  assert.ok(!matches(numbered(2, { text: '"x2"' })));
  assert.ok(matches(noteOf("a", "b", 0)));
});

test("log: the newest, each once, and a count of the rest", () => {
  const log = new EventLog(3);
  for (let number = 1; number <= 10; number++) assert.ok(log.add(numbered(number)));
  assert.ok(!log.add(numbered(10)));
  assert.deepEqual(log.newest().map(({ number }) => number), [8, 9, 10]);
  assert.equal(log.skipped, 7);
});

test("log: older events find their place", () => {
  const log = new EventLog(10);
  log.add(numbered(5));
  log.add(noteOf("note", "", Date.parse("2026-11-20T21:30:00Z")));
  log.add(numbered(8));
  assert.equal(log.merge([numbered(2), numbered(5), numbered(7), numbered(8)]), 2);
  assert.deepEqual(log.newest().map((entry) => entry.number ?? "note"), [2, 5, 7, "note", 8]);
});

test("log: what is older than a full log is let go", () => {
  const log = new EventLog(2);
  log.add(numbered(5));
  log.add(numbered(6));
  assert.equal(log.merge([numbered(1)]), 0);
  assert.equal(log.merge([numbered(1)]), 0);
  assert.deepEqual(log.newest().map(({ number }) => number), [5, 6]);
});

test("log: a retained copy gives way to the event, and comes once", () => {
  const log = new EventLog(10), copy = () => numbered(0, { id: null, retained: true, text: "1" });
  assert.ok(log.add(copy()));
  assert.ok(!log.add(copy()));
  assert.equal(log.merge([numbered(1)]), 1);
  assert.ok(!log.add(copy()));
  assert.deepEqual(log.newest().map(({ id }) => id), ["e-1"]);
  // The server writes 1.0 where history, parsed and written again by the page, has 1.
  assert.ok(log.add(numbered(0, { id: null, retained: true, text: '{"n":2.0}' })));
  assert.equal(log.merge([numbered(2, { text: '{"n":2}' })]), 1);
  assert.deepEqual(log.newest().map(({ id }) => id), ["e-1", "e-2"]);
});

test("log: equal events of one millisecond stay two, also when they come again from history", () => {
  const log = new EventLog(10), same = (number) => numbered(number, { text: "same" });
  assert.ok(log.add(same(1)) && log.add(same(2)));
  assert.equal(log.merge([same(1), same(2)]), 0);
});

test("log: an event to this connection alone has no id and always counts", () => {
  const log = new EventLog(10);
  assert.ok(log.add(numbered(0, { id: null })) && log.add(numbered(0, { id: null })));
});

test("log: hours of events hold no more than the limit", () => {
  const log = new EventLog(100);
  for (let number = 0; number < 50_000; number++) log.add(numbered(number));
  assert.equal(log.newest().length, 100);
  assert.equal(log.skipped, 49_900);
});

test("entry: history is the same as the live event", () => {
  const { data, text, replayed, ...rest } = event({ id: "e-1" });
  assert.deepEqual(entryOfHistory({ ...rest, data }), { ...entryOf(event({ id: "e-1" }), NOW), replayed: true });
});

test("cursor: looked into, and earlier ones made, where it is one", () => {
  assert.deepEqual(parseCursor("a-b-12~r1"), { epoch: "a-b", number: 12 });
  assert.equal(earlier("k3-1042", 500), "k3-542");
  assert.equal(earlier("k3-42", 500), "k3-0");
  for (const bad of ["", "x", "x-", "-5", null]) assert.equal(earlier(bad, 1), null);
});

test("series: in order, the last of each moment, and nothing that is no number", () => {
  const series = new Series();
  for (const [time, value] of [[2, 20], [1, 10], [3, 30], [2, 21], [4, NaN], [NaN, 1], [5, "6"]]) series.add(time, value);
  assert.deepEqual(series.samples.map(({ time, value }) => [time, value]), [[1, 10], [2, 21], [3, 30]]);
  series.forgetBefore(3);
  assert.deepEqual(series.samples.map(({ time }) => time), [2, 3]);
  assert.equal(series.near(2.4, 1).value, 21);
  assert.equal(series.near(30, 1), undefined);
});

test("series: a silence is a gap in the line", () => {
  const series = new Series();
  for (const time of [0, 2000, 4000, 20_000, 22_000]) series.add(time, 5);
  assert.deepEqual(series.runs().map((run) => run.length), [3, 2]);
  const { line, area } = paths(series.runs(), { from: 0, to: 20_000, top: 10 }, 100, 100);
  assert.equal(line, "M0 50L10 50L20 50M100 50L110 50");
  assert.match(area, /^M0 100L0 50L.*Z.*Z$/);
});

test("series: the top of the scale is a round number", () => {
  assert.deepEqual([0, 3, 11, 21, 51].map((value) => ceiling(value, 10)), [10, 10, 20, 50, 100]);
  assert.deepEqual([0.5, 1.2, 3, 7].map((value) => ceiling(value, 1)), [1, 2, 5, 10]);
  assert.equal(ceiling(3000, 1024, true), 4096);
});

test("words: sizes, durations, counts", () => {
  assert.deepEqual([0, 512, 1000, 1536, 20 * 2 ** 20].map((value) => bytes(value).join(" ")), ["0 B", "512 B", "0.98 KB", "1.50 KB", "20.0 MB"]);
  assert.deepEqual([0, 999, 61_000, 7_300_000, 9e8].map(duration), ["0 s", "0 s", "1 min", "2 h", "10 d"]);
  assert.equal(grouped(1234567), "1\u202f234\u202f567");
  assert.deepEqual(stamp(NaN, NOW), ["", ""]);
  assert.match(stamp(NOW, NOW).join(""), /^\d\d:\d\d:00\.000$/);
  assert.match(stamp(NOW - 3 * 86_400_000, NOW)[0], /^11-17 /);
});

const link = (fields) => ({
  state: "open", attempts: 0, retryIn: 0, online: true, heartbeat: 30, age: 500, why: null, signedOut: false, ...fields,
});

test("link: the pill says what is true", () => {
  const says = (fields) => {
    const { kind, label, detail } = wordsOf(link(fields));
    return [kind, label, detail];
  };
  assert.deepEqual(says({}), ["live", "Live", "now"]);
  assert.deepEqual(says({ age: 12_400 }), ["live", "Live", "12 s ago"]);
  assert.deepEqual(says({ age: 34_000 }), ["quiet", "Quiet", "34 s ago"]);
  assert.deepEqual(says({ state: "waiting", attempts: 3, retryIn: 3200 }), ["waiting", "Reconnecting in 4 s", "attempt 3"]);
  assert.deepEqual(says({ state: "connecting", attempts: 3 }), ["waiting", "Reconnecting", "attempt 3"]);
  assert.deepEqual(says({ state: "connecting", age: null }), ["connecting", "Connecting", ""]);
  assert.deepEqual(says({ state: "polling" }), ["polling", "Polling", "now"]);
  assert.deepEqual(says({ state: "waiting", online: false, age: 5000 }), ["offline", "Offline", "5 s ago"]);
  assert.deepEqual(says({ online: false }), ["live", "Live", "now"]); // a link that works is not offline
  assert.deepEqual(says({ state: "closed", why: "kicked" }), ["closed", "Closed", ""]);
  assert.deepEqual(says({ state: "closed", signedOut: true }), ["closed", "Signed out", ""]);
});

test("link: resets and returns in words", () => {
  const [, text] = resetWords({ reason: "history_truncated", channels: ["a", "b", "c", "d", "e", "f"] });
  assert.equal(text, "The history no longer reaches back that far in a, b, c, d, e and 1 more.");
  assert.match(resetWords({ reason: "new_one" })[1], /New_one/);
  assert.deepEqual(returnWords(12_400, 3, true), ["Reconnected after 12 s", "3 attempts. Nothing was missed."]);
  assert.match(returnWords(0, 1, null)[1], /may be missing/);
});

test("draft: a body, or what is wrong in each field", () => {
  const draft = { channel: " demo ", type: "", data: '{"n": 1}', key: "", ttl: "" };
  assert.deepEqual(bodyOf(draft), { body: { channel: "demo", type: "message", data: { n: 1 } }, problems: {} });
  assert.deepEqual(bodyOf({ ...draft, data: "", key: "k" }).body, { channel: "demo", type: "message", data: null, key: "k" });
  assert.deepEqual(bodyOf({ ...draft, ttl: "1.5" }).body.ttl, 1.5);
  assert.deepEqual(Object.keys(bodyOf({ channel: "", type: "", data: "{", key: "k", ttl: "-1" }).problems), ["channel", "data", "ttl"]);
});

test("draft: the server's sentences at their fields", () => {
  const details = [{ field: "type", message: "is reserved" }, { field: "channels", message: "too many" }, { field: "foo", message: "unknown" }];
  assert.deepEqual(problemsOf({ error: { code: "INVALID_INPUT", message: "x", details } }, 400), {
    type: "Is reserved", channel: "Too many", form: "Foo: unknown",
  });
  assert.match(problemsOf(null, 502).form, /502/);
  assert.match(problemsOf({ error: { message: "no" } }, 401).form, /sign in/);
});

test("json: where the mistake is, and what is expected there", () => {
  for (const [text, at, expected] of [
    ["", 0, /value/], ["{", 1, /name/], ['{"a"}', 4, /colon/], ['{"a":1,}', 7, /name/], ["[1,]", 3, /value/], ["[1 2]", 3, /comma/],
    ['{"n": nope}', 6, /value/], ["01", 1, /zeros/], ["1.", 1, /loose/], ["-", 0, /number/], ['"a', 2, /closing/], ['"a\nb"', 2, /instead/],
    ['"\\x"', 1, /escape/], ["1 2", 2, /the end/], ["'a'", 0, /double quotes/], ["NaN", 0, /value/],
  ]) {
    const problem = jsonProblem(text);
    assert.equal(problem?.at, at, text);
    assert.match(problem.expected, expected, text);
  }
  assert.equal(parseJson('{"a":\n nope}').problem, "Not JSON yet: at line 2, column 2 there is “n”, expected a value: text in double quotes, a number, true, false, null, { or [");
});

test("json: agrees with the engine about what is JSON", () => {
  const parts = ["{", "}", "[", "]", ":", ",", '"a"', "1", "-0.5e3", "true", "null", " ", '"\\u00e9"', "0", "."];
  let seed = 7;
  const next = () => (seed = seed * 48271 % 2147483647) / 2147483647;
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: 1 + next() * 7 }, () => parts[Math.floor(next() * parts.length)]).join("");
    let valid = true;
    try {
      JSON.parse(text);
    } catch {
      valid = false;
    }
    assert.equal(jsonProblem(text) === null, valid, text);
  }
});

test("json: depth is bounded", () => {
  assert.match(jsonProblem("[".repeat(100_000)).expected, /fewer levels/);
});

test("snippets: this origin, and never a key", () => {
  for (const { text } of snippets("https://hermes.example:8443")) {
    assert.ok(text.includes("https://hermes.example:8443"));
    assert.doesNotMatch(text, /[A-Za-z0-9_-]{40}/);
  }
});
