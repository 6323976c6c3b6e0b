// Something that is done again and again while a page is shown and can be seen, and at once when it is seen again.

export class Pulse {
  #action;
  #pause;
  #timer = 0;
  #on = false;

  /** @param {number} pause ms between two of them  @param {() => void} action */
  constructor(pause, action) {
    this.#pause = pause;
    this.#action = action;
    document.addEventListener("visibilitychange", () => this.#run(!document.hidden));
  }

  start() {
    this.#on = true;
    this.#run(false);
  }

  stop() {
    this.#on = false;
    clearInterval(this.#timer);
  }

  /** @param {boolean} now */
  #run(now) {
    clearInterval(this.#timer);
    if (!this.#on || document.hidden) return;
    if (now) this.#action();
    this.#timer = window.setInterval(this.#action, this.#pause);
  }
}
