// Make before break: a connection opened beside the stream's own, to take over at its `connected`. Loaded when used.
import { createConnection, OPEN_TIMEOUT } from "./connection.js";
import { parseData } from "./delivery.js";
import { NetworkError, TimeoutError, toRefusal } from "./errors.js";

/** @type {Hermes.HandOver} */
export const handOver = ({ env, link, request }, { change, taken }) => new Promise((resolve, reject) => {
  const connection = createConnection(env), sink = link.sink(connection);
  /** @type {string | null} */
  let cursor = null;
  let settled = false;

  /** @param {() => void} how */
  const settle = (how) => {
    if (settled) return;
    settled = true;
    env.clearTimeout(timer);
    if (link.beside === beside) link.beside = null;
    how();
  };
  const beside = link.beside = {
    drop() {
      settle(() => resolve(false));
      connection.abort();
    },
  };
  const timer = env.setTimeout(() => connection.abort(new TimeoutError("not connected in time")), OPEN_TIMEOUT);

  /** @param {any} [error] */
  const ended = (error) => {
    settle(() => reject(error ?? new NetworkError("the new connection ended before it was connected")));
    link.ended(connection, error);
  };
  connection.run({
    ...sink,
    async request() {
      const built = await request(undefined, change);
      cursor = built.cursor;
      return built;
    },
    frame(frame) {
      if (!settled && frame.type !== "connected") return connection.abort(toRefusal(parseData(frame.data)));
      settle(() => {
        if (taken(cursor)) link.take(connection);
        else connection.abort();
        resolve(true);
      });
      sink.frame(frame);
    },
  }).then(() => ended(), ended);
});
