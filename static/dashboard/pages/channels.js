// Channels: which are in use, how lively they are, and what is in one.
/** @import { Frame, Page } from "../views.js" */
/** @import { Channel } from "./channel-words.js" */

import { element } from "../dom.js";
import { api } from "../frame/api.js";
import { button } from "../frame/button.js";
import { Fields, pageHead } from "../frame/fields.js";
import { age, ageOf, lines, tag } from "../frame/parts.js";
import { Pulse } from "../frame/pulse.js";
import { PagedTable } from "../frame/table.js";
import { ChannelDetail } from "./channel-detail.js";
import { countWords, isFound, rateWords } from "./channel-words.js";

/** ms between two looks. The server looks itself at most once a second. */
const CALM = 2500;
/** Asked for at once: the search is over what is here. */
const PAGE = 500;
const PRESENCE = "Says who is there";

/** @param {HTMLElement} section  @param {Frame} frame  @returns {Page} */
export function page(section, frame) {
  return new Channels(section, frame);
}

class Channels {
  #fields;
  #table;
  #head = pageHead("Channels");
  #calm = new Pulse(CALM, () => this.#table.refresh());
  #clock = new Pulse(1000, () => this.#table.draw());

  /** @param {HTMLElement} section  @param {Frame} frame */
  constructor(section, frame) {
    this.#fields = new Fields("channels", [{ name: "q", label: "Search", type: "search", placeholder: "in the names" }], (values) => {
      frame.keep(values);
      this.#table.draw();
    });
    this.#table = this.#makeTable(frame);
    section.append(this.#head.node, this.#fields.node, this.#table.node);
  }

  /** @param {URLSearchParams} query */
  show(query) {
    this.#fields.fill(query);
    this.#table.draw();
    this.#table.refresh();
    this.#calm.start();
    this.#clock.start();
  }

  hide() {
    this.#calm.stop();
    this.#clock.stop();
    this.#table.stop();
  }

  /** @param {Frame} frame */
  #makeTable(frame) {
    /** @type {PagedTable<Channel>} */
    const table = new PagedTable({
      label: "Channels", noun: "channel", say: frame.say, columns: COLUMNS, page: PAGE,
      key: ({ channel }) => channel,
      name: ({ channel }) => channel,
      passes: ({ channel }) => isFound(this.#fields.values.q, channel),
      load: (asked, signal) => api("GET", "/api/v1/channels", { query: asked, signal }),
      open: (item) => new ChannelDetail(item),
      empty: () => this.#empty(),
    });
    table.onDrawn = (shown, loaded, more) => this.#head.count(countWords(shown, loaded, more));
    return table;
  }

  #empty() {
    if (!this.#fields.isUsed) {
      return [
        element("h3", {}, "No channel is in use yet"),
        element("p", {}, "A channel needs no declaration: it is there as soon as somebody publishes to its name or subscribes to it."),
        element("p", {}, element("a", { class: "button small", href: "#/" }, "Publish an event")),
      ];
    }
    return [
      element("h3", {}, "No channel has that in its name"),
      element("p", {}, "Only the channels that are loaded are searched."),
      element("p", {}, button("Clear the search", () => this.#fields.set({ q: "" }), "small")),
    ];
  }
}

/** @type {import("../frame/row.js").Column<Channel>[]} */
const COLUMNS = [
  {
    name: "channel", label: "Channel", order: ({ channel }) => channel, value: ({ presence }) => presence,
    draw: ({ channel, presence }) => lines(channel, "", ...presence ? [tag("presence", "good", PRESENCE)] : []),
  },
  { name: "subscribers", label: "Subscribers by name", size: "medium", number: true, down: true, value: ({ subscribers }) => subscribers, order: ({ subscribers }) => subscribers },
  { name: "rate", label: "Events/s", size: "small", number: true, down: true, value: ({ rate }) => rateWords(rate), order: ({ rate }) => rate },
  {
    name: "last", label: "Last event", size: "medium", number: true, down: true, order: ({ last_event_at }) => last_event_at ?? "",
    value: ({ last_event_at }, now) => age(last_event_at, now),
    draw: ({ last_event_at }, now) => ageOf(last_event_at, now, " ago") || element("span", { class: "quiet" }, "none kept"),
  },
];
