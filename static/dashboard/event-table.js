// The table of events: newest on top, drawn in a frame and not too often, and still while somebody reads.
/** @import { Entry } from "./entry.js" */
/** @import { EventLog } from "./event-log.js" */

import { Row } from "./event-row.js";

/** Pause between two drawings, ms: what comes faster than that nobody reads one by one. */
const PAUSE = 100;
/** More new rows than this in one drawing come without a highlight. */
const CALM = 2;

/** @typedef {"asked" | "reading" | "scrolled"} Reason why the table stands still */

export class EventTable {
  /** Told after each drawing. @type {(shown: {events: number, total: number}) => void} */
  onDrawn = () => {};
  /** Told when `isHeld` or `waiting` change. @type {() => void} */
  onHeld = () => {};
  /** Matching events that came since it stands still. */
  waiting = 0;
  #body;
  #scroller;
  #log;
  #host;
  #passes = /** @type {(entry: Entry) => boolean} */ (() => true);
  #rows = /** @type {Map<Entry, Row>} */ (new Map());
  #reasons = /** @type {Set<Reason>} */ (new Set());
  #still = /** @type {Entry[] | null} */ (null);
  #due = false;
  #drawnAt = -PAUSE;
  #tabStop = /** @type {HTMLButtonElement | null} */ (null);

  /**
   * @param {{
   *   body: HTMLElement, scroller: HTMLElement, sentinel: HTMLElement, log: EventLog,
   *   only: (field: "channel" | "type", value: string) => void, say: (sentence: string) => void,
   * }} parts  `sentinel` is just above the newest row
   */
  constructor({ body, scroller, sentinel, log, only, say }) {
    this.#body = body;
    this.#scroller = scroller;
    this.#log = log;
    this.#host = { toggle: (/** @type {Row} */ row) => this.#toggle(row), only, say };
    body.addEventListener("keydown", (event) => this.#move(event));
    body.addEventListener("focusin", (event) => {
      if (event.target instanceof HTMLButtonElement && event.target.matches(".toggle")) this.#stopAt(event.target);
    });
    // Either the table scrolls or the page does; a scroll event does not bubble, but is seen on its way down.
    document.addEventListener("scroll", () => {
      if (!scroller.checkVisibility()) return; // another page is shown
      const away = sentinel.getBoundingClientRect().bottom <= Math.max(0, scroller.getBoundingClientRect().top);
      if (away !== this.isAway) this.#hold("scrolled", away);
    }, { capture: true, passive: true });
  }

  get isHeld() {
    return this.#still !== null;
  }

  /** Is the newest row above what the reader sees? */
  get isAway() {
    return this.#reasons.has("scrolled");
  }

  /** Only these are shown from now on. @param {(entry: Entry) => boolean} passes */
  filter(passes) {
    this.#passes = passes;
    if (this.#still) {
      const shown = new Set(this.#still);
      this.waiting = this.#log.newest().filter((entry) => entry.kind === "event" && !shown.has(entry) && passes(entry)).length;
      this.onHeld();
    }
    this.redraw();
  }

  /** Came just now. @param {Entry} entry */
  add(entry) {
    if (!this.#log.add(entry)) return;
    if (this.#still && entry.kind === "event" && this.#passes(entry)) {
      this.waiting++;
      this.onHeld();
    }
    this.redraw();
  }

  /** Is older than what is shown. @param {Entry[]} entries */
  merge(entries) {
    if (this.#log.merge(entries) > 0 && this.#still) {
      this.#still = [...this.#log.newest()];
      this.waiting = 0;
      this.onHeld();
    }
    this.redraw();
  }

  /** At the next frame, when the last one is not too near. */
  redraw() {
    if (this.#due) return;
    this.#due = true;
    const draw = () => requestAnimationFrame(() => {
      this.#due = false;
      this.#drawnAt = performance.now();
      this.#draw();
    });
    const left = this.#drawnAt + PAUSE - performance.now();
    if (left > 0) setTimeout(draw, left);
    else draw();
  }

  pause() {
    this.#hold("asked", true);
  }

  /** Goes on at the newest. */
  resume() {
    const wasAway = this.#reasons.has("scrolled");
    this.#reasons.clear();
    this.#release();
    if (wasAway) this.#scroller.scrollIntoView({ block: "nearest" });
    this.#scroller.scrollTop = 0;
    if (wasAway && this.#body.getBoundingClientRect().top < 0) this.#scroller.scrollIntoView({ block: "start" });
  }

  /** @param {Reason} reason  @param {boolean} on */
  #hold(reason, on) {
    if (on) {
      this.#reasons.add(reason);
      this.#still ??= [...this.#log.newest()];
      this.onHeld();
    } else if (this.#reasons.delete(reason)) {
      if (this.#reasons.size) this.onHeld();
      else this.#release();
    }
  }

  #release() {
    if (!this.#still) return;
    this.#still = null;
    this.waiting = 0;
    this.onHeld();
    this.redraw();
  }

  #draw() {
    const source = this.#still ?? this.#log.newest();
    const shown = source.filter(this.#passes), wanted = new Set(shown);
    for (const [entry, row] of this.#rows) {
      if (wanted.has(entry)) continue;
      row.remove();
      this.#rows.delete(entry);
    }
    this.#insert(shown);
    if (!this.#tabStop?.isConnected) this.#stopAt(this.#body.querySelector(".toggle"));
    if (this.#reasons.has("reading") && ![...this.#rows.values()].some((row) => row.isOpen)) this.#hold("reading", false);
    this.onDrawn({ events: shown.filter((entry) => entry.kind === "event").length, total: source.length });
  }

  /** Those that are there keep their place; new ones come between. @param {Entry[]} shown oldest first */
  #insert(shown) {
    const now = Date.now(), wasEmpty = this.#rows.size === 0;
    /** @type {Row[]} */
    const made = [];
    let next = this.#body.firstChild;
    for (let index = shown.length - 1; index >= 0; index--) {
      let row = this.#rows.get(shown[index]);
      if (!row) {
        row = new Row(shown[index], this.#host, now);
        this.#rows.set(shown[index], row);
        made.push(row);
      }
      for (const node of row.nodes) {
        if (node === next) next = next.nextSibling;
        else this.#body.insertBefore(node, next);
      }
    }
    if (!wasEmpty && made.length <= CALM && shown.length > made.length) for (const row of made) row.nodes[0].classList.add("fresh");
  }

  /** @param {Row} row */
  #toggle(row) {
    if (row.isOpen) row.close();
    else row.open();
    if (row.button) this.#stopAt(row.button);
    this.#hold("reading", [...this.#rows.values()].some((one) => one.isOpen));
  }

  /** One row of the table is in the tab order, the arrow keys lead to the others. @param {HTMLButtonElement | null} button */
  #stopAt(button) {
    if (this.#tabStop) this.#tabStop.tabIndex = -1;
    this.#tabStop = button;
    if (button) button.tabIndex = 0;
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    if (!(event.target instanceof HTMLButtonElement) || !event.target.matches(".toggle")) return;
    const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (this.#body.querySelectorAll(".toggle"));
    const at = [...buttons].indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || !buttons[to]) return;
    event.preventDefault();
    buttons[to].focus();
  }
}
