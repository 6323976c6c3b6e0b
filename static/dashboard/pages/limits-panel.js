// Above the audit: whom limits refused in the last minute, which limits hold, and whether they can.
/** @import { Forwarding } from "../forwarding.js" */
/** @import { Limit, Refused } from "./audit-words.js" */

import { element, setText } from "../dom.js";
import { warningOf } from "../warning.js";
import { clock, counted, grouped } from "../words.js";
import { aboutOf, limitWords } from "./audit-words.js";

/** Where the limits are seen without being asked for: beside them there is room for the audit. */
const ROOMY = "(min-width: 62rem) and (min-height: 50rem)";

export class LimitsPanel {
  node;
  #warning = element("div", { class: "warning", hidden: true });
  #problem = element("p", { class: "problem", role: "alert", hidden: true });
  #refused = element("ul", { class: "refused" });
  #limits = element("dl", { class: "limits" });
  #seen = "";

  constructor() {
    this.node = element("div", { class: "limits-panel" }, this.#warning, this.#problem,
      element("h3", { id: "refused-title" }, "Refused by limits in the last minute"), this.#refused,
      element("details", { class: "more", open: matchMedia(ROOMY).matches }, element("summary", {}, "Limits in force"), this.#limits));
    this.#refused.setAttribute("aria-labelledby", "refused-title");
  }

  /** @param {{limits: Limit[], refused: Refused[], forwarding: Forwarding[]}} status */
  show(status) {
    this.#problem.hidden = true;
    const seen = JSON.stringify(status);
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#warning.replaceChildren(...warningOf(status.forwarding));
    this.#warning.hidden = !this.#warning.hasChildNodes();
    const rows = status.refused.map((one) => refusedRow(one, status.limits));
    this.#refused.replaceChildren(...rows.length ? rows : [element("li", { class: "quiet" }, "Nobody.")]);
    this.#limits.replaceChildren(...status.limits.map(limitRow));
  }

  /** @param {string} sentence */
  fail(sentence) {
    setText(this.#problem, sentence);
    this.#problem.hidden = false;
  }
}

/** @param {Refused} refused  @param {Limit[]} limits */
function refusedRow(refused, limits) {
  const { who, times, last } = refused;
  return element("li", {}, element("strong", {}, who), element("span", { class: "times" }, counted(times, "time")),
    element("span", { class: "quiet" }, `${limitWords(refused, limits)} · last at ${clock(Date.parse(last))}`));
}

/** @param {Limit} limit */
function limitRow(limit) {
  return element("div", {}, element("dt", {}, aboutOf(limit), element("code", { title: limit.setting }, limit.setting)),
    element("dd", {}, limit.value ? grouped(limit.value) : "no limit"));
}
