/** Values and operations of a history as a page writes them. */
import type { Operation, Value } from '../history/history.js';

/** Characters kept of a value: the whole of it is in the history, a page need not carry megabytes. */
const TEXT_MAX = 400;

/** One line; text stands as it is, so that `v7` reads as `v7`. */
export function valueText(value: Value): string {
  const text = nested(value);
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX - 1)}…`;
}

function nested(value: Value): string {
  if (value === null) return 'nil';
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<string, Value>)].map(
      ([key, held]) => `${key}: ${nested(held)}`,
    );
    return `{${entries.join(', ')}}`;
  }
  if (Array.isArray(value)) return `[${(value as readonly Value[]).map(nested).join(' ')}]`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const READS: ReadonlySet<string> = new Set(['read', 'get', 'r', 'scan']);

/** What was asked and, of a read, what came back: `write v7`, `read → v7`, `read → ?` where no answer came. */
export function callText({ f, input, output, outcome }: Operation): string {
  if (READS.has(f)) return outcome === 'ok' ? `${f} → ${valueText(output)}` : `${f} → ?`;
  if (f === 'txn') return valueText(outcome === 'ok' ? output : input);
  return input === null ? f : `${f} ${valueText(input)}`;
}
