/** L20: a read whose answers are late asks one spare replica, and one only; a read whose answers are not asks none. */
import { describe, expect, it } from 'vitest';
import {
  READ_WIDEN_MS,
  SPECULATE_MS_MAX,
  SPECULATE_MS_MIN,
} from '../../src/replication/leaderless/tuning.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';
import { watch } from '../support/watched.js';

const ONE_PARTITION = '\n  - { name: default, strategy: leaderless, partitions: 1 }\n';

interface Rig {
  readonly cluster: SimCluster;
  readonly n1: RawClient;
  /** Questions that n1 has put to its peers, by message type. */
  asked(type: 'fetch' | 'fetch-page'): number;
}

async function start(seed: number, nodes?: readonly string[], replicas = 3): Promise<Rig> {
  const sent: string[] = [];
  const cluster = await SimCluster.start({
    seed,
    ...(nodes === undefined ? {} : { nodes }),
    namespaces: ONE_PARTITION.replace('partitions: 1', `partitions: 1, replicas: ${replicas}`),
    onMessage: (from, _to, message) => {
      if (from === 'n1' && message.type === 'replica') sent.push(message.message.type);
    },
  });
  const n1 = await RawClient.open(cluster, 'n1');
  await cluster.settle(n1.put('k', 'v', { write: 'all' }));
  return { cluster, n1, asked: (type) => sent.filter((t) => t === type).length };
}

async function reads({ cluster, n1 }: Rig, count: number): Promise<number[]> {
  const took: number[] = [];
  for (let i = 0; i < count; i++) {
    const beganMs = cluster.simulation.nowMs();
    expect((await cluster.settle(n1.get('k'))).values).toEqual(['v']);
    took.push(cluster.simulation.nowMs() - beganMs);
  }
  return took;
}

/** Every answer of a node to n1 takes far longer than any read may. */
function slowDown(cluster: SimCluster, name: string): void {
  cluster.world.network.setLink(name, 'n1', { latencyMs: [1_200, 1_201] });
}

describe('speculative retry', () => {
  it('asks nobody more than R needs while all is well', async () => {
    const rig = await start(1);
    // Every tenth read or so asks all two, at random (`READ_ALL_ONE_IN`): what is above the number of reads is those.
    await reads(rig, 300);
    expect(rig.cluster.counter('n1', 'reads_speculated')).toBe(0);
    expect(rig.asked('fetch')).toBeLessThan(360);
    expect(rig.asked('fetch')).toBeGreaterThan(300);
    for (let i = 0; i < 50; i++) await rig.cluster.settle(rig.n1.scan(0, {}));
    expect(rig.asked('fetch-page')).toBe(50);
    expect(rig.cluster.counter('n1', 'reads_speculated')).toBe(0);
  });

  it('costs a read only the wait when the replica it asked is slow', async () => {
    const rig = await start(2);
    await reads(rig, 100);
    for (const slow of ['n2', 'n3']) {
      slowDown(rig.cluster, slow);
      const took = await reads(rig, 30);
      // The wait, and what a healthy replica takes.
      expect(Math.max(...took)).toBeLessThan(SPECULATE_MS_MIN + 10);
      expect(Math.max(...took)).toBeGreaterThanOrEqual(SPECULATE_MS_MIN);
      rig.cluster.world.network.calm();
      await rig.cluster.simulation.runFor(5_000);
      await rig.cluster.allReachable();
    }
    const speculated = rig.cluster.counter('n1', 'reads_speculated');
    expect(speculated).toBeGreaterThan(10);
    expect(rig.cluster.counter('n1', 'reads_speculated_won')).toBe(speculated);
  });

  it('waits longer before it has seen answers, and still less than the deadline', async () => {
    const rig = await start(3);
    for (const slow of ['n2', 'n3']) {
      slowDown(rig.cluster, slow);
      const took = await reads(rig, 5);
      expect(Math.max(...took)).toBeLessThan(SPECULATE_MS_MAX + 10);
      rig.cluster.world.network.calm();
      await rig.cluster.simulation.runFor(5_000);
      await rig.cluster.allReachable();
    }
    expect(rig.cluster.counter('n1', 'reads_speculated')).toBeGreaterThan(0);
  });

  it('asks one more and no other, once for each read', async () => {
    const rig = await start(8, ['n1', 'n2', 'n3', 'n4', 'n5'], 5);
    await reads(rig, 100);
    for (const peer of ['n2', 'n3', 'n4', 'n5']) slowDown(rig.cluster, peer);
    const before = rig.asked('fetch');
    const read = watch(rig.n1.get('k'));
    // R = 3: two are asked, then one of the two spared; a second stays spared until all are asked.
    await rig.cluster.simulation.runFor(SPECULATE_MS_MIN - 2);
    expect(rig.asked('fetch') - before).toBe(2);
    // One read's turn to speculate is not another's: a second read, a little later.
    const second = watch(rig.n1.get('k'));
    await rig.cluster.simulation.runFor(READ_WIDEN_MS - 2 * SPECULATE_MS_MIN - 10);
    expect(rig.asked('fetch') - before).toBe(6);
    expect(rig.cluster.counter('n1', 'reads_speculated')).toBe(2);
    await rig.cluster.simulation.runFor(200);
    expect(rig.asked('fetch') - before).toBe(8);
    await rig.cluster.simulation.runUntil(() => read.settled && second.settled);
    expect(read.value?.values).toEqual(['v']);
    expect(rig.cluster.counter('n1', 'reads_speculated')).toBe(2);
    expect(rig.cluster.counter('n1', 'reads_speculated_won')).toBe(0);
  });

  it('asks nobody where no spare replica is up', async () => {
    const rig = await start(5);
    rig.cluster.crash('n3');
    await rig.cluster.parted('n1', ['n3']);
    rig.cluster.world.network.setLink('n2', 'n1', { latencyMs: [300, 301] });
    const took = await reads(rig, 5);
    expect(Math.min(...took)).toBeGreaterThan(SPECULATE_MS_MAX);
    expect(rig.cluster.counter('n1', 'reads_speculated')).toBe(0);
  });

  it('serves scans as well', async () => {
    const rig = await start(6);
    for (let i = 0; i < 40; i++) await rig.cluster.settle(rig.n1.scan(0, {}));
    // A scan asks the peers in the map's order.
    const [first] = rig.cluster.map.placement[0]?.[0]?.filter((id) => id !== 'n1') ?? [];
    slowDown(rig.cluster, first as string);
    const beganMs = rig.cluster.simulation.nowMs();
    expect((await rig.cluster.settle(rig.n1.scan(0, {}))).entries).toHaveLength(1);
    expect(rig.cluster.simulation.nowMs() - beganMs).toBeLessThan(SPECULATE_MS_MIN + 15);
    expect(rig.cluster.counter('n1', 'reads_speculated')).toBe(1);
    expect(rig.cluster.counter('n1', 'reads_speculated_won')).toBe(1);
  });

  it('is said by an explained read, with the wait of that moment', async () => {
    const rig = await start(7);
    const wait = async (): Promise<string | undefined> =>
      (await rig.cluster.settle(rig.n1.get('k', { explain: true }))).explain?.required;
    expect(await wait()).toBe(`R=2 of N=3, one more asked after ${SPECULATE_MS_MAX} ms`);
    await reads(rig, 100);
    expect(await wait()).toBe(`R=2 of N=3, one more asked after ${SPECULATE_MS_MIN} ms`);
  });
});
