// The charts of the machine that Hermes runs on, from the channel data:system.
/** @import { ChartSpec, Format } from "./chart.js" */
/** @import { HermesEvent } from "../hermes.js" */

import { Chart } from "./chart.js";
import { bytes, clock, grouped } from "./words.js";

/** What the charts show, ms. */
const WINDOW = 300_000;
/** How far an arrow key leads, ms. */
const STEP = 5000;

/** @type {Format} */
const percent = (value) => [value < 99.95 ? value.toFixed(1) : "100", "%"];
/** @type {Format} */
const rate = (value) => {
  const [text, unit] = bytes(value);
  return [text, `${unit}/s`];
};

/** @type {ChartSpec[]} */
const CHARTS = [
  { name: "CPU", lines: [{ field: "cpu_percent" }], format: percent, least: 10 },
  { name: "Memory", lines: [{ field: "memory_percent" }], format: percent, least: 100, fixed: true, beside: { field: "memory_used_bytes", format: bytes } },
  { name: "Disk", lines: [{ field: "disk_usage" }], format: percent, least: 100, fixed: true },
  {
    name: "Network", format: rate, least: 1024, binary: true,
    lines: [{ field: "network_received_bytes_per_second", label: "in" }, { field: "network_sent_bytes_per_second", label: "out" }],
  },
  { name: "Load, 1 min", lines: [{ field: "load_1" }], format: (value) => [value.toFixed(2), ""], least: 1 },
  { name: "Open streams", lines: [{ field: "active_connections" }], format: (value) => [grouped(value), ""], least: 5 },
];

export class Machine {
  #charts;
  #frame = 0;
  #pointed = /** @type {number | null} */ (null);
  #newest = 0;
  #heardAt = 0;
  #hint;

  /** @param {HTMLElement} place  @param {HTMLElement} hint what is said until the first sample comes */
  constructor(place, hint) {
    this.#hint = hint;
    this.#charts = CHARTS.map((spec) => new Chart(spec));
    for (const chart of this.#charts) {
      chart.onPoint = (fraction) => this.#point(fraction);
      place.append(chart.figure);
    }
    place.addEventListener("keydown", (event) => this.#step(event));
    place.addEventListener("blur", () => this.#point(null));
    this.draw();
  }

  /** @param {Pick<HermesEvent, "data" | "time">} event  @param {boolean} live it is of this moment, not of history */
  add({ data, time }, live) {
    const at = Date.parse(data?.timestamp ?? time ?? "");
    if (Number.isNaN(at) || typeof data?.data !== "object" || data.data === null) return;
    if (at > this.#newest) {
      this.#newest = at;
      if (live || !this.#heardAt) this.#heardAt = performance.now();
    }
    for (const chart of this.#charts) chart.add(at, data.data);
    this.#frame ||= requestAnimationFrame(() => this.draw());
  }

  /** Also once a second without news, so that silence is seen as a gap. */
  draw() {
    this.#frame = 0;
    const to = this.#now();
    for (const chart of this.#charts) chart.draw(to - WINDOW, to, this.#pointed, clock);
    this.#hint.hidden = this.#newest > 0;
  }

  /** By the server's clock, which need not be this device's. */
  #now() {
    return this.#newest ? this.#newest + performance.now() - this.#heardAt : Date.now();
  }

  /** @param {KeyboardEvent} event */
  #step(event) {
    const steps = { ArrowLeft: -STEP, ArrowRight: STEP, Home: -WINDOW, End: WINDOW, Escape: 0 }[event.key];
    if (steps === undefined || !this.#newest) return;
    event.preventDefault();
    const now = this.#now(), left = Math.max(0, WINDOW + (this.#pointed ?? now) + steps - now);
    this.#point(steps && left < WINDOW ? left / WINDOW : null);
  }

  /** The same moment in all charts. @param {number | null} fraction */
  #point(fraction) {
    this.#pointed = fraction === null ? null : this.#now() - WINDOW * (1 - fraction);
    this.#frame ||= requestAnimationFrame(() => this.draw());
  }
}
