// The list of all calls, and the field that narrows it.

import { element } from "../dashboard/dom.js";
import { address } from "./prose.js";
import { fits } from "./words.js";

/** @typedef {{name: string, calls: [string, string, import("./words.js").Schema][]}} Group */

/** @param {Group[]} groups  @param {HTMLElement} list  @param {HTMLInputElement} find */
export function showContents(groups, list, find) {
  const none = element("p", { class: "none", hidden: true }, "No call fits.");
  const parts = groups.map(part);
  list.replaceChildren(...parts.map(({ node }) => node), none);
  find.addEventListener("input", () => {
    for (const { node, items } of parts) {
      for (const { node: item, text } of items) item.hidden = !fits(text, find.value);
      node.hidden = items.every(({ node: item }) => item.hidden);
    }
    none.hidden = parts.some(({ node }) => !node.hidden);
  });
}

/** @param {Group} group */
function part({ name, calls }) {
  const items = calls.map(([method, path, operation]) => ({
    text: `${name} ${method} ${path} ${operation.summary}`,
    node: element("li", {}, element("a", { href: `#${operation.operationId}`, title: operation.summary },
      element("span", { class: `method ${method}` }, method.toUpperCase()), address(path))),
  }));
  return { items, node: element("section", {}, element("h2", {}, name), element("ul", {}, ...items.map(({ node }) => node))) };
}
