// Long polling where streaming does not work: pages of JSON into the same frames, in the order of a stream. Loaded when used.
/** @import { Connection, Env, Frame, Sink } from "./types.js" */

import { FormatError, TimeoutError } from "./errors.js";
import { bodyOf } from "./response.js";
import { asHermesError } from "./transport-fetch.js";

/** How long the server may hold a request, s. */
const WAIT = 25;
/** What an answer may take on top of that, and how soon to ask again a server that does not wait, ms. */
const GRACE = 10_000, PAUSE = 1000;

/**
 * @typedef {{
 *   events: object[], cursor: string | null, reset?: object | null, retained?: object[] | null, close?: object | null,
 * }} Page
 */

/** @implements {Connection} */
export class PollConnection {
  retry = 0;
  #env;
  #abort = new AbortController();
  #cause = /** @type {Error | undefined} */ (undefined);
  #deadline = Infinity;

  /** @param {Env} env */
  constructor(env) {
    this.#env = env;
  }

  /** The first page comes at once, so that it is known soon whether polling works. @param {Sink} sink */
  async run(sink) {
    const env = this.#env, { signal } = this.#abort;
    try {
      for (let wait = 0; ; wait = WAIT) {
        const asked = env.now();
        const page = await this.#page(sink, wait);
        for (const frame of framesOf(page, env.date())) {
          if (signal.aborted) break;
          sink.frame(frame);
        }
        if (signal.aborted) break;
        sink.alive();
        if (wait && !page.events.length) await this.#sleep(PAUSE - env.now() + asked);
        if (signal.aborted) break;
      }
    } catch (error) {
      throw this.#cause ?? asHermesError(error);
    }
    if (this.#cause) throw this.#cause;
  }

  /** @param {Sink} sink  @param {number} wait  @returns {Promise<Page>} */
  async #page(sink, wait) {
    const env = this.#env, { signal } = this.#abort;
    const { url, init } = await sink.request({ poll: "1", wait: `${wait}`, limit: "200" });
    const patience = wait * 1000 + GRACE;
    this.#deadline = env.date() + patience;
    const timer = env.setTimeout(() => this.#late(), patience);
    try {
      const body = await bodyOf(await env.fetch(url, { ...init, signal }), "application/json", env.date());
      return readPage(await new Response(body).text());
    } finally {
      env.clearTimeout(timer);
      this.#deadline = Infinity;
    }
  }

  #late() {
    this.abort(new TimeoutError("no page arrived"));
  }

  /** @param {number} ms */
  async #sleep(ms) {
    if (ms <= 0) return;
    await new Promise((resolve) => {
      const timer = this.#env.setTimeout(() => resolve(null), ms);
      this.#abort.signal.addEventListener("abort", () => {
        this.#env.clearTimeout(timer);
        resolve(null);
      });
    });
  }

  expect() {}

  hold() {}

  check() {
    if (this.#env.date() > this.#deadline) this.#late();
  }

  /** @param {Error} [error] */
  abort(error) {
    if (this.#abort.signal.aborted) return;
    this.#cause = error;
    this.#abort.abort();
  }
}

/** @param {string} text  @returns {Page} */
export function readPage(text) {
  let page;
  try {
    page = JSON.parse(text);
  } catch (cause) {
    throw new FormatError("a page that is not JSON", { cause });
  }
  if (!Array.isArray(page?.events)) throw new FormatError("a page without events");
  return page;
}

/**
 * A page as the frames of an opening: reset, retained, events, a heartbeat with the cursor, close.
 * @param {Page} page  @param {number} date ms since 1970
 */
export function framesOf({ events, cursor, reset, retained, close }, date) {
  const frames = [];
  if (reset) frames.push(frameOf({ type: "reset", data: reset }));
  for (const event of retained ?? []) frames.push(frameOf({ ...event, id: null }, true));
  for (const event of events) frames.push(frameOf(event));
  frames.push(frameOf({ type: "heartbeat", id: cursor, data: { timestamp: new Date(date).toISOString() } }));
  if (close) frames.push(frameOf({ type: "close", data: close }));
  return frames;
}

/** @param {any} event  @returns {Frame} */
function frameOf({ type = "message", data = null, id = null, channel = null, time = null }, retained = false) {
  return { type, data: JSON.stringify(data), id, lastEventId: id ?? "", channel, time, retained };
}
