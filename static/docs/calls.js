// One call as elements: who may make it, what goes in, what comes out, and a command to try it with.

import { element } from "../dashboard/dom.js";
import { address, paragraphs, prose } from "./prose.js";
import { described, row } from "./schemas.js";
import { command } from "./words.js";

/** @typedef {import("./words.js").Schema} Schema */

/** @param {string} method  @param {string} path  @param {Schema} operation  @param {Schema} components */
export function call(method, path, operation, components) {
  return element(
    "article", { class: "call", id: operation.operationId },
    element("h3", {}, element("span", { class: `method ${method}` }, method.toUpperCase()),
      element("a", { href: `#${operation.operationId}` }, address(path))),
    ...paragraphs(operation.summary), ...paragraphs(operation.description),
    ...parameters(operation.parameters), ...body(operation.requestBody),
    ...answers(operation.responses, components),
    element("h4", {}, "By hand"), element("pre", {}, command(method, path, operation)),
  );
}

/** @param {Schema[]} all  @returns {Node[]} */
function parameters(all) {
  if (!all.length) return [];
  const rows = all.map((one) => {
    const schema = one.schema ?? Object.values(one.content)[0].schema;
    return row(one.name, one.in, Boolean(one.required), { ...schema, description: one.description });
  });
  return [element("h4", {}, "Parameters"), element("dl", { class: "fields" }, ...rows)];
}

/** @param {Schema | undefined} requestBody  @returns {Node[]} */
function body(requestBody) {
  return requestBody ? [element("h4", {}, "Body"), ...paragraphs(requestBody.description), ...contents(requestBody.content)] : [];
}

/** @param {Schema} responses  @param {Schema} components  @returns {Node[]} */
function answers(responses, components) {
  const rows = Object.entries(responses).map(([status, one]) => {
    const shared = one.$ref ? components.responses[one.$ref.split("/").pop()] : null;
    const about = shared ? [failure(shared)] : [...paragraphs(one.description), ...contents(one.content ?? {})];
    const kind = Number(status) < 400 ? "ok" : "bad";
    return element("div", {}, element("dt", {}, element("span", { class: `status ${kind}` }, status)), element("dd", {}, ...about));
  });
  return [element("h4", {}, "Answers"), element("dl", { class: "fields" }, ...rows)];
}

/** An error in one line: its shape is the same everywhere. @param {Schema} shared */
function failure(shared) {
  const codes = shared.content?.["application/json"].schema.properties.error.properties.code.enum ?? [];
  const listed = codes.map((/** @type {string} */ code) => `\`${code}\``).join(", ");
  return element("p", {}, ...prose(listed ? `${shared.description}: ${listed}` : shared.description));
}

/** @param {Schema} content  @returns {Node[]} */
function contents(content) {
  return Object.entries(content).map(([kind, { schema }]) =>
    element("div", { class: "variants" }, element("span", { class: "content-type" }, kind), ...described(schema)));
}
