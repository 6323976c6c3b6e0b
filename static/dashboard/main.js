// The dashboard: one stream, and the parts of the page that live on it. Everything is put together here.
/** @import { Filter } from "./filter.js" */
/** @import { HermesEvent } from "../hermes.js" */

import { connect } from "/static/hermes.js";
import { byId, setText } from "./dom.js";
import { entryOf } from "./entry.js";
import { EventLog } from "./event-log.js";
import { EventTable } from "./event-table.js";
import { FilterBar } from "./filter-bar.js";
import { isNarrowed, matcher, NONE, passes, readFilter, subscriptionOf, SYSTEM, writeFilter } from "./filter.js";
import { eventsBefore } from "./history.js";
import { bindSwitch, listenForKeys } from "./keys.js";
import { LinkWatch } from "./link-watch.js";
import { Machine } from "./machine.js";
import { Notices } from "./notices.js";
import { Pill } from "./pill.js";
import { PublishForm } from "./publish-form.js";
import { fillSnippets } from "./snippet-box.js";
import { StatusLine } from "./status-line.js";
import { recall, remember } from "./store.js";
import { bindThemes } from "./theme-switch.js";
import { Views } from "./views.js";
import { counted, grouped } from "./words.js";

/** Rows that the table keeps, and numbers of the log that it looks back when it opens. */
const ROWS = 500, LOOK_BACK = 500;

let filter = readFilter(new URLSearchParams(location.search));
let subscribed = JSON.stringify(subscriptionOf(filter));
let updating = Promise.resolve();
let shown = { events: 0, total: 0 };

const { say } = new StatusLine(byId("status"));
const log = new EventLog(ROWS);
const bar = new FilterBar(filter);
const machine = new Machine(byId("charts"), byId("machine-hint"));
const table = new EventTable({
  body: byId("rows"), scroller: byId("log"), sentinel: byId("newest"), log, say,
  only: (field, value) => bar.set({ ...filter, [`${field}s`]: [value] }),
});
const form = new PublishForm(say, (channel, type) => passes(filter, channel, type));
const stream = connect("/api/v1/events/stream", { ...subscriptionOf(filter), persist: false });
const watch = new LinkWatch(stream);
const views = new Views({ say, connection: () => watch.facts.connection });
const pill = new Pill(watch, say, () => views.title);
new Notices(byId("notices"), say);

stream.on("*", take);
watch.onNote = (note) => table.add(note);
watch.onChange = () => pill.draw();
watch.onFresh = lookBack;
bar.onChange = apply;
table.filter(matcher(filter));
table.onDrawn = (now) => {
  shown = now;
  describe();
};
table.onHeld = describe;

/** @param {HermesEvent} event */
function take(event) {
  if (event.channel === SYSTEM) machine.add(event, !event.replayed);
  if (isKept(event)) table.add(entryOf(event, Date.now()));
  if (event.channel !== SYSTEM && event.channel) form.offer(event.channel, event.type);
}

/** The metrics that only the charts show must not push other events out. @param {{channel: string | null}} event */
function isKept({ channel }) {
  return channel !== SYSTEM || passes({ ...filter, types: [] }, SYSTEM, "");
}

/** @param {string} cursor */
async function lookBack(cursor) {
  const { entries, events } = await eventsBefore(cursor, subscriptionOf(filter), LOOK_BACK);
  for (const event of events) if (event.channel === SYSTEM) machine.add(event, false);
  table.merge(entries.filter(isKept));
}

/** Shows another selection at once, and has the server send it. @param {Filter} next */
async function apply(next) {
  filter = next;
  history.replaceState(null, "", `${location.pathname}${writeFilter(filter, location.search)}${location.hash}`);
  table.filter(matcher(filter));
  bar.refused("");
  const wanted = subscriptionOf(filter), text = JSON.stringify(wanted);
  try {
    if (text !== subscribed) {
      subscribed = text;
      // One after the other: the subscription that was asked for last is the one that stays.
      await (updating = updating.catch(() => {}).then(() => stream.update(wanted)));
    }
    if (text === subscribed && stream.lastEventId) await lookBack(stream.lastEventId);
  } catch (error) {
    if (text !== subscribed) return;
    subscribed = "";
    bar.refused(error instanceof Error ? `The server refused: ${error.message}` : String(error));
  }
}

/** What the table shows, in words. */
function describe() {
  const { events, total } = shown, narrowed = isNarrowed(filter);
  const { isHeld, waiting } = table, fresh = waiting ? `${grouped(waiting)} new` : "";
  byId("pause").setAttribute("aria-pressed", String(isHeld));
  setText(byId("pause-label"), isHeld ? fresh ? `Resume · ${fresh}` : "Resume" : "Pause");
  byId("held").hidden = !table.isAway;
  setText(byId("held-label"), fresh ? `Paused · ${fresh}` : "Paused");
  setText(byId("count"), events ? counted(events, "event") : "");
  byId("older").hidden = !log.skipped || !events;
  setText(byId("older"), `These are the newest ${grouped(ROWS)}. Skipped ${grouped(log.skipped)} older.`);
  byId("empty").hidden = events > 0;
  byId("empty-waiting").hidden = narrowed;
  byId("empty-filtered").hidden = !narrowed;
  setText(byId("empty-count"), total ? `None of the ${counted(total, "event")} on this page does. What comes next is shown as soon as it does.` : "");
}

function togglePause() {
  if (table.isHeld) table.resume();
  else table.pause();
  say(table.isHeld ? "Paused." : "Going on.");
}

const help = /** @type {HTMLDialogElement} */ (byId("help"));
listenForKeys({
  "/": () => views.hasEvents ? bar.focusSearch() : views.focusSearch(),
  " ": () => views.hasEvents && togglePause(),
  "?": () => help.showModal(),
});
bindSwitch(/** @type {HTMLInputElement} */ (byId("keys-on")));
bindThemes(byId("themes"));
for (const place of document.querySelectorAll(".snippets")) fillSnippets(/** @type {HTMLElement} */ (place), location.origin, say);

byId("pause").addEventListener("click", togglePause);
byId("held").addEventListener("click", () => table.resume());
byId("clear-filters").addEventListener("click", () => bar.set({ ...NONE, system: filter.system }));
byId("help-button").addEventListener("click", () => {
  byId("tools").hidePopover();
  help.showModal();
});
addEventListener("hashchange", () => pill.draw());
byId("connection").addEventListener("toggle", () => pill.draw());
for (const id of ["reconnect", "banner-again"]) byId(id).addEventListener("click", () => stream.reconnect());

const publish = /** @type {HTMLDetailsElement} */ (byId("publish"));
publish.open = (recall("publish") ?? (matchMedia("(min-width: 62rem)").matches ? "open" : "")) === "open";
const seen = () => byId("main").classList.toggle("publish-closed", !publish.open);
publish.addEventListener("toggle", () => {
  seen();
  remember("publish", publish.open ? "open" : "closed");
});
seen();

setInterval(() => {
  pill.draw();
  machine.draw();
}, 1000);
pill.draw();
describe();
