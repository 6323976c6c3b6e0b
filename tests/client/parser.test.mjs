// The event-stream format: a table of texts and what they mean, and the same for every way to cut them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FormatError } from "../../static/hermes/errors.js";
import { createParser } from "../../static/hermes/parser.js";
import { seeded } from "./support.mjs";

const encoder = new TextEncoder();

/** Everything that a parser says, as one list of short texts. */
function parse(chunks, limit) {
  const said = [];
  const push = createParser({
    frame: ({ type, data, id, lastEventId, channel, time, retained }) => said.push({
      type, data, ...id !== null && { id }, ...lastEventId && { last: lastEventId },
      ...channel !== null && { channel }, ...time !== null && { time }, ...retained && { retained },
    }),
    id: (id) => said.push({ moved: id }),
    retry: (ms) => said.push({ retry: ms }),
  }, limit);
  for (const chunk of chunks) push(typeof chunk === "string" ? encoder.encode(chunk) : chunk);
  return said;
}

const message = (data, more = {}) => ({ type: "message", data, ...more });

const TABLE = [
  ["nothing", "", []],
  ["only blank lines", "\n\n\n", []],
  ["one event", "data: a\n\n", [message("a")]],
  ["no space", "data:a\n\n", [message("a")]],
  ["only one space goes", "data:  a\n\n", [message(" a")]],
  ["a tab stays", "data:\ta\n\n", [message("\ta")]],
  ["trailing space stays", "data: a \n\n", [message("a ")]],
  ["two lines", "data: a\ndata: b\n\n", [message("a\nb")]],
  ["three lines, middle empty", "data: a\ndata\ndata: b\n\n", [message("a\n\nb")]],
  ["data without colon", "data\n\n", [message("")]],
  ["data with colon only", "data:\n\n", [message("")]],
  ["two empty data lines", "data\ndata\n\n", [message("\n")]],
  ["a line feed at the end of data stays", "data: a\ndata:\n\n", [message("a\n")]],
  ["colons in the value", "data: a:b:c\n\n", [message("a:b:c")]],
  ["value that begins with a colon", "data::a\n\n", [message(":a")]],
  ["field name with a leading space is unknown", " data: a\n\n", []],
  ["field name with a trailing space is unknown", "data : a\n\n", []],
  ["field names are case-sensitive", "DATA: a\nData: b\n\n", []],
  ["unknown field", "foo: bar\ndata: a\n\n", [message("a")]],
  ["unknown field without colon", "foo\ndata: a\n\n", [message("a")]],
  ["names of the prototype are only names", "__proto__: x\nconstructor: y\ntoString: z\ndata: a\n\n", [message("a")]],
  ["comment", ": hello\ndata: a\n\n", [message("a")]],
  ["bare colon", ":\n\ndata: a\n\n", [message("a")]],
  ["comment inside an event", "data: a\n: x\ndata: b\n\n", [message("a\nb")]],
  ["comment alone", ": x\n\n", []],
  ["comment that looks like data", ":data: a\n\n", []],
  ["event type", "event: foo\ndata: a\n\n", [{ type: "foo", data: "a" }]],
  ["event type after data", "data: a\nevent: foo\n\n", [{ type: "foo", data: "a" }]],
  ["the last event type counts", "event: foo\nevent: bar\ndata: a\n\n", [{ type: "bar", data: "a" }]],
  ["empty event type", "event:\ndata: a\n\n", [message("a")]],
  ["empty after another", "event: foo\nevent\ndata: a\n\n", [message("a")]],
  ["event type does not last", "event: foo\ndata: a\n\ndata: b\n\n", [{ type: "foo", data: "a" }, message("b")]],
  ["event type of an event without data is forgotten", "event: foo\n\ndata: a\n\n", [message("a")]],
  ["event type with spaces", "event:  foo \ndata: a\n\n", [{ type: " foo ", data: "a" }]],
  ["id", "id: 1\ndata: a\n\n", [message("a", { id: "1", last: "1" })]],
  ["id lasts", "id: 1\ndata: a\n\ndata: b\n\n", [message("a", { id: "1", last: "1" }), message("b", { last: "1" })]],
  ["id after data", "data: a\nid: 1\n\n", [message("a", { id: "1", last: "1" })]],
  ["id without data moves", "id: 1\n\ndata: a\n\n", [{ moved: "1" }, message("a", { last: "1" })]],
  ["empty id resets", "id: 1\ndata: a\n\nid\ndata: b\n\ndata: c\n\n", [message("a", { id: "1", last: "1" }), message("b", { id: "" }), message("c")]],
  ["id with NUL is ignored", "id: 1\0\ndata: a\n\n", [message("a")]],
  ["id with NUL leaves the one before", "id: 1\nid: 2\0\ndata: a\n\n", [message("a", { id: "1", last: "1" })]],
  ["id may be anything else", "id: …=;{}\ndata: a\n\n", [message("a", { id: "…=;{}", last: "…=;{}" })]],
  ["id keeps its inner spaces", "id:  1 \ndata: a\n\n", [message("a", { id: " 1 ", last: " 1 " })]],
  ["an id in an unfinished event does not count", "id: 1\ndata: a\n\nid: 2\ndata: b", [message("a", { id: "1", last: "1" })]],
  ["retry", "retry: 1500\n\n", [{ retry: 1500 }]],
  ["retry counts at once", "retry: 10\n", [{ retry: 10 }]],
  ["retry without space", "retry:7\n", [{ retry: 7 }]],
  ["retry with leading zeros", "retry: 0010\n", [{ retry: 10 }]],
  ["retry with letters", "retry: 10x\n\n", []],
  ["negative retry", "retry: -10\n\n", []],
  ["retry with a point", "retry: 1.5\n\n", []],
  ["retry in hexadecimal", "retry: 0x10\n\n", []],
  ["retry with an exponent", "retry: 1e3\n\n", []],
  ["retry with two spaces", "retry:  10\n\n", []],
  ["retry in other digits", "retry: ١٢\n\n", []],
  ["empty retry", "retry:\nretry\n\n", []],
  ["NUL in data", "data: a\0b\n\n", [message("a\0b")]],
  ["CR", "data: a\rdata: b\r\r", [message("a\nb")]],
  ["CRLF", "data: a\r\ndata: b\r\n\r\n", [message("a\nb")]],
  ["mixed", "data: a\rdata: b\r\ndata: c\n\r", [message("a\nb\nc")]],
  ["LF CR are two ends", "data: a\n\rdata: b\n\r", [message("a"), message("b")]],
  ["CR CRLF", "data: a\r\r\ndata: b\n\n", [message("a"), message("b")]],
  ["other line separators are characters", "data: a\u2028b\u2029c\u0085d\u000be\u000cf\n\n", [message("a\u2028b\u2029c\u0085d\u000be\u000cf")]],
  ["BOM at the start", "\ufeffdata: a\n\n", [message("a")]],
  ["only one BOM goes", "\ufeff\ufeffdata: a\n\ndata: b\n\n", [message("b")]],
  ["BOM elsewhere stays", "data: a\n\n\ufeffdata: b\n\ndata: \ufeffc\n\n", [message("a"), message("\ufeffc")]],
  ["characters of 2, 3 and 4 bytes", "data: é…🎈\n\n", [message("é…🎈")]],
  ["unfinished event", "data: a\n", []],
  ["unfinished line", "data: a", []],
  ["unfinished after a finished one", "data: a\n\ndata: b\n", [message("a")]],
  ["channel and time", "id: 1\nchannel: c\ntime: t\ndata: a\n\n", [message("a", { id: "1", last: "1", channel: "c", time: "t" })]],
  ["channel and time do not last", "channel: c\ntime: t\ndata: a\n\ndata: b\n\n", [message("a", { channel: "c", time: "t" }), message("b")]],
  ["channel of an event without data is forgotten", "channel: c\n\ndata: a\n\n", [message("a")]],
  ["retained", "retained: 1\ndata: a\n\ndata: b\n\n", [message("a", { retained: true }), message("b")]],
  ["only 1 is retained", "retained: true\ndata: a\n\n", [message("a")]],
  ["connected as Hermes sends it", ":\n\nevent: connected\nretry: 2000\ndata: {}\n\n", [{ retry: 2000 }, { type: "connected", data: "{}" }]],
];

for (const [name, text, expected] of TABLE) {
  test(`parser: ${name}`, () => {
    assert.deepEqual(parse([text]), expected);
    const bytes = encoder.encode(text);
    assert.deepEqual(parse([...bytes].map((byte) => Uint8Array.of(byte))), expected, "byte by byte");
    for (let cut = 1; cut < bytes.length; cut++) {
      assert.deepEqual(parse([bytes.subarray(0, cut), bytes.subarray(cut)]), expected, `cut at ${cut}`);
    }
  });
}

test("parser: bytes that are no UTF-8 become U+FFFD", () => {
  assert.deepEqual(parse(["data: ", Uint8Array.of(0xff, 0xe2, 0x82), "a\n\n"]), [message("\ufffd\ufffda")]);
});

test("parser: empty chunks change nothing, not even between CR and LF", () => {
  assert.deepEqual(parse(["data: a\r", "", "\ndata: b\r", "", "\r"]), [message("a\nb")]);
});

test("parser: an event is dispatched at the CR, without waiting for a LF", () => {
  assert.deepEqual(parse(["data: a\r\r"]), [message("a")]);
  assert.deepEqual(parse(["data: a\r\n\r", "\ndata: b\n\n"]), [message("a"), message("b")]);
});

test("parser: any chunking of any text is the whole text", () => {
  const random = seeded(20261120);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const pieces = ["data", "data:", "data: ", "event: x", "id: 7", "id", "retry: 9", "retry: z", ":", ": c", "channel: c", "retained: 1",
    "\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "é", "🎈", "\u2028", "\ufeff", "\0", " ", "a", "{}", "time: t"];
  for (let round = 0; round < 400; round++) {
    const bytes = encoder.encode(Array.from({ length: 1 + random() * 60 }, () => pick(pieces)).join(""));
    const whole = parse([bytes]);
    for (let way = 0; way < 5; way++) {
      const chunks = [];
      for (let at = 0; at < bytes.length;) {
        const end = at + 1 + Math.floor(random() * pick([1, 2, 5, 30]));
        chunks.push(bytes.subarray(at, end));
        at = end;
      }
      assert.deepEqual(parse(chunks), whole, JSON.stringify(new TextDecoder().decode(bytes)));
    }
  }
});

test("parser: what one line ends with makes no difference", () => {
  const random = seeded(7);
  const lines = ["data: a", "data", ": c", "id: 1", "event: e", "", "", "retry: 5", "channel: x"];
  for (let round = 0; round < 200; round++) {
    const text = Array.from({ length: 12 }, () => lines[Math.floor(random() * lines.length)]);
    const [lf, cr, crlf] = ["\n", "\r", "\r\n"].map((end) => parse([text.map((line) => line + end).join("")]));
    assert.deepEqual(cr, lf);
    assert.deepEqual(crlf, lf);
  }
});

test("parser: an event beyond the limit is an error, in whichever form it grows", () => {
  const grow = [
    ["data: ", ..."x".repeat(200)],
    Array(100).fill("data: x\n"),
    Array(100).fill("id: 123\n"),
    [`: ${"c".repeat(200)}`],
    [`${"f".repeat(200)}: 1\n`],
    [`data: ${"x".repeat(200)}\n\n`],
  ];
  for (const chunks of grow) assert.throws(() => parse(chunks, 100), FormatError);
});

test("parser: the limit is for one event, and comments are not held", () => {
  const said = parse([...Array(100).fill("data: xxxxxxxxx\n\n"), ...Array(100).fill(": a comment of some length\n"), "data: y\n\n"], 100);
  assert.equal(said.length, 101);
});

test("parser: a megabyte byte by byte takes time in proportion", () => {
  const timed = (size) => {
    const bytes = encoder.encode(`data: ${"x".repeat(size)}\n\n`);
    const start = performance.now();
    const push = createParser({ frame: ({ data }) => assert.equal(data.length, size), id() {}, retry() {} }, 2 * size);
    for (let at = 0; at < bytes.length; at++) push(bytes.subarray(at, at + 1));
    return performance.now() - start;
  };
  timed(1 << 16);
  const quarter = timed(1 << 18), whole = timed(1 << 20);
  assert.ok(whole < 16 * quarter + 200, `${quarter} ms for a quarter, ${whole} ms for the whole`);
});
