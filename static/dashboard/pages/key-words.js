// What a key is and may do, in words. Pure.

import { counted, duration, grouped } from "../words.js";

const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

/**
 * A key as the API tells of it; times are ISO 8601.
 * @typedef {{
 *   id: string, name: string, kind: "created" | "settings" | "installation", subscribe: string[], publish: string[],
 *   admin: boolean, tokens: boolean, created_at: string | null, expires_at: string | null, last_used_at: string | null,
 *   revoked_at: string | null,
 * }} Key
 */

/** @typedef {"active" | "expired" | "revoked"} State */

/** @param {Key} key  @param {number} now ms since 1970  @returns {State} */
export function stateOf({ revoked_at, expires_at }, now) {
  if (revoked_at) return "revoked";
  return expires_at && Date.parse(expires_at) <= now ? "expired" : "active";
}

/** Why nobody can revoke it here; empty where one can. @param {Key} key */
export function fixedWhy({ kind }) {
  if (kind === "settings") return "Not here: it is one of HERMES_API_KEYS. Take it out there and restart Hermes.";
  if (kind === "installation") return "Not here: it counts as long as HERMES_API_KEYS is not set. Set that and restart Hermes.";
  return "";
}

/** How a key's text begins; of the installation's own where it is. @param {Key} key */
export function beginningOf({ id, kind }) {
  if (kind === "created") return `hk_${id}_…`;
  return kind === "settings" ? `${id.replace(/-[0-9a-f]{4}$/, "")}…` : "data/admin.key";
}

/** What it may do, in two lines. @param {Key} key  @returns {[string, string]} */
export function grantsOf({ subscribe, publish, admin, tokens }) {
  if (admin) return ["everything", "administrator"];
  const rights = [
    ...subscribe.length ? [`subscribe ${subscribe.join(", ")}`] : [], ...publish.length ? [`publish ${publish.join(", ")}`] : [],
    ...tokens ? ["mint tokens"] : [],
  ];
  const [first = "nothing", ...rest] = rights;
  return [first, rest.join(" · ")];
}

/** How many there are. @param {number} shown  @param {number} loaded  @param {boolean} more on the server */
export function countWords(shown, loaded, more) {
  if (!loaded) return "";
  const all = `${counted(loaded, "key")}${more ? " and more" : ""}`;
  return shown === loaded ? all : `${grouped(shown)} of ${all}`;
}

/** Is it one that the fields ask for? @param {Key} key  @param {{q?: string, state?: string}} values  @param {number} now */
export function isWanted(key, { q = "", state = "" }, now) {
  const text = `${key.name} ${key.id}`.toLowerCase();
  return text.includes(q.toLowerCase()) && (!state || stateOf(key, now) === state);
}

/** How far a moment is away. @param {string | null} time  @param {number} now ms since 1970  @returns {string} empty without a time */
export function distance(time, now) {
  const ms = Date.parse(time ?? "") - now;
  if (Number.isNaN(ms)) return "";
  if (ms > 0) return `in ${duration(rounded(ms))}`;
  return -ms < MINUTE ? "just now" : `${duration(-ms)} ago`;
}

/** What lasts for 90 days does so a second later, too. @param {number} ms */
function rounded(ms) {
  const unit = ms >= DAY ? DAY : ms >= HOUR ? HOUR : MINUTE;
  return Math.max(unit, Math.round(ms / unit) * unit);
}
