// Making and finding elements. Text only ever becomes text: nothing here, and nothing that uses it, parses markup.

/** The one element with that id. @template {Element} [T=HTMLElement]  @param {string} id  @returns {T} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no #${id} in the page`);
  return /** @type {T} */ (/** @type {unknown} */ (found));
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name  @param {Record<string, string | boolean | null>} [attributes] true sets an empty one, false and null none
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) setAttribute(made, key, value);
  made.append(...children);
  return made;
}

/** @param {string} name  @param {Record<string, string>} [attributes]  @param {...Node} children */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** @param {Element} target  @param {string} name  @param {string | boolean | null} value */
export function setAttribute(target, name, value) {
  if (value === null || value === false) target.removeAttribute(name);
  else target.setAttribute(name, value === true ? "" : value);
}

/** Only where it differs: an untouched text node costs no layout. @param {Element} target  @param {string} text */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Is the reader typing, or on something that has its own use for keys? @param {EventTarget | null} target */
export function takesKeys(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}
