// Copying, also on a LAN without https, where browsers have no clipboard for pages.

import { element, setText } from "./dom.js";

/** @param {string} text  @returns {Promise<boolean>} */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** @param {string} text */
function copyBySelection(text) {
  const former = document.activeElement;
  const area = element("textarea", { class: "offscreen", readonly: true, "aria-hidden": "true", tabindex: "-1" });
  area.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    area.remove();
    if (former instanceof HTMLElement) former.focus({ preventScroll: true });
  }
}

/** A button that copies and says so. @param {string} label  @param {() => string} text  @param {(sentence: string) => void} say */
export function copyButton(label, text, say) {
  const button = element("button", { type: "button", class: "small" }, label);
  /** @type {number | undefined} */
  let timer;
  button.addEventListener("click", async () => {
    const done = await copy(text());
    setText(button, done ? "Copied" : "Not copied");
    say(done ? "Copied." : "The browser did not allow copying.");
    clearTimeout(timer);
    timer = setTimeout(() => setText(button, label), 1600);
  });
  return button;
}
