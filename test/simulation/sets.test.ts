/** Sets on whole clusters: what a remove takes away (L33), sessions, limits (L34), and which operations a namespace takes (L35). */
import { describe, expect, it } from 'vitest';
import { RECENT_OPERATIONS_MAX, RECORD_BYTES_MAX, SET_ELEMENTS_MAX } from '../../src/core/limits.js';
import type { ElementSet } from '../../src/client/api.js';
import { agree, clients, start } from '../support/one-partition.js';
import type { SimCluster } from '../support/sim-cluster.js';
import { retriedOutOfSight } from '../support/retried-out-of-sight.js';

const add = (...elements: readonly string[]) =>
  ({ kind: 'add', elements: elements.map((element) => Buffer.from(element)) }) as const;
const remove = (...elements: readonly string[]) => ({ ...add(...elements), kind: 'remove' }) as const;

async function keysOf(entries: AsyncIterable<{ readonly key: string }>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of entries) keys.push(key);
  return keys;
}

/** What every node has under `k`, all of them agreed. */
async function held(cluster: SimCluster): Promise<(string | null)[]> {
  await agree(cluster);
  const copies = cluster.names.map((name) => cluster.stored(name, 'k', 'set'));
  for (const copy of copies) expect(copy).toEqual(copies[0]);
  return copies[0] ?? [];
}

async function sorted<T>(cluster: SimCluster, set: ElementSet<T>, key: string): Promise<T[]> {
  return [...(await cluster.settle(set.get(key))).elements].sort();
}

describe('L33: a remove takes away what its context has seen', () => {
  it('through another coordinator, which has not heard of the element yet', async () => {
    const cluster = await start(1);
    const [n1, n2] = await clients(cluster);
    cluster.world.network.partition('n1', 'n2');
    await cluster.parted('n1', ['n2']);
    await cluster.settle(n1.change('k', add('x', 'y')));
    const { context } = await cluster.settle(n1.get('k', { namespace: 'set' }));
    expect(cluster.record('n2', 'k', 'set')).toBeUndefined();
    // n3 has it: n2 looks there first.
    const removed = await cluster.settle(n2.change('k', remove('x'), { context }));
    expect(removed.siblings).toBe(1);
    cluster.world.network.heal();
    expect(await held(cluster)).toEqual(['y']);
  });

  it('and is refused where nobody in reach has seen it', async () => {
    const cluster = await start(2);
    const [n1, n2] = await clients(cluster);
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    const { context } = await cluster.settle(n1.change('k', add('x'), { write: 'one' }));
    const refused = cluster.settle(n2.change('k', remove('x'), { context }));
    await expect(refused).rejects.toMatchObject({ code: 'QuorumUnavailable', outcome: 'failed' });
  });

  it('and not what is added beside it, nor what is added again before it arrives', async () => {
    const cluster = await start(3);
    const [n1, n2] = await clients(cluster);
    await cluster.settle(n1.change('k', add('x', 'y'), { write: 'all' }));
    const { context } = await cluster.settle(n1.get('k', { namespace: 'set' }));
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    await cluster.settle(n1.change('k', add('x'), { write: 'one' }));
    await cluster.settle(n2.change('k', remove('x', 'y'), { context }));
    cluster.world.network.heal();
    expect(await held(cluster)).toEqual(['x']);
    // Late, and for the second time: x was added since by someone it has not seen.
    await cluster.settle(n2.change('k', remove('x', 'y'), { context, attempt: 1 }));
    expect(await held(cluster)).toEqual(['x']);
  });

  it('and an add that is retried elsewhere shows once, and is removed once for all', async () => {
    const cluster = await start(4);
    const [n1, n2, n3] = await clients(cluster);
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    const operation = n1.operation();
    await cluster.settle(n1.change('k', add('x'), { operation, write: 'one' }));
    await cluster.settle(n2.change('k', add('x'), { operation, attempt: 1 }));
    cluster.world.network.heal();
    await agree(cluster);
    const read = await cluster.settle(n3.get('k', { namespace: 'set' }));
    expect(read.values).toEqual(['x']);
    await cluster.settle(n3.change('k', remove('x'), { context: read.context }));
    expect(await held(cluster)).toEqual([]);
  });

  it('and does not come back when the first attempt of its add returns, however much was written since', async () => {
    const cluster = await start(6);
    const [n1, n2, n3] = await clients(cluster);
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    const operation = n1.operation();
    await cluster.settle(n1.change('k', add('x', 'y', 'z'), { operation, write: 'one' }));
    await cluster.settle(n2.change('k', add('x', 'y', 'z'), { operation, attempt: 1 }));
    const { context } = await cluster.settle(n2.get('k', { namespace: 'set' }));
    await cluster.settle(n2.change('k', remove('x', 'z'), { context }));
    for (let i = 0; i < 2 * RECENT_OPERATIONS_MAX; i++) await cluster.settle(n2.change('k', add('again')));
    // Added anew, it stays.
    await cluster.settle(n2.change('k', add('z')));
    cluster.world.network.heal();
    await agree(cluster);
    const read = await cluster.settle(n3.get('k', { namespace: 'set' }));
    expect([...read.values].sort()).toEqual(['again', 'y', 'z']);
    // The next write takes the twins of x and z away; y has two dots, and goes with both.
    await cluster.settle(n3.change('k', add('again')));
    expect((await held(cluster)).sort()).toEqual(['again', 'y', 'y', 'z']);
    const seen = await cluster.settle(n3.get('k', { namespace: 'set' }));
    await cluster.settle(n3.change('k', remove('y', 'z'), { context: seen.context }));
    expect(await held(cluster)).toEqual(['again']);
  });

  // The other way round: the retry, which was announced to n3, is on n1 alone, and the first attempt is forgotten.
  it('nor when its retry does', async () => {
    const { cluster, n2, n3 } = await retriedOutOfSight(
      10,
      'set',
      (client, how) => client.change('k', add('x', 'y', 'z'), how),
      async () => Promise.resolve(),
    );
    const { context } = await cluster.settle(n2.get('k', { namespace: 'set' }));
    await cluster.settle(n2.change('k', remove('x', 'z'), { context }));
    for (let i = 0; i < 2 * RECENT_OPERATIONS_MAX; i++) await cluster.settle(n2.change('k', add('again')));
    await cluster.settle(n2.change('k', add('z')));
    cluster.world.network.heal();
    await agree(cluster);
    const read = await cluster.settle(n3.get('k', { namespace: 'set' }));
    expect([...read.values].sort()).toEqual(['again', 'y', 'z']);
    await cluster.settle(n3.change('k', add('again')));
    expect((await held(cluster)).sort()).toEqual(['again', 'y', 'y', 'z']);
  });

  it('nor where so much was added beside it that the remove forgets it at once', async () => {
    let context: Uint8Array | null = null;
    const { cluster, n2, n3 } = await retriedOutOfSight(
      11,
      'set',
      (client, how) => client.change('k', add('x'), how),
      async (c, alone) => {
        await c.settle(alone.change('k', add('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'), { write: 'one' }));
        ({ context } = await c.settle(alone.get('k', { read: 'one', namespace: 'set' })));
      },
    );
    await cluster.settle(n2.change('k', remove('x'), { context }));
    cluster.world.network.heal();
    await agree(cluster);
    const { values } = await cluster.settle(n3.get('k', { read: 'all', namespace: 'set' }));
    expect([...values].sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
  });

  it('and a retry of an add that may have been removed and forgotten is refused', async () => {
    const cluster = await start(12);
    const [n1] = await clients(cluster);
    const operation = n1.operation();
    await cluster.settle(n1.change('k', add('x'), { operation, write: 'all' }));
    await cluster.settle(n1.change('k', add('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'), { write: 'all' }));
    const { context } = await cluster.settle(n1.get('k', { namespace: 'set' }));
    await cluster.settle(n1.change('k', remove('x'), { context, write: 'all' }));
    const retried = cluster.settle(n1.change('k', add('x'), { operation, attempt: 1 }));
    await expect(retried).rejects.toMatchObject({ code: 'OperationForgotten', outcome: 'unknown' });
    expect((await held(cluster)).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
  });

  it('also where the remove saw only one of the two dots of an add', async () => {
    const cluster = await start(7);
    const [n1, n2, n3] = await clients(cluster);
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    const operation = n1.operation();
    const first = await cluster.settle(n1.change('k', add('x', 'y'), { operation, write: 'one' }));
    await cluster.settle(n2.change('k', add('x', 'y'), { operation, attempt: 1 }));
    cluster.world.network.heal();
    await agree(cluster);
    await cluster.settle(n3.change('k', remove('x'), { context: first.context }));
    const { values } = await cluster.settle(n2.get('k', { namespace: 'set', read: 'all' }));
    expect(values).toEqual(['y']);
  });

  it('and needs one', async () => {
    const cluster = await start(5);
    const [n1] = await clients(cluster);
    const refused = cluster.settle(n1.change('k', remove('x')));
    await expect(refused).rejects.toMatchObject({ code: 'BadRequest' });
  });
});

describe('the SDK', () => {
  it('adds, removes, tells what is there, and scans', async () => {
    const cluster = await start(10);
    const db = await cluster.connect('app');
    const tags = db.set<string | number>('set');
    await cluster.settle(tags.add('a', ['sea', 'dawn', 7, 'sea']));
    await cluster.settle(tags.add('b', ['sea']));
    expect(await cluster.settle(tags.has('a', 7))).toBe(true);
    await cluster.settle(tags.remove('a', ['sea', 'never there']));
    expect(await sorted(cluster, tags, 'a')).toEqual([7, 'dawn']);
    expect(await cluster.settle(tags.has('a', 'sea'))).toBe(false);
    const { context } = await cluster.settle(tags.get('b'));
    await cluster.settle(tags.add('b', ['gull']));
    if (context === undefined) throw new Error('it was read');
    await cluster.settle(tags.delete('b', { context }));
    expect(await sorted(cluster, tags, 'b')).toEqual(['gull']);
    await cluster.settle(tags.delete('b'));
    const scanned = await cluster.settle(keysOf(tags.scan()));
    expect(scanned).toEqual(['a']);
    expect(await cluster.settle(tags.remove('never', ['x']))).toEqual({ key: 'never', context: undefined });
  });

  it('in a session, reads its removes even from a replica that has missed them', async () => {
    const cluster = await start(11);
    const db = await cluster.connect('app', { seeds: ['n1.test:7000'] });
    const tags = db.set<string>('set').in(db.session());
    await cluster.settle(tags.add('k', ['x', 'y'], { write: 'all' }));
    cluster.world.network.partition('n3', ['n1', 'n2']);
    await cluster.parted('n3', ['n1', 'n2']);
    cluster.world.network.partition('app', 'n3');
    await cluster.settle(tags.remove('k', ['x'], { write: 2 }));
    // Now only the one that has missed it can be reached.
    cluster.world.network.heal('app', 'n3');
    cluster.world.network.partition('app', ['n1', 'n2']);
    const stale = cluster.settle(tags.get('k', { read: 'one', timeoutMs: 4_000 }));
    await expect(stale).rejects.toMatchObject({ code: 'SessionNotSatisfied' });
    cluster.world.network.heal();
    expect((await cluster.settle(tags.get('k', { read: 'one' }))).elements).toEqual(['y']);
  });

  it('explains a change', async () => {
    const cluster = await start(12);
    const db = await cluster.connect('app');
    const { explain } = await cluster.settle(db.set('set').add('k', ['x'], { write: 'all', explain: true }));
    expect(explain?.replicas.map(({ answer }) => answer)).toEqual(['stored', 'stored', 'stored']);
  });
});

describe('L34: what a set refuses at mint', () => {
  it('more elements than it has room for, and none that it has', async () => {
    const cluster = await start(20);
    const db = await cluster.connect('app', { timeoutMs: 20_000 });
    const tags = db.set<number>('set');
    const all = Array.from({ length: SET_ELEMENTS_MAX }, (_, i) => i);
    await cluster.settle(tags.add('k', all));
    const more = cluster.settle(tags.add('k', [-1]));
    await expect(more).rejects.toMatchObject({ code: 'SetTooLarge', outcome: 'failed' });
    await cluster.settle(tags.add('k', [5, 6]));
    await cluster.settle(tags.remove('k', [7]));
    await cluster.settle(tags.add('k', [-1]));
    expect((await cluster.settle(tags.get('k'))).elements).toHaveLength(SET_ELEMENTS_MAX);
    expect(cluster.counter('n1', 'sibling_warnings')).toBe(0);
    for (const elements of [[], [...all, -1]]) {
      const refused = cluster.settle(tags.add('l', elements));
      await expect(refused).rejects.toMatchObject({ code: 'BadRequest' });
    }
  });

  it('more bytes than a record holds', async () => {
    const cluster = await start(21);
    const db = await cluster.connect('app', { timeoutMs: 20_000 });
    const blobs = db.set<Uint8Array>('set');
    const blob = (n: number): Uint8Array => new Uint8Array(RECORD_BYTES_MAX / 4).fill(n);
    for (let n = 0; n < 3; n++) await cluster.settle(blobs.add('k', [blob(n)]));
    const refused = cluster.settle(blobs.add('k', [blob(4)]));
    await expect(refused).rejects.toMatchObject({ code: 'SetTooLarge', outcome: 'failed' });
    await cluster.settle(blobs.add('k', [blob(1)]));
  });

  it('is no limit for a merge', async () => {
    const cluster = await start(22);
    const [n1, n2] = await clients(cluster);
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    const half = (name: string): string[] =>
      Array.from({ length: SET_ELEMENTS_MAX / 2 + 1 }, (_, i) => `${name}${i}`);
    await cluster.settle(n1.change('k', add(...half('a')), { write: 'one' }));
    await cluster.settle(n2.change('k', add(...half('b'))));
    cluster.world.network.heal();
    await agree(cluster);
    const read = await cluster.settle(n2.get('k', { namespace: 'set' }));
    expect(read.values).toHaveLength(SET_ELEMENTS_MAX + 2);
  });
});

describe('L35: a namespace takes only what its policy has a meaning for', () => {
  it('and refuses the rest before anything is minted', async () => {
    const cluster = await start(30);
    const [n1] = await clients(cluster);
    const increment = { kind: 'increment', by: 1 } as const;
    for (const refused of [
      () => n1.put('k', 'text', { namespace: 'counter' }),
      () => n1.put('k', 'text', { namespace: 'set' }),
      () => n1.put('k', null, { namespace: 'set', ttlMs: 1 }),
      () => n1.change('k', increment, { namespace: 'default' }),
      () => n1.change('k', increment, { namespace: 'set' }),
      () => n1.change('k', add('x'), { namespace: 'counter' }),
      () => n1.change('k', add('x'), { namespace: 'latest' }),
    ]) {
      await expect(cluster.settle(refused())).rejects.toMatchObject({
        code: 'Unsupported',
        outcome: 'failed',
      });
    }
    for (const { name } of cluster.map.namespaces) expect(cluster.record('n1', 'k', name)).toBeUndefined();
  });

  it('as the SDK does without asking', async () => {
    const cluster = await start(31);
    const db = await cluster.connect('app');
    const calls: readonly (() => Promise<unknown>)[] = [
      () => db.counter('default').get('k'),
      () => db.counter('set').increment('k'),
      () => db.set('latest').add('k', ['x']),
      () => db.set('counter').delete('k'),
      () => keysOf(db.set('counter').scan()),
      () => db.namespace('counter').put('k', 1),
      () => db.namespace('set').update('k', () => 1),
    ];
    for (const refused of calls) {
      await expect(cluster.settle(refused())).rejects.toMatchObject({
        code: 'Unsupported',
        outcome: 'failed',
      });
    }
    const nowhere = cluster.settle(db.counter('nowhere').get('k'));
    await expect(nowhere).rejects.toMatchObject({ code: 'UnknownNamespace' });
  });
});
