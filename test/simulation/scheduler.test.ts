import { describe, expect, it } from 'vitest';
import { InvariantViolation } from '../../src/core/invariant.js';
import { SeededRandom } from '../../src/simulation/random.js';
import { Simulation, SIMULATION_START_MS } from '../../src/simulation/scheduler.js';
import { SimulatedWorld } from '../../src/simulation/world.js';
import { eventLoopTurns } from '../../chaos/event-loop.js';

/** A little life that uses every concern: timers, clocks, random, network, disk, a crash. */
async function live(seed: number): Promise<{ trace: string; story: string[] }> {
  const world = new SimulatedWorld({
    seed,
    turns: eventLoopTurns,
    conditions: { lossRate: 0.02, corruptionRate: 0.05 },
  });
  const story: string[] = [];
  const server = world.node('n1');
  const storage = await server.openStorage('data');
  await server.network.listen({ host: 'n1', port: 1 }, (connection) => ({
    onFrame: (frame) => {
      const batch = storage.batch();
      batch.put(`k${String(frame[0])}`, frame);
      batch.write({ sync: true }).then(
        () => {
          connection.send(frame);
        },
        () => story.push('failed'),
      );
    },
    onClose: (reason) => story.push(`server closed ${reason}`),
  }));
  const client = world.client('c');
  const link = client.network.connect(
    { host: 'n1', port: 1 },
    {
      onFrame: (frame) =>
        story.push(`${client.clock.wallMs().toFixed(0)} ${Buffer.from(frame).toString('hex')}`),
      onClose: (reason) => story.push(`client closed ${reason}`),
    },
  );
  for (let i = 0; i < 30; i++)
    client.timers.after(i * client.random.integer(20), () => {
      link.send(Uint8Array.of(i, 1, 2));
    });
  await world.simulation.run({ untilMs: 300 });
  world.crash('n1');
  await world.simulation.run({ untilMs: 10_000 });
  story.push(world.disk('n1').keys({ gte: '', lt: 'z' }).join());
  return { trace: world.simulation.traceHash(), story };
}

describe('determinism', () => {
  it('lives the same life for the same seed', async () => {
    const [a, b] = [await live(7), await live(7)];
    expect(a.story.length).toBeGreaterThan(3);
    expect(b).toEqual(a);
  });

  it('lives another for another seed', async () => {
    const traces = await Promise.all([1, 2, 3, 4].map(async (seed) => (await live(seed)).trace));
    expect(new Set(traces).size).toBe(4);
  });

  it('forks randomness by name only, so that one draw more reshuffles nothing else', () => {
    const quiet = new SeededRandom('s').fork('disk');
    const parent = new SeededRandom('s');
    parent.float();
    parent.fork('network').float();
    const busy = parent.fork('disk');
    const draw = (random: SeededRandom): number[] => Array.from({ length: 8 }, () => random.integer(1000));
    expect(draw(busy)).toEqual(draw(quiet));
    expect(draw(parent.fork('other'))).not.toEqual(draw(parent.fork('disk')));
  });

  it('draws evenly', () => {
    const random = new SeededRandom(1);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) {
      const at = random.integer(10);
      counts[at] = (counts[at] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    expect(random.text(12)).toMatch(/^[0-9a-z]{12}$/);
  });
});

describe('virtual time', () => {
  it('runs events by time, and those of one time in the order of their scheduling', async () => {
    const simulation = new Simulation({ seed: 1, turns: eventLoopTurns });
    const random = new SeededRandom('times');
    const ran: [at: number, order: number][] = [];
    for (let i = 0; i < 500; i++) {
      const at = random.integer(40);
      simulation.schedule(at, 'e', () => ran.push([at, i]));
    }
    await simulation.run({ untilMs: 100 });
    expect(ran).toHaveLength(500);
    expect(ran).toEqual(ran.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]));
    expect(simulation.nowMs()).toBe(100);
  });

  it('lets promises settle before the next event', async () => {
    const simulation = new Simulation({ seed: 1, turns: eventLoopTurns });
    const ran: string[] = [];
    simulation.schedule(1, 'a', () => {
      void Promise.resolve()
        .then(() => undefined)
        .then(() => ran.push('a and what follows'));
    });
    simulation.schedule(1, 'b', () => ran.push('b'));
    await simulation.run({ untilMs: 1 });
    expect(ran).toEqual(['a and what follows', 'b']);
  });

  it('does not run what was cancelled, and cancels once', async () => {
    const simulation = new Simulation({ seed: 1, turns: eventLoopTurns });
    let ran = 0;
    const cancel = simulation.schedule(5, 'a', () => ran++);
    simulation.schedule(5, 'b', () => ran++);
    cancel();
    cancel();
    await simulation.runFor(10);
    cancel();
    expect(ran).toBe(1);
    expect(simulation.events).toBe(1);
  });

  it('reports what an event threw, what never came, and a loop that stands still', async () => {
    // A million steps: without the event loop, which what is tested does not need.
    const simulation = new Simulation({
      seed: 1,
      turns: async (step) => {
        while (step()) await Promise.resolve();
      },
    });
    simulation.schedule(1, 'bad', () => {
      throw new InvariantViolation('broken');
    });
    await expect(simulation.runFor(5)).rejects.toThrow('broken');
    await expect(simulation.runUntil(() => false, { limitMs: 50 })).rejects.toMatchObject({
      code: 'Timeout',
    });
    const again = (): void => {
      simulation.schedule(0, 'loop', again);
    };
    again();
    await expect(simulation.runFor(1)).rejects.toThrow('virtual time moves on');
  });

  it('settles a promise as it settles', async () => {
    const simulation = new Simulation({ seed: 1, turns: eventLoopTurns });
    const later = <T>(
      settle: (resolve: (value: T) => void, reject: (e: Error) => void) => void,
    ): Promise<T> =>
      new Promise((resolve, reject) =>
        simulation.schedule(9, 'settle', () => {
          settle(resolve, reject);
        }),
      );
    expect(
      await simulation.settle(
        later((resolve) => {
          resolve(3);
        }),
      ),
    ).toBe(3);
    await expect(
      simulation.settle(
        later((_, reject) => {
          reject(new Error('no'));
        }),
      ),
    ).rejects.toThrow('no');
  });

  it('sets one wall clock back by an hour, and no monotonic clock', async () => {
    const world = new SimulatedWorld({ seed: 1, turns: eventLoopTurns });
    const [a, b] = [world.node('a').clock, world.node('b').clock];
    await world.simulation.runFor(1000);
    world.setClockOffset('a', -3_600_000);
    expect(a.wallMs()).toBe(SIMULATION_START_MS + 1000 - 3_600_000);
    expect(b.wallMs()).toBe(SIMULATION_START_MS + 1000);
    expect(a.monotonicMs()).toBe(1000);
  });

  it('never fires a timer of a process that is gone, and starts it anew over the same disk', async () => {
    const world = new SimulatedWorld({ seed: 1, turns: eventLoopTurns });
    const first = world.node('n1');
    let fired = 0;
    first.timers.after(10, () => fired++);
    first.timers.soon(() => fired++);
    await world.simulation.runFor(1);
    expect(fired).toBe(1);
    expect(() => world.node('n1')).toThrow('still runs');
    world.crash('n1');
    const second = world.node('n1');
    await world.simulation.runFor(100);
    expect(fired).toBe(1);
    expect(second.clock.monotonicMs()).toBe(100);
    expect(second.random.text(20)).not.toBe(first.random.text(20));
  });
});
