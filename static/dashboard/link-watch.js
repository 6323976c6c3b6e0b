// Watches the stream as a link: what was heard when, why it broke, and the notes that this leaves in the log.
/** @import { HermesEvent, Stream } from "../hermes.js" */
/** @import { Note } from "./entry.js" */

import { noteOf } from "./entry.js";
import { resetWords, returnWords } from "./link-words.js";

/** Interruptions shorter than this, ms, that lost nothing are not worth a note. */
const BRIEF = 1500;

export class LinkWatch {
  /** @type {(note: Note) => void} */
  onNote = () => {};
  /** The link may have changed. */
  onChange = () => {};
  /** The cursor of the first connect: what is older can be read from history. @type {(cursor: string) => void} */
  onFresh = () => {};
  #stream;
  #heardAt = /** @type {number | null} */ (null);
  #heartbeat = 30;
  #why = /** @type {string | null} */ (null);
  #signedOut = false;
  #since = /** @type {number | null} */ (null);
  #attempts = 0;
  #connected = false;
  #wasReset = false;
  #connection = "";

  /** @param {Stream} stream */
  constructor(stream) {
    this.#stream = stream;
    stream.on("*", () => this.#heard());
    stream.on("heartbeat", () => this.#told());
    stream.on("connected", (event) => this.#opened(event));
    stream.on("reset", ({ data }) => this.#reset(data));
    stream.on("close", ({ data }) => this.#why = `the server ended the stream (${data?.reason ?? "no reason given"})`);
    stream.on("error", (error) => this.#failed(error));
    stream.on("state", ({ state, previous, attempts }) => {
      this.#attempts = Math.max(this.#attempts, attempts);
      if (this.#connected && (previous === "open" || previous === "polling") && state !== "closed") this.#left();
      if (state === "open" || state === "polling") this.#back(state === "polling");
      this.onChange();
    });
    for (const name of ["online", "offline"]) addEventListener(name, () => this.onChange());
  }

  /** @returns {import("./link-words.js").Link} */
  get now() {
    const { state, attempts, retryIn } = this.#stream;
    return {
      state, attempts, retryIn, online: navigator.onLine, heartbeat: this.#heartbeat, why: this.#why, signedOut: this.#signedOut,
      age: this.#heardAt === null ? null : Date.now() - this.#heardAt,
    };
  }

  /** For the details of the connection. */
  get facts() {
    return {
      connection: this.#connection, heartbeat: this.#heartbeat, cursor: this.#stream.lastEventId ?? "", why: this.#why ?? "",
    };
  }

  #heard() {
    this.#heardAt = Date.now();
  }

  /** @param {HermesEvent} event */
  #opened({ data }) {
    this.#heard();
    this.#connection = String(data?.connection_id ?? "");
    if (data?.heartbeat_interval > 0) this.#heartbeat = data.heartbeat_interval;
    this.#returned(data?.recovered ?? null);
    if (!this.#connected && data?.cursor) this.onFresh(data.cursor);
    this.#connected = true;
    this.onChange();
  }

  #left() {
    if (this.#since !== null) return;
    this.#since = Date.now();
    this.#wasReset = false;
  }

  /** What was missed, where the link was away. @param {boolean | null} recovered null where nobody knows */
  #returned(recovered) {
    const ms = this.#since === null ? 0 : Date.now() - this.#since;
    // Where something is missing there is a reset, with a note of its own.
    if (this.#since !== null && recovered !== false && (ms >= BRIEF || recovered === null)) {
      const [title, text] = returnWords(ms, this.#attempts, recovered);
      this.onNote(noteOf(title, text, Date.now(), recovered ? "calm" : "warn"));
    }
    this.#since = null;
    this.#attempts = 0;
    this.#why = null;
  }

  /** A heartbeat: it ends each page of polling, which has no `connected`, but a reset where something is missing. */
  #told() {
    this.#heard();
    if (this.#stream.state === "polling" && this.#since !== null) this.#returned(!this.#wasReset);
  }

  /** @param {boolean} polling */
  #back(polling) {
    this.#heard();
    this.#signedOut = false;
    if (!polling) return;
    if (!this.#connected && this.#stream.lastEventId) {
      this.#connected = true;
      this.onFresh(this.#stream.lastEventId);
    }
  }

  /** @param {any} data */
  #reset(data) {
    this.#heard();
    this.#wasReset = true;
    const [title, text] = resetWords(data ?? {});
    this.onNote(noteOf(title, text, Date.now(), "warn"));
  }

  /** @param {import("../hermes.js").HermesError} error */
  #failed(error) {
    const { code, message, status, fatal } = error;
    this.#signedOut = fatal && (status === 401 || status === 403);
    const first = this.#why !== message;
    this.#why = message;
    if (code === "HANDLER") return;
    // A link that is away is in the pill; a server that says no belongs where the events would be.
    if (first && code !== "NETWORK" && code !== "TIMEOUT") {
      this.onNote(noteOf(fatal ? "The stream ended" : "The server refused for now", `${message} (${code}).`, Date.now(), "warn"));
    }
    this.onChange();
  }
}
