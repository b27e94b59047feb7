/** The SDK and real replicas of a leader-follower namespace: what the SDK promises of it, leaders that die included. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Database, Namespace } from '../../src/client/api.js';
import { SESSION_RESULTS_MAX } from '../../src/core/limits.js';
import { SimCluster } from '../support/sim-cluster.js';

const NAMESPACES = `
  - { name: led, strategy: leader-follower, partitions: 2 }
  - { name: fast, strategy: leader-follower, partitions: 1, ack: leader, read: follower }
`;

let cluster: SimCluster;
let db: Database;
let led: Namespace<number>;

async function start(seed: number): Promise<void> {
  cluster = await SimCluster.start({ seed, namespaces: NAMESPACES });
  db = await cluster.connect('app', { timeoutMs: 20_000 });
  led = db.namespace<number>('led');
}

afterEach(async () => {
  await cluster.settle(db.close());
});

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  cluster.settle(
    promise.then(
      () => 'ok',
      (error: { code: string; outcome: string }) => `${error.code} ${error.outcome}`,
    ),
  );

/** Who leads a group, as the nodes' gauges say. */
function leaderOf(name: string): string | undefined {
  return cluster.names.find(
    (node) =>
      cluster.running(node) &&
      cluster
        .node(node)
        .status()
        .groups.some(({ group, gauges }) => group === name && gauges['leads'] === 1),
  );
}

describe('the SDK with leaders', () => {
  it('writes, reads, deletes and scans, with versions', async () => {
    await start(1);
    const written = await cluster.settle(led.put('k', 1));
    expect(written.version).toBeGreaterThan(0);
    expect(await cluster.settle(led.get('k'))).toMatchObject({ value: 1, version: written.version });
    await cluster.settle(led.delete('k', { context: written.context }));
    expect(await cluster.settle(led.get('k'))).toMatchObject({ value: undefined, version: 0 });
    const keys = Array.from({ length: 20 }, (_, i) => `s${String(i).padStart(2, '0')}`);
    await cluster.settle(Promise.all(keys.map((key, i) => led.put(key, i))));
    const seen: string[] = [];
    const scan = async (): Promise<void> => {
      for await (const { key } of led.scan({ prefix: 's' })) seen.push(key);
    };
    await cluster.settle(scan());
    expect(seen).toEqual(keys);
  });

  it('keeps conditions', async () => {
    await start(2);
    const first = await cluster.settle(led.put('k', 1, { ifAbsent: true }));
    expect(await codeOf(led.put('k', 2, { ifAbsent: true }))).toBe('ConditionFailed failed');
    await cluster.settle(led.put('k', 2, { ifVersion: first.version as number }));
    expect(await codeOf(led.put('k', 3, { context: first.context }))).toBe('ConditionFailed failed');
    expect((await cluster.settle(led.get('k'))).value).toBe(2);
  });

  it('writes an atomic batch whole or not at all', async () => {
    await start(3);
    const put = (key: string, value: number) => ({ type: 'put', key, value }) as const;
    await cluster.settle(led.batch([put('{t}/a', 1), put('{t}/b', 1)], { atomic: true }));
    const refused = led.batch([put('{t}/a', 2), { ...put('{t}/b', 2), ifAbsent: true }], { atomic: true });
    expect(await codeOf(refused)).toBe('ConditionFailed failed');
    expect((await cluster.settle(led.get('{t}/a'))).value).toBe(1);
  });

  it('reads its own writes from any replica in a session, in another process too', async () => {
    await start(4);
    const session = db.session();
    const other = await cluster.connect('other');
    for (let n = 0; n < 10; n++) {
      await cluster.settle(led.in(session).put('k', n));
      const there = other.namespace<number>('led').in(other.session(session.token()));
      expect((await cluster.settle(there.get('k', { read: 'session' }))).value).toBe(n);
    }
    await cluster.settle(other.close());
  });

  it('counts exactly while leaders die', async () => {
    await start(5);
    const clients: Database[] = [];
    for (let i = 0; i < 3; i++) clients.push(await cluster.connect(`client-${i}`, { timeoutMs: 30_000 }));
    let counted = 0;
    let unknown = 0;
    const work = async (client: Database): Promise<void> => {
      const own = client.namespace<number>('led');
      for (let i = 0; i < 20; i++) {
        try {
          await own.update('n', (n = 0) => n + 1);
          counted++;
        } catch (error) {
          if ((error as { outcome: string }).outcome === 'unknown') unknown++;
        }
      }
    };
    const done = Promise.all(clients.map(work));
    for (let round = 0; round < 2; round++) {
      await cluster.simulation.runFor(400);
      const leader = leaderOf('led/0') ?? 'n1';
      cluster.crash(leader);
      await cluster.simulation.runFor(3_000);
      await cluster.settle(cluster.boot(leader));
    }
    await cluster.settle(done);
    const { value = 0 } = await cluster.settle(led.get('n'));
    expect(value).toBeGreaterThanOrEqual(counted);
    expect(value).toBeLessThanOrEqual(counted + unknown);
    expect(counted).toBeGreaterThan(40);
    for (const client of clients) await cluster.settle(client.close());
  });

  it('acknowledges by the leader alone where that is the level, and refuses conditions there', async () => {
    await start(6);
    const fast = db.namespace<number>('fast');
    await cluster.settle(fast.put('k', 1));
    expect(await codeOf(fast.put('k', 2, { ifAbsent: true }))).toBe('BadRequest failed');
    await cluster.settle(fast.update('k', (n = 0) => n + 1));
    await cluster.simulation.runFor(1_000);
    expect(await cluster.settle(fast.get('k'))).toMatchObject({ value: 2 });
    // The leader's answer is the latest; that of another replica says how far it was behind.
    cluster.world.network.partition('app', leaderOf('fast/0') ?? 'n1');
    const read = await cluster.settle(fast.get('k'));
    expect(read).toMatchObject({ value: 2, lag: { entries: 0 } });
  });
});

describe('many writes of one handle to one partition', () => {
  const counted = async (puts: readonly Promise<unknown>[]): Promise<number> => {
    const done = await cluster.settle(Promise.allSettled(puts));
    return done.filter(({ status }) => status === 'fulfilled').length;
  };

  it('all succeed, also more than a group keeps results of for one session', async () => {
    await start(11);
    const fast = db.namespace<number>('fast');
    const puts = Array.from({ length: 2 * SESSION_RESULTS_MAX + 100 }, (_, i) =>
      fast.put(`k${String(i)}`, i, { ack: 'quorum' }),
    );
    expect(await counted(puts)).toBe(puts.length);
    const leader = leaderOf('fast/0') as string;
    expect(cluster.gauge(leader, 'sessions')).toBeGreaterThanOrEqual(3);
  });

  it('succeed while one of them stands still', async () => {
    await start(12);
    const fast = db.namespace<number>('fast');
    await cluster.settle(fast.put('first', 0, { ack: 'quorum' }));
    const follower = cluster.names.find((name) => name !== leaderOf('fast/0')) as string;
    cluster.world.disk(follower).holdSync();
    const slow = Promise.allSettled([fast.put('slow', 0, { ack: 'all', timeoutMs: 10_000 })]);
    for (let i = 0; i < SESSION_RESULTS_MAX + 50; i++)
      await cluster.settle(fast.put(`k${String(i)}`, i, { ack: 'quorum', timeoutMs: 1_000 }));
    cluster.world.disk(follower).releaseSync();
    expect((await cluster.settle(slow))[0].status).toBe('fulfilled');
  });
});

describe('reads that any replica may answer', () => {
  it('say how far behind it may be, also where the leader answers', async () => {
    await start(13);
    const fast = db.namespace<number>('fast');
    await cluster.settle(fast.put('k', 1, { ack: 'all' }));
    await cluster.simulation.runFor(1_000);
    const coordinators = new Set<string>();
    for (let i = 0; i < 30; i++) {
      const { lag, explain } = await cluster.settle(fast.get('k', { read: 'follower', explain: true }));
      expect(lag?.entries).toBe(0);
      expect(lag?.ms).toBeGreaterThanOrEqual(0);
      coordinators.add(explain?.coordinator ?? '');
    }
    expect(coordinators).toContain(leaderOf('fast/0'));
    expect((await cluster.settle(fast.get('k', { read: 'linearizable' }))).lag).toBeUndefined();
  });

  it('are not served by a leader that may be none any more, beyond the staleness that is allowed', async () => {
    await start(14);
    const fast = db.namespace<number>('fast');
    await cluster.settle(fast.put('k', 1, { ack: 'all' }));
    // A quiet group relies on its links, and would take a while to doubt them.
    await cluster.settle(fast.put('k', 2, { ack: 'all' }));
    const leader = leaderOf('fast/0') as string;
    cluster.world.network.partition(
      [leader, 'app'],
      cluster.names.filter((name) => name !== leader),
    );
    await cluster.simulation.runFor(300);
    const read = fast.get('k', { read: 'follower', maxStalenessMs: 100, timeoutMs: 2_000 });
    expect(await codeOf(read)).toBe('TooStale failed');
  });

  it('say that none is fresh enough, instead of waiting until the time is up', async () => {
    await start(15);
    const fast = db.namespace<number>('fast');
    await cluster.settle(fast.put('k', 1));
    const [left, ...others] = cluster.names as [string, ...string[]];
    for (const name of others) cluster.crash(name);
    await cluster.simulation.runFor(5_000);
    const read = fast.get('k', { read: 'follower', maxStalenessMs: 500, timeoutMs: 3_000 });
    expect(await codeOf(read)).toBe('TooStale failed');
    expect(cluster.running(left)).toBe(true);
  });
});

it('a deleted key has no sibling', async () => {
  await start(16);
  await cluster.settle(led.put('k', 1));
  expect(await cluster.settle(led.delete('k'))).toMatchObject({ siblings: 0 });
});
