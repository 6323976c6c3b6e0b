// Questions to Hermes' own API. What goes wrong is an `ApiError` whose message is a sentence for people.

export class ApiError extends Error {
  /**
   * @param {string} message  @param {number} status 0: no answer
   * @param {{field: string, message: string}[]} details what is wrong with which field
   */
  constructor(message, status, details = []) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

/**
 * The answer's JSON, or null where it has none.
 * @param {string} method  @param {string} path its parts encoded by `part`
 * @param {{query?: Record<string, string | number | null | undefined>, body?: unknown, signal?: AbortSignal}} [options]
 *   of `query` only what is not empty is sent
 * @returns {Promise<any>}
 */
export async function api(method, path, { query = {}, body, signal } = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  let answer;
  try {
    answer = await fetch(withQuery(path, query), { method, signal, ...sent });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError("No answer: the server is away, or the network is.", 0);
  }
  const content = await answer.json().catch(() => null);
  if (!answer.ok) throw refusal(answer.status, content);
  return content;
}

/** @param {string} path  @param {Record<string, string | number | null | undefined>} query */
export function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : path;
}

/**
 * A name as one part of a path; null where no browser can ask for it: to a URL `.` and `..` are steps, however they are
 * written (URL standard, "double-dot URL path segment").
 * @param {string} name
 */
export function part(name) {
  return name === "." || name === ".." ? null : encodeURIComponent(name);
}

/** @param {number} status  @param {any} content */
export function refusal(status, content) {
  const { message, details } = content?.error ?? {};
  const list = Array.isArray(details) ? details.filter((one) => one?.field && one.message) : [];
  if (status === 401) return new ApiError("You are signed out.", status, list);
  const words = list.length ? list.map((one) => `${one.field} ${one.message}`).join("; ") : message ?? `The server answered ${status}`;
  return new ApiError(sentence(String(words)), status, list);
}

/** What is said of any failure. @param {unknown} error */
export function problemOf(error) {
  return error instanceof Error ? sentence(error.message) : String(error);
}

/** @param {string} words */
function sentence(words) {
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
