// A value over time, and its line in a chart: the part that was measured, with a gap where nothing was. Pure.

/** @typedef {{time: number, value: number}} Sample */
/** @typedef {{from: number, to: number, top: number}} Scale */

const MOST = 1000;
/** A gap is a silence of so many usual pauses, and of so many ms at least. */
const PAUSES = 3, SHORTEST = 4000;

export class Series {
  /** Oldest first. @type {Sample[]} */
  samples = [];

  /** Samples may come late; of one moment the last one counts. @param {number} time ms  @param {unknown} value */
  add(time, value) {
    if (typeof value !== "number" || !Number.isFinite(value) || !Number.isFinite(time)) return;
    let at = this.samples.length;
    while (at > 0 && this.samples[at - 1].time >= time) at--;
    const same = this.samples[at]?.time === time ? 1 : 0;
    this.samples.splice(at, same, { time, value });
    if (this.samples.length > MOST) this.samples.shift();
  }

  /** @returns {Sample | undefined} */
  get last() {
    return this.samples[this.samples.length - 1];
  }

  /** What is older is forgotten, but for one that the line comes from. @param {number} time */
  forgetBefore(time) {
    const keep = this.samples.findIndex((sample) => sample.time >= time);
    if (keep > 1) this.samples.splice(0, keep - 1);
  }

  /** The sample nearest to a moment, if any is near. @param {number} time  @param {number} reach ms */
  near(time, reach) {
    /** @type {Sample | undefined} */
    let best;
    for (const sample of this.samples) {
      if (Math.abs(sample.time - time) <= Math.min(reach, Math.abs((best?.time ?? Infinity) - time))) best = sample;
    }
    return best;
  }

  /** Runs of samples without a gap. @returns {Sample[][]} */
  runs() {
    const longest = this.#longest();
    /** @type {Sample[][]} */
    const runs = [];
    for (const [index, sample] of this.samples.entries()) {
      if (index === 0 || sample.time - this.samples[index - 1].time > longest) runs.push([]);
      runs[runs.length - 1].push(sample);
    }
    return runs;
  }

  #longest() {
    const pauses = this.samples.slice(1).map((sample, index) => sample.time - this.samples[index].time).sort((a, b) => a - b);
    return Math.max(SHORTEST, PAUSES * (pauses[pauses.length >> 1] ?? 0));
  }
}

/** The line in a box of `width` x `height`, and the area below it. @param {Sample[][]} runs  @param {Scale} scale  @param {number} width  @param {number} height */
export function paths(runs, { from, to, top }, width, height) {
  const x = (/** @type {number} */ time) => round((time - from) / (to - from) * width);
  const y = (/** @type {number} */ value) => round(height - Math.min(1, Math.max(0, value / top)) * height);
  let line = "", area = "";
  for (const run of runs) {
    const points = run.map(({ time, value }) => `${x(time)} ${y(value)}`);
    if (points.length === 1) points.push(`${round(x(run[0].time) + 0.01)} ${y(run[0].value)}`); // a dot, by its round cap
    line += `M${points.join("L")}`;
    area += `M${x(run[0].time)} ${height}L${points.join("L")}L${x(run[run.length - 1].time)} ${height}Z`;
  }
  return { line, area };
}

/** The next round number from `least` up: 1, 2 or 5 x 10^n, or a power of 2 for bytes. @param {number} value  @param {number} least  @param {boolean} [binary] */
export function ceiling(value, least, binary = false) {
  let top = least;
  for (let step = 0; top < value && step < 200; step++) {
    if (binary) top *= 2;
    else top *= String(top).replace(/[.0]/g, "") === "2" ? 2.5 : 2;
  }
  return top;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 100) / 100;
}
