/** Act: every acknowledged write is read back from every replica. The only act whose answer is the exit code. */
import { setTimeout as pause } from 'node:timers/promises';
import { formatDuration } from '../duration.js';
import { openReplicaReaders, type ReplicaReader } from '../replica-reader.js';
import { counted, formatCount } from '../table.js';
import { verifyReplicas, type Verdict } from '../verify-replicas.js';
import type { Stage } from './demo-stage.js';

/** Replicas that are not level at first get so long: two rounds of anti-entropy and more. */
const LEVEL_MS_MAX = 30_000;
const LOOK_AGAIN_MS = 500;

export interface Outcome {
  readonly acknowledged: number;
  readonly keys: number;
  readonly copies: number;
  readonly missing: readonly string[];
  readonly differing: readonly string[];
}

export async function verify(stage: Stage): Promise<Outcome> {
  const { narrator, ledger, db } = stage;
  narrator.act('Every acknowledged write, read back from every replica');
  const readers = await openReplicaReaders(db);
  try {
    const startedMs = performance.now();
    const progress = narrator.progress('reading', ledger.keys);
    const first = await verifyReplicas(ledger.entries(), readers, () => progress.add());
    progress.done();
    narrator.figure('acknowledged writes', ledger.writes);
    narrator.figure('keys they left', ledger.keys);
    narrator.figure('copies read, each by its own node', first.copies);
    const last = await untilLevel(first, readers);
    if (last !== first) {
      const took = formatDuration(performance.now() - startedMs);
      const level = last.unlevel.length === 0 ? `level ${took} later` : `not all of them level ${took} later`;
      narrator.figure('not level at first', `${counted(first.unlevel.length, 'key')}, ${level}`);
    }
    const lost = last.missing.length;
    const agreeing = ledger.keys - last.differing.length;
    narrator.figure(
      'acknowledged writes missing',
      lost === 0 ? 'none' : `${formatCount(lost)} copies`,
      lost === 0 ? 'good' : 'bad',
    );
    narrator.figure(
      'replicas agree on',
      `${formatCount(agreeing)} of ${formatCount(ledger.keys)} keys`,
      agreeing === ledger.keys ? 'good' : 'bad',
    );
    last.missing.slice(0, 5).forEach((copy) => narrator.say(`missing: ${copy}`));
    last.differing.slice(0, 5).forEach((key) => narrator.say(`differing: ${key}`));
    return {
      acknowledged: ledger.writes,
      keys: ledger.keys,
      copies: first.copies,
      missing: last.missing,
      differing: last.differing,
    };
  } finally {
    for (const reader of readers.values()) reader.close();
  }
}

/** Looks again at what was not level, and only at that, until all is or the time is over. */
async function untilLevel(first: Verdict, readers: ReadonlyMap<string, ReplicaReader>): Promise<Verdict> {
  const end = performance.now() + LEVEL_MS_MAX;
  let verdict = first;
  while (verdict.unlevel.length > 0 && performance.now() < end) {
    await pause(LOOK_AGAIN_MS);
    verdict = await verifyReplicas(verdict.unlevel, readers);
  }
  return verdict;
}
