/**
 * Whole runs, line by line, as a person would tell them: `golden/<name>.txt`. A message takes a millisecond and so does a write. After a change
 * that is meant, `TREFOIL_GOLDEN=write npx vitest run test/paper/golden-traces.test.ts` writes them anew; then read the difference.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ClusterOptions } from '../support/raft-cluster-options.js';
import { RaftCluster } from '../support/raft-cluster.js';

const FOLDER = join(import.meta.dirname, 'golden');
const REWRITE = process.env['TREFOIL_GOLDEN'] === 'write';

/** A group in which n1 loses patience first, then n2, then n3. */
function traced(options: ClusterOptions = {}): RaftCluster {
  return new RaftCluster({ ...options, traced: true, patience: [0, 0.3, 0.6] });
}

const TRACES: Readonly<Record<string, readonly [about: string, run: () => RaftCluster]>> = {
  election: [
    'Nobody leads; n1 loses patience, asks, campaigns and leads. Its first entry commits, an entry of a client follows, and the group goes quiet.',
    () => {
      const cluster = traced();
      cluster.runUntil(() => cluster.leader !== undefined);
      cluster.run(12);
      cluster.propose('n1', 'a');
      cluster.run(300);
      return cluster;
    },
  ],
  conflict: [
    "Follower f of the paper's figure 7, here n3, has entries of terms 2 and 3 that nobody else has. The leader of term 8 finds where they agree, term by term, and n3 takes its own away.",
    () => {
      const log = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
      const f = [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3];
      const cluster = traced({
        disks: { n1: { log, term: 7 }, n2: { log, term: 7 }, n3: { log: f, term: 7 } },
      });
      cluster.run(117);
      return cluster;
    },
  ],
  partition: [
    'The leader n1 is cut off without a word. It takes an entry that nobody gets, hears no majority and steps down. n2 is elected and commits another one. When the links are whole n1 takes its own away.',
    () => {
      const cluster = traced();
      cluster.elect('n1');
      cluster.isolate(['n1'], { silent: true });
      cluster.propose('n1', 'lost');
      cluster.runUntil(() => cluster.leader === 'n2');
      cluster.propose('n2', 'kept');
      cluster.run(90);
      cluster.healAll();
      cluster.run(45);
      return cluster;
    },
  ],
  transfer: [
    "n1 is asked to hand over to n2, whose disk is slow. n2 gets everything first, then campaigns at once, past its own and the others' hearing of n1.",
    () => {
      const cluster = traced();
      cluster.elect('n1');
      cluster.hold('n2');
      cluster.propose('n1', 'a');
      cluster.run(5);
      cluster.transfer('n1', 'n2');
      cluster.run(5);
      cluster.note('the disk of n2 goes on');
      cluster.release('n2');
      cluster.run(14);
      return cluster;
    },
  ],
  joiner: [
    'n3 comes back without its disk. It takes entries and does not count; a round that n2 confirms without it, and everything that was committed by then on its disk, and it is admitted.',
    () => {
      const cluster = traced();
      cluster.elect('n1');
      cluster.propose('n1', 'a');
      cluster.run(4);
      cluster.crash('n3');
      cluster.propose('n1', 'b');
      cluster.run(4);
      cluster.restart('n3', { lostDisk: true });
      cluster.run(14);
      return cluster;
    },
  ],
  snapshot: [
    'n3 was cut off while the others went on and gave up the begin of their logs. It is told to get the state, and goes on after it.',
    () => {
      const cluster = traced();
      cluster.elect('n1');
      cluster.isolate(['n3']);
      cluster.propose('n1', 'a');
      cluster.propose('n1', 'b');
      cluster.run(4);
      cluster.compact('n1');
      cluster.healAll();
      cluster.run(12);
      cluster.propose('n1', 'c');
      cluster.run(5);
      return cluster;
    },
  ],
};

describe('golden traces', () => {
  it.each(Object.entries(TRACES))('%s', (name, [about, run]) => {
    const { ids, trace, alive } = run();
    expect(ids).toHaveLength(3);
    const ends = alive.map(({ id, raft }) => {
      const { role, term, commit, log } = raft as NonNullable<typeof raft>;
      return `${id}: ${role}, term ${term}, log up to ${log.last.index}@${log.last.term}, committed ${commit}`;
    });
    const text = [about, '', ...trace, '', ...ends, ''].join('\n');
    const file = join(FOLDER, `${name}.txt`);
    if (REWRITE) writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });
});
