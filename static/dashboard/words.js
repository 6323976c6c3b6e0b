// Numbers, sizes, times and durations as people read them. Pure.

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

/** @param {number} bytes  @returns {[string, string]} value and unit, powers of 1024 */
export function bytes(bytes) {
  let step = 0;
  for (; Math.abs(bytes) >= 1000 && step < UNITS.length - 1; step++) bytes /= 1024;
  return [digits(bytes, step ? 3 : 0), UNITS[step]];
}

/** At most so many significant digits, never an exponent. @param {number} value  @param {number} significant */
export function digits(value, significant) {
  const whole = Math.max(1, Math.floor(Math.log10(Math.abs(value) || 1)) + 1);
  return value.toFixed(Math.max(0, Math.min(2, significant - whole)));
}

/** @param {number} value */
export function grouped(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** @param {number} count  @param {string} noun */
export function counted(count, noun) {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** For a clock that is read while it runs: whole units only. @param {number} ms */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** @param {number} value  @param {number} length */
const pad = (value, length = 2) => String(value).padStart(length, "0");

/** 22:14:08 in the reader's own zone. @param {number} time */
export function clock(time) {
  const date = new Date(time);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** The day too, when it is another. @param {number} time  @param {number} now  @returns {[string, string]} seconds, and what is finer */
export function stamp(time, now) {
  const date = new Date(time), today = new Date(now);
  if (Number.isNaN(date.getTime())) return ["", ""];
  if (date.toDateString() === today.toDateString()) return [clock(time), `.${pad(date.getMilliseconds(), 3)}`];
  return [`${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${clock(time)}`, ""];
}
