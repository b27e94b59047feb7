/** What a reader is shown of a record by its namespace's policy, as it travels. */
import { viewCounter } from '../../core/counter.js';
import { viewElements } from '../../core/element-set.js';
import { TrefoilError } from '../../core/errors.js';
import type { KeyRecord, Sibling } from '../../core/record.js';
import { viewRecord, type ConflictPolicy } from '../../core/views.js';
import type { ValueView } from '../../protocol/messages.js';
import { encodeValue } from '../../protocol/value-codec.js';

/** Live values; of a set its elements, of a counter its total, or the error that stands in its place. */
export function shownValues(
  record: KeyRecord,
  policy: ConflictPolicy,
  wallMs: number,
): ValueView[] | TrefoilError {
  switch (policy) {
    case 'siblings':
    case 'lww':
      return travelling(viewRecord(record, policy, wallMs).values);
    case 'set':
      return travelling(viewElements(record));
    case 'counter':
      return counterValue(record);
  }
}

function travelling(siblings: readonly Sibling[]): ValueView[] {
  const shown: ValueView[] = [];
  for (const { value, hlc, expiresAt } of siblings) if (value !== null) shown.push({ value, hlc, expiresAt });
  return shown;
}

function counterValue(record: KeyRecord): ValueView[] | TrefoilError {
  const view = viewCounter(record);
  if (view === undefined) return new TrefoilError('RecordCorrupt', 'the record holds what is no counter');
  if (!view.present) return [];
  const total = Number(view.total);
  if (!Number.isSafeInteger(total)) {
    const message = `concurrent increments carried the counter to ${view.total}, beyond 2^53 - 1`;
    return new TrefoilError('CounterOverflow', message);
  }
  return [{ value: encodeValue(total), hlc: view.hlc, expiresAt: 0 }];
}

/** How many values the key has after a write, as its coordinator sees it. */
export function shownCount(record: KeyRecord, policy: ConflictPolicy, wallMs: number): number {
  if (policy === 'counter') return viewCounter(record)?.present === true ? 1 : 0;
  if (policy === 'set') return viewElements(record).length;
  return viewRecord(record, 'siblings', wallMs).values.length;
}
