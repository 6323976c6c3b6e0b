// What holds for the client's files: size, openings, what they may contain, what they import.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("../../static/", import.meta.url));
const files = ["hermes.js", ...readdirSync(`${root}hermes`).filter((name) => name.endsWith(".js")).map((name) => `hermes/${name}`)];
const read = (name) => readFileSync(root + name, "utf8");

/** A file and what it statically imports. */
function closure(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const [, target] of read(name).matchAll(/^(?:import|export)\b[^;]*?from "([^"]+)"/gm)) {
    closure(new URL(target, `file:///${name}`).pathname.slice(1), found);
  }
  return found;
}

test("rules: the core is at most 10 kB gzipped, as it is", (t) => {
  const core = [...closure("hermes.js")];
  const size = core.reduce((sum, name) => sum + gzipSync(read(name), { level: 9 }).length, 0);
  t.diagnostic(`${size} bytes in ${core.length} files: ${core.join(" ")}`);
  assert.ok(core.length > 3);
  assert.ok(size <= 10_000, `${size} bytes`);
});

test("rules: polling, update and page events are not in the core", () => {
  const core = closure("hermes.js");
  for (const name of ["transport-poll", "handover", "update", "page"]) assert.ok(!core.has(`hermes/${name}.js`), name);
});

for (const name of files) {
  test(`rules: ${name}`, () => {
    const text = read(name);
    assert.match(text, /^\/\/ [A-Z].*[.:]/, "begins with what lives here");
    assert.ok(text.split("\n").length <= 250, "short enough to read");
    assert.doesNotMatch(text, /\beval\b|new Function|document\.write|innerHTML|setTimeout\("/, "strict content security policy");
    for (const [, target] of text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)) {
      assert.match(target, /^\.{1,2}\/[\w/-]+\.js$/, "only our own modules, by relative path");
    }
  });
}

test("rules: hermes.d.ts declares what hermes.js exports", async () => {
  const exported = Object.keys(await import("../../static/hermes.js")).filter((name) => !/^[a-z]/.test(name) || name === "connect");
  const declared = [...read("hermes.d.ts").matchAll(/^export (?:class|function) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(declared.sort(), exported.sort());
});
