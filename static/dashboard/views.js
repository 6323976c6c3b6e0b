// The dashboard's pages, by the address's hash, and the navigation that leads to them.
//
// Overview and Events are in index.html. Every other page is a module `pages/<name>.js` that is loaded when it is first
// shown: one line in PAGES, and one link in index.html's navigation. It exports
//
//     export function page(section, frame) { ...; return { show(query) { ... }, hide() { ... } }; }
//
// `page` is called once and fills its empty <section class="page card">, beginning with an <h2>. `show` is called each time
// the reader comes to the page, and again when the part of the address behind the hash's `?` changes; `query` holds that
// part. `hide` is called when the reader leaves. Between `hide` and `show` a page asks, listens and counts nothing; what it
// shows stays where it is. The parts that pages are made of are in `frame/`, their looks in pages.css.

/**
 * What a page gets from the dashboard around it.
 * @typedef {{
 *   say(sentence: string): void,
 *   connection(): string,
 *   keep(query: Record<string, string>): void,
 * }} Frame  `say` tells screen readers; `connection` is the id of the dashboard's own stream, empty while there is none;
 *   `keep` puts what the page's filters hold into the address, without what is empty
 * @typedef {{show(query: URLSearchParams): void, hide(): void}} Page
 * @typedef {(section: HTMLElement, frame: Frame) => Page} MakePage
 */

import { byId, element } from "./dom.js";

/** In index.html, by hash. @type {Record<string, string>} */
const BUILT_IN = { "#/": "overview", "#/events": "events" };

/** By hash. @type {Record<string, () => Promise<{page: MakePage}>>} */
const PAGES = {
  "#/connections": () => import("./pages/connections.js"),
  "#/channels": () => import("./pages/channels.js"),
  "#/keys": () => import("./pages/keys.js"),
  "#/audit": () => import("./pages/audit.js"),
};

export class Views {
  #main = byId("main");
  #links = /** @type {HTMLAnchorElement[]} */ ([...byId("navigation").querySelectorAll("a")]);
  #frame;
  #hash = "";
  #sections = /** @type {Map<string, HTMLElement>} */ (new Map());
  #pages = /** @type {Map<string, Page>} */ (new Map());

  /** @param {Pick<Frame, "say" | "connection">} frame */
  constructor(frame) {
    this.#frame = frame;
    addEventListener("hashchange", () => this.#follow());
    byId("skip").addEventListener("click", (event) => {
      event.preventDefault(); // the hash is the page's
      this.#place().focus();
    });
    // Browsers leave a link that gets the focus half outside of a navigation that scrolls sideways.
    for (const link of this.#links) link.addEventListener("focus", () => reveal(link));
    this.#follow();
  }

  /** Is the table of events on the screen? */
  get hasEvents() {
    return this.#hash in BUILT_IN;
  }

  /** What the navigation calls this page; empty for the first. */
  get title() {
    return this.#hash === "#/" ? "" : this.#link(this.#hash)?.textContent ?? "";
  }

  /** To the page's own search or first filter, if it has one. */
  focusSearch() {
    const field = this.#place().querySelector(".page-fields input");
    if (!(field instanceof HTMLInputElement)) return;
    field.focus();
    field.select();
  }

  #place() {
    return this.#sections.get(this.#hash) ?? byId("log");
  }

  #follow() {
    const [hash] = split(location.hash), isKnown = hash in BUILT_IN || hash in PAGES;
    if (!isKnown && this.#hash && hash) return; // a place within the page
    const next = isKnown ? hash : "#/", isOther = next !== this.#hash;
    if (isOther) this.#move(next);
    if (next in PAGES) this.#show(next);
    if (isOther) scrollTo(0, 0);
  }

  /** @param {string} hash */
  #move(hash) {
    this.#pages.get(this.#hash)?.hide();
    this.#sections.get(this.#hash)?.toggleAttribute("hidden", true);
    this.#hash = hash;
    this.#main.dataset.view = BUILT_IN[hash] ?? nameOf(hash);
    for (const link of this.#links) {
      if (link.hash === hash) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const link = this.#link(hash);
    if (link) reveal(link);
  }

  /** @param {string} hash */
  async #show(hash) {
    const isNew = !this.#sections.has(hash), section = this.#section(hash);
    section.hidden = false;
    if (isNew) await this.#make(hash, section);
    if (hash === this.#hash) this.#pages.get(hash)?.show(new URLSearchParams(split(location.hash)[1]));
  }

  /** @param {string} hash  @param {HTMLElement} section */
  async #make(hash, section) {
    try {
      const { page } = await PAGES[hash]();
      this.#pages.set(hash, page(section, { ...this.#frame, keep: (values) => this.#keep(hash, values) }));
    } catch (error) {
      console.error(error);
      section.replaceChildren(element("p", { class: "problem", role: "alert" }, "This page could not be loaded: reload the dashboard to try again."));
    }
  }

  /** @param {string} hash */
  #section(hash) {
    let section = this.#sections.get(hash);
    if (!section) {
      section = element("section", { id: `page-${nameOf(hash)}`, class: "page card", tabindex: "-1", "aria-label": this.#link(hash)?.textContent ?? "" });
      this.#sections.set(hash, section);
      this.#main.append(section);
    }
    return section;
  }

  /** @param {string} hash  @param {Record<string, string>} values */
  #keep(hash, values) {
    if (hash !== this.#hash) return;
    const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
    history.replaceState(null, "", `${location.pathname}${location.search}${hash}${query && `?${query}`}`);
  }

  /** @param {string} hash */
  #link(hash) {
    return this.#links.find((link) => link.hash === hash);
  }
}

/** @param {HTMLElement} link */
function reveal(link) {
  link.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** @param {string} hash  @returns {[string, string]} the page's hash, and what is behind its `?` */
function split(hash) {
  const at = hash.indexOf("?");
  return at < 0 ? [hash, ""] : [hash.slice(0, at), hash.slice(at + 1)];
}

/** @param {string} hash */
function nameOf(hash) {
  return hash.replace("#/", "");
}
