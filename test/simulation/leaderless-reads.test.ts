/** Reads and scans with stale, slow and absent replicas: repair, session bounds, page ends (L11). */
import { describe, expect, it } from 'vitest';
import { partitionOfKey } from '../../src/core/hash.js';
import { compareKeys } from '../../src/core/text-order.js';
import type { ScanResult } from '../../src/protocol/messages.js';
import { LATE_ANSWER_MS_MAX, LATE_READS_MAX, SWEEP_MS } from '../../src/replication/leaderless/tuning.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';
import { watch } from '../support/watched.js';

const ONE_PARTITION = `
  - { name: default, strategy: leaderless, partitions: 1 }
`;

async function start(seed: number, namespaces = ONE_PARTITION): Promise<SimCluster> {
  return SimCluster.start({ seed, namespaces });
}

/** Writes, and takes n3 back to before: it has missed it all, and neither a hint nor, for a few seconds, anti-entropy tells it. */
async function makeStale(
  cluster: SimCluster,
  write: (n1: RawClient) => Promise<unknown>,
): Promise<RawClient> {
  const n1 = await RawClient.open(cluster, 'n1');
  const image = cluster.world.disk('n3').image();
  await cluster.settle(write(n1));
  await cluster.simulation.runFor(100);
  cluster.crash('n3');
  cluster.world.disk('n3').setBack(image);
  await cluster.settle(cluster.boot('n3'));
  await cluster.allReachable();
  return n1;
}

async function putAll(client: RawClient, keys: readonly string[]): Promise<void> {
  for (const key of keys) await client.put(key, key, { write: 'all' });
}

describe('read repair', () => {
  it('brings the stale replica that a read asked level, and says so', async () => {
    const cluster = await start(1);
    const n1 = await makeStale(cluster, (client) => client.put('k', 'v', { write: 'all' }));
    expect(cluster.record('n3', 'k')).toBeUndefined();
    const { values, explain } = await cluster.settle(n1.get('k', { read: 'all', explain: true }));
    expect(values).toEqual(['v']);
    expect(explain?.replicas.find(({ node }) => node === 'n3')?.answer).toBe('absent');
    expect(explain?.repaired).toEqual(['n3']);
    await cluster.simulation.runFor(50);
    expect(cluster.stored('n3', 'k')).toEqual(['v']);
    expect(cluster.counter('n1', 'read_repairs')).toBe(1);
  });

  it('a stale coordinator repairs itself', async () => {
    const cluster = await start(2);
    await makeStale(cluster, (client) => client.put('k', 'v', { write: 'all' }));
    const n3 = await RawClient.open(cluster, 'n3');
    expect((await cluster.settle(n3.get('k'))).values).toEqual(['v']);
    await cluster.simulation.runFor(50);
    expect(cluster.stored('n3', 'k')).toEqual(['v']);
  });

  it('an answer that comes after the reply is compared and repaired as well', async () => {
    const cluster = await start(3);
    const n1 = await makeStale(cluster, (client) => client.put('k', 'v', { write: 'all' }));
    cluster.world.network.setLink('n3', 'n1', { latencyMs: [300, 310] });
    const { values, explain } = await cluster.settle(n1.get('k', { explain: true, read: 2 }));
    expect(values).toEqual(['v']);
    expect(explain?.replicas.find(({ node }) => node === 'n3')?.answer).toBe('waiting');
    expect(cluster.record('n3', 'k')).toBeUndefined();
    await cluster.simulation.runFor(700);
    expect(cluster.stored('n3', 'k')).toEqual(['v']);
    expect(cluster.gauge('n1', 'openReads')).toBe(0);
  });

  it('late answers are waited for a while after the reply, not until the deadline, and only by so many reads', async () => {
    const cluster = await start(5);
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    // Messages of n3 stay on their way; it answers nothing and is not yet taken for gone.
    cluster.world.network.setLink('n3', 'n1', { latencyMs: [1_500, 1_501] });
    const many = Array.from({ length: LATE_READS_MAX + 50 }, () =>
      n1.get('k', { read: 2, explain: true, budgetMs: 30_000 }),
    );
    await cluster.settle(Promise.all(many));
    expect(cluster.gauge('n1', 'openReads')).toBeLessThanOrEqual(LATE_READS_MAX);
    expect(cluster.gauge('n1', 'openReads')).toBeGreaterThan(0);
    await cluster.simulation.runFor(LATE_ANSWER_MS_MAX + 2 * SWEEP_MS);
    expect(cluster.gauge('n1', 'openReads')).toBe(0);
    expect(cluster.gauge('n1', 'openPeerCalls')).toBe(0);
  });

  it('siblings that two replicas hold apart are both shown, and both replicas get both', async () => {
    const cluster = await start(4);
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    const n1 = await RawClient.open(cluster, 'n1');
    const n2 = await RawClient.open(cluster, 'n2');
    await cluster.settle(n1.put('k', 'a', { write: 'one' }));
    await cluster.settle(n2.put('k', 'b'));
    cluster.world.network.heal();
    await cluster.allReachable();
    expect((await cluster.settle(n2.get('k', { read: 'all' }))).values.toSorted()).toEqual(['a', 'b']);
    await cluster.simulation.runFor(50);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['a', 'b']);
  });
});

describe('R', () => {
  it('one replica is enough for R = 1, and its answer may be stale', async () => {
    const cluster = await start(10);
    const n1 = await makeStale(cluster, (client) => client.put('k', 'v', { write: 'all' }));
    const n3 = await RawClient.open(cluster, 'n3');
    expect((await cluster.settle(n3.get('k', { read: 1 }))).values).toEqual([]);
    expect((await cluster.settle(n3.get('k', { read: 'one' }))).values).toEqual([]);
    cluster.crash('n3');
    cluster.crash('n2');
    await cluster.parted('n1', ['n2', 'n3']);
    expect((await cluster.settle(n1.get('k', { read: 1 }))).values).toEqual(['v']);
    const quorum = cluster.settle(n1.get('k'));
    await expect(quorum).rejects.toMatchObject({ code: 'QuorumUnavailable', outcome: 'failed' });
  });

  it('R = all sees what one replica alone has', async () => {
    const cluster = await start(11);
    const image = cluster.world.disk('n2').image();
    await makeStale(cluster, (client) => client.put('k', 'v', { write: 'all' }));
    cluster.crash('n2');
    cluster.world.disk('n2').setBack(image);
    await cluster.settle(cluster.boot('n2'));
    await cluster.allReachable();
    const n3 = await RawClient.open(cluster, 'n3');
    expect((await cluster.settle(n3.get('k', { read: 'all' }))).values).toEqual(['v']);
  });

  it('R beyond N is refused', async () => {
    const cluster = await start(12);
    const n1 = await RawClient.open(cluster, 'n1');
    await expect(cluster.settle(n1.get('k', { read: 4 }))).rejects.toMatchObject({ code: 'BadRequest' });
    await expect(cluster.settle(n1.scan(0, { read: 4 }))).rejects.toMatchObject({ code: 'BadRequest' });
  });
});

describe('slow replicas', () => {
  it('a read asks the replica it had spared when one is slow', async () => {
    const cluster = await start(20);
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    for (const slow of ['n2', 'n3']) {
      cluster.world.network.setLink(slow, 'n1', { latencyMs: [900, 950] });
      for (let i = 0; i < 5; i++) {
        const beganMs = cluster.simulation.nowMs();
        expect((await cluster.settle(n1.get('k'))).values).toEqual(['v']);
        expect(cluster.simulation.nowMs() - beganMs).toBeLessThan(300);
      }
      cluster.world.network.calm();
      await cluster.simulation.runFor(2_000);
    }
  });

  it('a scan does as well', async () => {
    const cluster = await start(21);
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(putAll(n1, ['a', 'b']));
    for (const slow of ['n2', 'n3']) {
      cluster.world.network.setLink(slow, 'n1', { latencyMs: [900, 950] });
      const beganMs = cluster.simulation.nowMs();
      expect((await cluster.settle(n1.scan(0, {}))).entries).toHaveLength(2);
      expect(cluster.simulation.nowMs() - beganMs).toBeLessThan(300);
      cluster.world.network.calm();
    }
  });

  it('a read whose replicas stay silent ends at its deadline, as failed', async () => {
    const cluster = await start(22);
    const n1 = await RawClient.open(cluster, 'n1');
    cluster.world.network.partition('n1', ['n2', 'n3']);
    const beganMs = cluster.simulation.nowMs();
    const read = watch(n1.get('k', { budgetMs: 500 }));
    const scan = {
      type: 'scan',
      partition: 0,
      prefix: '',
      after: '',
      limit: 9,
      read: null,
      atLeast: null,
      maxStalenessMs: 0,
    } as const;
    const scanned = watch(n1.request(scan, { budgetMs: 500 }));
    await cluster.simulation.runUntil(() => read.settled && scanned.settled);
    expect(cluster.simulation.nowMs() - beganMs).toBeLessThan(600);
    expect(read.error).toMatchObject({ code: 'Timeout', outcome: 'failed' });
    expect(scanned.error).toMatchObject({ outcome: 'failed' });
    expect(cluster.gauge('n1', 'openReads') + cluster.gauge('n1', 'openScans')).toBe(0);
  });

  it('a peer that goes away during a read is replaced at once', async () => {
    const cluster = await start(23);
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    for (const name of ['n2', 'n3']) cluster.world.network.setLink(name, 'n1', { latencyMs: [50, 60] });
    const read = watch(n1.get('k'));
    await cluster.simulation.runFor(10);
    cluster.crash('n2');
    await cluster.simulation.runUntil(() => read.settled);
    expect(read.value?.values).toEqual(['v']);
  });
});

describe('a bound on what a read must have seen', () => {
  it('is met by asking more replicas than R', async () => {
    const cluster = await start(30);
    let context: Uint8Array | null = null;
    await makeStale(cluster, async (client) => {
      ({ context } = await client.put('k', 'v', { write: 'all' }));
    });
    const n3 = await RawClient.open(cluster, 'n3');
    expect((await cluster.settle(n3.get('k', { read: 1, atLeast: context }))).values).toEqual(['v']);
  });

  it('is refused where no reachable replica has seen it', async () => {
    const cluster = await start(31);
    let context: Uint8Array | null = null;
    await makeStale(cluster, async (client) => {
      ({ context } = await client.put('k', 'v', { write: 'all' }));
    });
    const n3 = await RawClient.open(cluster, 'n3');
    cluster.world.network.partition('n3', ['n1', 'n2']);
    await cluster.parted('n3', ['n1', 'n2']);
    const read = cluster.settle(n3.get('k', { read: 1, atLeast: context }));
    await expect(read).rejects.toMatchObject({ code: 'SessionNotSatisfied', outcome: 'failed' });
    expect((await cluster.settle(n3.get('k', { read: 1 }))).values).toEqual([]);
  });

  it('a scan in an SDK session shows what the session has read, or says that it cannot', async () => {
    const cluster = await start(23);
    const alone = cluster.map.placement[0]?.[0]?.[0] as string;
    const others = cluster.names.filter((name) => name !== alone);
    cluster.world.network.partition(alone, others);
    await cluster.parted(alone, others);
    const db = await cluster.connect('app', { timeoutMs: 1_000, seeds: [`${alone}.test:7000`] });
    await cluster.settle(db.namespace<string>('default').put('b', 'only here', { write: 'one' }));
    const ns = db.namespace<string>('default').in(db.session());
    const scan = async (): Promise<string[]> => {
      const keys: string[] = [];
      for await (const { key } of ns.scan()) keys.push(key);
      return keys;
    };
    expect((await cluster.settle(ns.get('b', { read: 'one' }))).value).toBe('only here');
    cluster.crash(alone);
    await cluster.settle(ns.put('a', 'everywhere'));
    await cluster.settle(ns.put('c', 'everywhere'));
    await expect(cluster.settle(scan())).rejects.toMatchObject({ code: 'SessionNotSatisfied' });
    cluster.world.network.heal();
    await cluster.settle(cluster.boot(alone));
    await cluster.converge(10_000);
    expect(await cluster.settle(scan())).toEqual(['a', 'b', 'c']);
  });

  it('an SDK session reads its own write with W = 1 and R = 1', async () => {
    const cluster = await SimCluster.start({
      seed: 32,
      namespaces: '\n  - { name: default, strategy: leaderless, partitions: 1, read: one, write: one }\n',
    });
    for (const name of cluster.names) {
      for (const other of cluster.names) {
        if (name !== other) cluster.world.network.setLink(name, other, { latencyMs: [50, 80] });
      }
    }
    const writer = await cluster.connect('writer');
    const session = writer.session();
    let stale = 0;
    for (let i = 0; i < 10; i++) {
      await cluster.settle(writer.namespace<string>('default').in(session).put(`k${i}`, 'v'));
      // Another process goes on with the session, from a node that has not heard of the write.
      for (const seed of ['n2', 'n3']) {
        const client = await RawClient.open(cluster, seed);
        if ((await cluster.settle(client.get(`k${i}`))).values.length === 0) stale++;
      }
      const reader = await cluster.connect(`reader${i}`, { seeds: ['n2.test:7000'] });
      const ns = reader.namespace<string>('default').in(reader.session(session.token()));
      expect((await cluster.settle(ns.get(`k${i}`))).value).toBe('v');
    }
    expect(stale).toBeGreaterThan(0);
  });
});

describe('L11: a scan page speaks only for keys up to the smallest end among its replicas', () => {
  const key = (i: number): string => `key-${String(i).padStart(3, '0')}`;

  it.each(['n1', 'n2', 'n3'])(
    'a stale replica whose page ends elsewhere hides nothing from %s',
    async (name) => {
      const cluster = await start(40);
      const early = Array.from({ length: 30 }, (_, i) => key(i * 2));
      const late = Array.from({ length: 30 }, (_, i) => key(i * 2 + 1));
      const first = await RawClient.open(cluster, 'n1');
      await cluster.settle(putAll(first, early));
      await makeStale(cluster, (client) => putAll(client, late));
      // n3 holds only every second key, so its page of ten reaches twice as far as the others'.
      const client = await RawClient.open(cluster, name);
      const found: string[] = [];
      for (let after: string | null = ''; after !== null;) {
        const page: ScanResult = await cluster.settle(client.scan(0, { after, limit: 10, read: 2 }));
        found.push(...page.entries.map((entry) => entry.key));
        after = page.next;
      }
      expect(found).toEqual([...early, ...late].sort());
    },
  );

  it('a page never goes beyond the smallest end', async () => {
    const cluster = await start(41);
    const first = await RawClient.open(cluster, 'n1');
    await cluster.settle(putAll(first, [key(0), key(10), key(20), key(30)]));
    await makeStale(cluster, (client) => putAll(client, [key(1), key(2), key(11), key(12)]));
    const n3 = await RawClient.open(cluster, 'n3');
    const page = await cluster.settle(n3.scan(0, { limit: 3, read: 2 }));
    // n3's own page ends at key 20, the other's at key 2.
    expect(page.next).toBe(key(2));
    expect(page.entries.map((entry) => entry.key)).toEqual([key(0), key(1), key(2)]);
  });

  it('repairs what it finds missing', async () => {
    const cluster = await start(42);
    const n1 = await makeStale(cluster, (client) => putAll(client, [key(1), key(2)]));
    await cluster.settle(n1.scan(0, { read: 'all' }));
    await cluster.simulation.runFor(50);
    expect(cluster.stored('n3', key(1))).toEqual([key(1)]);
    expect(cluster.stored('n3', key(2))).toEqual([key(2)]);
  });

  it('leaves deleted keys out, and goes on past a page of nothing else', async () => {
    const cluster = await start(43);
    const n1 = await RawClient.open(cluster, 'n1');
    for (let i = 0; i < 20; i++) {
      const { context } = await cluster.settle(n1.put(key(i), 'v'));
      if (i < 19) await cluster.settle(n1.put(key(i), null, { context }));
    }
    const empty = await cluster.settle(n1.scan(0, { limit: 5 }));
    expect(empty.entries).toEqual([]);
    expect(empty.next).toBe(key(4));
    const db = await cluster.connect('app');
    const found: string[] = [];
    const scan = async (): Promise<void> => {
      for await (const entry of db.namespace('default').scan()) found.push(entry.key);
    };
    await cluster.settle(scan());
    expect(found).toEqual([key(19)]);
  });

  it('keeps to its prefix, and starts strictly after', async () => {
    const cluster = await start(44);
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(putAll(n1, ['a', 'b', 'b/1', 'b/2', 'b0', 'c']));
    const page = async (prefix: string, after: string): Promise<string[]> =>
      (await cluster.settle(n1.scan(0, { prefix, after }))).entries.map((entry) => entry.key);
    expect(await page('b/', '')).toEqual(['b/1', 'b/2']);
    expect(await page('b', 'b')).toEqual(['b/1', 'b/2', 'b0']);
    expect(await page('', 'b/1')).toEqual(['b/2', 'b0', 'c']);
    expect(await page('b/', 'a')).toEqual(['b/1', 'b/2']);
    expect(await page('b/', 'b/2')).toEqual([]);
  });
});

describe('a scan over partitions', () => {
  const FOUR = '\n  - { name: default, strategy: leaderless, partitions: 4 }\n';

  it('is in key order, by bytes, also beyond the basic plane', async () => {
    const cluster = await start(50, FOUR);
    const db = await cluster.connect('app');
    const ns = db.namespace<number>('default');
    const keys = ['z', 'é', '\u{ffff}', '\u{e000}', '\u{10000}', '😀', '😀a', '\u{10ffff}', 'a', 'ab', 'ｚ'];
    for (let i = 0; i < 20; i++) keys.push(`k${i}`, `\u{1f600}${i}`, `\u{fffd}${i}`);
    for (const [i, key] of keys.entries()) await cluster.settle(ns.put(key, i));
    expect(new Set(keys.map((key) => partitionOfKey(key, 4))).size).toBe(4);
    const found: string[] = [];
    const scan = async (limit?: number, prefix = ''): Promise<string[]> => {
      found.length = 0;
      for await (const entry of ns.scan({ prefix, ...(limit === undefined ? {} : { limit }) }))
        found.push(entry.key);
      return found;
    };
    const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await cluster.settle(scan())).toEqual(sorted);
    expect(await cluster.settle(scan(7))).toEqual(sorted.slice(0, 7));
    expect(await cluster.settle(scan(undefined, '😀'))).toEqual(sorted.filter((key) => key.startsWith('😀')));
    expect(sorted).toEqual(keys.toSorted(compareKeys));
  });

  it('goes on while a node is down, and shows every acknowledged key', async () => {
    const cluster = await start(51, FOUR);
    const db = await cluster.connect('app');
    const ns = db.namespace<number>('default');
    for (let i = 0; i < 40; i++) await cluster.settle(ns.put(`a${i}`, i));
    cluster.crash('n2');
    for (let i = 0; i < 40; i++) await cluster.settle(ns.put(`b${i}`, i));
    cluster.crash('n1');
    await cluster.settle(cluster.boot('n2'));
    await cluster.simulation.runUntil(() =>
      cluster
        .node('n3')
        .status()
        .peers.some((p) => p.reachable),
    );
    let count = 0;
    const scan = async (): Promise<void> => {
      for await (const _entry of ns.scan()) count++;
    };
    await cluster.settle(scan());
    expect(count).toBe(80);
  });
});
