// The caller's token: asked for with each request, and once more when it was refused.
/** @import { Options } from "../hermes.js" */

import { TokenError } from "./errors.js";

export class TokenSource {
  #getToken;
  #refresh = false;
  #refused = false;

  /** @param {Options["getToken"]} getToken */
  constructor(getToken) {
    this.#getToken = getToken;
  }

  async get() {
    try {
      const token = await this.#getToken?.({ refresh: this.#refresh });
      this.#refresh = false;
      return token;
    } catch (cause) {
      throw new TokenError("getToken failed", { cause });
    }
  }

  accepted() {
    this.#refused = false;
  }

  expired() {
    this.#refresh = true;
  }

  /** True if it is worth another request. */
  refused() {
    if (!this.#getToken || this.#refused) return false;
    return this.#refused = this.#refresh = true;
  }
}
