/** Which of the known formats a file is in, told by how it begins: names of files say little. */
import { isOperationLine } from './jepsen-log.js';

export const HISTORY_FORMATS = ['edn', 'json', 'jepsen-log', 'porcupine-kv'] as const;
export type HistoryFormat = (typeof HISTORY_FORMATS)[number];

/** Characters of a file that are enough to tell. */
export const DETECT_LENGTH = 64 * 1024;

/** `{"type": ...` of JSON; EDN has no colon of its own there. */
const JSON_EVENT = /^\{\s*(\}|"(?:[^"\\]|\\.)*"\s*:(\s|["[{\d-]|true\b|false\b|null\b))/;
const KV_EVENT = /^\{[^{}]*:f\s+:(get|put|append)\b[^{}]*\}/;
const KEYED_EVENT = /:key\s/;

/** The format of a history that begins with `head`, or undefined where it is none. */
export function detectFormat(head: string): HistoryFormat | undefined {
  const text = head.replace(/^[\s\ufeff,]+/, '');
  if (text === '') return 'json';
  if (/^[^{(;#]/.test(text) && text.split('\n').some(isOperationLine)) return 'jepsen-log';
  const event = text.replace(/^\[\s*/, '');
  if (JSON_EVENT.test(event) || /^\[\s*\]/.test(text)) return 'json';
  const kv = KV_EVENT.exec(text)?.[0];
  if (kv !== undefined && KEYED_EVENT.test(kv)) return 'porcupine-kv';
  return /^([[({;]|#[\w.])/.test(text) ? 'edn' : undefined;
}
