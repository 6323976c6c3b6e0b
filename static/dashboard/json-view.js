// JSON laid out to be read: indented, its parts told apart by class. A value that is too long is cut and says so.

import { element } from "./dom.js";
import { counted } from "./words.js";

/** Characters that are shown; copying gives all. */
const LONGEST = 20_000;
const PARTS = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;

/** Indented, or as it came where it is no JSON. @param {string} text */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** @param {string} text */
export function jsonView(text) {
  const whole = pretty(text), shown = whole.slice(0, LONGEST);
  const view = element("pre", { class: "json", tabindex: "0", role: "region", "aria-label": "Data" });
  let end = 0;
  for (const match of shown.matchAll(PARTS)) {
    const [part, string, colon, word] = match;
    const kind = string ? (colon ? "key" : "string") : word ? "word" : "number";
    view.append(shown.slice(end, match.index), element("span", { class: kind }, string ?? part), colon ?? "");
    end = match.index + part.length;
  }
  view.append(shown.slice(end));
  if (whole.length > LONGEST) view.append(element("i", {}, `\n… ${counted(whole.length - LONGEST, "more character")}: copy to see all`));
  return view;
}
