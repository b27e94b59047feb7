/** The memory of operations is a window of the latest few: what a retry, and a reader, may rely on at its edge (L6). */
import { describe, expect, it } from 'vitest';
import { RECENT_OPERATIONS_MAX, RETRIED_OPERATIONS_MAX } from '../../src/core/limits.js';
import type { PutResult } from '../../src/protocol/messages.js';
import { RawClient } from '../support/raw-client.js';
import { retriedOutOfSight, type OutOfSight } from '../support/retried-out-of-sight.js';
import { SimCluster } from '../support/sim-cluster.js';
import { watch } from '../support/watched.js';

const NAMESPACES = `
  - { name: default, strategy: leaderless, partitions: 1 }
  - { name: latest, strategy: leaderless, partitions: 1, conflict: lww }
`;

/** Leaves n1 parted from the others, with the first attempt of a write on it and the retry on them. */
async function writtenTwice(
  cluster: SimCluster,
  n1: RawClient,
  n2: RawClient,
  namespace = 'default',
): Promise<PutResult> {
  cluster.world.network.partition('n1', ['n2', 'n3']);
  const operation = n1.operation();
  const first = watch(n1.put('k', 'x', { operation, write: 'one', namespace }));
  await cluster.simulation.runUntil(() => first.settled);
  await cluster.parted('n1', ['n2', 'n3']);
  return cluster.settle(n2.put('k', 'x', { operation, attempt: 1, namespace }));
}

type Meanwhile = (
  cluster: SimCluster,
  n2: RawClient,
  context: Uint8Array | null,
) => Promise<Uint8Array | null>;

/** As `retriedOutOfSight`, of a put. The context is that of the first attempt, or what `meanwhile` makes of it. */
async function putOutOfSight(
  namespace: string,
  meanwhile: Meanwhile = async (_cluster, _n2, context) => Promise.resolve(context),
): Promise<OutOfSight & { readonly context: Uint8Array | null }> {
  let context: Uint8Array | null = null;
  const rig = await retriedOutOfSight(
    8,
    namespace,
    (client, how) => client.put('k', 'x', { ...how, namespace }),
    async (cluster, n2) => {
      ({ context } = await cluster.settle(n2.get('k', { read: 'one', namespace })));
      context = await meanwhile(cluster, n2, context);
    },
  );
  return { ...rig, context };
}

/** What each node shows of `k`, once n1 is back and all agree. */
async function shownByAll({ cluster, n1, n2, n3 }: OutOfSight, namespace: string): Promise<string[][]> {
  cluster.world.network.heal();
  await cluster.converge(30_000);
  const shown: string[][] = [];
  for (const reader of [n1, n2, n3]) {
    const { values } = await cluster.settle(reader.get('k', { read: 'all', namespace }));
    shown.push([...values].sort());
  }
  return shown;
}

const threeTimes = (...values: readonly string[]): string[][] => [[...values], [...values], [...values]];

describe('the window of operations', () => {
  it('does not stand in the way of a retry when all that it holds is old', async () => {
    const cluster = await SimCluster.start({ seed: 1, namespaces: NAMESPACES });
    const n1 = await RawClient.open(cluster, 'n1');
    let context: Uint8Array | null = null;
    for (let i = 0; i < RECENT_OPERATIONS_MAX; i++) {
      ({ context } = await cluster.settle(n1.put('k', `v${i}`, { context, write: 'all' })));
    }
    await cluster.simulation.runFor(3_600_000);
    const n2 = await RawClient.open(cluster, 'n2');
    await cluster.settle(n2.put('k', 'retried', { operation: n2.operation(), attempt: 1, context }));
    await cluster.converge(30_000);
    expect(cluster.stored('n3', 'k')).toEqual(['retried']);
  });

  // `sim run leaderless-clocks --seed 60033` found it: the coordinator of the retry was 48 minutes ahead.
  it('is not taken for old by a clock that runs ahead', async () => {
    const cluster = await SimCluster.start({ seed: 10, namespaces: NAMESPACES });
    const n1 = await RawClient.open(cluster, 'n1');
    const operation = n1.operation();
    let { context } = await cluster.settle(n1.put('k', 'x', { operation, write: 'all' }));
    for (let i = 0; i <= RECENT_OPERATIONS_MAX; i++) {
      ({ context } = await cluster.settle(n1.put('k', `y${i}`, { context, write: 'all' })));
    }
    cluster.world.setClockOffset('n3', 3_600_000);
    const n3 = await RawClient.open(cluster, 'n3');
    const retried = cluster.settle(n3.put('k', 'x', { operation, attempt: 1 }));
    await expect(retried).rejects.toMatchObject({ code: 'OperationForgotten', outcome: 'unknown' });
  });

  it('does not bring a hidden duplicate back when later writes push its operation out', async () => {
    const cluster = await SimCluster.start({ seed: 2, namespaces: NAMESPACES });
    const n1 = await RawClient.open(cluster, 'n1');
    const n2 = await RawClient.open(cluster, 'n2');
    const retried = await writtenTwice(cluster, n1, n2);
    let { context } = await cluster.settle(n2.put('k', 'y', { context: retried.context }));
    cluster.world.network.heal();
    await cluster.converge(30_000);
    for (let i = 0; i < 2 * RECENT_OPERATIONS_MAX; i++) {
      ({ context } = await cluster.settle(n2.put('k', `y${i}`, { context })));
      expect((await cluster.settle(n1.get('k', { read: 'all' }))).values).toEqual([`y${i}`]);
    }
  });

  // `sim run leaderless-everything --seed 12` found it: n1 came back after the window of eight had moved on.
  it.each(['default', 'latest'])(
    'nor when they push it out before the first attempt is seen (%s)',
    async (namespace) => {
      const cluster = await SimCluster.start({ seed: 4, namespaces: NAMESPACES });
      const n1 = await RawClient.open(cluster, 'n1');
      const n2 = await RawClient.open(cluster, 'n2');
      let { context } = await writtenTwice(cluster, n1, n2, namespace);
      for (let i = 0; i < 2 * RECENT_OPERATIONS_MAX; i++) {
        ({ context } = await cluster.settle(n2.put('k', `y${i}`, { context, namespace })));
      }
      cluster.world.network.heal();
      await cluster.converge(30_000);
      const last = `y${2 * RECENT_OPERATIONS_MAX - 1}`;
      expect(cluster.stored('n2', 'k', namespace)).toContain('x');
      for (const reader of [n1, n2]) {
        expect((await cluster.settle(reader.get('k', { read: 'all', namespace }))).values).toEqual([last]);
      }
      // The next write takes the first attempt away, and then nothing depends on a memory any more.
      await cluster.settle(n1.put('k', 'z', { context, write: 'all', namespace }));
      await cluster.converge(30_000);
      expect(cluster.stored('n2', 'k', namespace)).toEqual(['z']);
    },
  );

  it('of retried operations is as large as its limit, and what goes beyond it is counted', async () => {
    const cluster = await SimCluster.start({ seed: 5, namespaces: NAMESPACES });
    let context: Uint8Array | null = null;
    for (let i = 0; i <= RETRIED_OPERATIONS_MAX; i++) {
      expect(cluster.counter('n1', 'retries_forgotten')).toBe(0);
      const n1 = await RawClient.open(cluster, 'n1');
      const operation = n1.operation();
      ({ context } = await cluster.settle(n1.put('k', `x${i}`, { context, operation, attempt: 1 })));
      // Eight of them reach back further than a first attempt may: each is taken for new.
      await cluster.simulation.runFor(20_000);
    }
    expect(cluster.counter('n1', 'retries_forgotten')).toBe(1);
    const { siblings, recentOperations } = cluster.record('n1', 'k')!;
    expect(siblings.length + recentOperations.length).toBe(RETRIED_OPERATIONS_MAX);
  });

  it('is not relied on by a coordinator that hears too few: it does not mint a retry', async () => {
    const cluster = await SimCluster.start({ seed: 6, namespaces: NAMESPACES });
    const n1 = await RawClient.open(cluster, 'n1');
    // Cut off, and it does not know it yet.
    cluster.world.network.partition('n1', ['n2', 'n3']);
    const retried = cluster.settle(n1.put('k', 'x', { operation: n1.operation(), attempt: 1 }));
    await expect(retried).rejects.toMatchObject({ code: 'QuorumUnavailable', outcome: 'failed' });
    expect(cluster.record('n1', 'k')).toBeUndefined();
  });

  // `sim run leaderless-power-cuts --seed 30018` found it: the first attempt was the oldest that the record remembered.
  it('is not left by an operation to make room for its own retry', async () => {
    const cluster = await SimCluster.start({ seed: 7, namespaces: NAMESPACES });
    const n1 = await RawClient.open(cluster, 'n1');
    const n2 = await RawClient.open(cluster, 'n2');
    const operation = n1.operation();
    // n1 does not hear of the first attempt, nor anyone of the retry.
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    let { context } = await cluster.settle(n2.put('k', 'x', { operation }));
    await cluster.settle(n1.put('k', 'x', { operation, attempt: 1, write: 'one' }));
    for (let i = 1; i < RECENT_OPERATIONS_MAX; i++) {
      ({ context } = await cluster.settle(n2.put('k', `y${i}`, { context })));
    }
    cluster.world.network.heal();
    await cluster.converge(30_000);
    expect(cluster.stored('n2', 'k')).toContain('x');
    for (const reader of [n1, n2]) {
      const { values } = await cluster.settle(reader.get('k', { read: 'all' }));
      expect(values).toEqual([`y${RECENT_OPERATIONS_MAX - 1}`]);
    }
  });

  // `sim run leaderless-power-cuts --seed 30018`, shrunk by hand: neither attempt was on more than one replica.
  it.each(['default', 'latest'])(
    'is not what tells of a retry that only its own coordinator has (%s)',
    async (namespace) => {
      const rig = await putOutOfSight(namespace);
      const { cluster, n2 } = rig;
      let { context } = rig;
      for (let i = 0; i < 2 * RECENT_OPERATIONS_MAX; i++) {
        ({ context } = await cluster.settle(n2.put('k', `y${i}`, { context, namespace })));
      }
      expect(cluster.record('n2', 'k', namespace)!.questions).toMatchObject([{ closed: true }]);
      expect(await shownByAll(rig, namespace)).toEqual(threeTimes(`y${2 * RECENT_OPERATIONS_MAX - 1}`));
      expect(cluster.stored('n3', 'k', namespace)).toContain('x');
    },
  );

  it('is made up for before a write over the first attempt counts, on all that have stored it', async () => {
    const { cluster, n2, context } = await putOutOfSight('default');
    // n2 had not heard of the retry; n3 had, and says so.
    expect(cluster.record('n2', 'k')!.questions).toBeUndefined();
    await cluster.settle(n2.put('k', 'y', { context }));
    expect(cluster.counter('n2', 'writes_stored_again')).toBe(1);
    for (const node of ['n2', 'n3']) {
      expect(cluster.record(node, 'k')!.questions).toMatchObject([{ closed: true }]);
    }
  });

  it('is made up for where the write over the first attempt itself is too much for it', async () => {
    const rig = await putOutOfSight('default', async (cluster, n2) => {
      // Handed over before k is, so that n3 does not hear of the first attempt by a hint.
      for (let i = 0; i < 300; i++) await cluster.settle(n2.put(`before-${i}`, 'v', { write: 'one' }));
      for (let i = 0; i < RECENT_OPERATIONS_MAX; i++)
        await cluster.settle(n2.put('k', `z${i}`, { write: 'one' }));
      return (await cluster.settle(n2.get('k', { read: 'one' }))).context;
    });
    const { cluster, n2, context } = rig;
    await cluster.settle(n2.put('k', 'y', { context }));
    expect(cluster.record('n2', 'k')!.questions).toMatchObject([{ closed: true }]);
    expect(await shownByAll(rig, 'default')).toEqual(threeTimes('y'));
  });

  it('is made up for where the replica that heard of the retry has the first attempt as well', async () => {
    const { cluster, n1, n2, context: first } = await putOutOfSight('default');
    // Beside the first attempt: n3 has it, and the question, now. n2 takes no answers with the question in them.
    for (let i = 0; i < RECENT_OPERATIONS_MAX; i++) await cluster.settle(n2.put('k', `z${i}`));
    const { context } = await cluster.settle(n2.get('k', { read: 'one' }));
    expect(first).not.toBeNull();
    await cluster.settle(n2.put('k', 'y', { context }));
    cluster.world.network.heal();
    cluster.world.network.partition('n3', ['n1', 'n2']);
    await cluster.parted('n3', ['n1', 'n2']);
    const read = async (): Promise<readonly string[]> =>
      (await cluster.settle(n1.get('k', { read: 'quorum' }))).values;
    await cluster.simulation.runUntil(() =>
      cluster
        .node('n1')
        .status()
        .peers.some((p) => p.node === 'n2' && p.reachable),
    );
    expect(await read()).toEqual(['y']);
  });

  it('holds no retry up: one whose first attempt never arrived is minted and shown', async () => {
    const { cluster, n1 } = await putOutOfSight('default');
    const operation = n1.operation();
    cluster.world.network.heal();
    await cluster.converge(30_000);
    await cluster.settle(n1.put('other', 'x', { operation, attempt: 1 }));
    expect((await cluster.settle(n1.get('other', { read: 'all' }))).values).toEqual(['x']);
    expect(cluster.record('n1', 'other')!.questions).toMatchObject([{ operation }]);
  });

  it('is asked about once by a coordinator, however often it has to announce a retry', async () => {
    const cluster = await SimCluster.start({ seed: 9, namespaces: NAMESPACES });
    const n1 = await RawClient.open(cluster, 'n1');
    const operation = n1.operation();
    // The others answer, and cannot store.
    for (const name of ['n2', 'n3']) cluster.world.disk(name).impose({ full: true });
    for (let attempt = 1; attempt <= 3; attempt++) {
      const retry = watch(n1.put('k', 'x', { operation, attempt, budgetMs: 3_000 }));
      await cluster.simulation.runUntil(() => retry.settled);
      expect(retry.error).toMatchObject({ code: 'QuorumUnavailable', outcome: 'failed' });
    }
    expect(cluster.record('n1', 'k')!.questions).toHaveLength(1);
  });

  // Campaign seed 100763 lost an acknowledged value this way.
  it('keeps a value that was written twice while others write beside it', async () => {
    const cluster = await SimCluster.start({ seed: 3, namespaces: NAMESPACES });
    const n1 = await RawClient.open(cluster, 'n1');
    const n2 = await RawClient.open(cluster, 'n2');
    await writtenTwice(cluster, n1, n2);
    cluster.world.network.heal();
    await cluster.converge(30_000);
    await cluster.settle(n1.put('k', 'beside', { write: 'all' }));
    const { values } = await cluster.settle(n2.get('k', { read: 'all' }));
    expect([...values].sort()).toEqual(['beside', 'x']);
  });
});
