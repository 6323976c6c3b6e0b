// What the client takes from the world: clock, network, page, and storage for the cursor.

/** @returns {Hermes.Env} */
export const worldEnv = () => {
  const world = /** @type {any} */ (globalThis);
  return {
    now: () => performance.now(),
    date: Date.now,
    setTimeout: (fn, ms) => setTimeout(fn, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    random: Math.random,
    fetch: (url, init) => fetch(url, init),
    storage: (kind) => world[kind + "Storage"],
    window: world.addEventListener ? world : null,
    base: world.document?.baseURI ?? world.location?.href,
    console,
  };
};

/** @type {Hermes.CreateStore} */
export const createStore = (env, kind, key) => {
  /** @type {unknown} */
  let timer;
  let pending = "";
  /** @param {"getItem" | "setItem" | "removeItem"} what  @returns {string | void} */
  const use = (what, cursor = "") => {
    try {
      if (kind) return env.storage(kind)?.[what](store.key, cursor) ?? undefined;
    } catch {
      // full or refused: the same as none
    }
  };
  /** @type {Hermes.CursorStore} */
  const store = {
    key,
    read: () => use("getItem") ?? null,
    write(cursor) {
      pending = cursor;
      if (kind) timer ??= env.setTimeout(store.flush, 500);
    },
    flush() {
      env.clearTimeout(timer);
      timer = null;
      if (pending) use("setItem", pending);
      pending = "";
    },
    remove() {
      pending = "";
      store.flush();
      use("removeItem");
    },
  };
  return store;
};
