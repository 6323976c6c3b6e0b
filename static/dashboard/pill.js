// The connection pill: a shape, a word and an age; what is behind it on request.
/** @import { LinkWatch } from "./link-watch.js" */
/** @import { Kind } from "./link-words.js" */

import { byId, setText } from "./dom.js";
import { heard, wordsOf } from "./link-words.js";

/** One shape each, so that colour is never all there is. @type {Record<Kind, string>} */
const SHAPES = {
  live: "M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3Z",
  quiet: "M8 2.2 14.4 13.4H1.6Z",
  connecting: "M8 3a5 5 0 1 0 5 5h-2.4A2.6 2.6 0 1 1 8 5.4Z",
  waiting: "M8 3a5 5 0 1 0 5 5h-2.4A2.6 2.6 0 1 1 8 5.4Z",
  polling: "M8 1.8 14.2 8 8 14.2 1.8 8Z",
  offline: "M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3Zm0 2.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6Z",
  paused: "M4 3h3v10H4Zm5 0h3v10H9Z",
  closed: "M3.5 3.5h9v9h-9Z",
};

export class Pill {
  #watch;
  #say;
  #title;
  #sentence = "";
  #pill = byId("pill");
  #shape = byId("pill-shape");
  #label = byId("pill-label");
  #detail = byId("pill-detail");
  #again = byId("reconnect");
  #signin = byId("signin-again");
  #banner = byId("banner");

  /** @param {LinkWatch} watch  @param {(sentence: string) => void} say  @param {() => string} title of what is shown */
  constructor(watch, say, title) {
    this.#watch = watch;
    this.#say = say;
    this.#title = title;
  }

  draw() {
    const link = this.#watch.now, { kind, label, detail, sentence } = wordsOf(link);
    if (this.#pill.dataset.kind !== kind) this.#shape.setAttribute("d", SHAPES[kind]);
    this.#pill.dataset.kind = kind;
    setText(this.#label, label);
    setText(this.#detail, detail);
    this.#signin.hidden = !link.signedOut;
    this.#again.hidden = link.signedOut || kind === "live";
    this.#banner.hidden = kind !== "closed";
    setText(byId("banner-text"), sentence);
    const state = kind === "live" || kind === "connecting" ? "" : label;
    document.title = [state, this.#title(), "Hermes"].filter(Boolean).join(" · ");
    if (byId("connection").matches(":popover-open")) this.#details(sentence, link.age);
    if (sentence !== this.#sentence) {
      this.#sentence = sentence;
      this.#say(sentence);
    }
  }

  /** @param {string} sentence  @param {number | null} age */
  #details(sentence, age) {
    const { connection, heartbeat, cursor, why } = this.#watch.facts;
    setText(byId("link-sentence"), sentence);
    setText(byId("link-age"), heard(age) || "nothing yet");
    setText(byId("link-heartbeat"), `every ${heartbeat} s at least`);
    setText(byId("link-connection"), connection || "none yet");
    setText(byId("link-cursor"), cursor || "none yet");
    setText(byId("link-why"), why || "none");
  }
}
