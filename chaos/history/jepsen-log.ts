/**
 * Operations as Jepsen logs them, one a line, among lines of other kinds:
 *
 *     INFO  jepsen.util - 3	:invoke	:cas	[1 2]
 *     2024-05-01 10:00:00,000{GMT}	INFO	[worker 3] jepsen.util: 3	:ok	:cas	[1 2]
 *     3	:fail	:cas	[1 2]	:timed-out            (its history.txt has no beginning of this kind)
 *
 * A line that is no operation is another's and is counted. A line that begins as one and does not go on as one is
 * an error: to leave it out would change the verdict.
 */
import { EdnParser } from './edn-parser.js';
import type { EventFields } from './event-fields.js';
import type { StringCache } from './string-cache.js';
import { TextCursor } from './text-cursor.js';

const OPERATION = /(?:^|jepsen\.util\s*[-:]\s+)(:?[\w.-]+)[ \t]+:(invoke|ok|fail|info)(?=\s|$)/;
const NUMBER = /^\d+$/;

/** Whether the line begins as one of Jepsen's operations. */
export function isOperationLine(line: string): boolean {
  return OPERATION.test(line);
}

/** Reads a line into the fields. False where it is no operation. */
export function readLogLine(
  line: string,
  fields: EventFields,
  place: { readonly source: string; readonly linesBefore: number; readonly strings: StringCache },
): boolean {
  const match = OPERATION.exec(line);
  const [begin = '', process = '', type = ''] = match ?? [];
  if (match === null) return false;
  fields.set('process', NUMBER.test(process) ? Number(process) : process);
  fields.set('type', type);
  const cursor = new TextCursor(place.source, place.linesBefore);
  cursor.feed(line);
  cursor.finish();
  cursor.at = match.index + begin.length;
  const parser = new EdnParser(cursor, place.strings);
  // A nemesis may report what is no EDN; its events are only counted.
  if (process === ':nemesis' || process === 'nemesis') return true;
  if (parser.next() === -1) throw cursor.expected('the function, such as :read');
  fields.set('f', parser.value());
  if (parser.next() === -1) throw cursor.expected('the value, such as nil');
  fields.set('value', parser.value());
  // What is left is an error, as its database put it.
  return true;
}
