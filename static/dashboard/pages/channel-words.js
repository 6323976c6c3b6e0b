// What is said of a channel, and where it is found. Pure.

import { NONE, writeFilter } from "../filter.js";
import { part } from "../frame/api.js";
import { counted, digits, grouped } from "../words.js";

/**
 * As the API lists it.
 * @typedef {{channel: string, subscribers: number, rate: number, last_event_at: string | null, presence: boolean}} Channel
 * @typedef {Channel & {
 *   retained: number, events: {id: string, channel: string, type: string, data: unknown, time: string}[],
 * }} WholeChannel  its subscribers by pattern are counted, too
 */

/** The address of the API, or null where a browser cannot ask for that name. @param {string} channel  @param {string} [below] */
export function channelPath(channel, below = "") {
  const name = part(channel);
  return name === null ? null : `/api/v1/channels/${name}${below}`;
}

/** The table of events with this channel alone. @param {string} channel */
export function eventsLink(channel) {
  return `/dashboard${writeFilter({ ...NONE, channels: [channel] }, "")}#/events`;
}

/** @param {string} channel */
export function connectionsLink(channel) {
  return `#/connections?${new URLSearchParams({ channel })}`;
}

/** Events a second. @param {number} rate */
export function rateWords(rate) {
  if (!rate) return "0";
  return rate < 0.01 ? "<0.01" : rate < 10 ? digits(rate, 3) : grouped(rate);
}

/** @param {number} named in the list  @param {number} all in the channel's own answer */
export function subscriberWords(named, all) {
  const byPattern = all - named;
  if (!all) return "none";
  if (byPattern <= 0) return `${grouped(all)}, by its name`;
  return named > 0 ? `${grouped(all)}: ${grouped(named)} by its name, ${grouped(byPattern)} by a pattern` : `${grouped(all)}, by a pattern`;
}

/** Beside the heading. @param {number} shown  @param {number} loaded  @param {boolean} more */
export function countWords(shown, loaded, more) {
  if (!loaded) return "";
  const all = more ? `the first ${counted(loaded, "channel")}` : counted(loaded, "channel");
  return shown === loaded ? all : `${grouped(shown)} of ${all}`;
}

/** Is every word of the search in the name, in any case? @param {string} search  @param {string} channel */
export function isFound(search, channel) {
  const name = channel.toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => name.includes(word));
}
