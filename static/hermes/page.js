// What happens to the page around a stream: hidden and shown, frozen and thawed, offline and online.
/** @import { PageEvent } from "./types.js" */

/** A page that is left must let go of its link (`hide`): that would keep it out of the back/forward cache. */
const NAMES = /** @type {Record<string, PageEvent>} */ ({
  online: "online", offline: "offline", pagehide: "hide", pageshow: "wake", visibilitychange: "wake",
});

/**
 * @param {EventTarget | null} window null outside of browsers: nothing happens
 * @param {(what: PageEvent) => void} on
 * @returns {() => void} stops listening
 */
export function watchPage(window, on) {
  const listener = (/** @type {Event} */ { type }) => {
    const { document } = /** @type {any} */ (window);
    if (type !== "visibilitychange" || document?.visibilityState !== "hidden") on(NAMES[type]);
  };
  for (const name in NAMES) window?.addEventListener(name, listener);
  return () => {
    for (const name in NAMES) window?.removeEventListener(name, listener);
  };
}
