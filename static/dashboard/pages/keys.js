// API keys: which there are, what each may do, a new one, and an end to one.
/** @import { Frame, Page } from "../views.js" */
/** @import { Key } from "./key-words.js" */

import { element } from "../dom.js";
import { api, part } from "../frame/api.js";
import { button } from "../frame/button.js";
import { ask } from "../frame/dialog.js";
import { Fields, pageHead } from "../frame/fields.js";
import { Pulse } from "../frame/pulse.js";
import { PagedTable } from "../frame/table.js";
import { KeyForm } from "./key-form.js";
import { columnsOf, detailOf } from "./key-parts.js";
import { KeyReveal } from "./key-reveal.js";
import { countWords, isWanted } from "./key-words.js";

const PATH = "/api/v1/keys";
/** ms between two looks: keys are made elsewhere, too, and are used. */
const CALM = 15_000;

/** @param {HTMLElement} section  @param {Frame} frame  @returns {Page} */
export function page(section, frame) {
  return new Keys(section, frame);
}

class Keys {
  #opener = button("New key", () => this.#form.toggle(), "primary small");
  #head = pageHead("API keys", this.#opener);
  #form;
  #reveal;
  #fields;
  #table;
  #say;
  #calm = new Pulse(CALM, () => this.#table.refresh());

  /** @param {HTMLElement} section  @param {Frame} frame */
  constructor(section, { say, keep }) {
    this.#say = say;
    this.#form = new KeyForm({ opener: this.#opener, say, made: (key) => this.#made(key) });
    this.#reveal = new KeyReveal(say, () => this.#opener.focus());
    this.#fields = new Fields("keys", [
      { name: "q", label: "Search", type: "search", placeholder: "name or id" },
      { name: "state", label: "State", options: ["", "active", "expired", "revoked"] },
    ], (values) => {
      keep(values);
      this.#table.draw();
    });
    this.#table = this.#makeTable();
    section.append(this.#head.node, this.#form.node, this.#reveal.node, this.#fields.node, this.#table.node);
  }

  /** @param {URLSearchParams} query */
  show(query) {
    this.#fields.fill(query);
    this.#table.draw();
    this.#table.refresh();
    this.#calm.start();
  }

  hide() {
    this.#calm.stop();
    this.#table.stop();
  }

  #makeTable() {
    /** @type {PagedTable<Key>} */
    const table = new PagedTable({
      label: "API keys", noun: "key", say: this.#say, columns: columnsOf((key) => this.#revoke(key)), open: detailOf,
      key: ({ id }) => id,
      name: ({ name }) => name,
      load: (asked, signal) => api("GET", PATH, { query: asked, signal }),
      passes: (key) => isWanted(key, this.#fields.values, Date.now()),
      empty: () => [
        element("h3", {}, "No key matches"), element("p", {}, "Only the keys that are loaded are searched."),
        element("p", {}, button("Clear the fields", () => this.#fields.set({ q: "", state: "" }), "small")),
      ],
    });
    table.onDrawn = (shown, loaded, more) => this.#head.count(countWords(shown, loaded, more));
    return table;
  }

  /** @param {Key & {key: string}} key */
  #made({ name, key }) {
    this.#reveal.show(name, key);
    this.#table.refresh();
  }

  /** @param {Key} key */
  async #revoke({ id, name }) {
    const done = await ask({
      title: "Revoke this key?",
      text: [
        element("strong", {}, name), " is refused from now on, in every process. Its streams end, and so do those of the tokens that ",
        "it minted. This cannot be taken back.",
      ],
      yes: "Revoke",
      run: () => api("DELETE", `${PATH}/${part(id)}`),
    });
    if (!done) return;
    this.#say(`The key ${name} is revoked.`);
    await this.#table.refresh();
  }
}
