// What the client takes from the world: clock, timers, chance, network, storage, page. A test puts its own in place.
/** @import { Env } from "./types.js" */

/** @returns {Env} */
export function worldEnv() {
  const world = /** @type {any} */ (globalThis);
  return {
    now: () => performance.now(),
    date: () => Date.now(),
    setTimeout: (fn, ms) => setTimeout(fn, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    random: () => Math.random(),
    fetch: (url, init) => fetch(url, init),
    storage: (kind) => world[kind + "Storage"],
    window: world.addEventListener ? world : null,
    base: world.document?.baseURI ?? world.location?.href,
    console,
  };
}
