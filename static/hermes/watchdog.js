// Notices a link that died in silence. It compares clocks: timers of hidden pages come late, or all at once.
/** @import { Env } from "./types.js" */

export class Watchdog {
  #env;
  #dead;
  #timer = /** @type {unknown} */ (null);
  #limit = 61_000;
  #seen = 0;
  #date = 0;

  /** @param {Env} env  @param {() => void} dead called once for each silence */
  constructor(env, dead) {
    this.#env = env;
    this.#dead = dead;
  }

  /** Two heartbeats and a second. @param {number} seconds the heartbeat interval */
  expect(seconds) {
    if (!(seconds > 0)) return;
    this.#limit = Math.min(seconds * 2000 + 1000, 2 ** 31 - 1);
    this.stop();
    this.alive();
  }

  /** Something arrived. */
  alive() {
    this.#seen = this.#env.now();
    this.#date = this.#env.date();
    this.#timer ??= this.#env.setTimeout(this.#tick, this.#limit);
  }

  /** Is it dead? The monotonic clock stands still while some machines sleep, hence both. */
  check() {
    if (this.#timer === null) return;
    if (this.#left() > 0) return;
    this.stop();
    this.#dead();
  }

  stop() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #left() {
    return this.#limit - Math.max(this.#env.now() - this.#seen, this.#env.date() - this.#date);
  }

  #tick = () => {
    const left = this.#left();
    if (left <= 0) return this.check();
    this.#timer = this.#env.setTimeout(this.#tick, left);
  };
}
