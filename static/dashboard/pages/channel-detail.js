// What opens below a channel: its newest events, its subscribers, who is there, and where to go from here.
/** @import { Channel, WholeChannel } from "./channel-words.js" */

import { element, setText } from "../dom.js";
import { api, problemOf } from "../frame/api.js";
import { Facts, ageOf, moment } from "../frame/parts.js";
import { jsonView } from "../json-view.js";
import { counted, grouped } from "../words.js";
import { channelPath, connectionsLink, eventsLink, rateWords, subscriberWords } from "./channel-words.js";

/** Newest events, and users that are there, which are shown. */
const EVENTS = 10, USERS = 100;
/** Characters of data in a line. */
const LINE = 300;

/** @typedef {WholeChannel["events"][number]} Happening */
/** @typedef {{items: {user_id: string, since: string}[], count: number}} Present */

/** A `Detail` of a table's row: what it shows is asked for again whenever the row is. */
export class ChannelDetail {
  #item;
  #facts = new Facts();
  #events = element("ol", { class: "happenings", reversed: true });
  #shown = /** @type {Map<string, HTMLElement>} */ (new Map());
  #note = element("p", { class: "hint" }, "Loading");
  #problem = element("p", { class: "problem", role: "alert", hidden: true });
  #present = element("p", { class: "chips" });
  #presence = element("div", { hidden: true }, element("h3", {}, "Present"), this.#present);
  #gone = new AbortController();
  #asking = false;

  /** @param {Channel} item */
  constructor(item) {
    const { channel } = item;
    this.#item = item;
    const links = element("p", { class: "actions" },
      element("a", { class: "button small", href: eventsLink(channel) }, "Show events"),
      element("a", { class: "button small", href: connectionsLink(channel) }, "Show connections"));
    this.node = element("div", { class: "detail-body" },
      element("div", {}, this.#facts.node, this.#presence, links),
      element("div", { class: "newest" }, element("h3", {}, "Newest events"), this.#problem, this.#note, this.#events));
    this.#facts.set("Channel", element("code", {}, channel));
    this.#ask();
  }

  /** @param {Channel} item */
  update(item) {
    if (item === this.#item) return; // drawn again, not looked up
    this.#item = item;
    this.#ask();
  }

  close() {
    this.#gone.abort();
  }

  async #ask() {
    const { channel, presence } = this.#item, path = channelPath(channel), { signal } = this.#gone;
    if (this.#asking) return;
    if (path === null) return this.#say("A browser cannot ask for a channel of this name: in an address it means a step.");
    this.#asking = true;
    try {
      const [whole, present] = await Promise.all([
        api("GET", path, { query: { limit: EVENTS }, signal }),
        presence ? api("GET", `${path}/presence`, { query: { limit: USERS }, signal }) : null,
      ]);
      this.#show(whole, present);
    } catch (error) {
      if (!signal.aborted) this.#say(problemOf(error));
    } finally {
      this.#asking = false;
    }
  }

  /** @param {string} problem */
  #say(problem) {
    setText(this.#problem, problem);
    this.#problem.hidden = !problem;
    this.#note.hidden = true;
  }

  /** @param {WholeChannel} whole  @param {Present | null} present */
  #show(whole, present) {
    this.#say("");
    this.#facts.set("Subscribers", subscriberWords(this.#item.subscribers, whole.subscribers));
    this.#facts.set("Retained", whole.retained ? `${counted(whole.retained, "key")} with a state` : "none");
    this.#facts.set("Rate", `${rateWords(whole.rate)} events/s`);
    setText(this.#note, "None of its events is in the newest part of the log.");
    this.#note.hidden = whole.events.length > 0;
    this.#list([...whole.events].reverse());
    this.#presence.hidden = present === null;
    if (present) this.#showPresent(present);
  }

  /** Those that are there stay as they are, open or not. @param {Happening[]} events newest first */
  #list(events) {
    const wanted = new Set(events.map(({ id }) => id)), now = Date.now();
    for (const [id, node] of this.#shown) {
      if (wanted.has(id)) continue;
      node.remove();
      this.#shown.delete(id);
    }
    let place = this.#events.firstChild;
    for (const event of events) {
      const node = this.#shown.get(event.id) ?? happening(event, now);
      this.#shown.set(event.id, node);
      if (node === place) place = place.nextSibling;
      else this.#events.insertBefore(node, place);
    }
  }

  /** @param {Present} present */
  #showPresent({ items, count }) {
    const now = Date.now(), rest = count - items.length;
    const chips = items.map(({ user_id, since }) => element("span", { class: "chip" }, user_id, " ", ageOf(since, now)));
    const text = chips.map((chip) => chip.textContent).join("\n");
    if (text === this.#present.dataset.seen) return;
    this.#present.dataset.seen = text;
    this.#present.replaceChildren(...chips.length ? chips : ["Nobody."], ...rest > 0 ? [`and ${grouped(rest)} more`] : []);
  }
}

/** @param {Happening} event  @param {number} now */
function happening({ type, time, data }, now) {
  const text = JSON.stringify(data);
  const fold = element("details", {}, element("summary", {},
    moment(time, now), element("span", { class: "happening-type" }, type), element("span", { class: "happening-data" }, text.slice(0, LINE))));
  fold.addEventListener("toggle", () => {
    if (fold.open && fold.childElementCount === 1) fold.append(jsonView(text));
  });
  return element("li", {}, fold);
}
