// The one line that screen readers are told: the newest sentence, and not more than one in a while.

import { setText } from "./dom.js";

/** ms between two sentences. */
const PAUSE = 3000;

export class StatusLine {
  #line;
  #next = /** @type {string | null} */ (null);
  #timer = /** @type {number | null} */ (null);

  /** @param {HTMLElement} line */
  constructor(line) {
    this.#line = line;
  }

  /** @param {string} sentence */
  say = (sentence) => {
    this.#next = sentence;
    if (this.#timer === null) this.#show();
  };

  #show() {
    const sentence = this.#next;
    this.#next = this.#timer = null;
    if (sentence === null) return;
    setText(this.#line, sentence);
    this.#timer = window.setTimeout(() => {
      this.#timer = null;
      this.#show();
    }, PAUSE);
  }
}
