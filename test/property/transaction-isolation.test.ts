/** What toy stores of known isolation do is judged as what they promise: never less, and the bug is seen. */
import { describe, expect, it } from 'vitest';
import type { ConsistencyLevel } from '../../chaos/checkers/transactions/consistency.js';
import { checkListAppend } from '../../chaos/checkers/transactions/list-append.js';
import { checkRwRegister } from '../../chaos/checkers/transactions/rw-register.js';
import { runToyStore, type Datatype, type Isolation } from '../support/toy-transaction-store.js';

const SEEDS = 60;
const TRANSACTIONS = 40;

interface Promised {
  readonly isolation: Isolation;
  readonly datatype: Datatype;
  /** Holds on every seed; undefined where nothing is promised. */
  readonly keeps?: ConsistencyLevel;
  /** Breaks on at least this many of the seeds. */
  readonly breaks?: readonly [ConsistencyLevel, number];
}

const PROMISES: readonly Promised[] = (['list', 'register'] as const).flatMap((datatype): Promised[] => {
  const often = SEEDS / 2;
  return [
    { datatype, isolation: 'serial', keeps: 'strict-serializable' },
    { datatype, isolation: 'stale', keeps: 'serializable', breaks: ['strict-serializable', often] },
    { datatype, isolation: 'snapshot', keeps: 'strong-snapshot-isolation', breaks: ['serializable', 3] },
    {
      datatype,
      isolation: 'read-committed',
      keeps: 'strong-read-committed',
      breaks: ['snapshot-isolation', often],
    },
    datatype === 'register'
      ? { datatype, isolation: 'lost-update', keeps: 'read-committed', breaks: ['cursor-stability', 10] }
      : { datatype, isolation: 'lost-update', breaks: ['snapshot-isolation', often] },
  ];
});

describe.each(PROMISES)('a $isolation store of $datatype', ({ isolation, datatype, keeps, breaks }) => {
  const check = datatype === 'list' ? checkListAppend : checkRwRegister;
  const verdicts = (consistency: ConsistencyLevel) =>
    Array.from({ length: SEEDS }, (_, seed) =>
      check(runToyStore(seed, isolation, datatype, TRANSACTIONS), { consistency }),
    );

  it.runIf(keeps !== undefined)(`is ${keeps}`, () => {
    const wrong = verdicts(keeps!)
      .map((v, seed) => ({ seed, ...v }))
      .filter((v) => v.validity !== 'valid');
    expect(wrong.map((v) => [v.seed, v.reason, v.witness?.lines])).toEqual([]);
  });

  it.runIf(breaks !== undefined)(`is not ${breaks?.[0]}`, () => {
    const [level, least] = breaks!;
    expect(verdicts(level).filter((v) => v.validity === 'invalid').length).toBeGreaterThanOrEqual(least);
  });
});
