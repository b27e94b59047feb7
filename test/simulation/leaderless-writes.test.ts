/** Writes one at a time, with the coordinator, context and operation id of the test's choice: L3, L5, L6, L13, L14. */
import { describe, expect, it } from 'vitest';
import { highestHlc, type OperationId } from '../../src/core/record.js';
import { RECENT_OPERATIONS_MAX, SIBLINGS_MAX, SIBLINGS_WARNING } from '../../src/core/limits.js';
import type { PutResult } from '../../src/protocol/messages.js';
import { RawClient } from '../support/raw-client.js';
import type { SimCluster } from '../support/sim-cluster.js';
import { watch } from '../support/watched.js';
import { agree, clients, start } from '../support/one-partition.js';

const HOUR_MS = 3_600_000;

describe('L3: a write removes only siblings that its context has seen', () => {
  it('the context that a blind put returns does not cover the sibling beside it', async () => {
    const cluster = await start(1);
    const [n1] = await clients(cluster);
    const first = await cluster.settle(n1.put('k', 'first'));
    const second = await cluster.settle(n1.put('k', 'second'));
    expect(second.siblings).toBe(2);
    // The second writer goes on with its own context: it never saw the first one's value.
    const third = await cluster.settle(n1.put('k', 'third', { context: second.context }));
    expect(third.siblings).toBe(2);
    expect(cluster.stored('n1', 'k')).toEqual(['first', 'third']);
    await cluster.settle(n1.put('k', 'fourth', { context: first.context }));
    await agree(cluster);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['fourth', 'third']);
  });

  it('a chain of puts beside a foreign sibling keeps one sibling of its own', async () => {
    const cluster = await start(2);
    const [n1, n2, n3] = await clients(cluster);
    await cluster.settle(n1.put('k', 'foreign'));
    let context: Uint8Array | null = null;
    for (let i = 0; i < 40; i++) {
      const coordinator = [n1, n2, n3][i % 3]!;
      const written: PutResult = await cluster.settle(coordinator.put('k', `own-${i}`, { context }));
      expect(written.siblings).toBeLessThanOrEqual(2);
      context = written.context;
    }
    await agree(cluster);
    expect(cluster.stored('n3', 'k')).toEqual(['foreign', 'own-39']);
  });

  it('exact dots supersede through another coordinator, also one that missed the write', async () => {
    const cluster = await start(3);
    const [n1, n2] = await clients(cluster);
    await cluster.settle(n1.put('k', 'foreign', { write: 'all' }));
    cluster.world.network.partition('n1', 'n2');
    await cluster.parted('n1', ['n2']);
    const own = await cluster.settle(n1.put('k', 'own'));
    expect(cluster.stored('n2', 'k')).toEqual(['foreign']);
    const again = await cluster.settle(n2.put('k', 'own again', { context: own.context }));
    expect(again.siblings).toBe(2);
    cluster.world.network.heal();
    await agree(cluster);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['foreign', 'own again']);
  });

  /** A value of n1's own beside a foreign one: its context names it exactly, and n2 and n3 do not know it. */
  async function ownUnknownElsewhere(cluster: SimCluster, n1: RawClient): Promise<PutResult> {
    await cluster.settle(n1.put('k', 'foreign', { write: 'all' }));
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    return cluster.settle(n1.put('k', 'own', { write: 'one' }));
  }

  // `sim run leaderless-sessions --seed 3` found it: the writer read its own overwritten value again.
  it('exact dots that only an unreachable replica may know refuse the write', async () => {
    const cluster = await start(7);
    const [n1, n2] = await clients(cluster);
    const { context } = await ownUnknownElsewhere(cluster, n1);
    const refused = cluster.settle(n2.put('k', 'own again', { context, write: 'one' }));
    await expect(refused).rejects.toMatchObject({ code: 'QuorumUnavailable', outcome: 'failed' });
    expect(cluster.stored('n2', 'k')).toEqual(['foreign']);
    cluster.world.network.heal();
    await cluster.allReachable();
    await cluster.settle(n2.put('k', 'own again', { context, write: 'one' }));
    await agree(cluster);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['foreign', 'own again']);
  });

  it('exact dots that no replica knows any more are lost with their disk, and stand in no way', async () => {
    const cluster = await start(9);
    const [n1, n2] = await clients(cluster);
    const { context } = await ownUnknownElsewhere(cluster, n1);
    cluster.crash('n1');
    cluster.world.disk('n1').wipe();
    cluster.world.network.heal();
    await cluster.settle(cluster.boot('n1'));
    await cluster.allReachable();
    const written = await cluster.settle(n2.put('k', 'own again', { context }));
    expect(written.siblings).toBe(2);
    await agree(cluster);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['foreign', 'own again']);
  });

  it('a context read on one replica supersedes on another that has not got it all', async () => {
    const cluster = await start(4);
    const [n1, n2] = await clients(cluster);
    cluster.world.network.partition('n1', 'n2');
    await cluster.parted('n1', ['n2']);
    await cluster.settle(n1.put('k', 'a'));
    const read = await cluster.settle(n1.get('k'));
    await cluster.settle(n2.put('k', 'b', { context: read.context }));
    cluster.world.network.heal();
    await agree(cluster);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['b']);
  });

  it('of a delete and a concurrent write the write survives', async () => {
    const cluster = await start(5);
    const [n1, n2, n3] = await clients(cluster);
    const before = await cluster.settle(n1.put('k', 'before', { write: 'all' }));
    await cluster.settle(n2.put('k', null, { context: before.context }));
    await cluster.settle(n3.put('k', 'concurrent', { context: before.context }));
    await agree(cluster);
    expect((await cluster.settle(n1.get('k', { read: 'all' }))).values).toEqual(['concurrent']);
    expect(cluster.stored('n1', 'k')).toEqual(['concurrent', null]);
  });

  it('a context of another key is refused', async () => {
    const cluster = await start(6);
    const [n1] = await clients(cluster);
    const other = await cluster.settle(n1.put('other', 'v'));
    const put = cluster.settle(n1.put('k', 'v', { context: other.context }));
    await expect(put).rejects.toMatchObject({ code: 'BadContext', outcome: 'failed' });
    expect(cluster.record('n1', 'k')).toBeUndefined();
  });
});

describe('L5: what can be refused is refused before the mint', () => {
  it('an unreachable quorum fails the write, uses no counter and stores nothing', async () => {
    const cluster = await start(10);
    const [n1] = await clients(cluster);
    const counterOf = (key: string): number => cluster.record('n1', key)!.siblings[0]!.dot.counter;
    await cluster.settle(n1.put('before', 'v'));
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    for (let i = 0; i < 5; i++) {
      const put = cluster.settle(n1.put('k', 'v'));
      await expect(put).rejects.toMatchObject({ code: 'QuorumUnavailable', outcome: 'failed' });
    }
    cluster.world.network.heal();
    await cluster.allReachable();
    await cluster.settle(n1.put('after', 'v'));
    expect(counterOf('after')).toBe(counterOf('before') + 1);
    await agree(cluster);
    for (const name of cluster.names) expect(cluster.record(name, 'k')).toBeUndefined();
  });

  it('a partition after the mint makes the outcome unknown, and the write may show later', async () => {
    const cluster = await start(11);
    const [n1] = await clients(cluster);
    cluster.world.network.partition('n1', ['n2', 'n3']);
    const put = cluster.settle(n1.put('k', 'v', { budgetMs: 3_000 }));
    await expect(put).rejects.toMatchObject({ outcome: 'unknown' });
    expect(cluster.stored('n1', 'k')).toEqual(['v']);
    cluster.world.network.heal();
    await agree(cluster);
    expect(cluster.stored('n2', 'k')).toEqual(['v']);
  });

  it('the answer comes within the deadline, though peers are silent', async () => {
    const cluster = await start(12);
    const [n1] = await clients(cluster);
    cluster.world.network.partition('n1', ['n2', 'n3']);
    const beganMs = cluster.simulation.nowMs();
    const put = cluster.settle(n1.put('k', 'v', { budgetMs: 400 }));
    await expect(put).rejects.toMatchObject({ code: 'Timeout', outcome: 'unknown' });
    expect(cluster.simulation.nowMs() - beganMs).toBeLessThan(500);
  });

  it('a deadline already past is refused, reads and scans too', async () => {
    const cluster = await start(13);
    const [n1] = await clients(cluster);
    const failed = { code: 'DeadlineExceeded', outcome: 'failed' };
    await expect(cluster.settle(n1.put('k', 'v', { budgetMs: 0 }))).rejects.toMatchObject(failed);
    await expect(cluster.settle(n1.get('k', { budgetMs: 0 }))).rejects.toMatchObject(failed);
    const scan = {
      type: 'scan',
      partition: 0,
      prefix: '',
      after: '',
      limit: 1,
      read: null,
      atLeast: null,
      maxStalenessMs: 0,
    } as const;
    await expect(cluster.settle(n1.request(scan, { budgetMs: 0 }))).rejects.toMatchObject(failed);
    for (const name of cluster.names) expect(cluster.record(name, 'k')).toBeUndefined();
  });

  it('a deadline that passes while the node looks elsewhere fails before the mint', async () => {
    const cluster = await start(14);
    const [n1] = await clients(cluster);
    cluster.world.network.partition('n1', ['n2', 'n3']);
    const put = cluster.settle(n1.put('k', 'v', { attempt: 1, budgetMs: 300 }));
    await expect(put).rejects.toMatchObject({ code: 'DeadlineExceeded', outcome: 'failed' });
    expect(cluster.record('n1', 'k')).toBeUndefined();
  });

  it('W is what the request says: one, a number, all', async () => {
    const cluster = await start(15);
    const [n1] = await clients(cluster);
    cluster.crash('n2');
    cluster.crash('n3');
    await cluster.parted('n1', ['n2', 'n3']);
    await cluster.settle(n1.put('k', 'one', { write: 'one' }));
    await cluster.settle(n1.put('k', '1', { write: 1 }));
    for (const write of ['quorum', 'all', 2, 3] as const) {
      const put = cluster.settle(n1.put('k', 'v', { write }));
      await expect(put).rejects.toMatchObject({ code: 'QuorumUnavailable' });
    }
    await cluster.settle(cluster.boot('n2'));
    await cluster.simulation.runUntil(() =>
      cluster
        .node('n1')
        .status()
        .peers.some((p) => p.reachable),
    );
    await cluster.settle(n1.put('k', '2', { write: 2 }));
    const put = cluster.settle(n1.put('k', 'v', { write: 'all' }));
    await expect(put).rejects.toMatchObject({ code: 'QuorumUnavailable' });
    expect(cluster.stored('n1', 'k')).toEqual(['1', '2', 'one']);
  });

  it('W = all waits for every replica', async () => {
    const cluster = await start(16);
    const [n1] = await clients(cluster);
    const written = await cluster.settle(n1.put('k', 'v', { write: 'all', explain: true }));
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['v']);
    expect(written.explain?.required).toBe('W=3 of N=3');
    expect(written.explain?.replicas.map(({ answer }) => answer)).toEqual(['stored', 'stored', 'stored']);
  });

  it.each([0, 4, 1.5])('W = %d is refused', async (write) => {
    const cluster = await start(17);
    const [n1] = await clients(cluster);
    // Beyond what the protocol can carry the connection is refused, else the request.
    const put = watch(n1.put('k', 'v', { write }));
    await cluster.simulation.runUntil(() => put.settled);
    expect(put.value).toBeUndefined();
    if (n1.closed === undefined) expect(put.error).toMatchObject({ code: 'BadRequest', outcome: 'failed' });
    else expect(n1.refusal?.code).toBe('MalformedFrame');
    for (const name of cluster.names) expect(cluster.record(name, 'k')).toBeUndefined();
  });
});

describe('L6: one operation has one effect', () => {
  /** A put whose answer the client never hears. */
  async function putUnheard(cluster: SimCluster, node: string, operation: OperationId): Promise<void> {
    const lost = await RawClient.open(cluster, node);
    const put = watch(lost.put('k', 'v', { operation }));
    await cluster.simulation.runUntil(() => cluster.record(node, 'k') !== undefined);
    lost.destroy();
    await cluster.simulation.runFor(1_000);
    expect(put.value).toBeUndefined();
  }

  it('a retry through another coordinator finds the first attempt', async () => {
    const cluster = await start(20);
    const [, n2] = await clients(cluster);
    const operation = n2.operation();
    await putUnheard(cluster, 'n1', operation);
    const retried = await cluster.settle(n2.put('k', 'v', { operation, attempt: 1 }));
    expect(retried.siblings).toBe(1);
    await agree(cluster);
    for (const name of cluster.names) expect(cluster.record(name, 'k')?.siblings).toHaveLength(1);
  });

  it('also where the second coordinator has not got the first attempt', async () => {
    const cluster = await start(21);
    const [, n2] = await clients(cluster);
    cluster.world.network.partition('n1', 'n2');
    await cluster.parted('n1', ['n2']);
    const operation = n2.operation();
    await putUnheard(cluster, 'n1', operation);
    expect(cluster.record('n2', 'k')).toBeUndefined();
    // n3 has it, and n2 looks there first.
    const retried = await cluster.settle(n2.put('k', 'v', { operation, attempt: 1 }));
    expect(retried.siblings).toBe(1);
    cluster.world.network.heal();
    await agree(cluster);
    for (const name of cluster.names) expect(cluster.record(name, 'k')?.siblings).toHaveLength(1);
  });

  it('applied twice it shows once, and gone for good once superseded', async () => {
    const cluster = await start(22);
    const [n1, n2] = await clients(cluster);
    cluster.world.network.partition('n1', ['n2', 'n3']);
    const operation = n1.operation();
    const first = watch(n1.put('k', 'v', { operation, write: 'one' }));
    await cluster.simulation.runUntil(() => first.settled);
    await cluster.parted('n1', ['n2', 'n3']);
    const second = await cluster.settle(n2.put('k', 'v', { operation, attempt: 1 }));
    cluster.world.network.heal();
    await agree(cluster);
    expect(cluster.record('n1', 'k')?.siblings).toHaveLength(2);
    expect((await cluster.settle(n1.get('k'))).values).toEqual(['v']);
    // Superseding one of its two dots hides the other as well.
    await cluster.settle(n2.put('k', 'next', { context: second.context }));
    await agree(cluster);
    expect((await cluster.settle(n1.get('k', { read: 'all' }))).values).toEqual(['next']);
  });

  it('a retry of what was superseded since is recognised and brings nothing back', async () => {
    const cluster = await start(23);
    const [n1, n2] = await clients(cluster);
    const operation = n1.operation();
    const first = await cluster.settle(n1.put('k', 'old', { operation }));
    await cluster.settle(n1.put('k', 'new', { context: first.context, write: 'all' }));
    await cluster.settle(n2.put('k', 'old', { operation, attempt: 1 }));
    await agree(cluster);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['new']);
  });

  it('a retry from outside the window is answered OperationForgotten, and applied nowhere', async () => {
    const cluster = await start(24);
    const [n1, n2] = await clients(cluster);
    const operation = n1.operation();
    let { context } = await cluster.settle(n1.put('k', 'old', { operation }));
    for (let i = 0; i < RECENT_OPERATIONS_MAX; i++) {
      ({ context } = await cluster.settle(n1.put('k', `new-${i}`, { context, write: 'all' })));
    }
    const retried = cluster.settle(n2.put('k', 'old', { operation, attempt: 1 }));
    await expect(retried).rejects.toMatchObject({ code: 'OperationForgotten', outcome: 'unknown' });
    await agree(cluster);
    expect(cluster.stored('n2', 'k')).toEqual([`new-${RECENT_OPERATIONS_MAX - 1}`]);
  });

  it('the SDK retries a lost answer under the same operation', async () => {
    const cluster = await start(25);
    const db = await cluster.connect('app');
    const ns = db.namespace<string>('default');
    await cluster.settle(ns.put('warm', 'up'));
    for (const name of cluster.names) cluster.world.disk(name).holdSync();
    const put = watch(ns.put('k', 'v'));
    await cluster.simulation.runUntil(() => cluster.names.some((name) => cluster.world.disk(name).holding));
    for (const name of cluster.names) cluster.world.network.breakConnections('app', name);
    for (const name of cluster.names) cluster.world.disk(name).releaseSync();
    await cluster.simulation.runUntil(() => put.settled);
    expect(put.error).toBeUndefined();
    await agree(cluster);
    expect((await cluster.settle(ns.get('k', { read: 'all' }))).siblings).toEqual(['v']);
  });
});

describe('L13: siblings are limited where they are minted', () => {
  it('warns at the warning, refuses at the limit, and takes a resolution', async () => {
    const cluster = await start(30);
    const [n1] = await clients(cluster);
    for (let i = 0; i < SIBLINGS_MAX; i++) {
      const written = await cluster.settle(n1.put('k', `v${i}`));
      expect(written.siblings).toBe(i + 1);
      expect(cluster.counter('n1', 'sibling_warnings') > 0).toBe(i + 1 >= SIBLINGS_WARNING);
    }
    const refused = cluster.settle(n1.put('k', 'one too many'));
    await expect(refused).rejects.toMatchObject({ code: 'TooManySiblings', outcome: 'failed' });
    expect(cluster.record('n1', 'k')?.siblings).toHaveLength(SIBLINGS_MAX);
    const { context } = await cluster.settle(n1.get('k'));
    expect((await cluster.settle(n1.put('k', 'resolved', { context }))).siblings).toBe(1);
  });

  it('merge goes beyond it: what two sides took is all kept', async () => {
    const cluster = await start(31);
    const [n1, n2] = await clients(cluster);
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    for (let i = 0; i < SIBLINGS_MAX; i++) await cluster.settle(n1.put('k', `a${i}`, { write: 'one' }));
    for (let i = 0; i < SIBLINGS_MAX; i++) await cluster.settle(n2.put('k', `b${i}`));
    cluster.world.network.heal();
    await agree(cluster);
    expect(cluster.record('n3', 'k')?.siblings).toHaveLength(2 * SIBLINGS_MAX);
    const { values, context } = await cluster.settle(n1.get('k'));
    expect(values).toHaveLength(2 * SIBLINGS_MAX);
    await cluster.settle(n1.put('k', 'resolved', { context, write: 'all' }));
    expect(cluster.stored('n3', 'k')).toEqual(['resolved']);
  });
});

describe('L14: a write is later than all that it covers', () => {
  it('with the clock set back by an hour on its coordinator', async () => {
    const cluster = await start(40);
    const [n1, n2] = await clients(cluster);
    const first = await cluster.settle(n1.put('k', 'first', { write: 'all' }));
    const before = highestHlc(cluster.record('n2', 'k')!);
    cluster.world.setClockOffset('n2', -HOUR_MS);
    await cluster.settle(n2.put('k', 'second', { context: first.context, write: 'all' }));
    expect(cluster.record('n1', 'k')!.siblings[0]!.hlc).toBeGreaterThan(before);
  });

  it('also where it covers what only the context has seen', async () => {
    const cluster = await start(41);
    const [n1, n2] = await clients(cluster);
    cluster.world.setClockOffset('n2', -HOUR_MS);
    cluster.world.network.partition('n1', ['n2']);
    await cluster.parted('n1', ['n2']);
    const first = await cluster.settle(n1.put('k', 'first'));
    const before = highestHlc(cluster.record('n1', 'k')!);
    await cluster.settle(n2.put('k', 'second', { context: first.context }));
    expect(cluster.stored('n2', 'k')).toEqual(['second']);
    expect(highestHlc(cluster.record('n2', 'k')!)).toBeGreaterThan(before);
  });

  it('across a restart with the clock set back, also for keys never written before', async () => {
    const cluster = await start(42);
    const [n1] = await clients(cluster);
    await cluster.settle(n1.put('before', 'v'));
    const before = highestHlc(cluster.record('n1', 'before')!);
    cluster.crash('n1', { unsynced: 'lost' });
    cluster.world.setClockOffset('n1', -HOUR_MS);
    await cluster.settle(cluster.boot('n1'));
    await cluster.allReachable();
    const again = await RawClient.open(cluster, 'n1');
    await cluster.settle(again.put('after', 'v'));
    expect(highestHlc(cluster.record('n1', 'after')!)).toBeGreaterThan(before);
  });

  it('across a failed batch and a restart with the clock set back', async () => {
    const cluster = await start(43);
    const [n1] = await clients(cluster);
    // The batch that fails is the one that reserves timestamps. With the clock set back by then, those given after the storage is back
    // are of the same millisecond, and must be below a reservation again.
    cluster.world.disk('n1').failWrites('StorageFailed', 1);
    const failed = watch(n1.put('k', 'v'));
    await cluster.simulation.runUntil(() => failed.settled);
    cluster.world.setClockOffset('n1', -HOUR_MS);
    await cluster.simulation.runUntil(() => cluster.node('n1').status().writesRefused === null);
    await cluster.simulation.runFor(100);
    await cluster.settle(n1.put('before', 'v'));
    const before = highestHlc(cluster.record('n1', 'before')!);
    cluster.crash('n1', { unsynced: 'lost' });
    await cluster.settle(cluster.boot('n1'));
    await cluster.allReachable();
    const again = await RawClient.open(cluster, 'n1');
    await cluster.settle(again.put('after', 'v'));
    expect(highestHlc(cluster.record('n1', 'after')!)).toBeGreaterThan(before);
  });

  it('lww: the newest write wins in order, whichever coordinator has the wrong clock', async () => {
    const cluster = await start(44);
    const nodes = await clients(cluster);
    cluster.world.setClockOffset('n2', -HOUR_MS);
    cluster.world.setClockOffset('n3', HOUR_MS);
    const namespace = 'latest';
    for (let i = 0; i < 12; i++) {
      await cluster.settle(nodes[i % 3]!.put('k', `v${i}`, { namespace, write: 'all' }));
      expect((await cluster.settle(nodes[0].get('k', { namespace, read: 'all' }))).values).toEqual([`v${i}`]);
    }
  });

  it('lww: of concurrent writes one is shown everywhere, and what lost is counted', async () => {
    const cluster = await start(45);
    const [n1, n2] = await clients(cluster);
    const namespace = 'latest';
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    await cluster.settle(n1.put('k', 'early', { namespace, write: 'one' }));
    await cluster.simulation.runFor(50);
    await cluster.settle(n2.put('k', 'late', { namespace }));
    cluster.world.network.heal();
    await agree(cluster);
    for (const name of cluster.names) {
      const reader = await RawClient.open(cluster, name);
      expect((await cluster.settle(reader.get('k', { namespace, read: 'one' }))).values).toEqual(['late']);
    }
    await cluster.settle(n1.put('k', 'next', { namespace, write: 'all' }));
    expect(cluster.counter('n1', 'conflicts_settled')).toBe(1);
    expect(cluster.stored('n3', 'k', namespace)).toEqual(['next']);
  });
});
