// Where a text stops being JSON, and what is expected there: the engines' own messages differ, and some name no place.
// It follows RFC 8259 as far as the first mistake. Pure.

/** @typedef {{at: number, expected: string}} Problem */

const LITERALS = ["true", "false", "null"];
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// eslint-disable-next-line no-control-regex
const STRING = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"?/y;
const DEEPEST = 500;

class Scanner {
  at = 0;
  depth = 0;

  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  /** @param {string} expected @returns {never} */
  fail(expected) {
    throw { at: this.at, expected };
  }

  space() {
    while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at++;
  }

  /** Is that the next character? Then past it. @param {string} character */
  take(character) {
    this.space();
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  value() {
    this.space();
    const character = this.text[this.at];
    if (++this.depth > DEEPEST) this.fail("fewer levels");
    if (character === "{") this.members();
    else if (character === "[") this.items();
    else if (character === '"') this.string();
    else if (/[-\d]/.test(character ?? "")) this.number();
    else this.literal();
    this.depth--;
  }

  members() {
    this.at++;
    if (this.take("}")) return;
    do {
      this.space();
      if (this.text[this.at] !== '"') this.fail('a name in double quotes');
      this.string();
      if (!this.take(":")) this.fail("a colon");
      this.value();
    } while (this.take(","));
    if (!this.take("}")) this.fail("a comma or }");
  }

  items() {
    this.at++;
    if (this.take("]")) return;
    do this.value();
    while (this.take(","));
    if (!this.take("]")) this.fail("a comma or ]");
  }

  string() {
    STRING.lastIndex = this.at;
    const found = STRING.exec(this.text)?.[0] ?? "";
    this.at += found.length;
    if (found.length < 2 || !found.endsWith('"')) {
      const next = this.text[this.at];
      this.fail(next === "\\" ? "another escape" : next === undefined ? "a closing double quote" : "\\n, \\t or the like instead of the character itself");
    }
  }

  number() {
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text)?.[0];
    if (!found) this.fail("a number");
    this.at += found?.length ?? 0;
    if (/[\d.eE+]/.test(this.text[this.at] ?? "")) this.fail("a number without leading zeros or loose ends");
  }

  literal() {
    const found = LITERALS.find((literal) => this.text.startsWith(literal, this.at));
    if (!found) this.fail("a value: text in double quotes, a number, true, false, null, { or [");
    this.at += found?.length ?? 0;
  }
}

/** The first mistake, or null. @param {string} text  @returns {Problem | null} */
export function jsonProblem(text) {
  const scanner = new Scanner(text);
  try {
    scanner.value();
    scanner.space();
    if (scanner.at < text.length) scanner.fail("the end");
    return null;
  } catch (problem) {
    if (problem instanceof Error) throw problem;
    return /** @type {Problem} */ (problem);
  }
}

/** The same as a sentence for people. @param {string} text */
export function jsonSentence(text) {
  const problem = jsonProblem(text);
  if (!problem) return null;
  const before = text.slice(0, problem.at).split("\n");
  const place = text.includes("\n") ? `line ${before.length}, column ${before[before.length - 1].length + 1}` : `column ${problem.at + 1}`;
  const found = problem.at >= text.length ? "the end" : `“${[...text.slice(problem.at)][0]}”`;
  return `Not JSON yet: at ${place} there is ${found}, expected ${problem.expected}`;
}
