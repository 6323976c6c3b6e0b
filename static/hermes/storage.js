// The cursor over page loads. Storage that is full or refused is the same as none.
/** @import { Env, Subscription } from "./types.js" */

/** A busy stream is written at most this often (ms), and when the page goes. */
const PAUSE = 500;

/** @param {URL} url  @param {Subscription} subscription */
export function storageKey(url, subscription) {
  const clean = new URL(url);
  clean.searchParams.delete("token"); // a secret
  return `hermes:${clean.href} ${JSON.stringify(subscription)}`;
}

export class CursorStore {
  #env;
  #storage = /** @type {ReturnType<Env["storage"]>} */ (undefined);
  #key;
  #timer = /** @type {unknown} */ (null);
  #pending = /** @type {string | null} */ (null);

  /** @param {Env} env  @param {"session" | "local" | false} kind  @param {string} key */
  constructor(env, kind, key) {
    this.#env = env;
    this.#key = key;
    if (kind) this.#try(() => this.#storage = env.storage(kind));
  }

  /** @returns {string | null} */
  read() {
    return this.#try(() => this.#storage?.getItem(this.#key)) || null;
  }

  /** @param {string} cursor */
  write(cursor) {
    this.#pending = cursor;
    if (this.#storage) this.#timer ??= this.#env.setTimeout(() => this.flush(), PAUSE);
  }

  flush() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    const cursor = this.#pending;
    this.#pending = null;
    if (cursor) this.#try(() => this.#storage?.setItem(this.#key, cursor));
  }

  remove() {
    this.#pending = null;
    this.flush();
    this.#try(() => this.#storage?.removeItem(this.#key));
  }

  /** Another subscription, the same cursor. @param {string} key  @param {string | null} cursor */
  move(key, cursor) {
    this.remove();
    this.#key = key;
    if (cursor) this.write(cursor);
  }

  /** @template T  @param {() => T} action */
  #try(action) {
    try {
      return action();
    } catch {
      return null;
    }
  }
}
