// How long to wait before the next attempt. Milliseconds throughout; pure.
/** @import { Limits } from "./types.js" */

/** No server may send a client away for longer, and no timer overflows. */
const LONGEST = 3_600_000;

/**
 * Full jitter on top of what the server asked for. Its own `retry:` is spread already, so the first reconnect after
 * an orderly end waits exactly that.
 * @param {{attempt: number, floor: number, orderly?: boolean}} end
 * @param {Limits} limits  @param {() => number} random
 */
export function retryDelay({ attempt, floor, orderly = false }, { base, cap }, random) {
  const jitter = orderly && floor && !attempt ? 0 : random() * Math.min(cap, base * 2 ** Math.min(attempt, 40));
  return Math.min(LONGEST, floor) + jitter;
}

/**
 * `Retry-After` (RFC 9110, section 10.2.3) in ms, 0 when there is none that can be read.
 * @param {string | null} value  @param {number} now ms since 1970
 */
export function retryAfter(value, now) {
  const text = value?.trim() ?? "";
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return ms > 0 ? Math.min(LONGEST, ms) : 0;
}
