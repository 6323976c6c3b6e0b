// What a schema says in few words, and the command that makes a call. Pure.

/** @typedef {Record<string, any>} Schema */

/** The name that a reference ends in, or null. @param {Schema} schema  @returns {string | null} */
export function nameOf(schema) {
  return typeof schema.$ref === "string" ? schema.$ref.split("/").pop() ?? null : null;
}

/** The names of the schemas that its kind speaks of. @param {Schema} schema  @returns {string[]} */
export function namesIn(schema) {
  const parts = [...(schema.anyOf ?? schema.oneOf ?? []), ...(schema.items ? [schema.items] : [])];
  return [nameOf(schema) ?? [], ...parts.map(namesIn)].flat();
}

/** What kind of value, and within which bounds: "string, 1 to 255 characters". @param {Schema} schema  @returns {string} */
export function kindOf(schema) {
  const said = [mainKind(schema), ...bounds(schema)];
  if (schema.default !== undefined) said.push(`default ${JSON.stringify(schema.default)}`);
  return said.filter(Boolean).join(", ");
}

/** @param {Schema} schema  @returns {string} */
function mainKind(schema) {
  const name = nameOf(schema);
  if (name) return name;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return `${schema.enum.length > 1 ? "one of " : ""}${schema.enum.map((/** @type {unknown} */ value) => JSON.stringify(value)).join(", ")}`;
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants && !schema.type) return [...new Set(variants.map(mainKind))].join(" or ");
  const types = [schema.type ?? []].flat();
  if (types.length === 0) return "any JSON";
  return types.map((type) => (type === "array" ? `array of ${mainKind(schema.items ?? {})}` : type)).join(" or ");
}

/** @param {Schema} schema  @returns {string[]} */
function bounds(schema) {
  const above = schema.exclusiveMinimum === undefined ? "" : `above ${schema.exclusiveMinimum}`;
  return [
    range(schema.minLength, schema.maxLength, "characters"),
    range(schema.minItems, schema.maxItems, "entries"),
    range(schema.minProperties, schema.maxProperties, "fields"),
    above,
    range(schema.minimum, schema.maximum === Number.MAX_SAFE_INTEGER ? undefined : schema.maximum, ""),
    schema.format ?? "",
  ].filter(Boolean);
}

/** @param {number | undefined} low  @param {number | undefined} high  @param {string} noun */
function range(low, high, noun) {
  const said = low !== undefined && high !== undefined ? `${low} to ${high}` : low !== undefined ? `at least ${low}` : high !== undefined ? `at most ${high}` : "";
  return said && noun ? `${said} ${noun}` : said;
}

/** A command for a shell on the server's own machine. @param {string} method  @param {string} path  @param {Schema} operation */
export function command(method, path, operation) {
  const parts = [`curl -s${streams(operation) ? "N" : ""} "$HERMES${path}"`];
  if (method !== "get" && method !== "post") parts[0] += ` -X ${method.toUpperCase()}`;
  if (operation.security?.length) parts.push('-H "Authorization: Bearer $KEY"');
  if (operation.requestBody) parts.push("-d @body.json");
  else if (method === "post") parts[0] += " -X POST";
  return parts.join(" \\\n  ");
}

/** @param {Schema} operation */
function streams(operation) {
  return Object.values(operation.responses).some((answer) => "text/event-stream" in (answer.content ?? {}));
}

/** Every word of `wanted` is somewhere in `text`. @param {string} text  @param {string} wanted */
export function fits(text, wanted) {
  const lower = text.toLowerCase();
  return wanted.toLowerCase().split(/\s+/).every((word) => lower.includes(word));
}
