// The table of the audit: its columns, and what opens below an entry.
/** @import { Column, Detail } from "../frame/row.js" */
/** @import { Entry } from "./audit-words.js" */

import { element } from "../dom.js";
import { button } from "../frame/button.js";
import { exact, Facts, lines, moment, tag } from "../frame/parts.js";
import { grouped } from "../words.js";
import { isRefused } from "./audit-words.js";

/** @returns {Column<Entry>[]} */
export function columnsOf() {
  return [
    { name: "at", label: "Time", size: "small", value: ({ at }, now) => [at, new Date(now).toDateString()], draw: ({ at }, now) => moment(at, now) },
    { name: "action", label: "Action", size: "small", value: ({ action }) => action },
    { name: "who", label: "Who", size: "large", value: ({ principal, address }) => [principal, address], draw: ({ principal, address }) => lines(principal, address) },
    { name: "what", label: "Target", value: ({ target, detail }) => [target, detail], draw: ({ target, detail }) => lines(target || detail, target ? detail : "") },
    { name: "outcome", label: "Outcome", size: "medium", value: ({ outcome }) => outcome, draw: outcomeOf },
    { name: "count", label: "Count", size: "tiny", number: true, value: ({ count }) => grouped(count) },
  ];
}

/** @param {Entry} entry */
function outcomeOf(entry) {
  return isRefused(entry) ? tag(entry.outcome, "bad") : element("span", { class: "quiet" }, entry.outcome);
}

/** @param {Entry} entry  @param {(values: Record<string, string>) => void} only narrows the list to these  @returns {Detail} */
export function detailOf({ at, action, principal, address, target, outcome, count, detail }, only) {
  const facts = new Facts();
  facts.set("Time", exact(at));
  facts.set("Action", element("code", {}, action));
  facts.set("Who", principal);
  facts.set("Address", address || "–");
  facts.set("Target", target || "–");
  facts.set("Outcome", element("code", {}, outcome));
  facts.set("Count", grouped(count));
  facts.set("Detail", detail || "–");
  return {
    node: element("div", {}, facts.node, element("p", { class: "actions" },
      button("Only this action", () => only({ action }), "small"),
      button("Only by this caller", () => only({ principal }), "small"),
      button("Only this outcome", () => only({ outcome }), "small"))),
  };
}
