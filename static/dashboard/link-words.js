// What the connection pill says: the truth about the link, in words. Pure.
/** @import { State } from "../hermes.js" */

import { counted, duration } from "./words.js";

/**
 * @typedef {"live" | "quiet" | "connecting" | "waiting" | "polling" | "offline" | "paused" | "closed"} Kind
 * @typedef {{
 *   state: State, attempts: number, retryIn: number, online: boolean, heartbeat: number, age: number | null,
 *   why: string | null, signedOut: boolean,
 * }} Link  `heartbeat` in s; `age`: ms since anything was received, null for never; `why` it ended
 * @typedef {{kind: Kind, label: string, detail: string, sentence: string}} Words
 */

/** Silence beyond one heartbeat and this, ms, is no longer called live. */
const GRACE = 3000;

/** @param {Link} link  @returns {Words} */
export function wordsOf(link) {
  const { state, attempts, retryIn, online, age } = link;
  if (state === "closed" || state === "idle") return closed(link);
  if (state === "paused") return { kind: "paused", label: "Paused", detail: "", sentence: "The stream is paused." };
  if (!online && state !== "open" && state !== "polling") {
    return { kind: "offline", label: "Offline", detail: heard(age), sentence: "This device is offline. The stream goes on when it is back." };
  }
  if (state === "waiting") {
    const wait = Math.ceil(retryIn / 1000);
    return {
      kind: "waiting", label: wait > 0 ? `Reconnecting in ${wait} s` : "Reconnecting", detail: attempt(attempts),
      sentence: "The connection is lost; reconnecting.",
    };
  }
  if (state === "connecting") {
    if (!attempts) return { kind: "connecting", label: "Connecting", detail: "", sentence: "Connecting." };
    return { kind: "waiting", label: "Reconnecting", detail: attempt(attempts), sentence: "The connection is lost; reconnecting." };
  }
  if (state === "polling") {
    return { kind: "polling", label: "Polling", detail: heard(age), sentence: "Streaming does not get through; polling instead." };
  }
  return open(link);
}

/** @param {Link} link  @returns {Words} */
function open({ age, heartbeat }) {
  if (age !== null && age > heartbeat * 1000 + GRACE) {
    return { kind: "quiet", label: "Quiet", detail: heard(age), sentence: "The connection is open, but nothing arrives." };
  }
  return { kind: "live", label: "Live", detail: heard(age), sentence: "Live." };
}

/** @param {Link} link  @returns {Words} */
function closed({ why, signedOut }) {
  if (signedOut) return { kind: "closed", label: "Signed out", detail: "", sentence: "Signed out: sign in again to go on." };
  const reason = why ?? "the stream ended";
  return { kind: "closed", label: "Closed", detail: "", sentence: `Closed: ${reason}.` };
}

/** @param {number | null} age */
export function heard(age) {
  if (age === null) return "";
  return age < 1000 ? "now" : `${duration(age)} ago`;
}

/** @param {number} attempts */
function attempt(attempts) {
  return `attempt ${attempts}`;
}

const RESETS = /** @type {Record<string, string>} */ ({
  history_truncated: "the history no longer reaches back that far",
  epoch_changed: "the store was restarted or replaced",
  unknown_cursor: "the server does not know where this page left off",
});

/** @param {{reason?: unknown, channels?: unknown}} data  @returns {[string, string]} title, text */
export function resetWords({ reason, channels }) {
  const names = Array.isArray(channels) ? channels.map(String) : [];
  const where = names.length ? ` in ${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}` : "";
  return ["Events may be missing here", `${capital(RESETS[String(reason)] ?? String(reason))}${where}.`];
}

/** After an interruption of `ms`. @param {number} ms  @param {number} attempts  @param {boolean | null} recovered  @returns {[string, string]} */
export function returnWords(ms, attempts, recovered) {
  const title = `Reconnected after ${duration(Math.max(1000, ms))}`;
  const tries = attempts > 1 ? `${counted(attempts, "attempt")}. ` : "";
  return [title, recovered ? `${tries}Nothing was missed.` : `${tries}What was sent meanwhile may be missing.`];
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
