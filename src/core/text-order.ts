/**
 * The one order of keys: by unsigned UTF-8 bytes, as LevelDB compares them. JavaScript compares strings
 * by UTF-16 units, which differs where a surrogate pair meets U+E000..U+FFFF; lifting both ranges so that
 * surrogates sort last makes the unit order equal the byte order, without encoding anything.
 */

/** Negative, zero or positive as `a` comes before, equals or comes after `b` in UTF-8 byte order. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return lift(x) - lift(y);
  }
  return a.length - b.length;
}

function lift(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** The smallest string that is greater than every key that starts with `prefix`, or undefined where none is. */
export function afterPrefix(prefix: string): string | undefined {
  for (let end = prefix.length; end > 0;) {
    const pair = end > 1 && (prefix.codePointAt(end - 2) ?? 0) > 0xffff;
    end -= pair ? 2 : 1;
    const last = prefix.codePointAt(end) ?? 0;
    if (last === 0x10ffff) continue;
    return prefix.slice(0, end) + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}

/** The smallest key after `key`. */
export function afterKey(key: string): string {
  return `${key}\u0000`;
}
