// Commands to copy: one of several ways at a time.

import { copyButton } from "./clipboard.js";
import { element } from "./dom.js";
import { snippets } from "./snippets.js";

/** @param {HTMLElement} place  @param {string} origin  @param {(sentence: string) => void} say */
export function fillSnippets(place, origin, say) {
  const group = `snippet-${place.id}`, ways = element("fieldset", { class: "segments" }, element("legend", { class: "offscreen" }, "Way to publish"));
  const panels = snippets(origin).map(({ name, label, text, note }, index) => {
    const radio = element("input", { type: "radio", name: group, value: name, checked: index === 0 });
    const panel = element("div", { class: "snippet", hidden: index > 0 },
      element("div", { class: "code" }, element("pre", { tabindex: "0", role: "region", "aria-label": `${label} command` }, text), copyButton("Copy", () => text, say)),
      element("p", { class: "hint" }, note));
    radio.addEventListener("change", () => {
      for (const one of panels) one.hidden = one !== panel;
    });
    ways.append(element("label", {}, radio, element("span", {}, label)));
    return panel;
  });
  place.replaceChildren(ways, ...panels);
}
