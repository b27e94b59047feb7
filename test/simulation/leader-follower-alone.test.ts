/** A group with one replica, which nobody can refill: what it makes of damage. */
import { expect, it } from 'vitest';
import type { Namespace } from '../../src/client/api.js';
import { decodeHardState } from '../../src/protocol/hard-state-codec.js';
import { SimCluster } from '../support/sim-cluster.js';

const PLACE = 'g/default/0/';

async function start(seed: number): Promise<{ cluster: SimCluster; ns: Namespace<string> }> {
  const cluster = await SimCluster.start({
    seed,
    nodes: ['n1'],
    namespaces: '\n  - { name: default, strategy: leader-follower, partitions: 1, replicas: 1 }\n',
  });
  const db = await cluster.connect('c1', { timeoutMs: 2_000 });
  return { cluster, ns: db.namespace<string>('default') };
}

function standing(cluster: SimCluster): string {
  return decodeHardState(cluster.world.disk('n1').peek(`${PLACE}h`) as Uint8Array).standing;
}

it('a rotten value is refused, also to writes that depend on it, until it is written anew; all others are served, after a restart too', async () => {
  const { cluster, ns } = await start(2);
  for (let i = 0; i < 5; i++) await cluster.settle(ns.put(`k${String(i)}`, 'x'));
  await cluster.simulation.runFor(3_000);
  const disk = cluster.world.disk('n1');
  const rotten = disk.keys({ gte: `${PLACE}d/`, lt: `${PLACE}d0` }).find((key) => key.endsWith('/k3'));
  disk.flipByte(rotten as string);
  for (let restarts = 0; restarts < 2; restarts++) {
    await expect(cluster.settle(ns.put('k3', 'y', { ifVersion: 1 }))).rejects.toThrow('damaged');
    await expect(cluster.settle(ns.get('k3'))).rejects.toThrow('damaged');
    expect((await cluster.settle(ns.get('k4'))).value).toBe('x');
    await cluster.settle(ns.put('k4', 'x'));
    await cluster.stop('n1');
    await cluster.settle(cluster.restart('n1'));
  }
  await cluster.settle(ns.put('k3', 'z'));
  expect((await cluster.settle(ns.get('k3'))).value).toBe('z');
  expect(standing(cluster)).toBe('member');
});

it('a damaged log makes it wait with all that it has, and go on once that was mended', async () => {
  const { cluster, ns } = await start(3);
  await cluster.settle(ns.put('k', 'x'));
  const disk = cluster.world.disk('n1');
  const [segment] = disk.keys({ gte: `${PLACE}l/`, lt: `${PLACE}l0` });
  const byte = (): number | undefined => disk.peek(segment as string)?.[9];
  const sound = byte();
  const restartWith = async (isWanted: () => boolean): Promise<void> => {
    await cluster.stop('n1');
    while (!isWanted()) disk.flipByte(segment as string, 9);
    await cluster.settle(cluster.restart('n1'));
    await cluster.simulation.runFor(3_000);
  };
  await restartWith(() => byte() !== sound);
  expect(standing(cluster)).toBe('joining');
  await expect(cluster.settle(ns.get('k'))).rejects.toThrow();
  await restartWith(() => byte() === sound);
  expect((await cluster.settle(ns.get('k'))).value).toBe('x');
});

it('a damaged hard state is followed by a term after those of its log', async () => {
  const { cluster, ns } = await start(4);
  for (let restarts = 0; restarts < 3; restarts++) {
    await cluster.settle(ns.put(`k${String(restarts)}`, String(restarts)));
    await cluster.stop('n1');
    if (restarts === 1) cluster.world.disk('n1').flipByte(`${PLACE}h`);
    await cluster.settle(cluster.restart('n1'));
  }
  for (let i = 0; i < 3; i++) expect((await cluster.settle(ns.get(`k${String(i)}`))).value).toBe(String(i));
});
