// A new key, shown once: it is in the server's answer and in this part of the page, and nowhere else.

import { copyButton } from "../clipboard.js";
import { element, setText } from "../dom.js";
import { button } from "../frame/button.js";

export class KeyReveal {
  node;
  #left;
  #title = element("h3");
  #text = element("code", { tabindex: "0", role: "textbox", "aria-readonly": "true", "aria-label": "The new key" });

  #say;

  /** @param {(sentence: string) => void} say  @param {() => void} left the reader has it */
  constructor(say, left) {
    this.#say = say;
    this.#left = left;
    this.node = element("div", { class: "reveal", role: "group", "aria-label": "A new key", tabindex: "-1", hidden: true },
      this.#title,
      element("p", {}, "Copy it now and keep it safe: it is shown once. Hermes keeps only its digest, and nobody can show it again."),
      element("div", { class: "secret" }, this.#text, copyButton("Copy", () => this.#text.textContent ?? "", say), button("I have it", () => this.close(), "small")));
    this.#text.addEventListener("focus", () => getSelection()?.selectAllChildren(this.#text));
  }

  /** @param {string} name  @param {string} text */
  show(name, text) {
    setText(this.#title, `The new key of “${name}”`);
    setText(this.#text, text);
    this.node.hidden = false;
    this.node.focus();
    this.node.scrollIntoView({ block: "nearest" });
    this.#say("The key is made. It is shown once: copy it now.");
  }

  /** It is gone for good. */
  close() {
    setText(this.#text, "");
    this.node.hidden = true;
    this.#left();
  }
}
