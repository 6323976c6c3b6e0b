// The warning that addresses cannot be known, in words. Pure.

/** @typedef {{peer: string, last: string, trusted_proxies: number}} Forwarding a peer whose forwarding headers do not count */

/** Peers that are named; of more than these their number. */
const NAMED = 3;

export const TITLE = "Limits by address are off for some requests.";

/** What is wrong and what to do; empty where nothing is. @param {Forwarding[]} forwarding the last one first  @returns {string} */
export function forwardingWords(forwarding) {
  if (!forwarding.length) return "";
  const peers = peersOf(forwarding), [{ trusted_proxies: declared }] = forwarding;
  if (declared) {
    return `HERMES_TRUSTED_PROXIES declares ${declared === 1 ? "one proxy" : `${declared} proxies`}, and requests from ${peers} `
      + "did not come that way: correct the setting, or let nobody reach Hermes past its proxies.";
  }
  return `Requests from ${peers} carry a forwarding header such as X-Forwarded-For, and no proxy is declared. If that is your proxy, `
    + "set HERMES_TRUSTED_PROXIES to the number of proxies in front of Hermes. If it is not, somebody makes the header up.";
}

/** @param {Forwarding[]} forwarding */
function peersOf(forwarding) {
  const names = forwarding.map(({ peer }) => peer || "a Unix socket"), rest = names.length - NAMED;
  const named = rest > 0 ? [...names.slice(0, NAMED), `${rest} more`] : names;
  return named.length > 1 ? `${named.slice(0, -1).join(", ")} and ${named[named.length - 1]}` : named[0];
}
