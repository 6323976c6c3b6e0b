// A table of what the API lists: rows by key, page after page, looked up again without losing what is open or has the
// focus; and what is said while it loads, when it is empty, and when it cannot be had.
/** @import { Column, Detail } from "./row.js" */

import { element, setText } from "../dom.js";
import { counted, grouped } from "../words.js";
import { ApiError, problemOf } from "./api.js";
import { button } from "./button.js";
import { cellClass, TableRow } from "./row.js";

/** Items that are asked for at first and by "Load more". */
const PAGE = 100;
/** What one table holds; there are fields to narrow it. */
const MOST = 1000;
/** More new rows than this at once come without a highlight. */
const CALM = 5;

/** @template Item @typedef {{items: Item[], next: string | null}} Listed */

/**
 * @template Item
 * @typedef {{
 *   label: string, noun: string, columns: Column<Item>[],
 *   key(item: Item): string, name(item: Item): string,
 *   load(page: {limit: number, after: string | null}, signal: AbortSignal): Promise<Listed<Item>>,
 *   empty(): (Node | string)[],
 *   say(sentence: string): void,
 *   open?: (item: Item) => Detail,
 *   passes?: (item: Item) => boolean,
 *   compare?: (a: Item, b: Item) => number,
 *   page?: number,
 * }} TableOptions  `label` names the table, `noun` one item of it, `name` a certain one (in the label of its button).
 *   `empty` is what is shown when nothing is there or passes. `compare` is the order at first; without it the server's
 */

/** @template Item */
export class PagedTable {
  node;
  /** Told after each drawing: rows that are shown, that are loaded, and whether there are more. @type {(shown: number, loaded: number, more: boolean) => void} */
  onDrawn = () => {};
  /** Told what the server answered, before it is drawn. @type {(items: Item[]) => void} */
  onItems = () => {};
  #options;
  #items = /** @type {Item[]} */ ([]);
  #next = /** @type {string | null} */ (null);
  #rows = /** @type {Map<string, TableRow<Item>>} */ (new Map());
  #sorted = /** @type {{column: Column<Item>, down: boolean} | null} */ (null);
  #asking = /** @type {AbortController | null} */ (null);
  #again = false;
  #known = false;
  #heads = /** @type {Map<Column<Item>, HTMLElement>} */ (new Map());
  #body = element("tbody", { role: "rowgroup" });
  #table;
  #notice = element("div", { class: "notice", role: "alert", hidden: true });
  #empty = element("div", { class: "empty", hidden: true });
  #foot = element("p", { class: "foot", hidden: true });
  #more = button("Load more", () => this.#loadMore());
  #left = element("span", { class: "hint" });

  /** @param {TableOptions<Item>} options */
  constructor(options) {
    this.#options = options;
    this.#table = element("table", { role: "table", "aria-label": options.label, "aria-busy": "true" }, this.#head(), this.#body);
    this.#foot.append(this.#more, this.#left);
    this.node = element("div", { class: "list", tabindex: "-1" }, this.#notice, this.#table, this.#empty, this.#foot);
    this.#state();
  }

  /** Another selection: what is there goes. @returns {Promise<void>} */
  reload() {
    this.#asking?.abort();
    this.#asking = null;
    this.#known = false;
    this.#items = [];
    this.#next = null;
    this.draw();
    return this.refresh();
  }

  /** The same selection, as it is now. @returns {Promise<void>} */
  async refresh() {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    const wanted = Math.max(this.#options.page ?? PAGE, Math.min(MOST, this.#items.length));
    await this.#ask(null, [], wanted);
  }

  /** Nothing is asked any more, and what was asked counts for nothing. */
  stop() {
    this.#asking?.abort();
    this.#asking = null;
    this.#again = false;
  }

  /** An item that is known to be gone. @param {string} key */
  remove(key) {
    const left = this.#items.filter((item) => this.#options.key(item) !== key);
    if (left.length === this.#items.length) return;
    this.#items = left;
    this.draw();
  }

  /** Rows, cells and states as they are now. */
  draw() {
    const { passes, key } = this.#options, now = Date.now();
    const items = this.#inOrder(passes ? this.#items.filter(passes) : this.#items);
    const wanted = new Map(items.map((item) => [key(item), item]));
    const focus = document.activeElement, had = this.#body.contains(focus);
    this.#removeBut(wanted);
    this.#insert(wanted, now);
    if (had && focus instanceof HTMLElement && focus !== document.activeElement) {
      (focus.isConnected ? focus : this.node).focus({ preventScroll: true }); // it moved with its row, or went with it
    }
    this.#state();
    this.onDrawn(wanted.size, this.#items.length, this.#next !== null);
  }

  async #loadMore() {
    const before = this.#items.length;
    this.#more.disabled = true;
    await this.#ask(this.#next, this.#items, before + (this.#options.page ?? PAGE));
    this.#more.disabled = false;
    this.#options.say(`${counted(this.#items.length - before, `more ${this.#options.noun}`)}.`);
    if (this.#foot.hidden || this.#more.hidden) this.node.focus({ preventScroll: true });
  }

  /** @param {string | null} after  @param {Item[]} items what is there before  @param {number} wanted */
  async #ask(after, items, wanted) {
    const asking = this.#asking = new AbortController(), found = [...items];
    this.#table.setAttribute("aria-busy", String(!this.#known));
    try {
      do {
        const limit = Math.min(this.#options.page ?? PAGE, MOST, wanted - found.length);
        const page = await this.#options.load({ limit, after }, asking.signal);
        found.push(...page.items);
        after = page.next;
      } while (after !== null && found.length < wanted);
      if (this.#asking === asking) this.#take(found, after);
    } catch (error) {
      if (this.#asking === asking) this.#fail(error);
    }
    if (this.#asking !== asking) return;
    this.#asking = null;
    if (this.#again) {
      this.#again = false;
      await this.refresh();
    }
  }

  /** @param {Item[]} items  @param {string | null} next */
  #take(items, next) {
    this.#known = true;
    this.#items = items;
    this.#next = next;
    this.#notice.hidden = true;
    this.onItems(items);
    this.draw();
  }

  /** @param {unknown} error */
  #fail(error) {
    const signedOut = error instanceof ApiError && error.status === 401;
    const stale = this.#items.length ? " What is shown here is older." : "";
    const again = signedOut ? button("Sign in", () => location.reload(), "small") : button("Try again", () => this.refresh(), "small");
    const words = `${problemOf(error)}${stale}`;
    if (this.#notice.hidden || this.#notice.firstChild?.textContent !== words) this.#notice.replaceChildren(element("span", {}, words), again);
    this.#notice.hidden = false;
    this.#state();
  }

  #state() {
    const isEmpty = this.#rows.size === 0, isFull = this.#items.length >= MOST, failed = !this.#notice.hidden;
    this.#table.setAttribute("aria-busy", String(!this.#known && !failed));
    this.#table.hidden = isEmpty && (this.#known || failed);
    this.#table.classList.toggle("loading", isEmpty && !this.#known);
    this.#empty.hidden = !isEmpty || !this.#known;
    if (!this.#empty.hidden) this.#sayEmpty(this.#options.empty());
    this.#foot.hidden = this.#next === null;
    this.#more.hidden = isFull;
    setText(this.#left, isFull ? `These are the first ${grouped(MOST)}: narrow them to see others.` : `${grouped(this.#items.length)} loaded`);
  }

  /** Anew only when it is another text: there may be a button in it that has the focus. @param {(Node | string)[]} parts */
  #sayEmpty(parts) {
    const words = parts.map((part) => typeof part === "string" ? part : part.textContent).join("");
    if (words !== this.#empty.textContent) this.#empty.replaceChildren(...parts);
  }

  /** @param {Item[]} items */
  #inOrder(items) {
    const { compare } = this.#options, sorted = this.#sorted;
    if (!sorted) return compare ? [...items].sort(compare) : items;
    const order = /** @type {(item: Item) => number | string} */ (sorted.column.order), sign = sorted.down ? -1 : 1;
    return [...items].sort((a, b) => {
      const one = order(a), other = order(b);
      return one < other ? -sign : one > other ? sign : 0;
    });
  }

  /** @param {Map<string, Item>} wanted */
  #removeBut(wanted) {
    for (const [key, row] of this.#rows) {
      if (wanted.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
  }

  /** @param {Map<string, Item>} wanted in their order  @param {number} now */
  #insert(wanted, now) {
    const { columns, name, open } = this.#options, wasEmpty = this.#rows.size === 0;
    /** @type {TableRow<Item>[]} */
    const made = [];
    let place = this.#body.firstChild;
    for (const [key, item] of wanted) {
      let row = this.#rows.get(key);
      if (row) row.update(item, now);
      else made.push(row = new TableRow(item, columns, name(item), open ?? null, now));
      this.#rows.set(key, row);
      for (const node of row.nodes) {
        if (node === place) place = place.nextSibling;
        else this.#body.insertBefore(node, place);
      }
    }
    if (!wasEmpty && made.length <= CALM) for (const row of made) row.nodes[0].classList.add("fresh");
  }

  #head() {
    const row = element("tr", { role: "row" });
    if (this.#options.open) row.append(element("th", { role: "columnheader", class: "toggle-cell" }, element("span", { class: "offscreen" }, "Details")));
    for (const column of this.#options.columns) {
      const label = column.label || element("span", { class: "offscreen" }, "Actions");
      const head = element("th", { role: "columnheader", scope: "col", class: cellClass(column) }, column.order ? button(column.label, () => this.#sortBy(column), "sort") : label);
      this.#heads.set(column, head);
      row.append(head);
    }
    return element("thead", { role: "rowgroup" }, row);
  }

  /** Once more turns it round, and again leaves it. @param {Column<Item>} column */
  #sortBy(column) {
    const down = column.down ?? false, was = this.#sorted?.column === column ? this.#sorted : null;
    this.#sorted = was ? was.down === down ? { column, down: !down } : null : { column, down };
    for (const [one, head] of this.#heads) {
      const order = this.#sorted?.column === one ? this.#sorted.down ? "descending" : "ascending" : null;
      if (order) head.setAttribute("aria-sort", order);
      else head.removeAttribute("aria-sort");
    }
    this.draw();
  }
}
