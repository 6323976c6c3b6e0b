// The publish box: what was typed to the server, and the server's answer back to each field.
/** @import { Draft, Problems } from "./draft.js" */

import { byId, setText } from "./dom.js";
import { bodyOf, FIELDS, parseJson, problemsOf } from "./draft.js";

/** Names offered while typing. */
const OFFERED = 50;

export class PublishForm {
  #form = /** @type {HTMLFormElement} */ (byId("publish-form"));
  #button = /** @type {HTMLButtonElement} */ (byId("publish-button"));
  #result = byId("publish-result");
  #say;
  #isShown;
  #attempt = { body: "", key: "" };
  #offered = { channel: new Set(), type: new Set() };

  /**
   * @param {(sentence: string) => void} say
   * @param {(channel: string, type: string) => boolean} isShown does the table's filter let it through?
   */
  constructor(say, isShown) {
    this.#say = say;
    this.#isShown = isShown;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#form.addEventListener("input", ({ target }) => {
      const name = target instanceof HTMLElement ? target.getAttribute("name") : null;
      if (name === "data") this.#problem("data", parseJson(this.#draft().data).problem ?? "");
      else if (name) this.#problem(/** @type {keyof Problems} */ (name), "");
    });
    this.#form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
    });
  }

  /** A channel and a type that were seen. @param {string} channel  @param {string} type */
  offer(channel, type) {
    this.#offer("channel", channel);
    this.#offer("type", type);
  }

  /** @param {"channel" | "type"} kind  @param {string} value */
  #offer(kind, value) {
    const known = this.#offered[kind];
    if (known.size >= OFFERED || known.has(value)) return;
    known.add(value);
    const option = document.createElement("option");
    option.value = value;
    byId(`known-${kind}s`).append(option);
  }

  /** @returns {Draft} */
  #draft() {
    const values = new FormData(this.#form);
    return /** @type {Draft} */ (Object.fromEntries(FIELDS.map((name) => [name, String(values.get(name) ?? "")])));
  }

  async #submit() {
    const { body, problems } = bodyOf(this.#draft());
    if (this.#show(problems)) return;
    this.#button.disabled = true;
    this.#tell("", "Publishing");
    try {
      const answer = await this.#send(JSON.stringify(body));
      const content = await answer.json().catch(() => null);
      if (answer.status === 201) this.#published(String(content?.id), body);
      else this.#show(problemsOf(content, answer.status));
    } catch {
      this.#show({ form: "No answer: it is not known to be stored. Publish again: it will not come twice." });
    } finally {
      this.#button.disabled = false;
    }
  }

  /** The same text again after a failure is the same event, which the server then stores once. @param {string} body */
  #send(body) {
    if (this.#attempt.body !== body) this.#attempt = { body, key: randomKey() };
    return fetch("/api/v1/events", {
      method: "POST", body, headers: { "Content-Type": "application/json", "Idempotency-Key": this.#attempt.key },
    });
  }

  /** @param {string} id  @param {Record<string, unknown>} body */
  #published(id, { channel, type }) {
    this.#attempt = { body: "", key: "" };
    const hidden = this.#isShown(String(channel), String(type)) ? "" : " The filters of the table hide it.";
    this.#tell("done", `Published as ${id}.${hidden}`);
    this.#say(`Published.${hidden}`);
  }

  /** True if there was any. @param {Problems} problems */
  #show(problems) {
    for (const name of FIELDS) this.#problem(name, problems[name] ?? "");
    const count = Object.keys(problems).length;
    const first = FIELDS.find((name) => problems[name]);
    this.#tell(count ? "failed" : "", problems.form ?? "");
    if (count) this.#say(`Not published. ${Object.values(problems).join(" ")}`);
    if (first) this.#field(first)?.focus();
    return count > 0;
  }

  /** @param {keyof Problems} name  @param {string} sentence */
  #problem(name, sentence) {
    const place = document.getElementById(`publish-${name}-problem`), field = this.#field(name);
    if (!place || !field) return;
    setText(place, sentence);
    place.hidden = !sentence;
    if (sentence) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
    const more = field.closest("details");
    if (sentence && more?.id === "publish-more") more.open = true;
  }

  /** @param {string} name */
  #field(name) {
    const field = this.#form.elements.namedItem(name);
    return field instanceof HTMLElement ? field : null;
  }

  /** @param {"" | "done" | "failed"} kind  @param {string} sentence */
  #tell(kind, sentence) {
    this.#result.className = `result ${kind}`;
    setText(this.#result, sentence);
  }
}

/** `crypto.randomUUID` needs https. */
function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
