// Every error that the client throws or reports. A HermesError has `code`, `status`, `fatal` and `retryAfter` (ms).

export class HermesError extends Error {
  static code = "ERROR";

  /**
   * @param {string} message
   * @param {{code?: string, status?: number, fatal?: boolean, retryAfter?: number, cause?: unknown}} [details]
   */
  constructor(message, { code, status = 0, fatal = false, retryAfter = 0, cause } = {}) {
    super(message);
    if (cause !== undefined) this.cause = cause;
    const kind = /** @type {typeof HermesError} */ (this.constructor);
    this.name = kind.name;
    this.code = code ?? kind.code;
    this.status = status;
    this.fatal = fatal;
    this.retryAfter = retryAfter;
  }
}

/** The server refused, by a status or by an `error` frame. */
export class RefusedError extends HermesError { static code = "REFUSED"; }
/** No answer, or a link that broke. */
export class NetworkError extends HermesError { static code = "NETWORK"; }
/** Silence for longer than allowed. */
export class TimeoutError extends HermesError { static code = "TIMEOUT"; }
/** Not an event stream, not a page, or an event that is too large. */
export class FormatError extends HermesError { static code = "FORMAT"; }
/** `getToken` failed. */
export class TokenError extends HermesError { static code = "TOKEN"; }
/** A handler threw. */
export class HandlerError extends HermesError { static code = "HANDLER"; }
/** The stream was closed before it could be done. */
export class ClosedError extends HermesError { static code = "CLOSED"; }
/** An option that cannot be. */
export class OptionError extends HermesError { static code = "OPTION"; }
