// One row of the table, and what opens below it. Rows are made once and never change.
/** @import { Entry, EventEntry } from "./entry.js" */

import { copyButton } from "./clipboard.js";
import { element } from "./dom.js";
import { jsonView, pretty } from "./json-view.js";
import { clock, stamp } from "./words.js";

/** Characters of data in a row: more than any screen shows. */
const LINE = 400;

/**
 * What a row asks of its table.
 * @typedef {{
 *   toggle(row: Row): void, only(field: "channel" | "type", value: string): void, say(sentence: string): void,
 * }} RowHost
 */

export class Row {
  /** The row itself, and below it what is open. @type {HTMLElement[]} */
  nodes;
  button = /** @type {HTMLButtonElement | null} */ (null);
  #entry;
  #host;

  /** @param {Entry} entry  @param {RowHost} host  @param {number} now */
  constructor(entry, host, now) {
    this.#entry = entry;
    this.#host = host;
    this.nodes = [entry.kind === "note" ? noteRow(entry) : this.#eventRow(entry, now)];
  }

  get isOpen() {
    return this.nodes.length > 1;
  }

  open() {
    if (this.isOpen || this.#entry.kind !== "event") return;
    this.nodes.push(detailRow(this.#entry, this.#host));
    this.nodes[0].after(this.nodes[1]);
    this.#mark(true);
  }

  close() {
    this.nodes.splice(1).forEach((node) => node.remove());
    this.#mark(false);
  }

  remove() {
    for (const node of this.nodes) node.remove();
  }

  /** @param {boolean} open */
  #mark(open) {
    this.button?.setAttribute("aria-expanded", String(open));
    this.nodes[0].classList.toggle("open", open);
  }

  /** @param {EventEntry} entry  @param {number} now */
  #eventRow(entry, now) {
    const { channel, type, id, time } = entry;
    const [seconds, rest] = stamp(time, now);
    this.button = element("button", {
      type: "button", class: "toggle", tabindex: "-1", "aria-expanded": "false", "aria-label": `Details of ${type} on ${channel}`,
    });
    const row = element("tr", { role: "row", class: "event" },
      cell("toggle-cell", this.button),
      cell("time", element("time", { datetime: isoTime(time) }, seconds, element("span", { class: "ms" }, rest))),
      cell("channel", channel), cell("type", type), cell("data", ...dataParts(entry)), cell("id", id ?? ""));
    row.addEventListener("click", (event) => {
      const selected = getSelection();
      if (selected && !selected.isCollapsed && selected.containsNode(row, true)) return; // a text was marked, nothing asked
      if (event.target instanceof Element && event.target.closest("a")) return;
      this.#host.toggle(this);
    });
    return row;
  }
}

/** @param {string} name  @param {...(Node | string)} children */
function cell(name, ...children) {
  return element("td", { role: "cell", class: name }, ...children);
}

/** @param {EventEntry} entry */
function dataParts({ text, retained }) {
  const line = text.slice(0, LINE);
  return retained ? [element("span", { class: "tag", title: "State that the channel keeps, not news" }, "state"), " ", line] : [line];
}

/** @param {number} time */
function isoTime(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

/** @param {import("./entry.js").Note} note */
function noteRow({ tone, title, text, time }) {
  return element("tr", { role: "row", class: `note ${tone}` },
    element("td", { role: "cell", class: "note-text", colspan: "6" },
      element("span", { class: "note-time" }, clock(time)), " ", element("strong", {}, title), " ", text));
}

/** @param {EventEntry} entry  @param {RowHost} host */
function detailRow(entry, host) {
  const { id, channel, type, time, text, retained, replayed } = entry;
  const facts = element("dl", { class: "facts" });
  const fact = (/** @type {string} */ name, /** @type {(Node | string)[]} */ ...value) =>
    facts.append(element("div", {}, element("dt", {}, name), element("dd", {}, ...value)));
  fact("Channel", channel, " ", only(`Only this channel`, () => host.only("channel", channel)));
  fact("Type", type, " ", only(`Only this type`, () => host.only("type", type)));
  fact("Time", isoTime(time));
  fact("Id", id ?? (retained ? "none: state that the channel keeps" : "none: it was sent to this connection alone"));
  if (replayed) fact("Came", "from history");
  fact("Size", `${new TextEncoder().encode(text).length} bytes of data`);
  const actions = element("p", { class: "actions" },
    copyButton("Copy data", () => pretty(text), host.say),
    copyButton("Copy event", () => eventText(entry), host.say));
  return element("tr", { role: "row", class: "detail" },
    element("td", { role: "cell", colspan: "6" },
      element("div", { class: "detail-body" }, element("div", {}, facts, actions), jsonView(text))));
}

/** @param {string} label  @param {() => void} action */
function only(label, action) {
  const button = element("button", { type: "button", class: "link" }, label);
  button.addEventListener("click", action);
  return button;
}

/** @param {EventEntry} entry */
function eventText({ id, channel, type, time, text }) {
  let data = /** @type {unknown} */ (text);
  try {
    data = JSON.parse(text);
  } catch {
    // a text, then
  }
  return JSON.stringify({ id, channel, type, time: isoTime(time), data }, null, 2);
}
