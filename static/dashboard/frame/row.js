// One item of a table: a row whose cells change in place, and what opens below it. What did not change is not touched, so
// the focus, a marked text and an open part stay.

import { element, setText } from "../dom.js";

/** @typedef {Node | string | null} Part null is left out */

/**
 * @template Item
 * @typedef {{
 *   name: string, label: string,
 *   value(item: Item, now: number): unknown,
 *   draw?(item: Item, now: number): Part | Part[],
 *   order?(item: Item): number | string,
 *   size?: "tiny" | "small" | "medium" | "large",
 *   down?: boolean, minor?: boolean, number?: boolean,
 * }} Column  `value` is what the cell depends on: its text where there is no `draw`, else the cell is drawn again when
 *   that changed (as JSON). With `order` the reader can sort by it, `down` first if that is said. Without a `size` it has what the others leave. A
 *   `minor` one is left out where there is little room. Its cells have the class `cell-<name>`; an empty label is for
 *   buttons
 */

/**
 * What opens below a row.
 * @typedef {{node: HTMLElement, update?(item: any, now: number): void, close?(): void}} Detail  `close` is called when it
 *   is gone
 */

/** @template Item */
export class TableRow {
  /** The row itself, and below it what is open. @type {HTMLElement[]} */
  nodes;
  #item;
  #columns;
  #open;
  #cells = /** @type {HTMLElement[]} */ ([]);
  #seen = /** @type {string[]} */ ([]);
  #toggle = /** @type {HTMLButtonElement | null} */ (null);
  #detail = /** @type {Detail | null} */ (null);

  /**
   * @param {Item} item  @param {Column<Item>[]} columns  @param {string} name what it is called
   * @param {((item: Item) => Detail) | null} open  @param {number} now
   */
  constructor(item, columns, name, open, now) {
    this.#item = item;
    this.#columns = columns;
    this.#open = open;
    this.nodes = [this.#make(name)];
    this.update(item, now);
  }

  get isOpen() {
    return this.nodes.length > 1;
  }

  /** @param {Item} item  @param {number} now */
  update(item, now) {
    this.#item = item;
    for (const [index, column] of this.#columns.entries()) {
      const value = column.value(item, now), seen = JSON.stringify(value) ?? "";
      if (seen === this.#seen[index]) continue;
      this.#seen[index] = seen;
      const cell = this.#cells[index];
      if (column.draw) cell.replaceChildren(...[column.draw(item, now)].flat().filter((part) => part !== null));
      else setText(cell, String(value ?? ""));
      cell.toggleAttribute("data-empty", !cell.hasChildNodes());
    }
    this.#detail?.update?.(item, now);
  }

  toggle() {
    if (this.isOpen) this.close();
    else this.open();
  }

  open() {
    if (this.isOpen || !this.#open) return;
    this.#detail = this.#open(this.#item);
    this.#detail.update?.(this.#item, Date.now());
    const colspan = String(this.#columns.length + 1);
    this.nodes.push(element("tr", { role: "row", class: "detail" }, element("td", { role: "cell", colspan }, this.#detail.node)));
    this.nodes[0].after(this.nodes[1]);
    this.#mark();
  }

  close() {
    this.nodes.splice(1).forEach((node) => node.remove());
    this.#detail?.close?.();
    this.#detail = null;
    this.#mark();
  }

  remove() {
    this.close();
    this.nodes[0].remove();
  }

  #mark() {
    this.#toggle?.setAttribute("aria-expanded", String(this.isOpen));
    this.nodes[0].classList.toggle("open", this.isOpen);
  }

  /** @param {string} name */
  #make(name) {
    const row = element("tr", { role: "row", class: this.#open ? "item opens" : "item" });
    if (this.#open) row.append(element("td", { role: "cell", class: "toggle-cell" }, this.#toggleButton(name)));
    for (const [index, column] of this.#columns.entries()) {
      const cell = element(index ? "td" : "th", {
        role: index ? "cell" : "rowheader", scope: index ? null : "row", "data-label": column.label || null, class: cellClass(column),
      });
      this.#cells.push(cell);
      row.append(cell);
    }
    if (this.#open) row.addEventListener("click", (event) => this.#clicked(event));
    return row;
  }

  /** @param {string} name */
  #toggleButton(name) {
    this.#toggle = element("button", { type: "button", class: "toggle", "aria-expanded": "false", "aria-label": `Details of ${name}` });
    return this.#toggle;
  }

  /** Anywhere in the row, but for what has its own use for a click. @param {MouseEvent} event */
  #clicked({ target }) {
    if (!(target instanceof Element) || target.closest("a, button:not(.toggle), input, label, summary")) return;
    const selected = getSelection();
    if (selected && !selected.isCollapsed && selected.containsNode(this.nodes[0], true)) return; // a text was marked
    this.toggle();
  }
}

/** @param {Column<any>} column */
export function cellClass({ name, size, minor, number }) {
  return [`cell-${name}`, size && `size-${size}`, minor && "minor", number && "number"].filter(Boolean).join(" ");
}
