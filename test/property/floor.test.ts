/** L15 to L17: replicas that forget below the floor show what full histories say, whatever happens; and end up equal, with nothing left over. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FloorWorld, type WorldRules } from './floor-world.js';

const KEYS = 2;

type Step = (world: FloorWorld, backups: Map<number, ReturnType<FloorWorld['backup']>>) => void;

const at = fc.nat({ max: 4 });
const key = fc.nat({ max: KEYS - 1 });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(at, key).map(
      ([r, k]): Step =>
        (w) =>
          w.read(r, k),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(at, key, fc.boolean(), fc.boolean()).map(
      ([r, k, deletes, seen]): Step =>
        (w) =>
          w.write(r, k, deletes, seen),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(at, at, key).map(
      ([a, b, k]): Step =>
        (w) =>
          w.send(a, b, k),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(fc.nat(), fc.boolean()).map(
      ([m, again]): Step =>
        (w) =>
          w.deliver(m, again),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat().map(
      (m): Step =>
        (w) =>
          w.lose(m),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(at, at).map(
      ([a, b]): Step =>
        (w) =>
          w.tell(a, b),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(at, at).map(
      ([a, b]): Step =>
        (w) =>
          w.beginRound(a, b),
    ),
  },
  {
    weight: 14,
    arbitrary: fc.nat().map(
      (r): Step =>
        (w) =>
          w.pull(r),
    ),
  },
  // All that a replica has to hear and take over, so that floors rise within a run.
  {
    weight: 3,
    arbitrary: fc.tuple(at).map(([r]): Step => (w) => {
      for (let from = 0; from < w.replicas.length; from++) {
        w.tell(r, from);
        w.beginRound(r, from);
      }
      for (let i = 0; i < 20; i++) w.pull(i);
      for (let to = 0; to < w.replicas.length; to++) w.tell(r, to);
    }),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(at, key).map(([r, k]): Step => (w) => {
      w.tick(r);
      w.prune(r, k);
    }),
  },
  {
    weight: 1,
    arbitrary: at.map(
      (r): Step =>
        (w) =>
          w.endIncarnation(r),
    ),
  },
  {
    weight: 1,
    arbitrary: at.map(
      (r): Step =>
        (w, backups) =>
          backups.set(r % w.replicas.length, w.backup(r)),
    ),
  },
  {
    weight: 1,
    arbitrary: at.map(
      (r): Step =>
        (w) =>
          w.loseDisk(r, undefined),
    ),
  },
  {
    weight: 1,
    arbitrary: at.map((r): Step => (w, backups) => {
      const backup = backups.get(r % w.replicas.length);
      if (backup !== undefined) w.loseDisk(r, backup);
    }),
  },
);

const steps = fc.array(step, { minLength: 20, maxLength: 150, size: 'max' });

/** What goes wrong in a run, also after everything has settled. */
function faultsOf(rules: WorldRules, run: readonly Step[]): string[] {
  const world = new FloorWorld(rules);
  const backups = new Map<number, ReturnType<FloorWorld['backup']>>();
  for (const happen of run) {
    happen(world, backups);
    const wrong = world.wrong();
    if (wrong.length > 0) return wrong;
  }
  world.settle();
  return [...world.wrong(), ...world.left()];
}

const RULES: Omit<WorldRules, 'broken'> = { replicas: 3, keys: KEYS, conflict: 'siblings', witnesses: 2 };

describe('replicas that forget below the floor', () => {
  it.each([
    ['three, siblings', RULES],
    ['three, lww', { ...RULES, conflict: 'lww' as const }],
    ['five', { ...RULES, replicas: 5, witnesses: 3 }],
    ['two', { ...RULES, replicas: 2, witnesses: 1 }],
  ])('show what full histories say, and end up equal and bare (%s)', { timeout: 120_000 }, (_name, rules) => {
    fc.assert(
      fc.property(steps, (run) => {
        expect(faultsOf(rules, run)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  // The check can fail: each of these breaks one rule, and is found out.
  it.each(['claims-at-begin', 'prunes-by-entry', 'keeps-old-life', 'ignores-life'] as const)(
    'would be found out: %s',
    { timeout: 120_000 },
    (broken) => {
      const found = fc.check(
        fc.property(steps, (run) => faultsOf({ ...RULES, broken }, run).length === 0),
        { numRuns: 20_000 },
      );
      expect(found.failed).toBe(true);
    },
  );
});
