/**
 * Sequential and causal consistency and the session guarantees: against stores that keep them, against the definitions tried out
 * naively on small histories, and at scale.
 */
import { describe, expect, it } from 'vitest';
import { checkCausal } from '../../chaos/checkers/consistency/causal.js';
import { checkSequential } from '../../chaos/checkers/consistency/sequential.js';
import {
  checkSessionGuarantee,
  SESSION_GUARANTEES,
} from '../../chaos/checkers/consistency/session-guarantees.js';
import type { Operation, Value } from '../../chaos/history/history.js';
import { SeededRandom } from '../../src/simulation/random.js';
import { causalHistory, sequentialHistory } from '../support/register-stores.js';
import { step } from '../support/told-history.js';

const SIZE = { operations: 200, processes: 4, keys: 3 };
const seeds = (n: number): number[] => Array.from({ length: n }, (_, seed) => seed);

/** Reads of each key's values replaced by others, so that many histories are just wrong. */
function smallHistory(seed: number, unknowns: boolean): Operation[] {
  const random = new SeededRandom(seed);
  const written: [string, Value][] = [];
  const drafts = Array.from({ length: 5 + random.integer(5) }, (_, index) => {
    const key = random.integer(3) === 0 ? 'y' : 'x';
    const kind = random.integer(10);
    if (kind < 5) written.push([key, index]);
    return { index, key, kind, process: random.integer(3) };
  });
  return drafts.map(({ index, key, kind, process }) => {
    const values = [null, ...written.filter(([of]) => of === key).map(([, value]) => value)];
    const value = values[random.integer(values.length)] ?? null;
    const at = [2 * index, 2 * index + 1] as const;
    const unknown = unknowns && random.integer(4) === 0;
    return kind < 5
      ? step('write', at, index, index, { process, key, outcome: unknown ? 'info' : 'ok' })(index)
      : step('read', at, null, value, { process, key })(index);
  });
}

// --- The definitions, naively ----------------------------------------------------------------------------

/** Tries every order: an unknown write may come at any time after what its process did before, or never. */
function sequentialByDefinition(operations: readonly Operation[]): boolean {
  const chains = [0, 1, 2].map((process) => operations.filter((o) => o.process === process));
  const tryFrom = (
    positions: readonly number[],
    late: readonly Operation[],
    held: Readonly<Record<string, Value>>,
  ): boolean => {
    if (positions.every((position, i) => position === chains[i]?.length)) return true;
    const happened = (o: Operation): Readonly<Record<string, Value>> => ({ ...held, [o.key ?? '']: o.input });
    for (const [i, position] of positions.entries()) {
      const next = chains[i]?.[position];
      if (next === undefined) continue;
      const moved = positions.with(i, position + 1);
      if (next.outcome === 'info') {
        if (tryFrom(moved, [...late, next], held)) return true;
      } else if (next.f === 'write') {
        if (tryFrom(moved, late, happened(next))) return true;
      } else if ((held[next.key ?? ''] ?? null) === next.output && tryFrom(moved, late, held)) return true;
    }
    return late.some((o) =>
      tryFrom(
        positions,
        late.filter((other) => other !== o),
        happened(o),
      ),
    );
  };
  return tryFrom([0, 0, 0], [], {});
}

type Relation = boolean[][];

function closure(relation: Relation): Relation {
  const closed = relation.map((row) => [...row]);
  for (const k of closed.keys())
    for (const row of closed)
      if (row[k] === true) for (const [j, there] of (closed[k] ?? []).entries()) if (there) row[j] = true;
  return closed;
}

const cyclic = (relation: Relation): boolean => relation.some((row, i) => row[i] === true);

/** The bad patterns of causal convergence, over all pairs and triples. */
function causalByDefinition(all: readonly Operation[]): boolean {
  const read = new Set(all.filter((o) => o.f === 'read').map((o) => `${o.key}=${JSON.stringify(o.output)}`));
  const nodes = all.filter((o) => o.outcome === 'ok' || read.has(`${o.key}=${JSON.stringify(o.input)}`));
  const isWrite = (o: Operation): boolean => o.f === 'write';
  const readsFrom = (r: Operation, w: Operation): boolean =>
    !isWrite(r) && isWrite(w) && r.key === w.key && r.output === w.input;
  const base = nodes.map((a) =>
    nodes.map((b) => readsFrom(b, a) || (a.process === b.process && a.index < b.index && a.outcome === 'ok')),
  );
  const past = closure(base);
  if (cyclic(past)) return false;
  const forced = nodes.map((w1, i) =>
    nodes.map((w2) =>
      nodes.some(
        (r, j) => isWrite(w1) && w1 !== w2 && w1.key === w2.key && readsFrom(r, w2) && past[i]?.[j] === true,
      ),
    ),
  );
  const initialAfterWrite = nodes.some(
    (r, j) =>
      !isWrite(r) &&
      r.output === null &&
      nodes.some((w, i) => isWrite(w) && w.key === r.key && past[i]?.[j] === true),
  );
  const together = past.map((row, i) => row.map((there, j) => there || forced[i]?.[j] === true));
  return !initialAfterWrite && !cyclic(closure(together));
}

describe('agrees with the definition', () => {
  it.each([
    ['of sequential consistency', checkSequential, sequentialByDefinition],
    ['of causal consistency', checkCausal, causalByDefinition],
  ] as const)('%s', (_name, check, byDefinition) => {
    const found = { valid: 0, invalid: 0 };
    for (const seed of seeds(1_500)) {
      const operations = smallHistory(seed, seed % 2 === 0);
      const expected = byDefinition(operations) ? 'valid' : 'invalid';
      expect(check(operations).validity, `seed ${seed}`).toBe(expected);
      found[expected]++;
    }
    expect(Math.min(found.valid, found.invalid)).toBeGreaterThan(200);
  });
});

describe('stores that keep a model', () => {
  it('sequential: everything holds', () => {
    for (const seed of seeds(25)) {
      const operations = sequentialHistory(new SeededRandom(seed), SIZE);
      expect(checkSequential(operations).validity, `seed ${seed}`).toBe('valid');
      expect(checkCausal(operations).validity, `seed ${seed}`).toBe('valid');
      for (const guarantee of SESSION_GUARANTEES)
        expect(checkSessionGuarantee(operations, guarantee).validity, `seed ${seed}`).toBe('valid');
    }
  });

  it('causal: sessions hold, one order of all operations does not exist', () => {
    const sequential = new Set<string>();
    for (const seed of seeds(25)) {
      const operations = causalHistory(new SeededRandom(seed), SIZE);
      expect(checkCausal(operations).validity, `seed ${seed}`).toBe('valid');
      for (const guarantee of SESSION_GUARANTEES)
        expect(checkSessionGuarantee(operations, guarantee).validity, `seed ${seed}`).toBe('valid');
      sequential.add(checkSequential(operations).validity);
    }
    expect([...sequential]).toContain('invalid');
  });

  it('one read that goes back before what its process read breaks each of them', () => {
    for (const seed of seeds(25)) {
      const operations = causalHistory(new SeededRandom(seed), SIZE);
      const reads = operations.filter((o) => o.f === 'read' && o.output !== null);
      const later = reads.findLast((o) =>
        reads.some((e) => e.process === o.process && e.key === o.key && e.index < o.index),
      );
      const bad = operations.map((o) => (o === later ? { ...o, output: null } : o));
      for (const check of [checkCausal, checkSequential])
        expect(check(bad).validity, `seed ${seed}`).toBe('invalid');
      expect(checkSessionGuarantee(bad, 'monotonic-reads').validity, `seed ${seed}`).toBe('invalid');
    }
  });
});

describe('scale', () => {
  it('50,000 operations of 20 processes in a few seconds each', () => {
    const size = { operations: 50_000, processes: 20, keys: 50 };
    const sequential = sequentialHistory(new SeededRandom('scale'), size);
    const causal = causalHistory(new SeededRandom('scale'), size);
    const checks: [string, () => string][] = [
      ['sequential', () => checkSequential(sequential).validity],
      ['causal', () => checkCausal(causal).validity],
      ...SESSION_GUARANTEES.map((g): [string, () => string] => [
        g,
        () => checkSessionGuarantee(causal, g).validity,
      ]),
    ];
    for (const [name, check] of checks) {
      const beganMs = performance.now();
      expect(check(), name).toBe('valid');
      expect(performance.now() - beganMs, name).toBeLessThan(15_000);
    }
  });
});
