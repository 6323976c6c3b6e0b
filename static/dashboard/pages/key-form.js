// The form for a new API key: what is wrong is said at its field, whoever found it.
/** @import { Draft, Field, Problems } from "./key-draft.js" */
/** @import { Key } from "./key-words.js" */

import { element, setText } from "../dom.js";
import { api, ApiError, problemOf } from "../frame/api.js";
import { button } from "../frame/button.js";
import { bodyOf, FIELDS, LIFETIMES, problemsOf } from "./key-draft.js";

export class KeyForm {
  node;
  #opener;
  #made;
  #say;
  #submit = element("button", { class: "primary" }, "Create key");
  #failed = element("p", { class: "problem", role: "alert", hidden: true });
  #patterns = element("div", { class: "pair" },
    field("subscribe", "May subscribe to", input("subscribe", { placeholder: "orders:*, user:{sub}", class: "mono" }), "Channels and patterns, separated by commas."),
    field("publish", "May publish to", input("publish", { placeholder: "orders:*", class: "mono" }), "{sub} stands for the user id of a token."));
  #tokens = check("tokens", "Mint tokens", "For its users, never beyond what it may do itself.");
  #until = field("until", "Until", input("until", { type: "datetime-local" }));

  /** @param {{opener: HTMLButtonElement, made: (key: Key & {key: string}) => void, say: (sentence: string) => void}} around  `opener` opens and closes it */
  constructor({ opener, made, say }) {
    this.#opener = opener;
    this.#made = made;
    this.#say = say;
    this.node = element("form", { id: "new-key", class: "key-form", novalidate: true, autocomplete: "off", hidden: true, "aria-label": "New API key" },
      element("div", { class: "pair" },
        field("name", "Name", input("name", { placeholder: "shop, or Ada’s laptop", maxlength: "100" }), "Whose key it is."),
        element("div", { class: "pair" }, field("expires", "Expires", lifetimes()), this.#until)),
      this.#patterns,
      element("fieldset", { class: "checks" }, element("legend", { class: "offscreen" }, "Rights"),
        check("admin", "Administrator", "Everything, this page included; it needs no patterns."), this.#tokens),
      this.#failed,
      element("p", { class: "actions" }, this.#submit, button("Cancel", () => this.close())));
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.node.addEventListener("input", ({ target }) => {
      if (target instanceof HTMLElement) this.#problem(/** @type {Field} */ (target.getAttribute("name")), "");
      this.#arrange();
    });
    this.node.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.close();
    });
    opener.setAttribute("aria-controls", this.node.id);
    this.#arrange();
    this.#reveal(false);
  }

  /** Opens it, or closes it. */
  toggle() {
    if (!this.node.hidden) return this.close();
    this.#reveal(true);
    this.#field("name")?.focus();
  }

  /** What was typed is forgotten. */
  close() {
    this.node.reset();
    this.#show({});
    this.#arrange();
    this.#reveal(false);
    this.#opener.focus();
  }

  /** @param {boolean} isOpen */
  #reveal(isOpen) {
    this.node.hidden = !isOpen;
    this.#opener.setAttribute("aria-expanded", String(isOpen));
  }

  /** Only what matters to this key can be filled in. */
  #arrange() {
    const { admin, expires } = this.#draft();
    this.#until.hidden = expires !== "date";
    this.#patterns.hidden = this.#tokens.hidden = admin;
  }

  /** @returns {Draft} */
  #draft() {
    const values = new FormData(this.node), text = (/** @type {string} */ name) => String(values.get(name) ?? "");
    return {
      name: text("name"), subscribe: text("subscribe"), publish: text("publish"), expires: text("expires"), until: text("until"),
      admin: values.has("admin"), tokens: values.has("tokens"),
    };
  }

  async #send() {
    const { body, problems } = bodyOf(this.#draft());
    if (this.#show(problems)) return;
    this.#submit.disabled = true;
    try {
      const made = await api("POST", "/api/v1/keys", { body });
      this.close();
      this.#made(made);
    } catch (error) {
      const details = error instanceof ApiError && error.status === 400 ? error.details : [];
      this.#show(details.length ? problemsOf(details) : { form: problemOf(error) });
    } finally {
      this.#submit.disabled = false;
    }
  }

  /** True if there was any. @param {Problems} problems */
  #show(problems) {
    for (const name of FIELDS) this.#problem(name, problems[name] ?? "");
    setText(this.#failed, problems.form ?? "");
    this.#failed.hidden = !problems.form;
    const sentences = Object.values(problems), first = FIELDS.find((name) => problems[name]);
    if (sentences.length) this.#say(`Not created. ${sentences.join(" ")}`);
    if (first) this.#field(first)?.focus();
    return sentences.length > 0;
  }

  /** @param {Field} name  @param {string} sentence */
  #problem(name, sentence) {
    const found = this.#field(name), place = found?.closest(".field")?.querySelector(".problem");
    if (!found || !(place instanceof HTMLElement)) return;
    setText(place, sentence);
    place.hidden = !sentence;
    if (sentence) found.setAttribute("aria-invalid", "true");
    else found.removeAttribute("aria-invalid");
  }

  /** @param {Field} name */
  #field(name) {
    const found = this.node.elements.namedItem(name);
    return found instanceof HTMLElement ? found : null;
  }
}

/** @param {Field} name  @param {Record<string, string>} attributes */
function input(name, attributes) {
  return element("input", { id: `key-${name}`, name, type: "text", spellcheck: "false", autocapitalize: "off", "aria-describedby": `key-${name}-hint key-${name}-problem`, ...attributes });
}

function lifetimes() {
  return element("select", { id: "key-expires", name: "expires", "aria-describedby": "key-expires-problem" },
    ...LIFETIMES.map(([value, label]) => element("option", { value }, label)));
}

/** @param {Field} name  @param {string} label  @param {HTMLElement} control  @param {string} [hint] */
function field(name, label, control, hint = "") {
  return element("div", { class: "field" }, element("label", { for: `key-${name}` }, label), control,
    element("p", { id: `key-${name}-problem`, class: "problem", hidden: true }),
    ...hint ? [element("p", { id: `key-${name}-hint`, class: "hint" }, hint)] : []);
}

/** @param {Field} name  @param {string} label  @param {string} hint */
function check(name, label, hint) {
  return element("div", { class: "field" },
    element("label", { class: "check" }, element("input", { type: "checkbox", name, "aria-describedby": `key-${name}-hint` }), label, element("span", { id: `key-${name}-hint`, class: "hint" }, hint)),
    element("p", { class: "problem", hidden: true }));
}
