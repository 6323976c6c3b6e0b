// The newest events and notes, oldest first, each once; what is over the limit is let go and counted. Pure.
/** @import { Entry, EventEntry } from "./entry.js" */

import { identity, isBefore } from "./entry.js";

export class EventLog {
  /** Oldest first. @type {Entry[]} */
  entries = [];
  /** Older ones that were let go. */
  skipped = 0;
  #limit;
  #ids = /** @type {Set<string>} */ (new Set());
  /** Events that have an id, by what a retained copy has in common with them. */
  #numbered = /** @type {Map<string, number>} */ (new Map());
  #retained = /** @type {Map<string, EventEntry>} */ (new Map());

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
    const key = identity(entry);
    if (entry.retained) {
      if (this.#retained.has(key) || this.#numbered.has(key)) return false;
      this.#retained.set(key, entry);
    } else if (entry.id !== null) {
      if (this.#ids.has(entry.id)) return false;
      this.#ids.add(entry.id);
      this.#numbered.set(key, (this.#numbered.get(key) ?? 0) + 1);
      const copy = this.#retained.get(key);
      if (copy) this.entries.splice(this.entries.indexOf(copy), 1);
      this.#retained.delete(key);
    }
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
    const key = identity(entry);
    if (this.#retained.get(key) === entry) this.#retained.delete(key);
    if (entry.id === null) return;
    this.#ids.delete(entry.id);
    const count = (this.#numbered.get(key) ?? 0) - 1;
    if (count > 0) this.#numbered.set(key, count);
    else this.#numbered.delete(key);
  }
}
