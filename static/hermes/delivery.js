// From frames to handlers: each event once, in order, and the cursor.

/** @type {Hermes.ParseCursor} */
export const parseCursor = (text) => {
  const match = /^([^~]*)-(\d+)(~.*)?$/s.exec(text ?? "");
  return match && { epoch: match[1], number: Number(match[2]) };
};

/** @type {(text: string) => any} */
export const parseData = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

/** What the server itself sends. @param {string} type */
export const isControl = (type) => /^(connected|reset|heartbeat|error|close)$/.test(type);
/** What patterns do not match, and nobody may pose as. @param {string} type */
const isOwn = (type) => isControl(type) || type === "state" || type === "gaveup";

/** @type {Hermes.CreateInbox} */
export const createInbox = (first, moved) => {
  let last = parseCursor(first), replaying = false;
  /** How far ahead? @param {string | null} id */
  const ahead = (id) => {
    const cursor = parseCursor(id);
    return cursor && last?.epoch === cursor.epoch ? cursor.number - last.number : 1;
  };
  return {
    cursor: first || null,
    wantsRetained: !!first,
    begin() {
      replaying = this.cursor !== null;
    },
    moveTo(id) {
      if (ahead(id) < 0) return;
      last = parseCursor(id);
      this.cursor = id || null;
      if (id) moved?.(id);
    },
    accept({ type, data: text, id = null, channel = null, time = null, retained = false }) {
      const control = isControl(type);
      if (retained) id = null;
      if (id !== null) {
        if (!control && ahead(id) <= 0) return null;
        this.moveTo(id);
      }
      const data = parseData(text);
      if (type === "connected") replaying = data?.recovered != null;
      if (type === "reset") replaying = true;
      if (type === "heartbeat" && id) replaying = this.wantsRetained = false;
      return { type, data, text, id, channel, time, replayed: replaying && !control && !retained, retained };
    },
  };
};

/** @type {(pattern: string) => RegExp} */
export const toRegExp = (pattern) =>
  new RegExp(`^${pattern.replace(/[\\^$.|?+()[\]{}]/g, "\\$&").replaceAll("*", ".*")}$`, "s");

/** @type {Hermes.CreateEmitter} */
export const createEmitter = (report) => {
  /** @type {{type: string, handler: Function, pattern: RegExp}[]} */
  let list = []; // replaced, never changed, so that handlers may come and go meanwhile
  /** @param {string} type  @param {Function} [handler] */
  const off = (type, handler) => {
    list = list.filter((entry) => entry.type !== type || handler && entry.handler !== handler);
  };
  return {
    off,
    on(type, handler) {
      off(type, handler);
      list = [...list, { type, handler, pattern: toRegExp(type) }];
      return () => off(type, handler);
    },
    has: (type) => list.some((entry) => entry.type === type),
    emit(type, event, own) {
      for (const entry of list) {
        if (own ? entry.type !== type : isOwn(entry.type) || !entry.pattern.test(type)) continue;
        if (!list.includes(entry)) continue;
        try {
          const result = entry.handler(event);
          result?.then?.(null, (/** @type {unknown} */ cause) => report(cause, type));
        } catch (cause) {
          report(cause, type);
        }
      }
    },
  };
};
