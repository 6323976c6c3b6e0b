// A schema as elements: its kind in words, a list of its fields, and its variants.

import { element } from "../dashboard/dom.js";
import { prose } from "./prose.js";
import { kindOf, nameOf, namesIn } from "./words.js";

/** @typedef {import("./words.js").Schema} Schema */

const DEPTH = 6; // a schema that names itself ends here

/** What it is, in one line; names lead to their schemas. @param {Schema} schema  @returns {Node} */
export function kind(schema) {
  const names = new Set(namesIn(schema));
  const parts = kindOf(schema).split(/\b(?=\w)|\b(?!\w)/).map((word) =>
    names.has(word) ? element("a", { href: `#schema-${word}` }, word) : word);
  return element("p", { class: "kind" }, ...parts);
}

/** What is inside: nothing for a string or a number. @param {Schema} schema  @param {number} [depth]  @returns {Node[]} */
export function inside(schema, depth = 0) {
  if (depth > DEPTH || nameOf(schema)) return [];
  if (schema.properties) return [fields(schema, depth)];
  if (schema.items) return inside(schema.items, depth + 1);
  if (schema.contentSchema) return [element("div", { class: "variants" }, ...described(schema.contentSchema, depth + 1))];
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants) return several(variants, depth);
  if (typeof schema.additionalProperties === "object" && Object.keys(schema.additionalProperties).length) {
    return [element("p", { class: "kind" }, "Each field:"), ...described(schema.additionalProperties, depth + 1)];
  }
  return [];
}

/** Its kind, and what is inside. @param {Schema} schema  @param {number} [depth]  @returns {Node[]} */
export function described(schema, depth = 0) {
  const about = schema.description ? [element("p", {}, ...prose(schema.description))] : [];
  return [kind(schema), ...about, ...inside(schema, depth)];
}

/** @param {Schema[]} variants  @param {number} depth  @returns {Node[]} */
function several(variants, depth) {
  const parts = variants.filter((variant) => variant.type !== "null");
  if (parts.every((variant) => inside(variant, depth + 1).length === 0 && !variant.description)) return [];
  return [element("div", { class: "variants" }, ...parts.map((part) => element("div", {}, ...described(part, depth + 1))))];
}

/** @param {Schema} schema  @param {number} depth */
function fields(schema, depth) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties).map(([name, field]) => row(name, "", required.has(name), field, depth));
  return element("dl", { class: "fields" }, ...rows);
}

/** One field or parameter. @param {string} name  @param {string} place  @param {boolean} must  @param {Schema} schema  @param {number} [depth] */
export function row(name, place, must, schema, depth = 0) {
  const term = element("dt", {}, element("code", {}, name), " ");
  if (place) term.append(element("span", { class: "kind" }, place), " ");
  if (must) term.append(element("span", { class: "must" }, "required"));
  return element("div", {}, term, element("dd", {}, ...described(schema, depth + 1)));
}
