// How a connection is drawn: the cells of its row, and what opens below.
/** @import { Column, Detail } from "../frame/row.js" */
/** @import { Connection } from "./connection-words.js" */

import { element } from "../dom.js";
import { api, part } from "../frame/api.js";
import { button } from "../frame/button.js";
import { age, ageOf, exact, Facts, lines, tag } from "../frame/parts.js";
import { jsonView } from "../json-view.js";
import { lagWords, narrowingWords, principalWords, subtitleOf, titleOf } from "./connection-words.js";

/**
 * What rows ask of the page.
 * @typedef {{
 *   isOwn(item: Connection): boolean, only(values: Record<string, string>): void,
 *   disconnect(item: Connection, all: boolean): void,
 * }} Host
 */

/** @param {Host} host  @returns {Column<Connection>[]} */
export function columnsOf(host) {
  return [
    {
      name: "who", label: "Who", size: "medium", order: titleOf,
      value: (item) => host.isOwn(item),
      draw: (item) => lines(titleOf(item), subtitleOf(item), ...host.isOwn(item) ? [tag("this page", "good")] : []),
    },
    { name: "where", label: "Address and node", size: "large", minor: true, value: () => null, draw: ({ address, node }) => lines(address, node) },
    {
      name: "channels", label: "Channels", value: ({ channels, types, filters }) => [channels, types, filters],
      draw: (item) => lines(item.channels.join(", ") || "none", narrowingWords(item)),
    },
    {
      name: "age", label: "Age", size: "tiny", order: ({ connected_at }) => -Date.parse(connected_at),
      value: ({ connected_at }, now) => age(connected_at, now), draw: ({ connected_at }, now) => ageOf(connected_at, now),
    },
    {
      name: "lag", label: "Behind", size: "small", down: true, order: ({ lag, queued }) => lag === null ? Infinity : lag + (queued ?? 0) / 1e12,
      value: lagWords,
      draw(item) {
        const { first, second, tone } = lagWords(item);
        return element("span", { class: tone || null }, ...lines(first, second).filter((one) => one !== null));
      },
    },
    { name: "cursor", label: "Last event id", size: "small", minor: true, value: ({ last_event_id }) => last_event_id ?? "" },
    {
      name: "actions", label: "", size: "small", value: (item) => host.isOwn(item),
      draw: (item) => host.isOwn(item) ? null : named(button("Disconnect", () => host.disconnect(item, false), "small danger"), `Disconnect ${titleOf(item)}, ${item.address}`),
    },
  ];
}

/** @param {Connection} item  @param {Host} host  @returns {Detail} */
export function detailOf(item, host) {
  const facts = new Facts(), gone = new AbortController(), right = element("div", {});
  const { user_id, connection_id } = item;
  facts.set("Connection", element("code", {}, connection_id));
  facts.set("User", ...user_id === null ? ["none"] : [user_id, " ", button("Only this user", () => host.only({ user: user_id }), "link")]);
  facts.set("Access", principalWords(item.principal), ...item.principal.startsWith("session:") ? [", by a browser’s session"] : []);
  facts.set("Address", item.address);
  facts.set("Node", item.node, " ", button("Only this node", () => host.only({ node: item.node }), "link"));
  subscription(right, item);
  api("GET", `/api/v1/connections/${part(connection_id)}`, { signal: gone.signal }).then((whole) => subscription(right, whole), () => {});
  return {
    node: element("div", { class: "detail-body" }, element("div", {}, facts.node, actions(item, host)), right),
    update(now, time) {
      facts.set("Connected", exact(now.connected_at), `, ${age(now.connected_at, time)} ago`);
      facts.set("Last event id", now.last_event_id ?? "unknown");
      const { first, second } = lagWords(now);
      facts.set("Behind", second ? `${first}, ${second}` : first);
    },
    close: () => gone.abort(),
  };
}

/** What it gets: in a list it may be cut. @param {HTMLElement} place  @param {Connection} item */
function subscription(place, { channels, types, filters }) {
  const chips = (/** @type {string[]} */ names, /** @type {string} */ none) => names.length ? element("p", { class: "chips" }, ...names.map((name) => element("code", {}, name))) : element("p", { class: "hint" }, none);
  place.replaceChildren(
    element("h3", {}, "Channels"), chips(channels, "None."),
    element("h3", {}, "Types"), chips(types, "All."),
    ...filters === null ? [] : [element("h3", {}, "Filter"), jsonView(JSON.stringify(filters))]);
}

/** The row has a button for this one stream. @param {Connection} item  @param {Host} host */
function actions(item, host) {
  const { user_id } = item;
  if (user_id === null || part(user_id) === null) return "";
  return element("p", { class: "actions" }, button("Disconnect all of this user", () => host.disconnect(item, true), "small danger"));
}

/** @param {HTMLButtonElement} target  @param {string} label what a screen reader says instead */
function named(target, label) {
  target.setAttribute("aria-label", label);
  return target;
}
