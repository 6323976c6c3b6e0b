// The options with their defaults; what cannot be is refused with a sentence.
/** @import { Options } from "../hermes.js" */

import { OptionError } from "./errors.js";

/** @param {Options} options */
export function readOptions({
  transport = "auto", persist = "session", retained = "auto", backoff = {}, maxRetries = 0, enabled = true, ...rest
}) {
  const { base = 1000, cap = 30_000 } = backoff;
  allow("transport", transport, ["auto", "fetch", "poll"]);
  allow("persist", persist, ["session", "local", false]);
  allow("retained", retained, ["auto", true, false, 0, 1]);
  if (!(base >= 0 && cap >= base)) throw new OptionError("backoff needs 0 <= base <= cap, in milliseconds");
  return { ...rest, transport, persist, retained, maxRetries, enabled, limits: { base, cap } };
}

/** @param {string} name  @param {unknown} value  @param {unknown[]} allowed */
function allow(name, value, allowed) {
  if (!allowed.includes(value)) throw new OptionError(`${name} must be one of ${allowed.join(", ")}, not ${value}`);
}

/** @param {string | URL} url  @param {string | undefined} base */
export function absoluteUrl(url, base) {
  try {
    return new URL(url, base);
  } catch (cause) {
    throw new OptionError(`not a URL: ${url}`, { cause });
  }
}
