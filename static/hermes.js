// The browser's side of Hermes: `connect(url, options)` opens a stream that survives what happens to links, pages and
// servers. No dependency, no build step; what is described in hermes.d.ts is public, the modules beside are not.
/** @import { Options } from "./hermes.js" */

import { Stream } from "./hermes/stream.js";

export * from "./hermes/errors.js";
export { Stream };

/** @param {string | URL} url  @param {Options} [options] */
export function connect(url, options) {
  return new Stream(url, options);
}
