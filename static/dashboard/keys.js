// Single keys: search, pause, help. Off while typing, and for those who switch them off.

import { takesKeys } from "./dom.js";
import { recall, remember } from "./store.js";

const NAME = "keys";

/** @param {Record<string, () => unknown>} actions by `KeyboardEvent.key`; false leaves the key to the browser */
export function listenForKeys(actions) {
  document.addEventListener("keydown", (event) => {
    const { key, target, ctrlKey, metaKey, altKey, repeat } = event;
    const action = actions[key];
    if (!action || ctrlKey || metaKey || altKey || repeat || event.defaultPrevented || !areOn()) return;
    if (takesKeys(target) || document.querySelector("dialog[open]")) return;
    // Space belongs to a button, a link or a summary that has the focus.
    if (key === " " && target instanceof Element && target.closest("button, a, summary, pre")) return;
    if (action() !== false) event.preventDefault();
  });
}

export function areOn() {
  return recall(NAME) !== "off";
}

/** @param {HTMLInputElement} box */
export function bindSwitch(box) {
  box.checked = areOn();
  box.addEventListener("change", () => remember(NAME, box.checked ? null : "off"));
}
