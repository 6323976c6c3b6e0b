// The table of API keys: its columns, and what opens below a key.
/** @import { Column, Detail } from "../frame/row.js" */
/** @import { Key } from "./key-words.js" */

import { element } from "../dom.js";
import { button } from "../frame/button.js";
import { exact, Facts, lines, tag } from "../frame/parts.js";
import { beginningOf, distance, fixedWhy, grantsOf, stateOf } from "./key-words.js";

const TONES = /** @type {const} */ ({ active: "good", expired: "warn", revoked: "bad" });

/** @param {(key: Key) => void} revoke  @returns {Column<Key>[]} */
export function columnsOf(revoke) {
  return [
    { name: "name", label: "Name", value: ({ name, id }) => [name, id], draw: (key) => lines(key.name, beginningOf(key)), order: ({ name }) => name.toLowerCase() },
    { name: "grants", label: "May", value: grantsOf, draw: (key) => lines(...grantsOf(key)) },
    momentColumn("created", "Created", "created_at", "–", true),
    momentColumn("used", "Last used", "last_used_at", "–"),
    momentColumn("expires", "Expires", "expires_at", "never"),
    { name: "state", label: "State", size: "tiny", value: stateOf, draw: (key, now) => tag(stateOf(key, now), TONES[stateOf(key, now)]), order: (key) => stateOf(key, Date.now()) },
    { name: "actions", label: "", size: "small", value: (key, now) => canBeRevoked(key, now), draw: (key, now) => action(key, now, revoke) },
  ];
}

/** @returns {Detail} */
export function detailOf() {
  const facts = new Facts();
  return {
    node: facts.node,
    update(/** @type {Key} */ key) {
      facts.set("Id", element("code", {}, key.id));
      facts.set("Begins with", element("code", {}, beginningOf(key)));
      facts.set("Subscribe", ...patterns(key.admin, key.subscribe));
      facts.set("Publish", ...patterns(key.admin, key.publish));
      facts.set("Tokens", key.admin || key.tokens ? "may mint them" : "may not mint them");
      facts.set("Created", exact(key.created_at) || "not here");
      facts.set("Last used", key.kind === "created" ? exact(key.last_used_at) || "not yet" : "not kept of this key");
      facts.set("Expires", exact(key.expires_at) || "never");
      if (key.revoked_at) facts.set("Revoked", exact(key.revoked_at));
      if (fixedWhy(key)) facts.set("Revoke", fixedWhy(key));
    },
  };
}

/** @param {boolean} all  @param {string[]} names */
function patterns(all, names) {
  if (all) return ["everything"];
  return names.length ? names.flatMap((name, index) => [...index ? [", "] : [], element("code", {}, name)]) : ["nothing"];
}

/** @param {string} name  @param {string} label  @param {"created_at" | "expires_at" | "last_used_at"} field  @param {string} none  @param {boolean} [minor]  @returns {Column<Key>} */
function momentColumn(name, label, field, none, minor) {
  return {
    name, label, minor, size: "small",
    value: (key, now) => [key[field], distance(key[field], now)],
    draw: (key, now) => key[field]
      ? element("time", { datetime: key[field], title: exact(key[field]) }, distance(key[field], now)) : element("span", { class: "quiet" }, none),
    order: (key) => key[field] ?? "",
  };
}

/** @param {Key} key  @param {number} now */
function canBeRevoked(key, now) {
  return !fixedWhy(key) && stateOf(key, now) !== "revoked";
}

/** @param {Key} key  @param {number} now  @param {(key: Key) => void} revoke */
function action(key, now, revoke) {
  const why = fixedWhy(key);
  if (why) return element("span", { class: "quiet", title: why }, key.kind === "settings" ? "In the settings" : "Built in");
  if (!canBeRevoked(key, now)) return null;
  const made = button("Revoke", () => revoke(key), "small danger");
  made.setAttribute("aria-label", `Revoke ${key.name}`);
  return made;
}
