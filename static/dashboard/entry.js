// One line of the log: an event, or a note of our own about the stream. Pure.
/** @import { HermesEvent } from "../hermes.js" */

import { parseCursor } from "./cursor.js";

/**
 * @typedef {{
 *   kind: "event", id: string | null, epoch: string | null, number: number, channel: string, type: string,
 *   time: number, text: string, retained: boolean, replayed: boolean, searched?: string,
 * }} EventEntry
 * @typedef {{kind: "note", tone: "calm" | "warn", time: number, title: string, text: string}} Note
 * @typedef {EventEntry | Note} Entry
 */

/** @param {HermesEvent} event  @param {number} now ms since 1970, for events without a time  @returns {EventEntry} */
export function entryOf({ id, channel, type, time, text, retained, replayed }, now) {
  const cursor = parseCursor(id);
  const stamp = time ? Date.parse(time) : NaN;
  return {
    kind: "event", id, epoch: cursor?.epoch ?? null, number: cursor?.number ?? 0, channel: channel ?? "", type,
    time: Number.isNaN(stamp) ? now : stamp, text, retained, replayed,
  };
}

/**
 * An event of a page of history, which has its data parsed.
 * @param {{id: string, channel: string, type: string, time: string, data: unknown}} event
 */
export function entryOfHistory({ data, ...rest }) {
  return entryOf({ ...rest, data, text: JSON.stringify(data), retained: false, replayed: true }, 0);
}

/** @param {string} title  @param {string} text  @param {number} time  @param {Note["tone"]} [tone]  @returns {Note} */
export function noteOf(title, text, time, tone = "calm") {
  return { kind: "note", tone, time, title, text };
}

/** What an event and its retained copy have in common, but for their data. @param {EventEntry} entry */
export function moment({ channel, type, time }) {
  return `${time} ${channel} ${type}`;
}

/** Is the data the same? As values: 1.0 is 1, however it was written. @param {EventEntry} a  @param {EventEntry} b */
export function isSameData(a, b) {
  return a.text === b.text || canonical(a.text) === canonical(b.text);
}

/** @param {string} text */
function canonical(text) {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}

/** Does `a` come before `b`? By number where both have one of the same epoch, else by time. @param {Entry} a  @param {Entry} b */
export function isBefore(a, b) {
  if (a.kind === "event" && b.kind === "event" && a.epoch !== null && a.epoch === b.epoch) return a.number < b.number;
  return a.time < b.time;
}
