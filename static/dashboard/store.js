// What this browser remembers for the page. Storage that is refused is the same as none.

/** @param {string} name */
export function recall(name) {
  try {
    return localStorage.getItem(`hermes:${name}`);
  } catch {
    return null;
  }
}

/** @param {string} name  @param {string | null} value */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`hermes:${name}`);
    else localStorage.setItem(`hermes:${name}`, value);
  } catch {
    // then it is not remembered
  }
}
