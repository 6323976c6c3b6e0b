// Handlers, by event type and by pattern. A handler that throws harms neither the others nor the stream.

/** The client's own names: patterns do not match them. */
const OWN = /^(state|error|gaveup|connected|reset|heartbeat|close)$/;

/** @typedef {(event: any) => unknown} Handler */

/** @param {string} pattern `*` stands for any run of characters */
export function matcher(pattern) {
  const parts = pattern.split("*").map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s");
}

export class Emitter {
  #report;
  #exact = /** @type {Map<string, Set<Handler>>} */ (new Map());
  #patterns = /** @type {Map<string, RegExp>} */ (new Map());

  /** @param {(cause: unknown, type: string) => void} report what a handler threw */
  constructor(report) {
    this.#report = report;
  }

  /** @param {string} type  @param {Handler} handler */
  on(type, handler) {
    const handlers = this.#exact.get(type) ?? new Set();
    this.#exact.set(type, handlers.add(handler));
    if (type.includes("*")) this.#patterns.set(type, matcher(type));
    return () => this.off(type, handler);
  }

  /** @param {string} type  @param {Handler} [handler] all of that type when left out */
  off(type, handler) {
    const handlers = this.#exact.get(type);
    if (handler) handlers?.delete(handler);
    else handlers?.clear();
    if (handlers?.size) return;
    this.#exact.delete(type);
    this.#patterns.delete(type);
  }

  /** @param {string} type */
  has(type) {
    return this.#exact.has(type);
  }

  /** An event of the client's own. @param {string} type  @param {unknown} event */
  emit(type, event) {
    this.#call(this.#exact.get(type), type, event);
  }

  /** An event that somebody published. @param {string} type  @param {unknown} event */
  publish(type, event) {
    if (!OWN.test(type) && !type.includes("*")) this.emit(type, event);
    for (const [name, pattern] of [...this.#patterns]) {
      if (pattern.test(type)) this.emit(name, event);
    }
  }

  /** @param {Set<Handler> | undefined} handlers  @param {string} type  @param {unknown} event */
  #call(handlers, type, event) {
    for (const handler of [...handlers ?? []]) {
      if (!handlers?.has(handler)) continue;
      try {
        const result = /** @type {any} */ (handler(event));
        if (typeof result?.then === "function") result.then(null, (/** @type {unknown} */ cause) => this.#report(cause, type));
      } catch (cause) {
        this.#report(cause, type);
      }
    }
  }
}
