// What can go wrong, what a status means, how long to wait then.
export class HermesError extends Error {
  static code = "ERROR";
  status = 0;
  fatal = false;
  retryAfter = 0;

  /** @param {string} message  @param {object} [details] */
  constructor(message, details) {
    super(message);
    this.name = new.target.name;
    this.code = new.target.code;
    Object.assign(this, details);
  }
}
export class RefusedError extends HermesError { static code = "REFUSED"; }
export class NetworkError extends HermesError { static code = "NETWORK"; }
export class TimeoutError extends HermesError { static code = "TIMEOUT"; }
export class FormatError extends HermesError { static code = "FORMAT"; }
export class TokenError extends HermesError { static code = "TOKEN"; }
export class HandlerError extends HermesError { static code = "HANDLER"; }
export class ClosedError extends HermesError { static code = "CLOSED"; }
export class OptionError extends HermesError { static code = "OPTION"; }

/** @type {Hermes.Verdict} */
export const verdict = (status) =>
  status === 404 ? "missing" : status < 400 || status > 499 || [408, 425, 429].includes(status) ? "retry" : "fatal";

/** The error that a body or an `error` frame tells of. @param {any} error  @param {object} [details] */
export const toRefusal = (error, details) =>
  new RefusedError(`${error?.message ?? "the server refused"}`, { ...error?.code && { code: `${error.code}` }, ...details });

/** No server may send a client away for longer, ms. */
const LONGEST = 3_600_000;

/** @type {Hermes.RetryDelay} */
export const retryDelay = ({ attempt, floor, orderly }, { base = 1000, cap = 30_000 } = {}, random) =>
  Math.min(LONGEST, floor) + (orderly && floor && !attempt ? 0 : random() * Math.min(cap, base * 2 ** Math.min(attempt, 40)));

/** @type {Hermes.RetryAfter} */
export const retryAfter = (value, date) => {
  const ms = /^\s*\d+\s*$/.test(value ?? "") ? Number(value) * 1000 : Date.parse(value ?? "") - date;
  return ms > 0 ? Math.min(LONGEST, ms) : 0;
};
