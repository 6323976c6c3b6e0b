// A page's head: its title, a count beside it, and a row of fields that narrow what is shown.

import { element, setText } from "../dom.js";

/** ms after the last key until what was typed counts. */
const PAUSE = 300;

/**
 * @typedef {{name: string, label: string, placeholder?: string, type?: "text" | "search", options?: string[]}} Field
 *   with `options` it is a choice: the first of them, "", is everything
 */

/**
 * @param {string} title  @param {...(Node | string)} rest what stands at the end of the title's line
 * @returns {{node: HTMLElement, count(text: string): void}}
 */
export function pageHead(title, ...rest) {
  const count = element("span", { class: "hint count" });
  const node = element("header", { class: "page-head" }, element("h2", {}, title), count, ...rest);
  return { node, count: (text) => setText(count, text) };
}

export class Fields {
  /** @type {HTMLElement} */
  node;
  #inputs = /** @type {Map<string, HTMLInputElement | HTMLSelectElement>} */ (new Map());
  #timer = 0;
  #told = "";
  #onChange;

  /** @param {string} page to tell ids apart  @param {Field[]} fields  @param {(values: Record<string, string>) => void} onChange */
  constructor(page, fields, onChange) {
    this.#onChange = onChange;
    this.node = element("search", { class: "page-fields" }, ...fields.map((field) => this.#field(page, field)));
    this.#told = JSON.stringify(this.values);
  }

  /** What is typed, without the space around it. */
  get values() {
    return Object.fromEntries([...this.#inputs].map(([name, input]) => [name, input.value.trim()]));
  }

  /** Shows what an address holds; true if that is something else than before. @param {URLSearchParams} query */
  fill(query) {
    clearTimeout(this.#timer);
    for (const [name, input] of this.#inputs) put(input, query.get(name) ?? "");
    const before = this.#told;
    this.#told = JSON.stringify(this.values);
    return this.#told !== before;
  }

  /** Is anything narrowed? */
  get isUsed() {
    return Object.values(this.values).some(Boolean);
  }

  /** As if it was typed. @param {Record<string, string>} values */
  set(values) {
    for (const [name, value] of Object.entries(values)) {
      const input = this.#inputs.get(name);
      if (input) put(input, value);
    }
    this.#tell();
  }

  /** Offers names while typing. @param {string} name  @param {Iterable<string>} options */
  offer(name, options) {
    const list = this.#inputs.get(name)?.parentElement?.querySelector("datalist");
    const wanted = [...options], shown = list ? [...list.options].map((option) => option.value) : [];
    if (list && wanted.join("\n") !== shown.join("\n")) list.replaceChildren(...wanted.map((value) => element("option", { value })));
  }

  #tell() {
    clearTimeout(this.#timer);
    const values = this.values, text = JSON.stringify(values);
    if (text === this.#told) return;
    this.#told = text;
    this.#onChange(values);
  }

  /** @param {string} page  @param {Field} field */
  #field(page, { name, label, placeholder = "", type = "text", options }) {
    const id = `${page}-${name}`;
    const input = options ? element("select", { id }, ...options.map((value) => element("option", { value }, value || "all")))
      : element("input", { id, type, placeholder, list: `${id}-list`, autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
    this.#inputs.set(name, input);
    input.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = window.setTimeout(() => this.#tell(), PAUSE);
    });
    input.addEventListener("change", () => this.#tell());
    const offered = options ? [] : [element("datalist", { id: `${id}-list` })];
    return element("div", { class: "field" }, element("label", { for: id }, label), input, ...offered);
  }
}

/** A choice takes what it does not offer, too: an address may be older or newer than this page. @param {HTMLInputElement | HTMLSelectElement} input  @param {string} value */
function put(input, value) {
  if (input instanceof HTMLSelectElement && ![...input.options].some((option) => option.value === value)) input.append(element("option", { value }, value));
  input.value = value;
}
