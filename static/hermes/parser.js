// The event-stream format (WHATWG HTML, section 9.2.6) and Hermes' extra field lines: bytes in, frames out.
/** @import { ParserSink } from "./types.js" */

import { FormatError } from "./errors.js";

/** Characters of one event; Hermes' own are at most 64 kB. */
export const LIMIT = 1 << 20;

export class Parser {
  #sink;
  #limit;
  #decoder = new TextDecoder(); // takes the one BOM at the start, and characters split between chunks
  #eol = /\r\n?|\n/g;
  #line = ""; // only ever appended to until it is complete: looking into it for each chunk would be quadratic
  #cr = false;
  #held = 0;
  #lastEventId = "";
  #id = /** @type {string | null} */ (null);
  #data = "";
  #type = "";
  #channel = /** @type {string | null} */ (null);
  #time = /** @type {string | null} */ (null);
  #retained = false;

  /** @param {ParserSink} sink  @param {number} [limit] characters */
  constructor(sink, limit = LIMIT) {
    this.#sink = sink;
    this.#limit = limit;
  }

  /** @param {Uint8Array} bytes  @throws {FormatError} when an event outgrows the limit */
  push(bytes) {
    const text = this.#decoder.decode(bytes, { stream: true });
    if (!text) return;
    let start = this.#cr && text[0] === "\n" ? 1 : 0;
    this.#cr = false;
    const eol = this.#eol;
    for (let match; eol.lastIndex = start, match = eol.exec(text);) {
      const line = this.#line + text.slice(start, match.index);
      start = eol.lastIndex;
      this.#cr = match[0] === "\r" && start === text.length;
      this.#line = "";
      this.#bound(line.length);
      this.#take(line);
    }
    this.#line += text.slice(start);
    this.#bound(this.#line.length);
  }

  /** @param {number} length */
  #bound(length) {
    if (this.#held + length > this.#limit) throw new FormatError(`event larger than ${this.#limit} characters`);
  }

  /** @param {string} line */
  #take(line) {
    if (!line) return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment
    this.#held += line.length;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    switch (name) {
      case "data": this.#data += value + "\n"; break;
      case "event": this.#type = value; break;
      case "id": if (!value.includes("\0")) this.#id = value; break;
      case "retry": if (/^[0-9]+$/.test(value)) this.#sink.retry(Number(value)); break;
      case "channel": this.#channel = value; break;
      case "time": this.#time = value; break;
      case "retained": this.#retained = value === "1";
    }
  }

  #dispatch() {
    const id = this.#id, data = this.#data;
    if (id !== null) this.#lastEventId = id;
    const frame = {
      type: this.#type || "message", data: data.slice(0, -1), id, lastEventId: this.#lastEventId,
      channel: this.#channel, time: this.#time, retained: this.#retained,
    };
    this.#held = 0;
    this.#data = this.#type = "";
    this.#id = this.#channel = this.#time = null;
    this.#retained = false;
    if (data) this.#sink.frame(frame);
    else if (id !== null) this.#sink.id(id);
  }
}
