// What the publish form holds, as the body of a request; and the server's answer, by field. Pure.

import { jsonSentence } from "./json-problem.js";

/** @typedef {{channel: string, type: string, data: string, key: string, ttl: string}} Draft */
/** @typedef {Partial<Record<keyof Draft | "form", string>>} Problems */

export const FIELDS = /** @type {const} */ (["channel", "type", "data", "key", "ttl"]);

/** The text as JSON; nothing at all is null, as when `data` is left out. @param {string} text  @returns {{value?: unknown, problem: string | null}} */
export function parseJson(text) {
  if (!text.trim()) return { value: null, problem: null };
  try {
    return { value: JSON.parse(text), problem: null };
  } catch (error) {
    return { problem: jsonSentence(text) ?? `Not JSON yet: ${error instanceof Error ? error.message : error}` };
  }
}

/** @param {Draft} draft  @returns {{body: Record<string, unknown>, problems: Problems}} */
export function bodyOf({ channel, type, data, key, ttl }) {
  /** @type {Problems} */
  const problems = {};
  const { value, problem } = parseJson(data);
  if (!channel.trim()) problems.channel = "Say where to publish: a name such as demo";
  if (problem) problems.data = problem;
  const seconds = ttl.trim() ? Number(ttl) : null;
  if (seconds !== null && !(seconds > 0)) problems.ttl = "A number of seconds above 0";
  if (seconds !== null && key) problems.ttl = "A retained event takes no time to live";
  /** @type {Record<string, unknown>} */
  const body = { channel: channel.trim(), type: type.trim() || "message", data: value };
  if (key) body.key = key;
  if (seconds !== null) body.ttl = seconds;
  return { body, problems };
}

/** The server's refusal, each sentence at its field. @param {unknown} answer  @param {number} status  @returns {Problems} */
export function problemsOf(answer, status) {
  const error = /** @type {any} */ (answer)?.error;
  /** @type {Problems} */
  const problems = {};
  const details = Array.isArray(error?.details) ? error.details : [];
  for (const { field, message } of details) {
    const name = FIELDS.find((one) => one === field || field === `${one}s`) ?? "form";
    problems[name] ??= sentence(name === "form" ? `${field}: ${message}` : String(message));
  }
  if (!details.length) problems.form = sentence(String(error?.message ?? `the server answered ${status}`));
  if (status === 401 || status === 403) problems.form = `${problems.form ?? ""} (sign in again?)`.trim();
  return problems;
}

/** @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
