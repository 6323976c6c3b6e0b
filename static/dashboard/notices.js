// What administrators must know on whatever page they are: asked for at the load and then calmly, and put away for the
// session by who has read it.
/** @import { Forwarding } from "./forwarding.js" */

import { element } from "./dom.js";
import { forwardingWords, TITLE } from "./forwarding.js";
import { api } from "./frame/api.js";
import { button } from "./frame/button.js";
import { Pulse } from "./frame/pulse.js";
import { warningOf } from "./warning.js";

/** ms between two looks. */
const PAUSE = 60_000;
const PUT_AWAY = "hermes:forwarding-read";

export class Notices {
  #place;
  #say;
  #seen = "";
  #text = element("div");
  #pulse = new Pulse(PAUSE, () => this.#look());

  /** @param {HTMLElement} place empty and hidden  @param {(sentence: string) => void} say */
  constructor(place, say) {
    this.#place = place;
    this.#say = say;
    place.append(this.#text, button("Dismiss", () => this.#putAway(), "small"));
    if (recalled()) return;
    this.#look();
    this.#pulse.start();
  }

  async #look() {
    try {
      const { forwarding } = await api("GET", "/api/v1/limits");
      this.#show(forwarding);
    } catch {
      // the pill of the connection says that the server is away
    }
  }

  /** @param {Forwarding[]} forwarding */
  #show(forwarding) {
    const words = forwardingWords(forwarding);
    if (words === this.#seen) return;
    this.#seen = words;
    this.#text.replaceChildren(...warningOf(forwarding));
    this.#place.hidden = !words;
    if (words) this.#say(`${TITLE} ${words}`);
  }

  #putAway() {
    this.#pulse.stop();
    this.#place.hidden = true;
    try {
      sessionStorage.setItem(PUT_AWAY, "yes");
    } catch {
      // then it is away until the page is loaded again
    }
  }
}

function recalled() {
  try {
    return sessionStorage.getItem(PUT_AWAY) !== null;
  } catch {
    return false;
  }
}
