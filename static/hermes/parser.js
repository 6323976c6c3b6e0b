// The event-stream format (WHATWG HTML, section 9.2.6) and Hermes' extra field lines: bytes in, frames out.
import { FormatError } from "./errors.js";

/** @type {Hermes.CreateParser} */
export const createParser = (sink, limit = 1 << 20) => {
  const decoder = new TextDecoder(); // takes a BOM, joins split characters
  const eol = /\r\n?|\n/g;
  let line = ""; // only appended to: looking into it for each chunk is quadratic
  let cr = false, held = 0, lastEventId = "", data = "";
  /** @type {Record<string, string>} */
  let fields = {};

  const bound = () => {
    if (held + line.length > limit) throw new FormatError(`event larger than ${limit} characters`);
  };

  const dispatch = () => {
    const { id = null, event, channel = null, time = null, retained } = fields, text = data;
    lastEventId = id ?? lastEventId;
    held = 0;
    data = "";
    fields = {};
    if (text) {
      sink.frame({
        type: event || "message", data: text.slice(0, -1), id, lastEventId, channel, time, retained: retained === "1",
      });
    } else if (id !== null) {
      sink.id(id);
    }
  };

  const take = () => {
    const colon = line.indexOf(":");
    if (!colon) return; // a comment
    held += line.length;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") data += value + "\n";
    else if (name === "retry") /^\d+$/.test(value) && sink.retry(Number(value));
    else if (name !== "id" || !value.includes("\0")) fields[name] = value;
  };

  return (bytes) => {
    const text = decoder.decode(bytes, { stream: true });
    let start = cr && text[0] === "\n" ? 1 : 0;
    if (text) cr = false;
    for (let match; eol.lastIndex = start, match = eol.exec(text);) {
      line += text.slice(start, match.index);
      start = eol.lastIndex;
      cr = match[0] === "\r" && start === text.length;
      bound();
      if (line) take();
      else dispatch();
      line = "";
    }
    line += text.slice(start);
    bound();
  };
};
