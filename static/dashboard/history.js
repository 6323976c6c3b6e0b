// Events from before the page was opened, so that it never begins empty where something happened.
/** @import { EventEntry } from "./entry.js" */

import { earlier } from "./cursor.js";
import { entryOfHistory } from "./entry.js";

/**
 * The events of the log's last `count` numbers up to `cursor` that match. None when they cannot be had: the stream
 * itself says what is wrong with the server.
 * @param {string} cursor  @param {{channels: string[], types: string[] | null}} subscription  @param {number} count
 * @returns {Promise<{entries: EventEntry[], events: {channel: string, data: any, time: string}[]}>}
 */
export async function eventsBefore(cursor, { channels, types }, count) {
  const after = earlier(cursor, count), none = { entries: [], events: [] };
  if (after === null) return none;
  const query = new URLSearchParams({ channels: channels.join(), after, limit: "1000", ...types && { types: types.join() } });
  try {
    const answer = await fetch(`/api/v1/events?${query}`, { headers: { Accept: "application/json" } });
    if (!answer.ok) return none;
    const { events } = await answer.json();
    return { events, entries: events.map(entryOfHistory) };
  } catch {
    return none;
  }
}
