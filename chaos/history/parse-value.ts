/** One value on its own, as a person types it: JSON or EDN. */
import { EdnParser } from './edn-parser.js';
import type { Value } from './history.js';
import { JsonParser } from './json-parser.js';
import { StringCache } from './string-cache.js';
import { TextCursor } from './text-cursor.js';

/** The value of a text such as `0`, `nil`, `[1 2]` or `{"a": 10}`. Throws `BadRequest`, in the name of `source`, for what is neither. */
export function parseValue(text: string, source: string): Value {
  const strings = new StringCache();
  try {
    const cursor = cursorOf(text, source);
    return whole(cursor, new JsonParser(cursor, strings));
  } catch {
    const cursor = cursorOf(text, source);
    return whole(cursor, new EdnParser(cursor, strings));
  }
}

function cursorOf(text: string, source: string): TextCursor {
  const cursor = new TextCursor(source);
  cursor.feed(text);
  cursor.finish();
  return cursor;
}

function whole(cursor: TextCursor, parser: JsonParser | EdnParser): Value {
  const value = parser.value();
  if (parser.next() !== -1) throw cursor.expected('one value');
  return value;
}
