// When the next attempt is due, and how many failed in a row.
/** @import { Env, Limits } from "./types.js" */

import { retryDelay } from "./backoff.js";

/** Open for so long, ms: earlier failures are forgotten. */
const HEALTHY = 10_000;

export class Schedule {
  #env;
  #limits;
  #attempts = 0;
  #openedAt = /** @type {number | null} */ (null);
  #timer = /** @type {unknown} */ (null);
  #open = () => {};
  #due = 0;
  #earliest = 0;

  /** @param {Env} env  @param {Limits} limits */
  constructor(env, limits) {
    this.#env = env;
    this.#limits = limits;
  }

  get attempts() {
    return this.#openedAt !== null && this.#env.now() - this.#openedAt >= HEALTHY ? 0 : this.#attempts;
  }

  /** ms */
  get retryIn() {
    return this.#timer === null ? 0 : Math.max(0, this.#due - this.#env.now());
  }

  /** True at the first sign of life. */
  opened() {
    if (this.#openedAt !== null) return false;
    this.#openedAt = this.#env.now();
    return true;
  }

  /** True if it was open. */
  ended() {
    const opened = this.#openedAt !== null;
    this.#attempts = this.attempts;
    this.#openedAt = null;
    return opened;
  }

  /** @param {{floor: number, orderly: boolean}} end  @param {() => void} open */
  wait({ floor, orderly }, open) {
    const now = this.#env.now();
    const delay = retryDelay({ attempt: this.#attempts++, floor, orderly }, this.#limits, this.#env.random);
    this.#earliest = now + Math.min(delay, floor);
    this.#open = open;
    this.#start(now + delay);
  }

  /** The page is back: what was only jitter need not be waited for, what the server asked for must. */
  hurry() {
    if (this.#timer !== null) this.#start(this.#earliest);
  }

  cancel() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
  }

  forget() {
    this.#attempts = 0;
  }

  /** @param {number} due */
  #start(due) {
    this.cancel();
    this.#due = due;
    this.#timer = this.#env.setTimeout(() => {
      this.#timer = null;
      this.#open();
    }, Math.max(0, due - this.#env.now()));
  }
}
