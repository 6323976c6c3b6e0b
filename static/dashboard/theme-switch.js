// Light, dark, or as the system says; remembered by this browser and followed by its other tabs.

import { recall, remember } from "./store.js";

/** @param {HTMLElement} group its radio buttons: light, auto, dark */
export function bindThemes(group) {
  const radios = /** @type {NodeListOf<HTMLInputElement>} */ (group.querySelectorAll("input"));
  const show = () => {
    const stored = recall("theme");
    const theme = stored === "light" || stored === "dark" ? stored : "auto";
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    for (const radio of radios) radio.checked = radio.value === theme;
  };
  for (const radio of radios) {
    radio.addEventListener("change", () => {
      remember("theme", radio.value === "auto" ? null : radio.value);
      if (recall("theme") === radio.value || radio.value === "auto") show();
      else document.documentElement.dataset.theme = radio.value; // for this page alone, where nothing is remembered
    });
  }
  addEventListener("storage", show);
  show();
}
