// Connections: who is connected, over all processes, live while it is shown; and disconnecting.
/** @import { Stream } from "../../hermes.js" */
/** @import { Frame, Page } from "../views.js" */
/** @import { Connection } from "./connection-words.js" */

import { connect } from "/static/hermes.js";
import { element } from "../dom.js";
import { api } from "../frame/api.js";
import { button } from "../frame/button.js";
import { Fields, pageHead } from "../frame/fields.js";
import { Pulse } from "../frame/pulse.js";
import { PagedTable } from "../frame/table.js";
import { askToDisconnect } from "./connection-ask.js";
import { columnsOf, detailOf } from "./connection-parts.js";
import { countWords, newestFirst, titleOf } from "./connection-words.js";

/** ms between two looks at lag and the like. */
const CALM = 5000;
/** ms after a join until the list is looked up, and so much more for each row: a long one costs the server something. */
const SOON = 400, SOON_EACH = 5;
/** Names that a field offers. */
const OFFERED = 50;
const NONE = { user: "", channel: "", node: "" };

/** @param {HTMLElement} section  @param {Frame} frame  @returns {Page} */
export function page(section, frame) {
  return new Connections(section, frame);
}

class Connections {
  #frame;
  #stream = /** @type {Stream | null} */ (null);
  /** Those of this page's own stream: more than one after it was interrupted. */
  #own = /** @type {Set<string>} */ (new Set());
  /** Those that left, as far as the list may still have them. */
  #gone = /** @type {Set<string>} */ (new Set());
  #loaded = 0;
  #total = 0;
  #soon = 0;
  #head = pageHead("Connections");
  #fields;
  #table;
  #calm = new Pulse(CALM, () => this.#table.refresh());
  #clock = new Pulse(1000, () => this.#table.draw());

  /** @param {HTMLElement} section  @param {Frame} frame */
  constructor(section, frame) {
    this.#frame = frame;
    this.#fields = new Fields("connections", [
      { name: "user", label: "User", placeholder: "all" },
      { name: "channel", label: "Gets channel", placeholder: "all" },
      { name: "node", label: "Node", placeholder: "all" },
    ], (values) => {
      frame.keep(values);
      this.#table.reload();
    });
    this.#table = this.#makeTable();
    section.append(this.#head.node, this.#fields.node, this.#table.node);
  }

  /** @param {URLSearchParams} query */
  show(query) {
    if (this.#fields.fill(query)) this.#table.reload();
    else this.#table.refresh();
    if (this.#stream) return;
    this.#listen();
    this.#calm.start();
    this.#clock.start();
  }

  hide() {
    this.#stream?.close();
    this.#stream = null;
    this.#own.clear();
    clearTimeout(this.#soon);
    this.#soon = 0;
    this.#calm.stop();
    this.#clock.stop();
    this.#table.stop();
  }

  #makeTable() {
    const host = {
      isOwn: (/** @type {Connection} */ { connection_id: id }) => id === this.#frame.connection() || this.#own.has(id),
      only: (/** @type {Record<string, string>} */ values) => this.#fields.set(values),
      disconnect: (/** @type {Connection} */ item, /** @type {boolean} */ all) => this.#disconnect(item, all),
    };
    /** @type {PagedTable<Connection>} */
    const table = new PagedTable({
      label: "Connections", noun: "stream", say: this.#frame.say, compare: newestFirst,
      columns: columnsOf(host),
      key: ({ connection_id }) => connection_id,
      name: (item) => `the stream of ${titleOf(item)}`,
      passes: ({ connection_id }) => !this.#gone.has(connection_id),
      load: (asked, signal) => this.#load(asked, signal),
      open: (item) => detailOf(item, host),
      empty: () => this.#empty(),
    });
    table.onItems = (items) => this.#seen(items);
    table.onDrawn = (shown, loaded, more) => {
      this.#loaded = loaded;
      this.#head.count(countWords({ shown, more, total: this.#total, isNarrowed: this.#fields.isUsed }));
    };
    return table;
  }

  /** @param {{limit: number, after: string | null}} asked  @param {AbortSignal} signal */
  async #load(asked, signal) {
    const found = await api("GET", "/api/v1/connections", { query: { ...this.#fields.values, ...asked }, signal });
    const isPart = found.next && !this.#fields.isUsed;
    this.#total = isPart ? (await api("GET", "/api/v1/events/health", { signal })).active_connections : 0;
    return found;
  }

  /** @param {Connection[]} items */
  #seen(items) {
    const listed = new Set(items.map(({ connection_id }) => connection_id));
    for (const id of this.#gone) if (!listed.has(id)) this.#gone.delete(id);
    const offer = (/** @type {string} */ name, /** @type {string[]} */ found) => this.#fields.offer(name, [...new Set(found)].sort().slice(0, OFFERED));
    offer("user", items.flatMap(({ user_id }) => user_id ?? []));
    offer("channel", items.flatMap(({ channels }) => channels.filter((name) => !name.includes("*"))));
    offer("node", items.map(({ node }) => node));
  }

  #empty() {
    if (!this.#fields.isUsed) return [element("h3", {}, "Nobody is connected"), element("p", {}, "A stream appears here as soon as it opens.")];
    return [
      element("h3", {}, "No stream matches"),
      element("p", {}, "The fields take the whole id of a user, the name of a channel that the stream gets, the whole name of a node."),
      element("p", {}, button("Clear the fields", () => this.#fields.set(NONE), "small")),
    ];
  }

  #listen() {
    const stream = this.#stream = connect("/api/v1/events/stream", { channels: ["hermes:connections"], persist: false });
    stream.on("connected", ({ data }) => {
      this.#own.add(data.connection_id);
      this.#refreshSoon();
    });
    stream.on("client_connected", () => this.#refreshSoon());
    stream.on("client_disconnected", ({ data: { clients, count } }) => {
      this.#left(clients.map((/** @type {Connection} */ { connection_id }) => connection_id));
      if (count > clients.length) this.#refreshSoon();
    });
    stream.on("error", () => {}); // the dashboard's own stream says what is wrong with the server
  }

  #refreshSoon() {
    this.#soon ||= window.setTimeout(() => {
      this.#soon = 0;
      this.#table.refresh();
    }, SOON + SOON_EACH * this.#loaded);
  }

  /** @param {string[]} ids */
  #left(ids) {
    for (const id of ids) this.#gone.add(id);
    this.#table.draw();
  }

  /** @param {Connection} item  @param {boolean} all of its user */
  async #disconnect(item, all) {
    const ended = await askToDisconnect(item, all);
    if (ended === null) return;
    if (all) this.#table.refresh();
    else this.#left([item.connection_id]);
    this.#frame.say(ended);
  }
}
