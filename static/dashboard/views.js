// The parts of the page that its navigation leads to, by the address's hash; each later page is one more name here.

/** By hash. @type {Record<string, string>} */
const VIEWS = { "#/": "overview", "#/events": "events" };

/** @param {HTMLElement} main  @param {HTMLElement} navigation */
export function bindViews(main, navigation) {
  const show = () => {
    if (main.dataset.view && location.hash && !VIEWS[location.hash]) return false; // a place within the page
    const hash = VIEWS[location.hash] ? location.hash : "#/";
    main.dataset.view = VIEWS[hash];
    for (const link of navigation.querySelectorAll("a")) {
      if (link.hash === hash) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    return true;
  };
  addEventListener("hashchange", () => {
    if (show()) scrollTo(0, 0);
  });
  show();
}
