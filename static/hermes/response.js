// What an answer means: its status, its type, and the error that its body names.

import { retryAfter } from "./backoff.js";
import { FormatError, RefusedError } from "./errors.js";

const LONGEST = 65_536;

/**
 * `end`: for good. `token`: ask for another token, once. `missing`: fatal when it stays. `fatal`. `retry`.
 * @param {number} status any but 200
 */
export function verdict(status) {
  if (status === 204) return "end";
  if (status === 401) return "token";
  if (status === 404) return "missing";
  return status < 400 || status >= 500 || [408, 425, 429].includes(status) ? "retry" : "fatal";
}

/**
 * The body of a 200 of that type; anything else is thrown as an error.
 * @param {Response} response  @param {string} type  @param {number} date ms since 1970
 */
export async function bodyOf(response, type, date) {
  const { status, headers, body } = response;
  if (status !== 200) throw await refusal(response, date);
  const found = (headers.get("Content-Type") ?? "").split(";")[0].trim().toLowerCase();
  if (!body || found !== type) throw new FormatError(`expected ${type}, got ${found || "nothing"}`, { status });
  return body;
}

/** @param {Response} response  @param {number} date */
async function refusal(response, date) {
  const { status, headers } = response;
  /** @type {any} */
  let error;
  try {
    error = JSON.parse(await readText(response)).error;
  } catch {
    // no body of ours: the status says enough
  }
  return new RefusedError(String(error?.message ?? `the server answered ${status}`), {
    code: String(error?.code ?? `HTTP_${status}`), status, retryAfter: retryAfter(headers.get("Retry-After"), date),
  });
}

/** At most 64 kB of an error's body: whatever stands in between may send anything. @param {Response} response */
async function readText({ body }) {
  const decoder = new TextDecoder();
  const reader = body?.getReader();
  let text = "";
  for (let part; reader && text.length < LONGEST && !(part = await reader.read()).done;) {
    text += decoder.decode(part.value, { stream: true });
  }
  await reader?.cancel();
  return text;
}
