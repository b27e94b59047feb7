/** Group commit: what is put, read and released, and what happens to it when a batch fails. */
import { beforeEach, describe, expect, it } from 'vitest';
import { WritePipeline } from '../../src/node/write-pipeline.js';
import type { Storage } from '../../src/runtime/runtime.js';
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

  beforeEach(() => {
    world = new SimulatedWorld({ seed: 1, turns: eventLoopTurns });
    disk = world.disk('n1');
    batches = [];
    released = [];
    written = 0;
    failures = [];
    pipeline = new WritePipeline(counted(disk.open()), {
      onWritten: () => written++,
      onFailed: (error) => failures.push(error),
    });
  });

  /** The same store; it tells of every batch that is written. */
  function counted(storage: Storage): Storage {
    return {
      get: (key) => storage.get(key),
      scan: (range, limit, bytesMax) => storage.scan(range, limit, bytesMax),
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
  function put(key: string, value = key, sync = true): number {
    const batch = pipeline.put(key, bytes(value), sync);
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
    const batch = pipeline.put('a', null, true);
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
    put('a', 'a', false);
    pipeline.flush();
    put('b', 'b', false);
    put('c', 'c', true);
    put('d', 'd', false);
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
});
