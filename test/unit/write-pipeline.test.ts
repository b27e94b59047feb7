/** Group commit: what is put, read and released, and what happens to it when a batch fails. */
import { beforeEach, describe, expect, it } from 'vitest';
import { LAZY_WRITES_BYTES_MAX, LAZY_WRITES_MS_MAX } from '../../src/core/limits.js';
import { WritePipeline, type WriteKind } from '../../src/node/write-pipeline.js';
import type { Storage, Timers } from '../../src/runtime/runtime.js';
import type { SimulatedDisk } from '../../src/simulation/disk.js';
import { SimulatedWorld } from '../../src/simulation/world.js';
import { eventLoopTurns } from '../../chaos/event-loop.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('WritePipeline', () => {
  let world: SimulatedWorld;
  let disk: SimulatedDisk;
  let batches: { readonly length: number; readonly sync: boolean }[];
  let pipeline: WritePipeline;
  let released: string[];
  let written: number;
  let failures: unknown[];
  let timersRunning: number;

  beforeEach(() => {
    world = new SimulatedWorld({ seed: 1, turns: eventLoopTurns });
    disk = world.disk('n1');
    batches = [];
    released = [];
    written = 0;
    failures = [];
    timersRunning = 0;
    pipeline = new WritePipeline(counted(disk.open()), timers, {
      onWritten: () => written++,
      onFailed: (error) => failures.push(error),
    });
  });

  /** Of virtual time, counted. */
  const timers: Pick<Timers, 'after'> = {
    after: (ms, run) => {
      timersRunning++;
      let over = false;
      const end = (): void => {
        if (!over) timersRunning--;
        over = true;
      };
      const cancel = world.simulation.schedule(ms, 'timer', () => {
        end();
        run();
      });
      return () => {
        end();
        cancel();
      };
    },
  };

  /** The same store; it tells of every batch that is written. */
  function counted(storage: Storage): Storage {
    return {
      get: (key) => storage.get(key),
      scan: (range, limit, bytesMax) => storage.scan(range, limit, bytesMax),
      view: () => storage.view(),
      freeBytes: () => storage.freeBytes(),
      identity: storage.identity,
      close: () => storage.close(),
      batch: () => {
        const batch = storage.batch();
        return {
          put: (key, value) => batch.put(key, value),
          delete: (key) => batch.delete(key),
          get length() {
            return batch.length;
          },
          write: (options) => {
            batches.push({ length: batch.length, ...options });
            return batch.write(options);
          },
          discard: () => batch.discard(),
        };
      },
    };
  }

  /** Puts, and notes when the put's batch is released. */
  function put(key: string, value = key, kind: WriteKind = 'sync'): number {
    const batch = pipeline.put(key, bytes(value), kind);
    pipeline.after(batch, () => released.push(key));
    return batch;
  }

  const text = (key: string): string | undefined => {
    const { value } = pipeline.read(key);
    return value === undefined ? undefined : Buffer.from(value).toString();
  };
  const idle = (): Promise<void> => world.simulation.runUntil(() => pipeline.idle);

  it('releases what waits for a batch only when that is on disk', async () => {
    disk.holdSync();
    put('a');
    pipeline.flush();
    await world.simulation.runFor(1_000);
    expect(disk.holding).toBe(true);
    expect(released).toEqual([]);
    expect(disk.peek('a')).toBeUndefined();
    disk.releaseSync();
    await idle();
    expect(released).toEqual(['a']);
    expect(written).toBe(1);
    expect(disk.peek('a')).toEqual(bytes('a'));
  });

  it('shows a value at once, and says which batch it waits for', async () => {
    const first = put('a', '1');
    expect(pipeline.read('a')).toEqual({ value: bytes('1'), batch: first });
    pipeline.flush();
    const second = put('a', '2');
    expect(second).toBe(first + 1);
    expect(pipeline.read('a')).toEqual({ value: bytes('2'), batch: second });
    await idle();
    expect(pipeline.read('a')).toEqual({ value: bytes('2'), batch: 0 });
    expect(pipeline.overlaid).toBe(0);
  });

  it('keeps the newer value in sight when an older batch of the same key lands', async () => {
    put('a', '1');
    pipeline.flush();
    put('a', '2');
    await world.simulation.runUntil(() => released.length === 1);
    disk.holdSync();
    expect(text('a')).toBe('2');
    await world.simulation.runUntil(() => disk.holding);
    expect(text('a')).toBe('2');
    expect(disk.peek('a')).toEqual(bytes('1'));
    disk.releaseSync();
    await idle();
  });

  it('a deletion hides what is on disk until it is gone from there', async () => {
    put('a');
    pipeline.flush();
    await idle();
    const batch = pipeline.put('a', null, 'sync');
    expect(pipeline.read('a')).toEqual({ value: undefined, batch });
    pipeline.flush();
    await idle();
    expect(pipeline.read('a')).toEqual({ value: undefined, batch: 0 });
    expect(disk.peek('a')).toBeUndefined();
  });

  it('gathers into one batch whatever comes while another is written', async () => {
    put('first');
    pipeline.flush();
    for (let i = 0; i < 100; i++) {
      put(`k${i}`);
      pipeline.flush();
    }
    await idle();
    expect(batches).toEqual([
      { length: 1, sync: true },
      { length: 100, sync: true },
    ]);
    expect(released).toHaveLength(101);
    expect(written).toBe(2);
  });

  it('waits for fsync if any of its writes asks for it', async () => {
    put('a', 'a', 'buffered');
    pipeline.flush();
    put('b', 'b', 'buffered');
    put('c', 'c', 'sync');
    put('d', 'd', 'buffered');
    await idle();
    expect(batches.map(({ sync }) => sync)).toEqual([false, true]);
  });

  it('releases at once what waits for a batch that is already on disk, or for none', async () => {
    const batch = put('a');
    pipeline.flush();
    await idle();
    pipeline.after(batch, () => released.push('late'));
    pipeline.after(0, () => released.push('none'));
    expect(released).toEqual(['a', 'late', 'none']);
    expect(pipeline.newest).toBe(0);
  });

  it('a failed batch drops every output that waits, its own and that of the open one', async () => {
    disk.failWrites('StorageFailed');
    put('a');
    pipeline.flush();
    put('b');
    await world.simulation.runUntil(() => failures.length > 0);
    await world.simulation.runFor(1_000);
    expect(released).toEqual([]);
    expect(failures).toMatchObject([{ code: 'StorageFailed' }]);
    expect(written).toBe(0);
    // Nothing of the open batch went anywhere, and no unwritten value is shown any more.
    expect(batches).toHaveLength(1);
    expect(disk.peek('b')).toBeUndefined();
    expect(text('b')).toBeUndefined();
  });

  it('once stopped it tells nobody of a write that still lands, and writes nothing more', async () => {
    put('a');
    pipeline.flush();
    put('b');
    pipeline.stop();
    pipeline.flush();
    await world.simulation.runFor(1_000);
    expect(released).toEqual([]);
    expect(written).toBe(0);
    expect(failures).toEqual([]);
    expect(batches).toHaveLength(1);
  });

  it('passes on what the store says of a damaged key', () => {
    disk.damage('a');
    expect(() => pipeline.read('a')).toThrow(expect.objectContaining({ code: 'RecordCorrupt' }) as Error);
  });

  describe('lazy writes', () => {
    const putLazily = (key: string, value = key): number => pipeline.put(key, bytes(value), 'lazy');

    it('do not make a batch leave, and are read by nobody who waits', async () => {
      putLazily('a');
      pipeline.flush();
      await world.simulation.runFor(LAZY_WRITES_MS_MAX - 1);
      pipeline.flush();
      expect(batches).toEqual([]);
      expect(pipeline.read('a')).toEqual({ value: bytes('a'), batch: 0 });
      expect(pipeline.idle).toBe(false);
    });

    it('leave by their age, with an fsync', async () => {
      putLazily('a');
      pipeline.flush();
      await world.simulation.runFor(LAZY_WRITES_MS_MAX / 2);
      putLazily('b');
      pipeline.flush();
      await world.simulation.runFor(LAZY_WRITES_MS_MAX / 2 + 10);
      expect(batches).toEqual([{ length: 2, sync: true }]);
      expect(pipeline.idle).toBe(true);
      expect(pipeline.overlaid).toBe(0);
      expect(disk.peek('b')).toEqual(bytes('b'));
      expect(written).toBe(1);
      expect(timersRunning).toBe(0);
    });

    it('of age while another batch is written leave right behind it', async () => {
      disk.holdSync();
      put('a');
      pipeline.flush();
      putLazily('b');
      pipeline.flush();
      await world.simulation.runFor(2 * LAZY_WRITES_MS_MAX);
      expect(batches).toHaveLength(1);
      disk.releaseSync();
      await idle();
      expect(batches).toHaveLength(2);
    });

    it('do not leave behind an eager batch before their time', async () => {
      put('a');
      pipeline.flush();
      putLazily('b');
      pipeline.flush();
      await world.simulation.runFor(100);
      expect(released).toEqual(['a']);
      expect(batches).toHaveLength(1);
      await idle();
      expect(batches).toHaveLength(2);
    });

    it('leave with the first eager put, and sync it even if it is buffered', async () => {
      putLazily('a');
      put('b', 'b', 'buffered');
      pipeline.flush();
      await world.simulation.runFor(100);
      expect(batches).toEqual([{ length: 2, sync: true }]);
      expect(released).toEqual(['b']);
      expect(timersRunning).toBe(0);
      put('c', 'c', 'buffered');
      putLazily('d');
      pipeline.flush();
      await idle();
      expect(batches[1]).toEqual({ length: 2, sync: true });
    });

    it('leave beyond their size', async () => {
      const half = 'x'.repeat(LAZY_WRITES_BYTES_MAX / 2);
      putLazily('', half);
      putLazily('', half);
      pipeline.flush();
      expect(batches).toHaveLength(0);
      // A deletion takes room too.
      pipeline.put('a', null, 'lazy');
      pipeline.flush();
      expect(batches).toHaveLength(1);
      expect(timersRunning).toBe(0);
      await idle();
    });

    it('leave when somebody waits for them', async () => {
      const batch = putLazily('a');
      expect(pipeline.newest).toBe(batch);
      expect(pipeline.isWritten(batch)).toBe(false);
      pipeline.after(batch, () => released.push('scan'));
      expect(released).toEqual([]);
      pipeline.flush();
      await world.simulation.runFor(100);
      expect(released).toEqual(['scan']);
      expect(pipeline.isWritten(batch)).toBe(true);
      expect(pipeline.newest).toBe(0);
    });

    it('leave at once for an orderly stop', async () => {
      put('first');
      pipeline.flush();
      putLazily('a');
      pipeline.hurry();
      await world.simulation.runFor(100);
      expect(disk.peek('a')).toEqual(bytes('a'));
      expect(pipeline.idle).toBe(true);
    });

    it('over an eager value in flight wait for nothing, and are seen until their own batch is written', async () => {
      const first = put('a', 'eager');
      pipeline.flush();
      expect(pipeline.read('a')).toEqual({ value: bytes('eager'), batch: first });
      putLazily('a', 'lazy');
      expect(pipeline.read('a')).toEqual({ value: bytes('lazy'), batch: 0 });
      await world.simulation.runFor(100);
      expect(disk.peek('a')).toEqual(bytes('eager'));
      expect(pipeline.read('a')).toEqual({ value: bytes('lazy'), batch: 0 });
      await idle();
      expect(disk.peek('a')).toEqual(bytes('lazy'));
      expect(pipeline.overlaid).toBe(0);
    });

    it('under an eager value make its readers wait for that', async () => {
      putLazily('a', 'lazy');
      pipeline.hurry();
      const second = put('a', 'eager');
      expect(pipeline.read('a')).toEqual({ value: bytes('eager'), batch: second });
      await world.simulation.runUntil(() => pipeline.isWritten(second - 1));
      expect(pipeline.read('a')).toEqual({ value: bytes('eager'), batch: second });
      await idle();
      expect(disk.peek('a')).toEqual(bytes('eager'));
    });

    it('in one batch with an eager one: the last under a key decides', async () => {
      putLazily('a', '1');
      const batch = put('a', '2');
      expect(pipeline.read('a')).toEqual({ value: bytes('2'), batch });
      put('b', '1');
      pipeline.put('b', null, 'lazy');
      expect(pipeline.read('b')).toEqual({ value: undefined, batch: 0 });
      pipeline.flush();
      await idle();
      expect(batches).toEqual([{ length: 4, sync: true }]);
      expect(pipeline.overlaid).toBe(0);
      expect(disk.peek('a')).toEqual(bytes('2'));
      expect(disk.peek('b')).toBeUndefined();
    });

    it('are gone with a batch that fails, and with the pipeline', async () => {
      disk.failWrites('StorageFailed');
      putLazily('a');
      put('b');
      pipeline.flush();
      putLazily('c');
      await world.simulation.runUntil(() => failures.length > 0);
      for (const key of ['a', 'b', 'c']) expect(text(key)).toBeUndefined();
      expect(pipeline.overlaid).toBe(0);
      expect(timersRunning).toBe(0);
      await world.simulation.runFor(2 * LAZY_WRITES_MS_MAX);
      expect(batches).toHaveLength(1);
    });

    it('leave no timer behind when the pipeline stops', async () => {
      putLazily('a');
      expect(timersRunning).toBe(1);
      pipeline.stop();
      expect(timersRunning).toBe(0);
      await world.simulation.runFor(2 * LAZY_WRITES_MS_MAX);
      expect(batches).toEqual([]);
    });
  });

  describe('a sealed batch', () => {
    it('takes nothing more, and is on disk alone when it releases', async () => {
      disk.holdSync();
      put('a', '1');
      pipeline.flush();
      pipeline.put('k', bytes('before'), 'lazy');
      pipeline.seal();
      let seen: string | undefined;
      pipeline.after(pipeline.newest, () => {
        seen = Buffer.from(disk.peek('k') ?? []).toString();
      });
      pipeline.put('k', bytes('after'), 'lazy');
      expect(text('k')).toBe('after');
      pipeline.put('m', bytes('buffered'), 'buffered');
      pipeline.flush();
      disk.releaseSync();
      await idle();
      expect(seen).toBe('before');
      expect(batches.map(({ length }) => length)).toEqual([1, 1, 2]);
      expect(disk.peek('k')).toEqual(bytes('after'));
      expect(pipeline.overlaid).toBe(0);
      expect(timersRunning).toBe(0);
    });

    it('leaves in its turn, of several', async () => {
      for (const key of ['a', 'b', 'c']) {
        put(key);
        pipeline.seal();
        pipeline.seal();
      }
      expect(pipeline.newest).toBe(3);
      expect(pipeline.idle).toBe(false);
      pipeline.flush();
      await idle();
      expect(released).toEqual(['a', 'b', 'c']);
      expect(pipeline.newest).toBe(0);
    });

    it('goes with the pipeline', async () => {
      put('a');
      pipeline.flush();
      put('b');
      pipeline.seal();
      put('c');
      pipeline.stop();
      await world.simulation.runFor(1_000);
      expect(batches).toHaveLength(1);
      expect(text('b')).toBeUndefined();
      expect(released).toEqual([]);
    });
  });
});
