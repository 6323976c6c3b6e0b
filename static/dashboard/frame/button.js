// A button that does something.

import { element } from "../dom.js";

/** @param {string} label  @param {() => void} action  @param {string} [kind] classes: `small`, `link`, `primary`, `danger` */
export function button(label, action, kind = "") {
  const made = element("button", { type: "button", class: kind || null }, label);
  made.addEventListener("click", action);
  return made;
}
