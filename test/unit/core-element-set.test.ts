import { describe, expect, it } from 'vitest';
import { besideAdded, viewElements } from '../../src/core/element-set.js';
import { incarnationId, sessionId } from '../../src/core/ids.js';
import {
  applyChange,
  EMPTY_RECORD,
  mergeRecords,
  type KeyRecord,
  type RecentOperation,
  type Sibling,
} from '../../src/core/record.js';

/** `a3` is counter 3 of incarnation a; its time is its number, later by 10 for each letter. */
function dotted(name: string, sequence: number): RecentOperation {
  const counter = Number(name.slice(1));
  const incarnation = name.slice(0, 1);
  const operation = { session: sessionId('s'), sequence };
  const hlc = counter + 10 * incarnation.charCodeAt(0);
  const dot = { incarnation: incarnationId(incarnation), counter };
  return incarnation === 'a' ? { dot, hlc, operation } : { dot, hlc, operation, retried: true };
}

/** An add of one element, by a coordinator that holds `record`. */
function added(record: KeyRecord, name: string, sequence: number, element = 'x'): KeyRecord {
  const value = Buffer.from(element);
  const sibling: Sibling = { ...dotted(name, sequence), expiresAt: 0, value };
  return applyChange(record, besideAdded(record, [value]), [sibling]);
}

/** A remove by somebody who has seen all of it. */
function removed(record: KeyRecord, name: string, sequence: number): KeyRecord {
  return applyChange(record, [], [], dotted(name, sequence));
}

const elements = (record: KeyRecord): string[] =>
  viewElements(record).map(({ value }) => Buffer.from(value as Uint8Array).toString());

describe('two adds of one element that were both retried', () => {
  it('stay, where each took the place of the other at one coordinator', () => {
    const here = added(added(EMPTY_RECORD, 'a1', 1), 'a2', 2);
    const there = added(added(EMPTY_RECORD, 'b1', 2), 'b2', 1);
    expect(elements(mergeRecords(here, there))).toEqual(['x']);
    expect(elements(mergeRecords(there, here))).toEqual(['x']);
  });

  it('do not come back where they were removed', () => {
    const here = added(added(EMPTY_RECORD, 'a1', 1), 'a2', 2);
    const there = removed(added(added(EMPTY_RECORD, 'b1', 2), 'b2', 1), 'b3', 3);
    expect(elements(mergeRecords(here, there))).toEqual([]);
  });

  it('do not come back where each was removed before the other was added', () => {
    const here = added(removed(added(EMPTY_RECORD, 'a1', 1), 'a2', 3), 'a3', 2);
    const there = added(removed(added(EMPTY_RECORD, 'b1', 2), 'b2', 4), 'b3', 1);
    expect(elements(mergeRecords(here, there))).toEqual([]);
  });

  it('do not bring another element along', () => {
    const here = added(added(EMPTY_RECORD, 'a1', 1), 'a2', 2, 'y');
    const there = removed(added(EMPTY_RECORD, 'b1', 1), 'b2', 3);
    expect(elements(mergeRecords(here, there))).toEqual(['y']);
  });
});
