/**
 * Random lives of groups of Raft cores: the properties of `raft-checker.ts` at every step, and recovery once there is peace. Every seed is
 * its own schedule and plays again alone: `TREFOIL_RAFT_SEED=17 npx vitest run test/property/raft-safety.test.ts` tells it line by line.
 * To hunt: `TREFOIL_RAFT_SCHEDULES=10000`, and `TREFOIL_RAFT_FROM` for other seeds.
 */
import { describe, expect, it } from 'vitest';
import { runSchedule } from '../support/raft-schedule.js';

const only = process.env['TREFOIL_RAFT_SEED'];
const asked = process.env['TREFOIL_RAFT_SCHEDULES'];
const from = Number(process.env['TREFOIL_RAFT_FROM'] ?? 1);

const seedsOf = (usual: number): number[] =>
  only === undefined ? Array.from({ length: Number(asked ?? usual) }, (_, at) => from + at) : [Number(only)];

describe('whatever happens to a group', () => {
  it.each([
    [3, 'misfortune', 40],
    [5, 'misfortune', 12],
    // Where an entry of an older term is committed by counting (paper, 5.4.2), the tenth finds it, and one in fifteen.
    [3, 'succession', 60],
  ] as const)(
    'of %i, what is committed stays, answers are true, and it recovers: %s',
    { timeout: 3_600_000 },
    (voters, kind, usual) => {
      const counted: Record<string, number> = {};
      for (const seed of seedsOf(usual)) {
        const { checker } = runSchedule({ voters, seed, kind, traced: only !== undefined });
        for (const [what, times] of Object.entries(checker.counts))
          counted[what] = (counted[what] ?? 0) + times;
      }
      // A check that never ran would say nothing. Where leaders only come and go nobody asks for rounds, and nobody forgets.
      if (only !== undefined) return;
      const idle = kind === 'succession' ? ['rounds', 'admitted'] : [];
      for (const [what, times] of Object.entries(counted))
        expect([what, times > 0]).toEqual([what, !idle.includes(what)]);
    },
  );
});
