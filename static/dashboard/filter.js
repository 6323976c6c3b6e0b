// What the table shows: channels, types, search and whether this machine's metrics are in it; how that is kept in the
// page's address, and what it asks of the server. Pure.
/** @import { Entry } from "./entry.js" */

import { fits, parseList, selects } from "./patterns.js";

/** This machine's metrics, which the charts always need. */
export const SYSTEM = "data:system";
const SYSTEM_TYPE = "data_update";
const ALL = "*";
/** What the server takes; one place each is kept for the charts. */
export const MOST_CHANNELS = 99, MOST_TYPES = 49;

/**
 * Empty `channels` are all that `*` selects, empty `types` all types; `system` shows SYSTEM where only `*` selects it.
 * @typedef {{channels: string[], types: string[], search: string, system: boolean}} Filter
 */

/** @type {Filter} */
export const NONE = { channels: [], types: [], search: "", system: false };

/** What cannot be is left out: an address may come from anywhere. @param {URLSearchParams} params  @returns {Filter} */
export function readFilter(params) {
  const list = (/** @type {string} */ name, /** @type {number} */ limit) => {
    const { items, problem } = parseList(params.get(name) ?? "", limit);
    return problem ? [] : items;
  };
  return {
    channels: normal(list("channels", MOST_CHANNELS)),
    types: list("types", MOST_TYPES),
    search: params.get("q") ?? "",
    system: params.get("system") === "1",
  };
}

/** The address's query with this filter in it; what else is there stays. @param {Filter} filter  @param {string} query */
export function writeFilter({ channels, types, search, system }, query) {
  const params = new URLSearchParams(query);
  const values = { channels: channels.join(), types: types.join(), q: search, system: system ? "1" : "" };
  for (const [name, value] of Object.entries(values)) {
    if (value) params.set(name, value);
    else params.delete(name);
  }
  // Names and patterns stay readable: a query may hold all of these as they are.
  const text = params.toString().replace(/%(2C|3A|2A|2F|40)/gi, decodeURIComponent);
  return text && `?${text}`;
}

/** `*` alone is the same as nothing. @param {string[]} channels */
export function normal(channels) {
  return channels.length === 1 && channels[0] === ALL ? [] : channels;
}

/**
 * What to subscribe to: all that the filter wants, and the charts' channel. That is always named, because a name is
 * refused to who is not signed in any more, where a pattern would just bring nothing. The table looks once more itself.
 * @param {Pick<Filter, "channels" | "types">} filter
 */
export function subscriptionOf({ channels, types }) {
  const covered = !types.length || types.some((pattern) => fits(pattern, SYSTEM_TYPE));
  return {
    channels: [...new Set([...channels.length ? channels : [ALL], SYSTEM])],
    types: covered ? types.length ? types : null : [...types, SYSTEM_TYPE],
  };
}

/** Does this event pass channels, types and the rule about SYSTEM? @param {Filter} filter  @param {string} channel  @param {string} type */
export function passes({ channels, types, system }, channel, type) {
  if (types.length && !types.some((pattern) => fits(pattern, type))) return false;
  const patterns = channels.length ? channels : [ALL];
  const quiet = channel === SYSTEM && !system;
  return patterns.some((pattern) => !(quiet && pattern === ALL) && selects(pattern, channel));
}

/** Notes always pass. @param {Filter} filter  @returns {(entry: Entry) => boolean} */
export function matcher(filter) {
  const words = filter.search.toLowerCase().split(/\s+/).filter(Boolean);
  return (entry) => {
    if (entry.kind === "note") return true;
    if (!passes(filter, entry.channel, entry.type)) return false;
    if (!words.length) return true;
    const text = entry.searched ??= `${entry.channel} ${entry.type} ${entry.id ?? ""} ${entry.text}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

/** @param {Filter} filter */
export function isNarrowed({ channels, types, search }) {
  return channels.length > 0 || types.length > 0 || search !== "";
}
