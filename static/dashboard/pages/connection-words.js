// What is said of a connection. Pure.

import { bytes, counted, grouped } from "../words.js";

/**
 * As the API lists it.
 * @typedef {{
 *   connection_id: string, user_id: string | null, principal: string, address: string, node: string,
 *   channels: string[], types: string[], filters: unknown, connected_at: string,
 *   last_event_id: string | null, lag: number | null, queued: number | null,
 * }} Connection
 */

const SIGNS = /** @type {Record<string, string>} */ ({ eq: "=", ne: "≠", gt: ">", gte: "≥", lt: "<", lte: "≤", in: "in", nin: "not in", prefix: "begins with" });
/** Events behind, and bytes that wait, from which a stream is called slow. */
const SLOW_EVENTS = 100, SLOW_BYTES = 65_536;

/** @param {Pick<Connection, "user_id" | "principal">} connection */
export function titleOf({ user_id, principal }) {
  return user_id ?? principalWords(principal);
}

/** Who it is beside a user's name; empty where the user is all. @param {Pick<Connection, "user_id" | "principal">} connection */
export function subtitleOf({ user_id, principal }) {
  return user_id === null || principal === `user:${user_id}` || principal === user_id ? "" : principalWords(principal);
}

/** @param {string} principal `kind:id` */
export function principalWords(principal) {
  const [, kind, id] = /^(key|session|user):(.*)$/s.exec(principal) ?? [];
  if (kind === "key") return `API key ${id}`;
  if (kind) return kind === "session" ? "Dashboard" : "Token";
  return principal === "anonymous" ? "Anonymous" : principal;
}

/** Conditions as one line: `region = "eu", price > 5`. @param {unknown} filters */
export function filterWords(filters) {
  if (filters === null || typeof filters !== "object") return "";
  return Object.entries(filters).map(([path, wanted]) => conditionWords(path, wanted)).join(", ");
}

/** @param {string} path  @param {unknown} wanted  @returns {string} */
function conditionWords(path, wanted) {
  if (Array.isArray(wanted)) return `${path} in ${JSON.stringify(wanted)}`;
  if (wanted === null || typeof wanted !== "object") return `${path} = ${JSON.stringify(wanted)}`;
  return Object.entries(wanted).map(([operator, value]) => {
    if (operator === "exists") return `${path} ${value ? "is there" : "is not there"}`;
    return Object.hasOwn(SIGNS, operator) ? `${path} ${SIGNS[operator]} ${JSON.stringify(value)}` : conditionWords(`${path}.${operator}`, value);
  }).join(", ");
}

/** What narrows the channels, in a line. @param {Pick<Connection, "types" | "filters">} connection */
export function narrowingWords({ types, filters }) {
  return [types.length ? `types ${types.join(", ")}` : "", filterWords(filters)].filter(Boolean).join(" · ");
}

/**
 * How far a stream is behind.
 * @param {Pick<Connection, "lag" | "queued">} connection
 * @returns {{first: string, second: string, tone: "" | "quiet" | "late"}}
 */
export function lagWords({ lag, queued }) {
  if (lag === null) return { first: "unknown", second: "no answer", tone: "late" };
  const second = queued ? `${bytes(queued).join(" ")} queued` : "";
  const slow = lag >= SLOW_EVENTS || (queued ?? 0) >= SLOW_BYTES;
  return { first: lag ? counted(lag, "event") : "live", second, tone: slow ? "late" : lag || queued ? "" : "quiet" };
}

/** Beside the heading. @param {{shown: number, more: boolean, total: number, isNarrowed: boolean}} list */
export function countWords({ shown, more, total, isNarrowed }) {
  if (!shown) return "";
  if (more) return total > shown ? `${grouped(shown)} of ${counted(total, "stream")}` : `the first ${counted(shown, "stream")}`;
  return isNarrowed ? `${counted(shown, "stream")} ${shown === 1 ? "matches" : "match"}` : counted(shown, "stream");
}

/** @param {Connection} a  @param {Connection} b */
export function newestFirst(a, b) {
  return a.connected_at < b.connected_at ? 1 : a.connected_at > b.connected_at ? -1 : a.connection_id < b.connection_id ? -1 : 1;
}
