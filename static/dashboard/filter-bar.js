// The inputs above the table: what they hold as a filter, and a filter shown in them.
/** @import { Filter } from "./filter.js" */

import { byId, setText } from "./dom.js";
import { MOST_CHANNELS, MOST_TYPES, normal, passes, SYSTEM } from "./filter.js";
import { parseList } from "./patterns.js";

/** ms after the last key until what was typed counts. */
const PAUSE = 350;

export class FilterBar {
  /** @type {(filter: Filter) => void} */
  onChange = () => {};
  #filter;
  #search = /** @type {HTMLInputElement} */ (byId("search"));
  #channels = /** @type {HTMLInputElement} */ (byId("channels"));
  #types = /** @type {HTMLInputElement} */ (byId("types"));
  #problem = byId("filter-problem");
  /** Where there is little room it opens the rest. */
  #more = byId("filters-button");
  #quick = /** @type {HTMLButtonElement[]} */ ([...byId("quick").querySelectorAll("button")]);
  #timer = 0;
  #refusal = "";

  /** @param {Filter} filter */
  constructor(filter) {
    this.#filter = filter;
    this.#fill();
    for (const input of [this.#search, this.#channels, this.#types]) {
      input.addEventListener("input", () => {
        clearTimeout(this.#timer);
        this.#timer = window.setTimeout(() => this.#read(), input === this.#search ? PAUSE / 3 : PAUSE);
      });
      input.addEventListener("change", () => this.#read());
      input.addEventListener("keydown", ({ key }) => {
        if (key === "Escape") input.blur();
      });
    }
    for (const button of this.#quick) button.addEventListener("click", () => this.#toggle(button.value));
    this.#more.addEventListener("click", () => {
      const all = byId("filters").classList.toggle("all");
      this.#more.setAttribute("aria-expanded", String(all));
    });
  }

  /** @param {Filter} filter */
  set(filter) {
    clearTimeout(this.#timer);
    this.#filter = filter;
    this.#fill();
    this.#problem.hidden = true;
    this.onChange(filter);
  }

  /** The server's word on it; an empty one when it agreed. @param {string} sentence */
  refused(sentence) {
    this.#refusal = sentence;
    this.#tell();
  }

  focusSearch() {
    this.#search.focus();
    this.#search.select();
  }

  #fill() {
    const { channels, types, search } = this.#filter;
    this.#search.value = search;
    this.#channels.value = channels.join(", ");
    this.#types.value = types.join(", ");
    this.#press();
  }

  #read() {
    clearTimeout(this.#timer);
    const channels = parseList(this.#channels.value, MOST_CHANNELS), types = parseList(this.#types.value, MOST_TYPES);
    this.#channels.setAttribute("aria-invalid", String(channels.problem !== null));
    this.#types.setAttribute("aria-invalid", String(types.problem !== null));
    const problem = channels.problem ? `Channels: ${channels.problem}` : types.problem ? `Types: ${types.problem}` : "";
    this.#tell(problem);
    if (problem) return;
    const filter = { ...this.#filter, channels: normal(channels.items), types: types.items, search: this.#search.value.trim() };
    if (JSON.stringify(filter) === JSON.stringify(this.#filter)) return;
    this.#filter = filter;
    this.#press();
    this.onChange(filter);
  }

  /** @param {string} pattern */
  #toggle(pattern) {
    const { channels } = this.#filter, all = channels.length ? channels : ["*"];
    const on = !this.#isOn(pattern);
    if (pattern === SYSTEM && (!on || all.includes("*"))) {
      this.set({ ...this.#filter, system: on, channels: channels.filter((one) => one !== SYSTEM) });
    } else {
      const next = on ? [...all, pattern] : all.filter((one) => one !== pattern);
      this.set({ ...this.#filter, channels: normal(next) });
    }
  }

  /** @param {string} pattern */
  #isOn(pattern) {
    if (pattern === SYSTEM) return passes({ ...this.#filter, types: [] }, SYSTEM, "");
    return this.#filter.channels.includes(pattern);
  }

  #press() {
    for (const button of this.#quick) button.setAttribute("aria-pressed", String(this.#isOn(button.value)));
    const { channels, types, system } = this.#filter, count = channels.length + types.length + Number(system);
    setText(this.#more, count ? `Filters · ${count}` : "Filters");
  }

  #tell(problem = this.#refusal) {
    setText(this.#problem, problem);
    this.#problem.hidden = !problem;
  }
}
