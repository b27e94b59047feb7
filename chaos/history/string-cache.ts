/**
 * The short texts of a history, each kept once: keywords, names, keys and values repeat a million times.
 *
 * A direct-mapped cache: a text's hash names its one slot, and a newcomer takes the slot. So it is bounded without
 * bookkeeping, and a text that was put out is merely held twice. A `Map` would need the text cut out before it
 * could be looked up; this compares it where it stands.
 *
 * What is kept is a copy: V8 cuts a text of 13 characters or more by pointing into the one it came from, and one
 * value would hold a megabyte of file in memory.
 */

const SLOTS = 1 << 16;
const CACHED_LENGTH_MAX = 64;
/** The longest that V8 copies anyway when it cuts. */
const COPIED_LENGTH_MAX = 12;

export class StringCache {
  readonly #slots = new Array<string>(SLOTS).fill('');

  /** `text.slice(from, to)`, as a text of its own. */
  slice(text: string, from: number, to: number): string {
    const length = to - from;
    if (length === 0) return '';
    if (length > CACHED_LENGTH_MAX) return detached(text.slice(from, to));
    let hash = length;
    for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
    const slot = (hash ^ (hash >>> 16)) & (SLOTS - 1);
    const held = this.#slots[slot] as string;
    if (held.length === length && text.startsWith(held, from)) return held;
    const cut = detached(text.slice(from, to));
    this.#slots[slot] = cut;
    return cut;
  }
}

function detached(text: string): string {
  return text.length <= COPIED_LENGTH_MAX ? text : Buffer.from(text).toString();
}
