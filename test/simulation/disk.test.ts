import { beforeEach, describe, expect, it } from 'vitest';
import type { Storage } from '../../src/runtime/runtime.js';
import type { SimulatedDisk } from '../../src/simulation/disk.js';
import { SimulatedWorld } from '../../src/simulation/world.js';
import { eventLoopTurns } from '../../chaos/event-loop.js';

const ALL = { gte: '', lt: '~' };

/** A write whose fate can be asked for. */
class Fate {
  outcome = 'pending';

  constructor(promise: Promise<void>) {
    promise.then(
      () => (this.outcome = 'resolved'),
      (error: { code: string }) => (this.outcome = error.code),
    );
  }
}

describe('a simulated disk', () => {
  let world: SimulatedWorld;
  let disk: SimulatedDisk;
  let storage: Storage;

  const open = async (seed: number | string = 1): Promise<void> => {
    world = new SimulatedWorld({ seed, turns: eventLoopTurns });
    disk = world.disk('n1');
    storage = await world.node('n1').openStorage('data');
  };
  beforeEach(() => open());

  const write = (key: string, value: string, sync = true): Fate => {
    const batch = storage.batch();
    batch.put(key, Buffer.from(value));
    return new Fate(batch.write({ sync }));
  };
  const written = async (key: string, value: string, sync = true): Promise<void> => {
    const fate = write(key, value, sync);
    await world.simulation.runUntil(() => fate.outcome !== 'pending');
    expect(fate.outcome).toBe('resolved');
  };
  const read = (key: string): string | undefined => {
    const value = storage.get(key);
    return value === undefined ? undefined : Buffer.from(value).toString();
  };
  const restart = async (): Promise<void> => {
    storage = await world.node('n1').openStorage('data');
  };

  describe('between write and fsync', () => {
    it('acknowledges nothing while the sync is held, then everything', async () => {
      disk.holdSync();
      const [held, behind] = [write('a', '1'), write('b', '2', false)];
      await world.simulation.runFor(60_000);
      expect(disk.holding).toBe(true);
      expect([held.outcome, behind.outcome]).toEqual(['pending', 'pending']);
      expect(read('a')).toBeUndefined();
      disk.releaseSync();
      await world.simulation.runFor(100);
      expect([held.outcome, behind.outcome]).toEqual(['resolved', 'resolved']);
      expect([read('a'), read('b'), disk.holding]).toEqual(['1', '2', false]);
    });

    it('loses the held write in a crash, and never settles it', async () => {
      await written('before', '1');
      disk.holdSync();
      const held = write('a', '1');
      await world.simulation.runUntil(() => disk.holding);
      world.crash('n1', { unsynced: 'lost' });
      await restart();
      await world.simulation.runFor(60_000);
      expect(held.outcome).toBe('pending');
      expect([read('before'), read('a')]).toEqual(['1', undefined]);
    });

    it('takes virtual time for an fsync, and next to none without', async () => {
      const at = world.simulation.nowMs();
      await written('a', '1', false);
      expect(world.simulation.nowMs() - at).toBeLessThan(0.1);
      disk.setTimes({ fsyncMs: [50, 60] });
      await written('b', '1', true);
      expect(world.simulation.nowMs() - at).toBeGreaterThan(50);
    });
  });

  describe('a crash', () => {
    it('keeps what was synced and a prefix of the rest, whole batches in order, as the seed decides', async () => {
      const survived = new Set<number>();
      for (let seed = 0; seed < 60; seed++) {
        await open(seed);
        await written('synced', 'early', false);
        await written('synced', '1');
        for (let i = 0; i < 5; i++) {
          const batch = storage.batch();
          batch.put(`a${String(i)}`, Buffer.from('x'));
          batch.put(`b${String(i)}`, Buffer.from('x'));
          batch.put('synced', Buffer.from(`over ${String(i)}`));
          await world.simulation.settle(batch.write({ sync: false }));
        }
        world.crash('n1');
        await restart();
        const kept = disk.keys({ gte: 'a', lt: 'b' }).length;
        expect(disk.keys({ gte: 'a', lt: 'b' })).toEqual(
          Array.from({ length: kept }, (_, i) => `a${String(i)}`),
        );
        expect(disk.keys({ gte: 'b', lt: 'c' })).toHaveLength(kept);
        expect(read('synced')).toBe(kept === 0 ? '1' : `over ${String(kept - 1)}`);
        survived.add(kept);
      }
      expect(survived.size).toBe(6);
    });

    it('loses nothing that a later fsync covered', async () => {
      await written('a', '1', false);
      await written('b', '2', true);
      world.crash('n1', { unsynced: 'lost' });
      await restart();
      expect([read('a'), read('b')]).toEqual(['1', '2']);
    });

    it('kills the handle and lets another in', async () => {
      const old = storage;
      const scan = new Fate(storage.scan(ALL, 1, 1).then(() => undefined));
      world.crash('n1');
      await restart();
      await world.simulation.runFor(1000);
      expect(scan.outcome).toBe('pending');
      expect(() => old.get('a')).toThrow('closed');
    });

    it('leaves nothing to a view of the process that died', async () => {
      await written('a', '1');
      const view = storage.view();
      const settled: string[] = [];
      const note = (name: string, promise: Promise<unknown>): void => {
        void promise.finally(() => settled.push(name)).catch(() => undefined);
      };
      note('before', view.scan(ALL, 1, 1));
      world.crash('n1');
      note('after', view.scan(ALL, 1, 1));
      note('close', view.close());
      await restart();
      await written('a', '2');
      await world.simulation.runFor(1_000);
      expect(settled).toEqual([]);
      expect(read('a')).toBe('2');
    });

    it('differs from an exit, after which the machine still has what was written', async () => {
      await written('a', '1', false);
      world.exit('n1');
      await restart();
      expect(read('a')).toBe('1');
    });

    it('takes nothing back that an earlier start has replayed: opening a store syncs what it finds', async () => {
      await written('a', '1', false);
      world.exit('n1');
      await restart();
      world.crash('n1', { unsynced: 'lost' });
      await restart();
      expect(read('a')).toBe('1');
    });
  });

  describe('failing writes', () => {
    it('fail as many times as asked, with the code asked for', async () => {
      disk.failWrites('StorageFailed', 2);
      const fates = [write('a', '1'), write('b', '1'), write('c', '1')];
      await world.simulation.runFor(1000);
      expect(fates.map((fate) => fate.outcome)).toEqual(['StorageFailed', 'StorageFailed', 'resolved']);
      expect([read('a'), read('c')]).toEqual([undefined, '1']);
    });

    it('may surface after the next start, beneath what was written later', async () => {
      const found = new Set<string | undefined>();
      for (let seed = 0; seed < 20; seed++) {
        await open(seed);
        disk.failWrites('StorageFailed');
        const batch = storage.batch();
        batch.put('a', Buffer.from('failed'));
        batch.put('b', Buffer.from('failed'));
        const fate = new Fate(batch.write({ sync: true }));
        await written('b', 'later');
        expect(fate.outcome).toBe('StorageFailed');
        expect(read('a')).toBeUndefined();
        world.crash('n1');
        await restart();
        expect(read('b')).toBe('later');
        found.add(read('a'));
      }
      expect(found).toEqual(new Set([undefined, 'failed']));
    });

    it('refuses what does not fit, goes on reading, and writes again when there is room', async () => {
      await written('a', '1');
      expect(storage.freeBytes()).toBe(Infinity);
      disk.setFreeBytes(100);
      expect(storage.freeBytes()).toBe(100);
      const full = write('b', 'x'.repeat(100));
      await world.simulation.runFor(1000);
      expect(full.outcome).toBe('StorageFull');
      expect(read('a')).toBe('1');
      await written('b', 'x'.repeat(49));
      expect(storage.freeBytes()).toBe(50);
      disk.setFreeBytes(Infinity);
      await written('c', 'x'.repeat(1000));
      world.crash('n1');
      await restart();
      expect(read('c')?.length).toBe(1000);
    });
  });

  describe('damage', () => {
    it('flips one bit, which stays until the key is written again', async () => {
      await written('a', 'abc');
      expect(disk.flipByte('a', 1)).toBe(true);
      expect(disk.flipByte('nothing here')).toBe(false);
      const flipped = storage.get('a') as Uint8Array;
      expect([flipped[0], flipped[2]]).toEqual([97, 99]);
      expect((flipped[1] as number) ^ 98).toSatisfy((bits: number) => bits > 0 && (bits & (bits - 1)) === 0);
      world.crash('n1');
      await restart();
      expect(storage.get('a')).toEqual(flipped);
      await written('a', 'new');
      expect(read('a')).toBe('new');
    });

    // Campaign seeds 20203, 20780 and 30478 read bytes that had changed under them.
    it('is not in the memory of who wrote or read the bytes, nor in copies of the disk', async () => {
      const mine = Buffer.from('abc');
      const batch = storage.batch();
      batch.put('a', mine);
      await world.simulation.settle(batch.write({ sync: true }));
      const [seen, image] = [storage.get('a') as Uint8Array, disk.image()];
      expect(disk.flipByte('a', 1)).toBe(true);
      expect([mine.toString(), Buffer.from(seen).toString()]).toEqual(['abc', 'abc']);
      expect(read('a')).not.toBe('abc');
      world.crash('n1');
      disk.restore(image);
      await restart();
      expect(read('a')).toBe('abc');
    });

    it('is seen by a view too, where that still shares the block', async () => {
      await written('a', 'hello');
      await written('b', 'hello');
      const view = storage.view();
      await written('b', 'there');
      disk.flipByte('a');
      disk.flipByte('b');
      const found = await world.simulation.settle(view.scan(ALL, 10, 100));
      const seen = Object.fromEntries(found.map(([key, value]) => [key, Buffer.from(value).toString()]));
      expect(seen['a']).toBe(read('a'));
      expect(seen['a']).not.toBe('hello');
      expect(seen['b']).toBe('hello');
      disk.damage('a');
      const scanning = world.simulation.settle(view.scan(ALL, 10, 100));
      await expect(scanning).rejects.toMatchObject({ code: 'RecordCorrupt' });
    });

    it('is reported by the store where its own check fails', async () => {
      await written('a', '1');
      await written('b', '2');
      disk.damage('b');
      expect(() => storage.get('b')).toThrow(expect.objectContaining({ code: 'RecordCorrupt' }) as Error);
      await expect(world.simulation.settle(storage.scan(ALL, 9, 999))).rejects.toMatchObject({
        code: 'RecordCorrupt',
      });
      expect(await world.simulation.settle(storage.scan(ALL, 1, 999))).toHaveLength(1);
      await written('b', 'repaired');
      expect(read('b')).toBe('repaired');
    });
  });

  describe('copies', () => {
    it('change the identity, which a restart does not', async () => {
      await written('a', '1');
      const { identity } = storage;
      const image = disk.image();
      await written('a', '2');
      world.crash('n1');
      await restart();
      expect(storage.identity).toBe(identity);
      world.crash('n1');
      disk.restore(image);
      await restart();
      expect(storage.identity).not.toBe(identity);
      expect(read('a')).toBe('1');
      world.crash('n1');
      disk.wipe();
      await restart();
      expect(read('a')).toBeUndefined();
    });

    it('let a node start on the data of another, but not on its disk while it runs', async () => {
      await written('a', '1');
      const thief = world.node('n2', { disk });
      await expect(thief.openStorage('data')).rejects.toMatchObject({ code: 'DataFolderInUse' });
      world.crash('n2');
      await written('b', 'the owner goes on');
      world.disk('n3').restore(disk.image());
      const copy = await world.node('n3').openStorage('data');
      expect(copy.get('a')).toBeDefined();
      expect(copy.identity).not.toBe(storage.identity);
    });
  });
});
