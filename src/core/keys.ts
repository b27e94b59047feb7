/** The edge check of keys: every key that enters, by SDK or by node, passes here once. */
import { TrefoilError } from './errors.js';
import { KEY_BYTES_MAX } from './limits.js';

/**
 * Refuses what cannot be a key: empty, not well-formed Unicode, or longer than `KEY_BYTES_MAX` in UTF-8.
 * Throws `InvalidKey` or `KeyTooLarge`.
 */
export function checkKey(key: string): void {
  if (key.length === 0) throw new TrefoilError('InvalidKey', 'a key must not be empty');
  if (key.length > KEY_BYTES_MAX || (key.length * 3 > KEY_BYTES_MAX && utf8Length(key) > KEY_BYTES_MAX)) {
    throw new TrefoilError('KeyTooLarge', `a key of ${utf8Length(key)} bytes; the limit is ${KEY_BYTES_MAX}`);
  }
  if (!isWellFormed(key))
    throw new TrefoilError('InvalidKey', 'a key must be well-formed Unicode: it has a lone surrogate');
}

/** Bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

function isWellFormed(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return false;
    i++;
  }
  return true;
}
