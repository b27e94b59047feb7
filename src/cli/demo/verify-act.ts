/** Act: every acknowledged write is read back from every replica. The only act whose answer is the exit code. */
import { setTimeout as pause } from 'node:timers/promises';
import { systemClientRuntime } from '../../adapters/system-runtime.js';
import { formatDuration } from '../duration.js';
import { openReplicaReader, type ReplicaReader } from '../replica-reader.js';
import { formatCount } from '../table.js';
import { verifyReplicas, type Verdict } from '../verify-replicas.js';
import { DEMO_CLUSTER } from './demo-cluster.js';
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
  const { narrator, ledger } = stage;
  narrator.act('Every acknowledged write, read back from every replica');
  const readers = await openReaders(stage);
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
      const late = `${formatCount(first.unlevel.length)} keys, level ${formatDuration(performance.now() - startedMs)} later`;
      narrator.figure('left to anti-entropy', late);
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

export async function openReaders({ db }: Stage): Promise<Map<string, ReplicaReader>> {
  const runtime = systemClientRuntime();
  const readers = await Promise.all(
    db.map.nodes.map(async ({ id, host, port }) => {
      const options = { runtime, address: { host, port }, cluster: DEMO_CLUSTER, epoch: db.map.epoch };
      return [id, await openReplicaReader(options)] as const;
    }),
  );
  return new Map(readers);
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
