// What is asked of the server: a subscription in one order, its URL and its headers. Pure.
/** @import { BuiltRequest, Subscription } from "./types.js" */
/** @import { Subscribing } from "../hermes.js" */

import { OptionError } from "./errors.js";

/** @param {string} name  @param {unknown} value */
function names(name, value) {
  const list = typeof value === "string" ? value.split(",") : value;
  if (!Array.isArray(list) || list.some((item) => typeof item !== "string" || item.includes(","))) {
    throw new OptionError(`${name} must be an array of strings`);
  }
  return [...new Set(list.map((item) => item.trim()).filter(Boolean))].sort();
}

/** @param {Subscribing} options  @returns {Subscription} */
export function toSubscription({ channels, types, filters }) {
  if (filters != null && typeof filters !== "object") throw new OptionError("filters must be an object");
  return {
    ...channels != null && { channels: names("channels", channels) },
    ...types != null && { types: names("types", types) },
    ...filters != null && { filters },
  };
}

/** What is left out stays, null removes. @param {Subscription} previous  @param {Subscribing} changes */
export function merge(previous, changes) {
  const named = Object.entries(changes).filter(([, value]) => value !== undefined);
  return toSubscription({ ...previous, ...Object.fromEntries(named) });
}

/** Can `next` show anything that `previous` did not? @param {Subscription} previous  @param {Subscription} next */
export function widens(previous, next) {
  const rest = (/** @type {Subscription} */ { types, filters }) => JSON.stringify([types, filters]);
  return !next.channels || rest(previous) !== rest(next) ||
    !next.channels.every((name) => previous.channels?.includes(name));
}

/**
 * @param {{
 *   url: URL, origin: string | null, subscription: Subscription, cursor: string | null, retained?: "0" | "1",
 *   connection?: string | null, token?: string | null, headers?: Record<string, string>,
 *   credentials?: RequestCredentials, query?: Record<string, string>,
 * }} of  `origin` is our own, null where there is none
 * @returns {BuiltRequest}
 */
export function buildRequest(of) {
  const { subscription: { channels, types, filters }, cursor, token } = of;
  const url = new URL(of.url), query = url.searchParams;
  const headers = new Headers(of.headers);
  headers.set("Accept", of.query ? "application/json" : "text/event-stream, application/json");
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (channels) query.set("channels", channels.join());
  if (types) query.set("types", types.join());
  if (filters) query.set("filters", JSON.stringify(filters));
  if (of.retained) query.set("retained", of.retained);
  if (of.connection) query.set("connection", of.connection);
  if (cursor) {
    for (const name of ["last_event_id", "lastEventId", "Last-Event-ID"]) query.delete(name);
    // To another origin the header alone would cost a preflight: fetch does not count it among the safe ones.
    if ((of.origin ?? url.origin) === url.origin && isPlain(cursor)) headers.set("Last-Event-ID", cursor);
    else query.set("last_event_id", cursor);
  }
  for (const [name, value] of Object.entries(of.query ?? {})) query.set(name, value);
  return { cursor, url: url.href, init: { headers, credentials: of.credentials ?? "same-origin", cache: "no-store" } };
}

/** Fit for a header that proxies and CORS let pass. @param {string} text */
export function isPlain(text) {
  return text.length <= 128 && /^[!#-'*-9;=A-Z^-z|~]+$/.test(text);
}
