// The newest events and notes, oldest first, each once; what is over the limit is let go and counted. Pure.
/** @import { Entry, EventEntry } from "./entry.js" */

import { isBefore, isSameData, moment } from "./entry.js";

export class EventLog {
  /** Oldest first. @type {Entry[]} */
  entries = [];
  /** Older ones that were let go. */
  skipped = 0;
  #limit;
  #ids = /** @type {Set<string>} */ (new Set());
  /** To find an event's retained copy, and the other way round. */
  #moments = /** @type {Map<string, EventEntry[]>} */ (new Map());

  /** @param {number} limit entries that are kept */
  constructor(limit) {
    this.#limit = limit;
  }

  /** Adds what came now. False when it was here before. @param {Entry} entry */
  add(entry) {
    if (entry.kind === "event" && !this.#remember(entry)) return false;
    if (entry.kind === "event" && entry.retained) return this.#place(entry);
    this.entries.push(entry);
    // In larger steps, because that copies; readers take the newest `limit` anyway.
    if (this.entries.length >= this.#limit * 2) this.#trim();
    return true;
  }

  /** Puts older events where they belong. How many were new. @param {Iterable<Entry>} older */
  merge(older) {
    let count = 0;
    for (const entry of older) {
      if (entry.kind === "event" && this.#remember(entry) && this.#place(entry)) count++;
    }
    return count;
  }

  /** The newest ones. @returns {Entry[]} */
  newest() {
    this.#trim();
    return this.entries;
  }

  /** False when it is known. A retained copy gives way to the event itself. @param {EventEntry} entry */
  #remember(entry) {
    const key = moment(entry), peers = this.#moments.get(key) ?? [];
    if (entry.retained && peers.some((peer) => isSameData(peer, entry))) return false;
    if (entry.id !== null) {
      if (this.#ids.has(entry.id)) return false;
      this.#ids.add(entry.id);
      const copy = peers.find((peer) => peer.retained && isSameData(peer, entry));
      if (copy) this.entries.splice(this.entries.indexOf(copy), 1);
      if (copy) peers.splice(peers.indexOf(copy), 1);
    }
    peers.push(entry);
    this.#moments.set(key, peers);
    return true;
  }

  /** By order, not by arrival. False when it is older than all that is kept. @param {EventEntry} entry */
  #place(entry) {
    this.#trim();
    let at = this.entries.length;
    while (at > 0 && isBefore(entry, this.entries[at - 1])) at--;
    if (at === 0 && this.entries.length >= this.#limit) {
      this.#forget(entry);
      return false;
    }
    this.entries.splice(at, 0, entry);
    this.#trim();
    return true;
  }

  #trim() {
    const over = this.entries.length - this.#limit;
    if (over <= 0) return;
    for (const entry of this.entries.splice(0, over)) if (entry.kind === "event") this.#forget(entry);
    this.skipped += over;
  }

  /** @param {EventEntry} entry */
  #forget(entry) {
    const key = moment(entry), peers = (this.#moments.get(key) ?? []).filter((peer) => peer !== entry);
    if (peers.length) this.#moments.set(key, peers);
    else this.#moments.delete(key);
    if (entry.id !== null) this.#ids.delete(entry.id);
  }
}
