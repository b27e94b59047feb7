/** L4: a dot is given once. */
import { beforeEach, describe, expect, it } from 'vitest';
import { groupId, incarnationId, namespaceName } from '../../src/core/ids.js';
import { COUNTERS_RESERVED } from '../../src/core/limits.js';
import type { Dot } from '../../src/core/version-vector.js';
import { Minter, type Incarnations } from '../../src/node/minter.js';
import type { Storage } from '../../src/runtime/runtime.js';
import { SimulatedWorld } from '../../src/simulation/world.js';
import { eventLoopTurns } from '../../chaos/event-loop.js';

const GROUP = groupId(namespaceName('photos'), 0);
const OTHER = groupId(namespaceName('photos'), 1);
const BUFFERED = groupId(namespaceName('cache'), 0);

const incarnations = (run: number): Incarnations => ({
  sync: incarnationId(`n1.s${run}`),
  buffered: incarnationId(`n1.b${run}`),
});

describe('Minter', () => {
  let world: SimulatedWorld;
  let storage: Storage;

  beforeEach(() => {
    world = new SimulatedWorld({ seed: 1, turns: eventLoopTurns });
    storage = world.disk('n1').open();
  });

  function open(of: Incarnations = incarnations(1)): Minter {
    const minter = new Minter(of);
    minter.open(GROUP, 'sync', storage);
    minter.open(OTHER, 'sync', storage);
    minter.open(BUFFERED, 'buffered', storage);
    return minter;
  }

  /** Mints, and has what the minter reserves on disk before the dot is used, as the pipeline does. */
  async function mint(
    minter: Minter,
    group = GROUP,
    count = 1,
  ): Promise<{ dots: Dot[]; reservations: number }> {
    const dots: Dot[] = [];
    let reservations = 0;
    for (let i = 0; i < count; i++) {
      const batch = storage.batch();
      dots.push(
        minter.mint(group, (key, value) => {
          reservations++;
          batch.put(key, value);
        }),
      );
      if (batch.length > 0) await world.simulation.settle(batch.write({ sync: true }));
    }
    return { dots, reservations };
  }

  /** A new process on the same disk. */
  function restart(): void {
    world.disk('n1').crash('lost');
    storage = world.disk('n1').open();
  }

  it('counts from 1 in each group, under the incarnation of its durability', async () => {
    const minter = open();
    expect((await mint(minter)).dots).toEqual([{ incarnation: 'n1.s1', counter: 1 }]);
    expect((await mint(minter)).dots).toEqual([{ incarnation: 'n1.s1', counter: 2 }]);
    expect((await mint(minter, OTHER)).dots).toEqual([{ incarnation: 'n1.s1', counter: 1 }]);
    expect((await mint(minter, BUFFERED)).dots).toEqual([{ incarnation: 'n1.b1', counter: 1 }]);
  });

  it('writes once for a block of counters', async () => {
    const minter = open();
    expect((await mint(minter, GROUP, COUNTERS_RESERVED)).reservations).toBe(1);
    expect((await mint(minter)).reservations).toBe(1);
    expect((await mint(minter, GROUP, COUNTERS_RESERVED - 1)).reservations).toBe(0);
  });

  it.each([1, 5, COUNTERS_RESERVED, COUNTERS_RESERVED + 1])(
    'never repeats a counter after a crash that followed %i mints',
    async (count) => {
      const before = (await mint(open(), GROUP, count)).dots;
      restart();
      const after = (await mint(open(), GROUP, count)).dots;
      const all = [...before, ...after].map(({ counter }) => counter);
      expect(new Set(all).size).toBe(2 * count);
      expect(after[0]?.counter).toBeGreaterThan(before.at(-1)?.counter ?? 0);
    },
  );

  it('a reservation whose batch never became durable is made again', async () => {
    const minter = open();
    const lost = minter.mint(GROUP, () => undefined);
    expect(lost.counter).toBe(1);
    restart();
    expect((await mint(open())).dots[0]?.counter).toBe(1);
  });

  it('starts anew under a new incarnation, and ignores what an older one reserved', async () => {
    const minter = open();
    await mint(minter, GROUP, 7);
    minter.begin(incarnations(2));
    expect(minter.incarnations).toEqual(incarnations(2));
    expect(await mint(minter)).toEqual({ dots: [{ incarnation: 'n1.s2', counter: 1 }], reservations: 1 });
    restart();
    const again = open(incarnations(2));
    expect((await mint(again)).dots[0]?.counter).toBe(1 + COUNTERS_RESERVED);
    restart();
    expect((await mint(open(incarnations(3)))).dots).toEqual([{ incarnation: 'n1.s3', counter: 1 }]);
  });

  it('repeats nothing when the durability of a group is changed and set back', async () => {
    const dots: Dot[] = [];
    for (const durability of ['sync', 'buffered', 'sync', 'buffered', 'sync'] as const) {
      const minter = new Minter(incarnations(1));
      minter.open(GROUP, durability, storage);
      // Two blocks: what is kept of the other incarnation outlives more than one reservation.
      dots.push(...(await mint(minter, GROUP, COUNTERS_RESERVED + 1)).dots);
      restart();
    }
    const names = dots.map(({ incarnation, counter }) => `${incarnation}:${counter}`);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(dots.map(({ incarnation }) => incarnation)).size).toBe(2);
  });

  it('has used its incarnations also where a group was minted in under the other one', async () => {
    await mint(open());
    restart();
    const minter = new Minter(incarnations(1));
    minter.open(GROUP, 'buffered', storage);
    expect(minter.unused).toBe(false);
  });

  it('knows whether its incarnations were ever used', async () => {
    const minter = open();
    expect(minter.unused).toBe(true);
    await mint(minter, BUFFERED);
    expect(minter.unused).toBe(false);
    restart();
    expect(open().unused).toBe(false);
    expect(open(incarnations(2)).unused).toBe(true);
  });

  it('mints only in groups that are open', () => {
    expect(() => open().mint(groupId(namespaceName('none'), 0), () => undefined)).toThrow(/own group/);
  });
});
