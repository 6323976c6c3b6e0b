// Why the form is here again: the server answers a refused key at the form's own address, a refused link with its code.

const PROBLEMS = {
  key: "That key does not count here. An administrator’s key is needed, whole and without quotes.",
  link: "That link was used already, or is older than 10 minutes. Get another with “hermes link”, or use the key.",
};

const { pathname, search } = location;
const problem = pathname.endsWith("/signin") ? PROBLEMS.key : new URLSearchParams(search).has("code") ? PROBLEMS.link : null;
const field = /** @type {HTMLInputElement} */ (document.getElementById("key"));
const place = /** @type {HTMLElement} */ (document.getElementById("problem"));

if (problem) {
  place.textContent = problem;
  place.hidden = false;
  if (problem === PROBLEMS.key) field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", "problem where");
  // A reload asks for the dashboard, not for the same refusal; and a code stays in no history.
  history.replaceState(null, "", `/dashboard${location.hash}`);
}
// The redirect after it keeps the hash: back to the page that was asked for.
field.form?.setAttribute("action", `/dashboard/signin${location.hash}`);
field.focus();
