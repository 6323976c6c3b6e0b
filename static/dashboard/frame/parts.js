// What cells and details are made of: times, two lines, tags, facts.

import { element } from "../dom.js";
import { clock, duration, stamp } from "../words.js";

/** How long ago, in words. @param {string | null} time ISO 8601  @param {number} now  @returns {string} empty for no time */
export function age(time, now) {
  const at = time ? Date.parse(time) : NaN;
  return Number.isNaN(at) ? "" : duration(now - at);
}

/** That, with the exact time behind it. @param {string | null} time  @param {number} now  @param {string} [after] as in " ago" */
export function ageOf(time, now, after = "") {
  const words = age(time, now);
  return words ? element("time", { datetime: time, title: exact(time) }, words + after) : "";
}

/** In the reader's own zone, to the second. @param {string | null} time */
export function exact(time) {
  const date = new Date(time ?? NaN);
  if (Number.isNaN(date.getTime())) return "";
  return `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")} ${clock(date.getTime())}`;
}

/** As in the table of events: the day only when it is another. @param {string} time  @param {number} now */
export function moment(time, now) {
  return element("time", { datetime: time, title: exact(time) }, stamp(Date.parse(time), now)[0]);
}

/** A line, and what belongs to it in small below. @param {string} first  @param {string} second  @param {...(Node | string)} beside */
export function lines(first, second, ...beside) {
  const main = element("span", { class: "first", title: first }, first);
  return [element("span", { class: "line" }, main, ...beside), second ? element("span", { class: "second", title: second }, second) : null];
}

/** @param {string} words  @param {"" | "good" | "warn" | "bad"} [tone]  @param {string | null} [title] */
export function tag(words, tone = "", title = null) {
  return element("span", { class: `tag ${tone}`.trim(), title }, words);
}

/** Names and values, in the order in which they were first set; a value that is the same is not touched. */
export class Facts {
  node = element("dl", { class: "facts" });
  #values = /** @type {Map<string, {place: HTMLElement, seen: string}>} */ (new Map());

  /** @param {string} name  @param {...(Node | string)} parts */
  set(name, ...parts) {
    const seen = parts.map((part) => typeof part === "string" ? part : part.textContent).join("\n");
    let fact = this.#values.get(name);
    if (!fact) {
      fact = { place: element("dd", {}), seen: "\0" };
      this.#values.set(name, fact);
      this.node.append(element("div", {}, element("dt", {}, name), fact.place));
    }
    if (fact.seen === seen) return;
    fact.seen = seen;
    fact.place.replaceChildren(...parts);
  }
}
