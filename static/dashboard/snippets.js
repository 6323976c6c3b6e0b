// Commands that publish to this very server, to copy. They say where the key is and never hold one. Pure.

/** @typedef {{name: string, label: string, text: string, note: string}} Snippet */

/** @param {string} origin of this server  @returns {Snippet[]} */
export function snippets(origin) {
  return [
    {
      name: "curl", label: "curl",
      text: `curl -X POST ${origin}/api/v1/events \\
  -H "X-API-Key: \${HERMES_API_KEY:-$(cat data/admin.key)}" \\
  -d '{"channel": "demo", "type": "hello", "data": {"n": 1}}'`,
      note: "The key is in data/admin.key, in the folder that Hermes was started from, or what HERMES_API_KEYS was set to.",
    },
    {
      name: "hermes", label: "hermes publish",
      text: `HERMES_URL=${origin} hermes publish demo --type hello --data '{"n": 1}'`,
      note: "On Hermes’ own machine it finds the key by itself (in a checkout: .venv/bin/hermes); elsewhere set HERMES_API_KEY.",
    },
    {
      name: "python", label: "Python",
      text: `from hermes import Publisher

with Publisher("${origin}") as hermes:
    hermes.publish("demo", {"n": 1}, type="hello")`,
      note: "It takes the key from HERMES_API_KEY, or finds it by itself on Hermes’ own machine.",
    },
  ];
}
