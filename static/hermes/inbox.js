// What frames become: events, each once and in order, and the cursor that moves with them.
/** @import { Cursor, Frame } from "./types.js" */
/** @import { HermesEvent } from "../hermes.js" */

/**
 * `<epoch>-<number>`, and what follows a `~` is a mark. Null for anything else.
 * @param {string | null} text  @returns {Cursor | null}
 */
export function parseCursor(text) {
  const match = /^([^~]*)-(\d+)(?:~.*)?$/s.exec(text ?? "");
  return match && { epoch: match[1], number: Number(match[2]) };
}

/** The types that the server itself sends. @param {string} type */
export const isControl = (type) => /^(connected|reset|heartbeat|error|close)$/.test(type);

export class Inbox {
  /** @type {string | null} */
  cursor = null;
  /** Ask for retained state with the next request: what was owed is not complete yet. */
  wantsRetained = false;
  /** Events come from history until the heartbeat that ends an opening. */
  replaying = false;
  #last = /** @type {Cursor | null} */ (null);
  #moved;

  /**
   * @param {string | null} [cursor] of an earlier page: it goes on from there, but shows nothing yet
   * @param {(cursor: string) => void} [moved]
   */
  constructor(cursor = null, moved) {
    this.moveTo(cursor);
    this.wantsRetained = this.cursor !== null;
    this.#moved = moved;
  }

  /** A connection begins. */
  begin() {
    this.replaying = this.cursor !== null;
  }

  /**
   * Goes on from `id`. False, and nothing moves, when that is behind: a stream's ids never decrease.
   * @param {string | null} id
   */
  moveTo(id) {
    const cursor = parseCursor(id);
    if (cursor && this.#last?.epoch === cursor.epoch && cursor.number < this.#last.number) return false;
    this.#last = cursor;
    this.cursor = id || null;
    if (id) this.#moved?.(id);
    return true;
  }

  /** The event of a frame, or null when it was delivered before. @param {Frame} frame  @returns {HermesEvent | null} */
  accept(frame) {
    const { type, data: text, channel, time, retained } = frame;
    const control = isControl(type);
    const id = retained ? null : frame.id;
    if (id !== null) {
      if (!control && this.#delivered(id)) return null;
      this.moveTo(id);
    }
    const data = parseData(text);
    if (type === "connected") this.replaying = (data?.recovered ?? null) !== null;
    if (type === "reset") this.replaying = true;
    if (type === "heartbeat" && id) this.replaying = this.wantsRetained = false;
    return { type, data, text, id, channel, time, replayed: this.replaying && !control && !retained, retained };
  }

  /** @param {string} id */
  #delivered(id) {
    const cursor = parseCursor(id);
    return cursor !== null && this.#last?.epoch === cursor.epoch && cursor.number <= this.#last.number;
  }
}

/** @param {string} text  @returns {any} */
export function parseData(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
