// The API reference: fetches the document and shows it, section by section.

import { byId, element } from "../dashboard/dom.js";
import { call } from "./calls.js";
import { showContents } from "./contents.js";
import { paragraphs, prose } from "./prose.js";
import { described, row } from "./schemas.js";

/** @typedef {import("./words.js").Schema} Schema */
/** @typedef {import("./contents.js").Group} Group */

const DOCUMENT = "/api/v1/openapi.json";

/** @returns {Promise<Schema>} */
async function load() {
  const response = await fetch(DOCUMENT, { headers: { Accept: "application/json" } });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error.message);
  return body;
}

/** @param {Schema} api  @returns {Group[]} */
function groupsOf(api) {
  const calls = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => /** @type {[string, string, Schema]} */ ([method, path, operation])));
  return api.tags.map((/** @type {Schema} */ tag) => ({ name: tag.name, calls: calls.filter(([, , operation]) => operation.tags.includes(tag.name)) }))
    .filter((/** @type {Group} */ group) => group.calls.length);
}

/** @param {string} title  @param {...Node} children */
function section(title, ...children) {
  return element("section", { class: "section" }, element("h2", {}, title), ...children);
}

/** @param {Schema} api */
function credentials(api) {
  const rows = Object.values(api.components.securitySchemes).map((scheme) => {
    const name = scheme.type === "http" ? "Authorization: Bearer" : scheme.name;
    return row(name, scheme.in ?? "header", false, { type: "string", description: scheme.description });
  });
  return section("Credentials", element("dl", { class: "fields" }, ...rows));
}

/** @param {Schema} schemas */
function named(schemas) {
  return section("Schemas", ...Object.entries(schemas).map(([name, schema]) =>
    element("article", { class: "schema", id: `schema-${name}` },
      element("h3", {}, element("a", { href: `#schema-${name}` }, element("code", {}, name))), ...described(schema))));
}

/** @param {Schema} api */
function show(api) {
  const groups = groupsOf(api);
  const about = new Map(api.tags.map((/** @type {Schema} */ tag) => [tag.name, tag.description]));
  showContents(groups, byId("list"), byId("find"));
  byId("main").replaceChildren(
    element("div", {}, ...paragraphs(api.info.description), element("p", { class: "muted" }, ...prose(`Hermes ${api.info.version}`))),
    credentials(api),
    ...groups.map(({ name, calls }) => section(name, element("p", {}, ...prose(about.get(name) ?? "")),
      ...calls.map(([method, path, operation]) => call(method, path, operation, api.components)))),
    named(api.components.schemas),
  );
}

const phone = matchMedia("(max-width: 61.99rem)");
/** @type {HTMLDetailsElement} */ (byId("contents")).open = !phone.matches;
phone.addEventListener("change", () => (/** @type {HTMLDetailsElement} */ (byId("contents")).open = !phone.matches));
byId("list").addEventListener("click", () => phone.matches && (/** @type {HTMLDetailsElement} */ (byId("contents")).open = false));

try {
  show(await load());
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
} catch (error) {
  byId("main").replaceChildren(element("p", { class: "problem", role: "alert" }, `The reference could not be loaded: ${error instanceof Error ? error.message : error}`));
}
