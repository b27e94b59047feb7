/** Links between nodes find their way back, also where they went silent before a word was heard on them. */
import { describe, expect, it } from 'vitest';
import { WELCOME_MS_MAX } from '../../src/core/limits.js';
import type { Message } from '../../src/protocol/messages.js';
import { SimCluster } from '../support/sim-cluster.js';

/** A cluster of which n2 comes back, its links with n1 cut without a word as soon as `strikes` says so. */
async function comesBack(
  seed: number,
  strikes: (from: string, to: string, message: Message) => boolean,
): Promise<SimCluster> {
  let state: 'quiet' | 'armed' | 'struck' = 'quiet';
  const cluster: SimCluster = await SimCluster.start({
    seed,
    onMessage: (from, to, message) => {
      if (state !== 'armed' || !strikes(from, to, message)) return;
      state = 'struck';
      cluster.simulation.schedule(0, 'half-open', () => cluster.world.network.halfOpen('n1', 'n2'));
    },
  });
  cluster.crash('n2');
  await cluster.simulation.runFor(3_000);
  state = 'armed';
  await cluster.settle(cluster.boot('n2'));
  await cluster.simulation.runUntil(() => state === 'struck', { limitMs: 10_000 });
  return cluster;
}

describe('a link that goes silent', () => {
  it.each([1, 2, 3])('between hello and welcome is dialled anew, seed %i', async (seed) => {
    const cluster = await comesBack(
      seed,
      (from, to, message) => from === 'n1' && message.type === 'hello' && to.includes('n2'),
    );
    await cluster.allReachable(2 * WELCOME_MS_MAX);
  });

  it.each([1, 2, 3])('behind the welcome is dialled anew, seed %i', async (seed) => {
    const cluster = await comesBack(
      seed,
      (from, _to, message) => from === 'n2' && message.type === 'welcome',
    );
    await cluster.simulation.runFor(100);
    await cluster.allReachable(10_000);
  });

  it('while it is being opened is dialled anew', async () => {
    const cluster = await SimCluster.start({ seed: 4 });
    cluster.crash('n2', { powerOff: true });
    await cluster.parted('n1', ['n2']);
    // No machine answers: what n1 dials now stays without an answer, and n2 is back meanwhile.
    await cluster.simulation.runFor(WELCOME_MS_MAX / 2);
    const dialled = cluster.simulation.nowMs();
    await cluster.settle(cluster.boot('n2'));
    await cluster.allReachable(2 * WELCOME_MS_MAX);
    expect(cluster.simulation.nowMs() - dialled).toBeLessThan(WELCOME_MS_MAX);
  });
});

describe('nodes that greet each other', () => {
  it.each([1, 2, 3, 4, 5])('at the same time over slow lines are soon done, seed %i', async (seed) => {
    const cluster = await SimCluster.start({ seed, conditions: { latencyMs: [250, 300] } });
    expect(cluster.simulation.nowMs()).toBeLessThan(3 * WELCOME_MS_MAX);
    await cluster.simulation.runFor(10_000);
    for (const name of cluster.names) {
      expect(
        cluster
          .node(name)
          .status()
          .peers.every((peer) => peer.reachable),
      ).toBe(true);
    }
  });
});
