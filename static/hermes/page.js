// What happens to the page around a stream: hidden and shown, frozen and thawed, offline and online. Loaded in pages.
const NAMES = /** @type {Record<string, Hermes.PageEvent>} */ ({
  online: "online", offline: "offline", pagehide: "hide", pageshow: "wake", visibilitychange: "wake",
});

/** @type {Hermes.WatchPage} */
export const watchPage = ({ env, link, store }) => {
  const window = /** @type {any} */ (env.window);
  let offline = false, suspended = false;

  /** @param {Hermes.PageEvent} what */
  const on = (what) => {
    const { state } = link, active = state !== "paused" && state !== "idle" && state !== "closed";
    // The link did not outlive that, or nobody can tell.
    const lost = suspended || what === "online" && offline && state !== "waiting";
    offline = what === "offline" || offline && what !== "online";
    if (what === "hide") {
      store.flush();
      suspended = active;
      if (active) link.drop(); // it would keep the page out of the back/forward cache
    } else if (what !== "offline" && active) {
      suspended = false;
      if (lost) link.open();
      else link.wake();
    }
  };

  /** @param {Event} event */
  const listener = ({ type }) => {
    if (type !== "visibilitychange" || window.document?.visibilityState !== "hidden") on(NAMES[type]);
  };
  for (const name in NAMES) window.addEventListener(name, listener);
  return {
    get offline() {
      return offline;
    },
    stop() {
      for (const name in NAMES) window.removeEventListener(name, listener);
    },
  };
};
