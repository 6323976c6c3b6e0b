// One small chart: its name, the current value in large, its line over the last minutes; the value of another moment
// while somebody points at it.

import { element, setText, svg } from "./dom.js";
import { ceiling, paths, Series } from "./series.js";

/**
 * @typedef {(value: number) => [value: string, unit: string]} Format
 * @typedef {{field: string, label?: string}} Line
 * @typedef {{
 *   name: string, lines: Line[], format: Format, least: number, fixed?: boolean, binary?: boolean,
 *   beside?: {field: string, format: Format},
 * }} ChartSpec  `least`: the smallest top of the scale; `fixed`: and the only one; `beside`: another value, without a line
 */

const WIDTH = 300, HEIGHT = 100;
/** How far from a sample one may point, ms. */
const REACH = 15_000;
/** How long the newest sample is still the current value, ms. */
const CURRENT = 15_000;

export class Chart {
  figure;
  /** A moment was pointed at, or none any more. @type {(fraction: number | null) => void} */
  onPoint = () => {};
  #spec;
  #series;
  #beside = new Series();
  #parts;

  /** @param {ChartSpec} spec */
  constructor(spec) {
    this.#spec = spec;
    this.#series = spec.lines.map(() => new Series());
    this.#parts = parts(spec);
    const { plot, caption, values, besideValue } = this.#parts;
    this.figure = element("figure", { class: `chart waiting${spec.lines.length > 1 ? " several" : ""}` },
      element("figcaption", {}, element("span", { class: "name" }, spec.name), caption),
      element("p", { class: "values" }, ...values.map(({ whole }) => whole), besideValue), plot);
    plot.addEventListener("pointermove", ({ clientX }) => {
      const { left, width } = plot.getBoundingClientRect();
      this.onPoint(width ? Math.min(1, Math.max(0, (clientX - left) / width)) : null);
    });
    plot.addEventListener("pointerleave", () => this.onPoint(null));
  }

  /** @param {number} time  @param {Record<string, unknown>} data */
  add(time, data) {
    for (const [index, { field }] of this.#spec.lines.entries()) this.#series[index].add(time, data[field]);
    if (this.#spec.beside) this.#beside.add(time, data[this.#spec.beside.field]);
  }

  /** @param {number} from  @param {number} to  @param {number | null} pointed  @param {(time: number) => string} clock */
  draw(from, to, pointed, clock) {
    const { svgs, top, caption, cursor, plot } = this.#parts, { least, fixed, binary, format } = this.#spec;
    for (const series of [...this.#series, this.#beside]) series.forgetBefore(from);
    const values = this.#series.flatMap(({ samples }) => samples.map(({ value }) => value));
    const highest = values.length ? Math.max(...values) : 0;
    const scale = { from, to, top: fixed ? least : ceiling(highest, least, binary) };
    for (const [index, series] of this.#series.entries()) {
      const { line, area } = paths(series.runs(), scale, WIDTH, HEIGHT);
      svgs[index].line.setAttribute("d", line);
      svgs[index].area.setAttribute("d", area);
    }
    this.figure.classList.toggle("waiting", values.length === 0);
    setText(top, values.length ? format(scale.top).join(" ").replace(/\.0+(?= )/, "") : "");
    const samples = this.#series.map((series) => this.#sampleAt(series, to, pointed));
    this.#show(samples, pointed);
    const at = pointed === null ? undefined : samples.find(Boolean);
    setText(caption, at ? clock(at.time) : "");
    cursor.hidden = !at;
    if (at) cursor.style.insetInlineStart = `${(at.time - from) / (to - from) * 100}%`;
    plot.setAttribute("aria-label", this.#summary(values.length ? Math.min(...values) : 0, highest, values.length));
  }

  /** @param {Series} series  @param {number} to  @param {number | null} pointed */
  #sampleAt(series, to, pointed) {
    if (pointed !== null) return series.near(pointed, REACH);
    const { last } = series;
    return last && to - last.time <= CURRENT ? last : undefined;
  }

  /** @param {(import("./series.js").Sample | undefined)[]} samples  @param {number | null} pointed */
  #show(samples, pointed) {
    const { values, besideValue } = this.#parts, { format, beside } = this.#spec;
    for (const [index, sample] of samples.entries()) {
      const [value, unit] = sample ? format(sample.value) : ["–", ""];
      setText(values[index].value, value);
      setText(values[index].unit, unit);
    }
    if (!beside) return;
    const { time } = samples[0] ?? {};
    const sample = time === undefined ? undefined : this.#beside.near(time, pointed === null ? REACH : 1000);
    setText(besideValue, sample ? beside.format(sample.value).join(" ") : "");
  }

  /** For those who cannot see the line. @param {number} lowest  @param {number} highest  @param {number} count */
  #summary(lowest, highest, count) {
    const { name, format } = this.#spec;
    if (!count) return `${name}: waiting for the first value`;
    return `${name} over the last minutes: lowest ${format(lowest).join(" ")}, highest ${format(highest).join(" ")}`;
  }
}

/** @param {ChartSpec} spec */
function parts({ lines }) {
  const svgs = lines.map((_, index) => ({
    area: svg("path", { class: `area line-${index + 1}` }), line: svg("path", { class: `line line-${index + 1}` }),
  }));
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    ...svgs.flatMap(({ area, line }) => [area, line]));
  const top = element("span", { class: "scale", "aria-hidden": "true" }), cursor = element("i", { class: "cursor", hidden: true });
  const plot = element("div", { class: "plot", role: "img" }, picture, top, cursor);
  const values = lines.map(({ label }, index) => {
    const value = element("span", { class: "value" }, "–"), unit = element("span", { class: "unit" });
    const mark = label ? [element("span", { class: `series-mark line-${index + 1}` }, label)] : [];
    return { value, unit, whole: element("span", { class: "reading" }, value, unit, ...mark) };
  });
  return { svgs, plot, top, cursor, values, caption: element("span", { class: "at" }), besideValue: element("span", { class: "beside" }) };
}
