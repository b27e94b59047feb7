/** Acts: a node dies in the middle of writes, comes back, and is brought level. */
import { TrefoilError } from '../../core/errors.js';
import { generateAlbum } from '../../photos/index.js';
import { formatDuration } from '../duration.js';
import { readNodeStates, seeEachOther, type NodeState } from '../node-states.js';
import { pollUntil } from '../poll.js';
import { openReplicaReaders } from '../replica-reader.js';
import { DEMO_NODES, type DemoNode } from './demo-cluster.js';
import { forEachAtOnce, type Stage } from './demo-stage.js';
import type { StoredAlbum } from './store-act.js';
import { verifyReplicas } from '../verify-replicas.js';

const VICTIM: DemoNode = 'n2';
const UNLUCKY: DemoNode = 'n3';

const NEW_SEED = 77;
const WRITERS = 16;
/** Edits, and as many new photos; more for a large album. */
const WRITES_MIN = 60;
const READS = 500;
/** The node dies when this part of the act's writes is done. */
const KILL_AT = 0.2;
const LEVEL_MS_MAX = 40_000;

/** Kills a node with SIGKILL while photos are edited and added, and goes on. */
export async function killAndGoOn(stage: Stage, album: StoredAlbum): Promise<void> {
  const { narrator, store, cluster, ledger } = stage;
  narrator.act(`SIGKILL for ${VICTIM}, in the middle of writes`);
  const count = Math.max(WRITES_MIN, Math.ceil(album.photoIds.length / 20));
  const edits = album.photoIds.slice(1, 1 + count);
  const works = [
    ...edits.map((id) => () => store.edit(id, (photo) => ({ tags: [...photo.tags, 'seen'] }))),
    ...[...generateAlbum({ seed: NEW_SEED, photos: count })].map(
      ({ photo }) =>
        () =>
          store.add({ ...photo, user: `${photo.user}-new` }),
    ),
  ];
  const before = ledger.writes;
  const failed: string[] = [];
  let done = 0;
  let slowestMs = 0;
  const progress = narrator.progress('writing', works.length);
  await forEachAtOnce(works, WRITERS, async (work) => {
    const startedMs = performance.now();
    try {
      await work();
    } catch (error) {
      if (!(error instanceof TrefoilError)) throw error;
      failed.push(error.code);
    }
    slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    progress.add();
    done++;
    if (done === Math.ceil(works.length * KILL_AT)) void cluster.killNode(VICTIM);
  });
  progress.done();
  await cluster.process(VICTIM).exited;
  narrator.figure('nodes running', `${DEMO_NODES.length - 1} of ${DEMO_NODES.length}`);
  narrator.figure('edits and new photos', works.length);
  narrator.figure('acknowledged writes meanwhile', ledger.writes - before);
  narrator.figure(
    'not acknowledged',
    failed.length === 0 ? 'none' : `${failed.length} (${[...new Set(failed)].join(', ')})`,
    failed.length === 0 ? 'good' : undefined,
  );
  narrator.figure('the slowest of them took', formatDuration(slowestMs));
  await readOn(stage, album);
}

async function readOn({ narrator, store }: Stage, album: StoredAlbum): Promise<void> {
  const asked = album.photoIds.slice(0, READS);
  let found = 0;
  await forEachAtOnce(asked, WRITERS, async (id) => {
    if ((await store.get(id)) !== undefined) found++;
  });
  const all = found === asked.length;
  narrator.figure('photos read with two nodes', `${found} of ${asked.length}`, all ? 'good' : 'bad');
  if (!all) throw new TrefoilError('Internal', `only ${found} of ${asked.length} photos could be read`);
}

/** Starts the node again and waits until no hint for it is left. */
export async function bringBack(stage: Stage): Promise<void> {
  const { narrator, cluster, db } = stage;
  narrator.act(`${VICTIM} comes back`);
  const before = await readNodeStates(db);
  const waiting = sum(before, (state) => state.status?.gauges['hints'] ?? 0);
  narrator.figure('writes kept for it as hints', waiting);
  const startedMs = performance.now();
  await cluster.startNode(VICTIM);
  narrator.figure('serves again after', formatDuration(performance.now() - startedMs));
  const progress = narrator.progress('handing over', waiting);
  let left = waiting;
  const level = await pollUntil(
    async () => {
      const states = await readNodeStates(db);
      const now = sum(states, (state) => state.status?.gauges['hints'] ?? 0);
      progress.add(Math.max(0, left - now));
      left = Math.min(left, now);
      return seeEachOther(states) && now === 0 ? states : undefined;
    },
    { deadlineMs: LEVEL_MS_MAX, everyMs: 100 },
  );
  progress.done();
  if (level === undefined)
    throw new TrefoilError(
      'Internal',
      `${left} hints were not handed over within ${formatDuration(LEVEL_MS_MAX)}`,
    );
  narrator.figure('handed over after', formatDuration(performance.now() - startedMs));
  narrator.figure(
    'hints delivered',
    sum(level, counter('hints_delivered')) - sum(before, counter('hints_delivered')),
  );
}

/**
 * Throws a node's data away and starts it with an empty folder: no hint tells what it lacks, so that only
 * anti-entropy can bring it level. It comes after the handoff: until then the lost disk could have been one of
 * only two that held a write. Level is what its own copies say, not what it says of itself.
 */
export async function loseDisk(stage: Stage): Promise<void> {
  const { narrator, cluster, db, ledger } = stage;
  narrator.act(`${UNLUCKY} loses its disk`);
  await cluster.loseDisk(UNLUCKY);
  await cluster.startNode(UNLUCKY);
  narrator.say('it serves again, with an empty folder, and compares hash trees with the others');
  const startedMs = performance.now();
  const progress = narrator.progress('anti-entropy', ledger.keys);
  const readers = await openReplicaReaders(db);
  let left = ledger.entries();
  const level = await pollUntil(
    async () => {
      const { unlevel } = await verifyReplicas(left, readers);
      progress.add(left.length - unlevel.length);
      left = [...unlevel];
      return left.length === 0 ? true : undefined;
    },
    { deadlineMs: LEVEL_MS_MAX, everyMs: 500 },
  );
  for (const reader of readers.values()) reader.close();
  progress.done();
  if (level === undefined)
    throw new TrefoilError(
      'Internal',
      `${left.length} keys were not level after ${formatDuration(LEVEL_MS_MAX)}`,
    );
  narrator.figure('keys it holds again', ledger.keys, 'good');
  narrator.figure('brought level by anti-entropy after', formatDuration(performance.now() - startedMs));
  await pollUntil(async () => (seeEachOther(await readNodeStates(db)) ? true : undefined), {
    deadlineMs: LEVEL_MS_MAX,
    everyMs: 100,
  });
}

function counter(name: string): (state: NodeState) => number {
  return (state) => state.status?.counters[name] ?? 0;
}

function sum(states: readonly NodeState[], figure: (state: NodeState) => number): number {
  return states.reduce((total, state) => total + figure(state), 0);
}
