/**
 * The checkers of promises on random histories of a toy store that keeps them: all valid; one thing corrupted, and the checker whose
 * promise it breaks says so; reads corrupted at random, and the fast algorithms agree with the
 * definitions, written down as naively as they read.
 */
import { describe, expect, it } from 'vitest';
import { checkAcknowledgedKept } from '../../chaos/checkers/promises/acknowledged-kept.js';
import { checkFreshness, measureFreshness } from '../../chaos/checkers/promises/freshness.js';
import { checkLostUpdates } from '../../chaos/checkers/promises/lost-updates.js';
import { checkNoDoubledEffect } from '../../chaos/checkers/promises/no-doubled-effect.js';
import { checkNoResurrection } from '../../chaos/checkers/promises/no-resurrection.js';
import { checkNothingFromNowhere } from '../../chaos/checkers/promises/nothing-from-nowhere.js';
import { checkSessionReads } from '../../chaos/checkers/promises/session-reads.js';
import type { Verdict } from '../../chaos/checkers/verdict.js';
import type { Operation, Value } from '../../chaos/history/history.js';
import { SeededRandom } from '../../src/simulation/random.js';
import { siblingHistory } from '../support/sibling-store.js';

const CHECKERS: Readonly<Record<string, (operations: readonly Operation[]) => Verdict>> = {
  kept: checkAcknowledgedKept,
  resurrection: checkNoResurrection,
  nowhere: checkNothingFromNowhere,
  doubled: checkNoDoubledEffect,
  fresh: checkFreshness,
  updates: checkLostUpdates,
  'own writes': (operations) => checkSessionReads(operations, 'read-your-writes'),
  monotonic: (operations) => checkSessionReads(operations, 'monotonic-reads'),
};

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed);

function history(seed: number, operations = 150): Operation[] {
  return siblingHistory(new SeededRandom(seed), { operations, processes: 5, keys: 2 });
}

const isRead = (operation: Operation): boolean => operation.f === 'read';
const listed = (read: Operation): readonly Value[] => read.output as readonly Value[];
const withOutput = (all: readonly Operation[], read: Operation, output: readonly Value[]): Operation[] =>
  all.map((operation) => (operation === read ? { ...operation, output } : operation));

/** Every history that differs from the given one in a single read, where `change` has something to change. */
function corrupted(
  all: readonly Operation[],
  change: (read: Operation) => readonly (readonly Value[])[],
): Operation[][] {
  return all.filter(isRead).flatMap((read) => change(read).map((output) => withOutput(all, read, output)));
}

describe('a store that keeps its promises', () => {
  it.each(Object.keys(CHECKERS))('%s', (name) => {
    for (const seed of SEEDS)
      expect(CHECKERS[name]?.(history(seed)), `seed ${seed}`).toMatchObject({ validity: 'valid' });
  });
});

describe('one thing corrupted', () => {
  const acknowledgedBefore = (all: readonly Operation[], read: Operation): Operation[] =>
    all.filter(
      (o) => o.key === read.key && !isRead(o) && o.outcome === 'ok' && o.completedAt < read.invokedAt,
    );
  const seenBySome = (all: readonly Operation[], value: Value, key: string | undefined): boolean =>
    all.some((o) => o.key === key && o.outcome !== 'fail' && o.seen?.includes(value) === true);

  const mutations: Readonly<Record<string, (all: readonly Operation[]) => Operation[][]>> = {
    'kept: a final value that nobody had seen is dropped': (all) =>
      corrupted(all, (read) =>
        read.process !== 'judge'
          ? []
          : acknowledgedBefore(all, read)
              .filter((o) => listed(read).includes(o.input) && !seenBySome(all, o.input, o.key))
              .map((o) => listed(read).filter((value) => value !== o.input)),
      ),
    'resurrection: a value that an acknowledged write had seen is shown': (all) =>
      corrupted(all, (read) =>
        acknowledgedBefore(all, read)
          .flatMap((o) => o.seen ?? [])
          .map((value) => [...listed(read), value]),
      ),
    'nowhere: a value of a failed or later write is shown': (all) =>
      corrupted(all, (read) =>
        all
          .filter((o) => o.key === read.key && typeof o.input === 'string')
          .filter((o) => o.outcome === 'fail' || o.invokedAt > read.completedAt)
          .map((o) => [...listed(read), o.input]),
      ),
    'doubled: a value is listed twice': (all) =>
      corrupted(all, (read) =>
        listed(read).length === 0 ? [] : [[...listed(read), listed(read)[0] ?? null]],
      ),
    'fresh: an acknowledged value that nobody had seen is dropped': (all) =>
      corrupted(all, (read) =>
        acknowledgedBefore(all, read)
          .filter((o) => listed(read).includes(o.input) && !seenBySome(all, o.input, o.key))
          .map((o) => listed(read).filter((value) => value !== o.input)),
      ),
    'own writes: a read forgets what its process wrote last': (all) =>
      corrupted(all, (read) =>
        acknowledgedBefore(all, read)
          .filter((o) => o.process === read.process && listed(read).includes(o.input))
          .filter((o) => !seenBySome(all, o.input, o.key))
          .map((o) => listed(read).filter((value) => value !== o.input)),
      ),
    'monotonic: a read shows what an earlier read of its process no longer did': (all) =>
      corrupted(all, (read) => {
        const earlier = all.filter(
          (o) => isRead(o) && o.process === read.process && o.key === read.key && o.index < read.index,
        );
        const shown = new Set(earlier.flatMap(listed));
        return [...shown]
          .filter((value) => !listed(earlier.at(-1) ?? read).includes(value))
          .map((value) => [value]);
      }),
    'updates: one of two updates of one state vanishes in the end': (all) =>
      corrupted(all, (read) => {
        if (read.process !== 'judge') return [];
        const updates = acknowledgedBefore(all, read).filter((o) => o.f === 'update');
        const rivals = (a: Operation, b: Operation): boolean =>
          a !== b && a.seen?.some((value) => b.seen?.includes(value)) === true && !a.seen.includes(b.input);
        return updates
          .filter((o) => !seenBySome(all, o.input, o.key) && updates.some((other) => rivals(o, other)))
          .map((o) => listed(read).filter((value) => value !== o.input));
      }),
  };

  it.each(Object.keys(mutations))('%s', (name) => {
    const check = CHECKERS[name.slice(0, name.indexOf(':'))];
    let tried = 0;
    for (const seed of SEEDS) {
      for (const bad of (mutations[name]?.(history(seed)) ?? []).slice(0, 20)) {
        tried++;
        expect(check?.(bad), `seed ${seed}`).toMatchObject({ validity: 'invalid' });
      }
    }
    expect(tried).toBeGreaterThan(5);
  });
});

// --- The definitions, naively ----------------------------------------------------------------------------

class Naive {
  readonly #all: readonly Operation[];

  constructor(all: readonly Operation[]) {
    this.#all = all;
  }

  writes(key: string | undefined): Operation[] {
    return this.#all.filter((o) => o.key === key && !isRead(o));
  }

  #successors(write: Operation, before: number): Operation[] {
    return this.writes(write.key).filter(
      (o) => o.outcome !== 'fail' && o.invokedAt < before && o.seen?.includes(write.input) === true,
    );
  }

  reflected(write: Operation, shown: readonly Value[], before: number): boolean {
    if (write.input === null || shown.includes(write.input)) return true;
    return this.#successors(write, before).some((o) => this.reflected(o, shown, before));
  }

  superseded(write: Operation, before: number): boolean {
    return this.#successors(write, before).some(
      (o) => o.completedAt < before || (o.input !== null && this.superseded(o, before)),
    );
  }

  stale(read: Operation): boolean {
    const { key, invokedAt, completedAt } = read;
    return this.writes(key).some((o) =>
      listed(read).includes(o.input)
        ? this.superseded(o, invokedAt)
        : o.outcome === 'ok' && o.completedAt < invokedAt && !this.reflected(o, listed(read), completedAt),
    );
  }

  lost(final: Operation): Operation[] {
    return this.writes(final.key).filter(
      (o) => o.outcome === 'ok' && !this.reflected(o, listed(final), Infinity),
    );
  }

  /** Process by process, every earlier own write or read against every later read. */
  sessionBroken(own: boolean): boolean {
    return this.#all
      .filter((o) => isRead(o) && o.process !== 'judge')
      .some((read) => {
        const before = this.#all.filter(
          (o) =>
            o.process === read.process && o.key === read.key && o.index < read.index && o.outcome === 'ok',
        );
        const earlier = before.filter((o) => isRead(o) !== own);
        const values = own ? earlier.map((o) => o.input) : earlier.flatMap(listed);
        const lacks = values.some((value) => {
          const write = this.writes(read.key).find((o) => value !== null && o.input === value);
          return write !== undefined && !this.reflected(write, listed(read), read.completedAt);
        });
        const back = own
          ? earlier.some((o) => o.seen?.some((value) => listed(read).includes(value)))
          : earlier.some((one, i) =>
              earlier
                .slice(i + 1)
                .some((other) =>
                  listed(one).some((value) => !listed(other).includes(value) && listed(read).includes(value)),
                ),
            );
        return lacks || back;
      });
  }
}

describe('agrees with the definition', () => {
  /** Some reads show what an earlier read of the key showed, or lack a value. */
  function noisy(seed: number): Operation[] {
    const random = new SeededRandom(seed).fork('noise');
    const all = siblingHistory(new SeededRandom(seed), {
      operations: 60,
      processes: 4,
      keys: 1,
      unknownRate: 0.2,
    });
    return all.map((operation, i) => {
      if (!isRead(operation) || random.integer(6) > 0) return operation;
      const earlier = all
        .slice(0, i)
        .filter(isRead)
        .at(-1 - random.integer(3));
      if (random.integer(2) === 0 && earlier !== undefined) return { ...operation, output: earlier.output };
      return { ...operation, output: listed(operation).slice(1) };
    });
  }

  const seeds = Array.from({ length: 150 }, (_, seed) => seed);
  const validity = (bad: boolean): string => (bad ? 'invalid' : 'valid');

  it('of freshness, read by read', () => {
    let stale = 0;
    for (const seed of seeds) {
      const all = noisy(seed);
      const naive = new Naive(all);
      const expected = all.filter((o) => isRead(o) && naive.stale(o)).map((o) => o.index);
      const report = measureFreshness(all);
      expect(
        'validity' in report ? [] : report.stale.map((s) => s.read.operation.index),
        `seed ${seed}`,
      ).toEqual(expected);
      stale += expected.length;
    }
    expect(stale).toBeGreaterThan(100);
  });

  it('of what is kept', () => {
    const found = new Set<string>();
    for (const seed of seeds) {
      const all = noisy(seed);
      const bad = new Naive(all).lost(all.at(-1) as Operation).length > 0;
      expect(checkAcknowledgedKept(all).validity, `seed ${seed}`).toBe(validity(bad));
      found.add(validity(bad));
    }
    expect(found.size).toBe(2);
  });

  it.each(['read-your-writes', 'monotonic-reads'] as const)('of %s', (guarantee) => {
    const found = new Set<string>();
    for (const seed of seeds) {
      const all = noisy(seed);
      const bad = new Naive(all).sessionBroken(guarantee === 'read-your-writes');
      expect(checkSessionReads(all, guarantee).validity, `seed ${seed}`).toBe(validity(bad));
      found.add(validity(bad));
    }
    expect(found.size).toBe(2);
  });
});

describe('speed', () => {
  it('every checker judges 100,000 operations in much less time than a quadratic one would take', () => {
    const all = siblingHistory(new SeededRandom('speed'), { operations: 100_000, processes: 20, keys: 5 });
    for (const [name, check] of Object.entries(CHECKERS)) {
      const beganMs = performance.now();
      expect(check(all), name).toMatchObject({ validity: 'valid' });
      expect(performance.now() - beganMs, name).toBeLessThan(5_000);
    }
  });
});
