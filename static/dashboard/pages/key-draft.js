// What the form for a new API key holds, as the body of a request; and the server's refusal, by field. Pure.

/** @typedef {{name: string, subscribe: string, publish: string, admin: boolean, tokens: boolean, expires: string, until: string}} Draft */
/** @typedef {Partial<Record<Field | "form", string>>} Problems */
/** @typedef {typeof FIELDS[number]} Field */

export const FIELDS = /** @type {const} */ (["name", "subscribe", "publish", "admin", "tokens", "expires", "until"]);

const DAY = 86_400;

/** How long a key counts, as the form offers it; `date`: until a day of its own. @type {[value: string, label: string][]} */
export const LIFETIMES = [
  ["", "Never"], [`${DAY}`, "In a day"], [`${7 * DAY}`, "In 7 days"], [`${30 * DAY}`, "In 30 days"], [`${90 * DAY}`, "In 90 days"],
  [`${365 * DAY}`, "In a year"], ["date", "At a time …"],
];

/** A list as people type it. @param {string} text */
export function patternsOf(text) {
  return [...new Set(text.split(/[,\n]/).map((one) => one.trim()).filter(Boolean))];
}

/** @param {Draft} draft  @returns {{body: Record<string, unknown>, problems: Problems}} */
export function bodyOf({ name, subscribe, publish, admin, tokens, expires, until }) {
  /** @type {Problems} */
  const problems = {};
  if (!name.trim()) problems.name = "Say whose key it is: the name of a service or a person.";
  /** @type {Record<string, unknown>} */
  const body = { name: name.trim() };
  if (admin) body.admin = true;
  else Object.assign(body, { subscribe: patternsOf(subscribe), publish: patternsOf(publish), tokens });
  if (expires === "date") {
    const moment = new Date(until);
    if (Number.isNaN(moment.getTime())) problems.until = "Say when: a day and a time.";
    else body.expires_at = moment.toISOString();
  } else if (expires) {
    body.expires_in = Number(expires);
  }
  return { body, problems };
}

/** The server's sentences at the fields that they speak of; several at one field follow each other. @param {{field: string, message: string}[]} details  @returns {Problems} */
export function problemsOf(details) {
  /** @type {Problems} */
  const problems = {};
  for (const { field, message } of details) {
    const name = placeOf(field), text = sentence(name === "form" ? `${field} ${message}` : message);
    problems[name] = problems[name] ? `${problems[name]} ${text}` : text;
  }
  return problems;
}

/** @param {string} field  @returns {Field | "form"} */
function placeOf(field) {
  if (field === "expires_in") return "expires";
  if (field === "expires_at") return "until";
  return FIELDS.find((one) => one === field) ?? "form";
}

/** @param {string} text */
function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
