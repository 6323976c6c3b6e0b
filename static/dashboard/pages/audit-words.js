// The audit and the limits, in words. Pure.

import { grouped } from "../words.js";

/** @typedef {{id: number, at: string, action: string, principal: string, address: string, target: string, outcome: string, count: number, detail: string}} Entry */
/** @typedef {{limit: string, setting: string, value: number, about: string}} Limit */
/** @typedef {{limit: string, who: string, times: number, since: string, last: string}} Refused */

/** What is done, as the API names it. */
export const ACTIONS = [
  "publish", "open", "send", "refuse", "kick", "key.create", "key.revoke", "token.mint", "token.revoke", "signin", "signout", "audit",
];

/** How it ended: well, or the code of the error that it was refused with. */
export const OUTCOMES = [
  "ok", "UNAUTHORIZED", "FORBIDDEN", "RATE_LIMITED", "MAX_CONNECTIONS", "INVALID_INPUT", "BAD_REQUEST", "NOT_FOUND", "TOO_LARGE",
  "IDEMPOTENCY_CONFLICT", "UNAVAILABLE", "LOST",
];

/** @param {Entry} entry */
export function isRefused({ outcome }) {
  return outcome !== "ok";
}

/** What a limit bounds, without the words that all of them share. @param {Limit} limit */
export function aboutOf({ about }) {
  return about.replace(/,? over all processes\.$/, "").replace(/\.$/, "");
}

/** @param {Refused} refused  @param {Limit[]} limits */
export function limitWords({ limit }, limits) {
  const found = limits.find((one) => one.limit === limit);
  return found ? `${aboutOf(found)}: ${found.value}` : limit;
}

/** How many are loaded. @param {number} count  @param {boolean} more on the server */
export function countWords(count, more) {
  if (!count) return "";
  return `${more ? "the newest " : ""}${grouped(count)} ${count === 1 ? "entry" : "entries"}`;
}
