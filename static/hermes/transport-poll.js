// Long polling where streaming does not work: pages of JSON into the frames of a stream, and the probes that lead back
// to streaming. Loaded when used.
import { bodyOf, toHermesError } from "./connection.js";
import { FormatError, TimeoutError } from "./errors.js";
import { handOver } from "./handover.js";

/** How long the server may hold a request, s; what it may take beyond, and the pause after an empty page, ms. */
const WAIT = 25, GRACE = 10_000, PAUSE = 1000;
/** Between two probes, ms. */
const PROBE = 60_000, LONGEST = 600_000;

/** @type {Hermes.CreatePollConnection} */
export const createPollConnection = (core) => {
  const { env, link, inbox } = core, controller = new AbortController(), { signal } = controller;
  /** @type {Hermes.HermesError | undefined} */
  let cause;
  /** @type {unknown} */
  let probeTimer;
  let deadline = Infinity;
  const late = () => self.abort(new TimeoutError("no page arrived"));

  /** @param {Hermes.Sink} sink  @param {number} wait */
  const fetchPage = async (sink, wait) => {
    const { url, init } = await sink.request({ poll: "1", wait: `${wait}`, limit: "200" });
    const patience = wait * 1000 + GRACE, timer = env.setTimeout(late, patience);
    deadline = env.date() + patience;
    try {
      const body = await bodyOf(await env.fetch(url, { ...init, signal }), "application/json", env.date());
      return readPage(await new Response(body).text());
    } finally {
      env.clearTimeout(timer);
      deadline = Infinity;
    }
  };

  const probeLater = () => {
    if (signal.aborted || (core.options.transport ?? "auto") !== "auto") return;
    probeTimer = env.setTimeout(probe, link.probeIn * (0.75 + env.random() / 2));
    link.probeIn = Math.min(LONGEST, Math.max(PROBE, link.probeIn * 2));
  };

  const probe = () => handOver(core, {
    taken(cursor) {
      link.back();
      // When pages came meanwhile, a snapshot of this connection could be older than they are: open another one.
      const fresh = cursor === inbox.cursor;
      if (!fresh) link.open();
      return fresh;
    },
  }).catch(probeLater);

  /** @param {number} ms */
  const sleep = (ms) => new Promise((resolve) => {
    const timer = env.setTimeout(() => resolve(null), ms);
    signal.addEventListener("abort", () => (env.clearTimeout(timer), resolve(null)), { once: true });
  });

  /** @type {Hermes.Connection} */
  const self = {
    retry: 0,
    async run(sink) {
      try {
        // The first page comes at once, so that it is known soon whether polling works.
        for (let wait = 0; !signal.aborted; wait = WAIT) {
          const asked = env.now(), page = await fetchPage(sink, wait);
          for (const frame of framesOf(page, env.date())) sink.frame(frame);
          if (signal.aborted) break;
          if (!wait) probeLater();
          sink.alive();
          const rest = PAUSE + asked - env.now();
          if (wait && !page.events.length && rest > 0) await sleep(rest);
        }
      } catch (error) {
        if (!signal.aborted) throw toHermesError(error);
      } finally {
        self.abort();
      }
      if (cause) throw cause;
    },
    expect() {},
    hold() {},
    check() {
      if (env.date() > deadline) late();
    },
    abort(error) {
      if (signal.aborted) return;
      cause = error;
      controller.abort();
      env.clearTimeout(probeTimer);
    },
  };
  return self;
};

/** @param {string} text  @returns {Hermes.PollPage} */
export const readPage = (text) => {
  let page;
  try {
    page = JSON.parse(text);
  } catch (cause) {
    throw new FormatError("a page that is not JSON", { cause });
  }
  if (!Array.isArray(page?.events)) throw new FormatError("a page without events");
  return page;
};

/**
 * A page as the frames of an opening: reset, retained, events, a heartbeat with the cursor, close.
 * @param {Hermes.PollPage} page  @param {number} date ms since 1970
 */
export const framesOf = ({ events, cursor, reset, retained, close }, date) => [
  ...reset ? [toFrame({ type: "reset", data: reset })] : [],
  ...(retained ?? []).map((event) => toFrame({ ...event, id: null }, true)),
  ...events.map((event) => toFrame(event)),
  toFrame({ type: "heartbeat", id: cursor, data: { timestamp: new Date(date).toISOString() } }),
  ...close ? [toFrame({ type: "close", data: close })] : [],
];

/** @param {any} event  @returns {Hermes.Incoming} */
const toFrame = ({ type = "message", data = null, id, channel, time }, retained = false) =>
  ({ type, data: JSON.stringify(data), id, channel, time, retained });
