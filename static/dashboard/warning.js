// The warning that addresses cannot be known, as it stands in a notice and on the page Audit.
/** @import { Forwarding } from "./forwarding.js" */

import { element } from "./dom.js";
import { forwardingWords, TITLE } from "./forwarding.js";

/** Names of settings and headers, which stand as code. */
const CODE = /(\bHERMES_[A-Z_]+|\bX-[A-Za-z-]+)/;

/** @param {Forwarding[]} forwarding  @returns {HTMLElement[]} none where nothing is wrong */
export function warningOf(forwarding) {
  const words = forwardingWords(forwarding);
  if (!words) return [];
  const parts = words.split(CODE).map((part, index) => index % 2 ? element("code", {}, part) : part);
  return [element("p", {}, element("strong", {}, TITLE), " ", ...parts)];
}
