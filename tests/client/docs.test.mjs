// The API reference's pure parts: a schema in words, a command, the search.

import assert from "node:assert/strict";
import { test } from "node:test";
import { command, fits, kindOf, nameOf, namesIn } from "../../static/docs/words.js";

test("docs: a schema in words", () => {
  for (const [schema, words] of [
    [{}, "any JSON"],
    [{ type: "string", minLength: 1, maxLength: 255 }, "string, 1 to 255 characters"],
    [{ type: "string", maxLength: 255 }, "string, at most 255 characters"],
    [{ type: "integer", minimum: 1, maximum: 1000, default: 100 }, "integer, 1 to 1000, default 100"],
    [{ type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, "integer, at least 0"],
    [{ type: "number", exclusiveMinimum: 0, maximum: 9 }, "number, above 0, at most 9"],
    [{ type: ["string", "null"] }, "string or null"],
    [{ type: "string", enum: ["a", "b"] }, 'one of "a", "b"'],
    [{ enum: ["pass"] }, '"pass"'],
    [{ const: "ok" }, '"ok"'],
    [{ $ref: "#/components/schemas/Event" }, "Event"],
    [{ type: "array", items: { $ref: "#/components/schemas/Event" }, maxItems: 3 }, "array of Event, at most 3 entries"],
    [{ anyOf: [{ $ref: "#/x/Reset" }, { type: "null" }] }, "Reset or null"],
    [{ type: "string", format: "date-time" }, "string, date-time"],
    [{ type: "object", oneOf: [{ required: ["a"] }] }, "object"],
  ]) {
    assert.equal(kindOf(schema), words);
  }
});

test("docs: the name of a reference", () => {
  assert.equal(nameOf({ $ref: "#/components/schemas/Event" }), "Event");
  assert.equal(nameOf({ type: "string" }), null);
});

test("docs: the names in a kind", () => {
  const one = { $ref: "#/components/schemas/Event" };
  assert.deepEqual(namesIn({ anyOf: [one, { type: "array", items: { $ref: "#/x/Other" } }] }), ["Event", "Other"]);
  assert.deepEqual(namesIn({ type: "string" }), []);
});

test("docs: a command for each kind of call", () => {
  const json = { 200: { content: { "application/json": {} } } };
  const known = [{ bearer: [] }];
  assert.equal(command("get", "/healthz", { security: [], responses: json }), 'curl -s "$HERMES/healthz"');
  assert.equal(
    command("post", "/e", { security: known, responses: json, requestBody: {} }),
    'curl -s "$HERMES/e" \\\n  -H "Authorization: Bearer $KEY" \\\n  -d @body.json',
  );
  assert.equal(command("delete", "/k/{id}", { security: known, responses: json }), 'curl -s "$HERMES/k/{id}" -X DELETE \\\n  -H "Authorization: Bearer $KEY"');
  assert.equal(command("post", "/r", { security: [], responses: json }), 'curl -s "$HERMES/r" -X POST');
  assert.equal(command("get", "/s", { responses: { 200: { content: { "text/event-stream": {} } } } }), 'curl -sN "$HERMES/s"');
});

test("docs: the search wants every word, wherever it is", () => {
  assert.ok(fits("Events get /api/v1/events History", "history GET"));
  assert.ok(fits("anything", ""));
  assert.ok(!fits("Events get /api/v1/events", "events delete"));
});
