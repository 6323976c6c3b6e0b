// Disconnecting, after a question: what it does and what it does not.
/** @import { Connection } from "./connection-words.js" */

import { element } from "../dom.js";
import { ApiError, api, part } from "../frame/api.js";
import { ask } from "../frame/dialog.js";
import { counted } from "../words.js";
import { titleOf } from "./connection-words.js";

const STAYS = " Its client is told not to come back by itself. That is no ban: whoever may open a stream can open the next.";

/** @param {Connection} item  @param {boolean} all of its user  @returns {Promise<string | null>} what was done, or null */
export function askToDisconnect(item, all) {
  return all && item.user_id !== null ? askForAll(item.user_id) : askForOne(item);
}

/** @param {Connection} item */
async function askForOne(item) {
  const done = await ask({
    title: "Disconnect this stream?",
    text: [element("strong", {}, titleOf(item)), ` from ${item.address} is cut off at once.${STAYS}`],
    yes: "Disconnect",
    run: () => api("DELETE", `/api/v1/connections/${part(item.connection_id)}`).catch(ignoreGone),
  });
  return done ? `Disconnected ${titleOf(item)}.` : null;
}

/** @param {string} user */
async function askForAll(user) {
  let count = 0;
  const done = await ask({
    title: "Disconnect all of this user?",
    text: ["Every stream of ", element("strong", {}, user), `, on all processes, is cut off at once.${STAYS.replace("Its client is", "The clients are")}`],
    yes: "Disconnect all",
    run: async () => ({ connections: count } = await api("DELETE", `/api/v1/users/${part(user)}/connections`)),
  });
  return done ? `Disconnected ${counted(count, "stream")} of ${user}.` : null;
}

/** Who has left meanwhile is as good as disconnected. @param {unknown} error */
function ignoreGone(error) {
  if (!(error instanceof ApiError && error.status === 404)) throw error;
}
