// Another subscription for an open stream, without losing or repeating an event. Loaded when used.
import { storageKey, toSubscription } from "./connection.js";
import { ClosedError } from "./errors.js";
import { handOver } from "./handover.js";

/** What is left out stays, null removes. @param {Hermes.Subscription} previous  @param {Hermes.Subscribing} changes */
export const merge = (previous, changes) => {
  const named = Object.entries(changes).filter(([, value]) => value !== undefined);
  return toSubscription({ ...previous, ...Object.fromEntries(named) });
};

/** Can `next` show anything that `previous` did not? @param {Hermes.Subscription} previous  @param {Hermes.Subscription} next */
export const widens = (previous, next) => {
  const rest = (/** @type {Hermes.Subscription} */ { types, filters }) => JSON.stringify([types, filters]);
  return !next.channels || rest(previous) !== rest(next) ||
    !next.channels.every((name) => previous.channels?.includes(name));
};

/** One after the other; those that wait for their turn become one. @type {Hermes.Update} */
export const update = (core, changes) => {
  toSubscription(changes);
  if (core.queued) {
    Object.assign(core.queued.changes, changes);
    return core.queued.done;
  }
  const queued = core.queued = { changes: { ...changes }, done: core.updating };
  queued.done = core.updating.catch(() => {}).then(() => {
    core.queued = null;
    return apply(core, queued.changes);
  });
  return core.updating = queued.done;
};

/** @param {Hermes.Core} core  @param {Hermes.Subscribing} changes  @returns {Promise<void>} */
const apply = async (core, changes) => {
  const { link } = core, previous = core.subscription, next = merge(previous, changes);
  if (link.state === "closed") throw new ClosedError("the stream is closed");
  if (JSON.stringify(previous) === JSON.stringify(next)) return;
  await new Promise((resolve, reject) => {
    const change = {
      subscription: next, wider: widens(previous, next),
      done: () => resolve(null),
      failed(/** @type {Error} */ error) {
        if (core.subscription === next) subscribe(core, previous);
        reject(error);
      },
    };
    if (link.state === "open") replace(core, change).then(null, reject);
    else adopt(core, change);
  });
};

/**
 * The old connection is held meanwhile. So the new one goes on from exactly its last event, and no snapshot that it
 * brings is older than what was delivered.
 * @param {Hermes.Core} core  @param {Hermes.Change} change  @returns {Promise<void>}
 */
const replace = async (core, change) => {
  const { link } = core, old = link.connection;
  old?.hold(true);
  try {
    const done = await handOver(core, { change, taken: () => (take(core, change), true) });
    if (!done) adopt(core, change);
  } catch (error) {
    if (link.unauthorized(/** @type {any} */ (error))) return replace(core, change);
    old?.hold(false);
    throw error;
  }
};

/** @param {Hermes.Core} core  @param {Hermes.Subscription} subscription */
const subscribe = (core, subscription) => {
  core.subscription = subscription;
  core.store.remove();
  core.store.key = storageKey(core.url, subscription);
  if (core.inbox.cursor) core.store.write(core.inbox.cursor);
};

/** @param {Hermes.Core} core  @param {Hermes.Change} change */
const take = (core, change) => {
  core.change = change;
  core.inbox.wantsRetained ||= change.wider;
  subscribe(core, change.subscription);
};

/** It comes with the next connection. @param {Hermes.Core} core  @param {Hermes.Change} change */
const adopt = (core, change) => {
  const { link } = core;
  if (link.state === "closed") return change.failed(new ClosedError("the stream was closed"));
  take(core, change);
  if (link.state === "idle" || link.state === "paused") core.settle();
  else if (link.state !== "waiting") link.open();
};
