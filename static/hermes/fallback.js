// From streaming to polling, when opens bring nothing, and the probes that lead back.
/** @import { Env } from "./types.js" */

/** Opens in a row that failed or brought no complete opening. */
const TRIES = 3;
/** Pauses between probes, ms. */
const PROBE = 60_000, LONGEST = 600_000;

export class Fallback {
  polls;
  #env;
  #auto;
  #misses = 0;
  #complete = false;
  #pause = 0;
  #timer = /** @type {unknown} */ (null);

  /** @param {Env} env  @param {string} transport */
  constructor(env, transport) {
    this.#env = env;
    this.#auto = transport === "auto";
    this.polls = transport === "poll";
  }

  /** A connection begins. */
  begin() {
    this.#complete = false;
  }

  /** Its opening came whole. */
  complete() {
    this.#complete = true;
    this.#misses = 0;
  }

  /** It ended. A server that is only down looks the same, so the first page that comes is followed by a probe. */
  ended() {
    if (this.#complete || this.polls || ++this.#misses < TRIES) return;
    this.polls = this.#auto;
    this.#pause = 0;
  }

  /** The server says that it does not stream. True if that changes anything. */
  disabled() {
    if (!this.#auto || this.polls) return false;
    this.#pause = PROBE;
    return this.polls = true;
  }

  /** Streaming works (again), or polling cannot even be loaded. */
  back() {
    if (this.#auto) this.polls = false;
    this.#misses = 0;
    this.stop();
  }

  /** @param {() => void} probe */
  later(probe) {
    if (!this.#auto || !this.polls || this.#timer !== null) return;
    this.#timer = this.#env.setTimeout(() => {
      this.#timer = null;
      probe();
    }, this.#pause * (0.75 + this.#env.random() / 2));
    this.#pause = Math.min(LONGEST, Math.max(PROBE, this.#pause * 2));
  }

  stop() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
