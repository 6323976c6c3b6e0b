// Cursors, as far as the page looks into them: `<epoch>-<number>`. Pure.

/** @param {string | null} text  @returns {{epoch: string, number: number} | null} */
export function parseCursor(text) {
  const match = /^([^~]+)-(\d+)(?:~.*)?$/s.exec(text ?? "");
  return match && { epoch: match[1], number: Number(match[2]) };
}

/** A cursor that is `count` events of the whole log earlier, or null. @param {string | null} text  @param {number} count */
export function earlier(text, count) {
  const cursor = parseCursor(text);
  return cursor && `${cursor.epoch}-${Math.max(0, cursor.number - count)}`;
}
