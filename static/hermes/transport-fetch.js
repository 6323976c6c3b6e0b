// One streaming connection by fetch: request, answer, bytes into frames, silence noticed.
/** @import { Connection, Env, Sink } from "./types.js" */

import { HermesError, NetworkError, TimeoutError } from "./errors.js";
import { Parser } from "./parser.js";
import { bodyOf } from "./response.js";
import { Watchdog } from "./watchdog.js";

/** Until the first byte, ms: Hermes sends one with the headers. */
export const OPEN_TIMEOUT = 10_000;

/** @implements {Connection} */
export class FetchConnection {
  retry = 0;
  #env;
  #abort = new AbortController();
  #cause = /** @type {Error | undefined} */ (undefined);
  #watchdog;
  #held = /** @type {Promise<void> | null} */ (null);
  #release = () => {};

  /** @param {Env} env */
  constructor(env) {
    this.#env = env;
    this.#watchdog = new Watchdog(env, () => this.abort(new TimeoutError("nothing for two heartbeats")));
  }

  /** @param {Sink} sink */
  async run(sink) {
    const env = this.#env, { signal } = this.#abort;
    /** @type {unknown} */
    let timer;
    try {
      const { url, init } = await sink.request();
      if (signal.aborted) return;
      timer = env.setTimeout(() => this.abort(new TimeoutError("nothing arrived")), OPEN_TIMEOUT);
      const body = await bodyOf(await env.fetch(url, { ...init, signal }), "text/event-stream", env.date());
      const parser = new Parser({ frame: sink.frame, id: sink.id, retry: (ms) => this.retry = ms });
      const reader = body.getReader();
      for (let part; !(part = await reader.read()).done;) {
        while (this.#held) await this.#held;
        if (signal.aborted) break;
        env.clearTimeout(timer);
        this.#watchdog.alive();
        parser.push(part.value);
        sink.alive();
      }
    } catch (error) {
      throw this.#cause ?? asHermesError(error);
    } finally {
      env.clearTimeout(timer);
      this.abort();
    }
    if (this.#cause) throw this.#cause;
  }

  /** @param {number} seconds */
  expect(seconds) {
    this.#watchdog.expect(seconds);
  }

  check() {
    this.#watchdog.check();
  }

  /** Reading stops, so what comes stays with the sender. @param {boolean} on */
  hold(on) {
    this.#release();
    this.#held = on ? new Promise((resolve) => this.#release = resolve) : null;
    if (on) this.#watchdog.stop();
    else this.#watchdog.alive();
  }

  /** @param {Error} [error] */
  abort(error) {
    if (this.#abort.signal.aborted) return;
    this.#cause = error;
    this.#abort.abort();
    this.hold(false);
    this.#watchdog.stop();
  }
}

/** @param {unknown} error */
export function asHermesError(error) {
  return error instanceof HermesError ? error : new NetworkError("the connection failed or broke", { cause: error });
}
