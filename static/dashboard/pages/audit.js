// The audit: who did what and how often, who was refused and why; above it, whom limits refuse now.
/** @import { Frame, Page } from "../views.js" */
/** @import { Entry } from "./audit-words.js" */

import { element } from "../dom.js";
import { api, problemOf } from "../frame/api.js";
import { button } from "../frame/button.js";
import { Fields, pageHead } from "../frame/fields.js";
import { Pulse } from "../frame/pulse.js";
import { PagedTable } from "../frame/table.js";
import { columnsOf, detailOf } from "./audit-parts.js";
import { ACTIONS, countWords, OUTCOMES } from "./audit-words.js";
import { LimitsPanel } from "./limits-panel.js";

/** Entries at first, and by "Load more". */
const PAGE = 100;
/** ms between two looks at the limits, and at the audit, which processes write so often while somebody looks. */
const SOON = 5000, CALM = 10_000;

/** @param {HTMLElement} section  @param {Frame} frame  @returns {Page} */
export function page(section, frame) {
  return new Audit(section, frame);
}

class Audit {
  #head = pageHead("Audit");
  #limits = new LimitsPanel();
  #fields;
  #table;
  #loaded = 0;
  #soon = new Pulse(SOON, () => this.#lookAtLimits());
  #calm = new Pulse(CALM, () => this.#lookAgain());

  /** @param {HTMLElement} section  @param {Frame} frame */
  constructor(section, { say, keep }) {
    this.#fields = new Fields("audit", [
      { name: "action", label: "Action", options: ["", ...ACTIONS] },
      { name: "principal", label: "Who", placeholder: "all" },
      { name: "outcome", label: "Outcome", options: ["", ...OUTCOMES] },
    ], (values) => {
      keep(values);
      this.#table.reload();
    });
    this.#table = this.#makeTable(say);
    section.append(this.#head.node, this.#limits.node, this.#fields.node, this.#table.node);
  }

  /** @param {URLSearchParams} query */
  show(query) {
    if (this.#fields.fill(query)) this.#table.reload();
    else this.#lookAgain();
    this.#lookAtLimits();
    this.#soon.start();
    this.#calm.start();
  }

  hide() {
    this.#soon.stop();
    this.#calm.stop();
    this.#table.stop();
  }

  /** @param {Frame["say"]} say */
  #makeTable(say) {
    const only = (/** @type {Record<string, string>} */ values) => this.#fields.set(values);
    /** @type {PagedTable<Entry>} */
    const table = new PagedTable({
      label: "Audit", noun: "record", say, page: PAGE, columns: columnsOf(), open: (item) => detailOf(item, only),
      key: ({ id }) => String(id),
      name: ({ action, principal }) => `${action} by ${principal}`,
      load: (asked, signal) => api("GET", "/api/v1/audit", { query: { ...this.#fields.values, ...asked }, signal }),
      empty: () => this.#fields.isUsed
        ? [element("h3", {}, "No entry matches"), element("p", {}, button("Clear the fields", () => only({ action: "", principal: "", outcome: "" }), "small"))]
        : [element("h3", {}, "Nothing has happened yet")],
    });
    table.onItems = (items) => this.#fields.offer("principal", [...new Set(items.map(({ principal }) => principal))].sort());
    table.onDrawn = (shown, _loaded, more) => {
      this.#loaded = shown;
      this.#head.count(countWords(shown, more));
    };
    return table;
  }

  async #lookAtLimits() {
    try {
      this.#limits.show(await api("GET", "/api/v1/limits"));
    } catch (error) {
      this.#limits.fail(problemOf(error));
    }
  }

  /** Who has turned pages is left to read: all of them would be asked for again. */
  #lookAgain() {
    if (this.#loaded <= PAGE) this.#table.refresh();
  }
}
