// Channel names and the patterns that select them, by the server's own rules, so that the page hides at once what the
// server stops sending. Pure.

/** A pattern matches these channels only if it spells their prefix: `*` must not open private channels. */
const PROTECTED = ["user:", "presence:", "hermes:"];
const LONGEST = 255;
// eslint-disable-next-line no-control-regex
const FORBIDDEN = /[\s\x00-\x1f\x7f-\x9f\ud800-\udfff,]/u;

/**
 * Do the characters fit? Each literal part is found once, from left to right: linear in the name, whatever the pattern.
 * @param {string} pattern `*` stands for any run of characters  @param {string} name
 */
export function fits(pattern, name) {
  const parts = pattern.split("*");
  if (parts.length === 1) return pattern === name;
  const head = parts[0], tail = parts[parts.length - 1];
  const end = name.length - tail.length;
  if (head.length > end || !name.startsWith(head) || !name.endsWith(tail)) return false;
  let at = head.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** @param {string} pattern  @param {string} channel */
export function selects(pattern, channel) {
  const prefix = PROTECTED.find((one) => channel.startsWith(one));
  return (!prefix || pattern.startsWith(prefix)) && fits(pattern, channel);
}

/**
 * A comma-separated list of names and patterns, and what is wrong with it (a sentence, or null).
 * @param {string} text  @param {number} limit entries that the server takes
 */
export function parseList(text, limit) {
  const items = [...new Set(text.split(",").map((item) => item.trim()).filter(Boolean))];
  const bad = items.find((item) => FORBIDDEN.test(item));
  const long = items.find((item) => item.length > LONGEST);
  let problem = null;
  if (bad !== undefined) problem = `“${shorten(bad)}” has white space or control characters: separate entries by commas`;
  else if (long !== undefined) problem = `“${shorten(long)}” has over ${LONGEST} characters`;
  else if (items.length > limit) problem = `at most ${limit} entries, these are ${items.length}: use a pattern`;
  return { items, problem };
}

/** @param {string} text */
function shorten(text) {
  return text.length > 32 ? `${text.slice(0, 31)}…` : text;
}
