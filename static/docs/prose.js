// Sentences with code in them: what stands between backticks becomes code, and nothing else becomes markup.

import { element } from "../dashboard/dom.js";

/** @param {string} text  @returns {(Node | string)[]} */
export function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

/** An address, which a line may break behind its slashes. @param {string} text */
export function address(text) {
  const parts = text.split(/(?<=\/)(?=.)/).flatMap((part) => [part, element("wbr")]);
  return element("code", {}, ...parts.slice(0, -1));
}

/** A paragraph for each. @param {string} text  @returns {HTMLElement[]} */
export function paragraphs(text) {
  return text.split("\n\n").filter(Boolean).map((part) => element("p", {}, ...prose(part)));
}
