/** Views in the update queue: of which moment they are, what scans of them find, and when they end. */
import { describe, expect, it } from 'vitest';
import { TrefoilError } from '../../src/core/errors.js';
import { LAZY_WRITES_MS_MAX, STORAGE_RETRY_MS } from '../../src/core/limits.js';
import type { ReplicaEvent } from '../../src/replication/strategy.js';
import type { Storage } from '../../src/runtime/runtime.js';
import { bytes, QueueRig } from '../support/queue-rig.js';

const ALL = { gte: '', lt: '~' };

/** A rig that also writes down what scans found, `scan: k=v k=v`, or `scan: damaged`. */
async function start(replicas = 1): Promise<{ rig: QueueRig; scans: string[] }> {
  const rig = await QueueRig.start(replicas);
  const scans: string[] = [];
  rig.onEvent = (_of, event) => {
    if (event.type === 'scanned') scans.push(told(event));
  };
  return { rig, scans };
}

function told({ scan, entries, damaged }: ReplicaEvent & { type: 'scanned' }): string {
  const found = entries.map(([key, value]) => `${key}=${new TextDecoder().decode(value)}`);
  return `${scan}: ${damaged ? 'damaged' : found.join(' ')}`;
}

/** Counts the views of a store that are open. */
function countViews(storage: Storage): { open: number } {
  const counted = { open: 0 };
  const view = storage.view.bind(storage);
  storage.view = () => {
    const opened = view();
    counted.open++;
    let closed = false;
    return {
      scan: (range, limit, bytesMax) => opened.scan(range, limit, bytesMax),
      close: () => {
        if (!closed) counted.open--;
        closed = true;
        return opened.close();
      },
    };
  };
  return counted;
}

describe('a scan', () => {
  it('finds what was put lazily before it, which it makes leave', async () => {
    const { rig, scans } = await start();
    await rig.turn(0, (_turn, effects) => effects.putLazily('a', bytes('1')));
    await rig.turn(0, (_turn, effects) => {
      effects.putLazily('b', bytes('1'));
      effects.scan('now', ALL, 10);
    });
    await rig.run(LAZY_WRITES_MS_MAX / 2);
    expect(scans).toEqual(['now: a=1 b=1']);
  });
});

describe('a view', () => {
  it('is of the end of its step, lazy writes included, and not of what the same turn brings after it', async () => {
    const { rig, scans } = await start(2);
    rig.step(0, (_turn, effects) => {
      effects.putLazily('a', bytes('1'));
      effects.put('b', bytes('1'));
      effects.openView('v');
      effects.scan('first', ALL, 10, 'v');
      effects.putLazily('c', bytes('1'));
      effects.deleteLazily('b');
    });
    rig.step(0, (_turn, effects) => {
      effects.put('a', bytes('2'));
      effects.putLazily('d', bytes('2'));
    });
    rig.step(1, (_turn, effects) => effects.put('e', bytes('another group')));
    await rig.run(LAZY_WRITES_MS_MAX / 2);
    expect(scans).toEqual(['first: a=1 c=1']);
    await rig.turn(0, (_turn, effects) => {
      effects.scan('again', ALL, 10, 'v');
      effects.scan('one', { gt: 'a', lt: 'd' }, 1, 'v');
      effects.scan('now', ALL, 10);
    });
    await rig.run(50);
    expect(scans.toSorted()).toEqual(['again: a=1 c=1', 'first: a=1 c=1', 'now: a=2 c=1 d=2', 'one: c=1']);
  });

  it('is opened behind the batch in flight, and scans of it wait meanwhile', async () => {
    const { rig, scans } = await start();
    rig.disk.holdSync();
    await rig.turn(0, (_turn, effects) => effects.put('a', bytes('1')));
    await rig.run(10);
    await rig.turn(0, (_turn, effects) => {
      effects.putLazily('b', bytes('1'));
      effects.openView('v');
    });
    await rig.turn(0, (_turn, effects) => effects.put('b', bytes('2')));
    await rig.turn(0, (_turn, effects) => effects.scan('s', ALL, 10, 'v'));
    await rig.run(50);
    expect(scans).toEqual([]);
    rig.disk.releaseSync();
    await rig.run(50);
    expect(scans).toEqual(['s: a=1 b=1']);
    expect(rig.disk.peek('g/test/0/b')).toEqual(bytes('2'));
  });

  it('of nothing unwritten is opened at once', async () => {
    const { rig, scans } = await start();
    await rig.turn(0, (_turn, effects) => effects.openView('v'));
    await rig.turn(0, (_turn, effects) => {
      effects.put('a', bytes('1'));
      effects.scan('s', ALL, 10, 'v');
    });
    await rig.run(50);
    expect(scans).toEqual(['s: ']);
  });

  it('of several replicas in one turn takes a batch each only where there was something to seal', async () => {
    const { rig } = await start(3);
    for (const of of [0, 1, 2]) {
      rig.step(of, (_turn, effects) => {
        if (of !== 1) effects.putLazily('a', bytes('1'));
        effects.openView('v');
      });
    }
    await rig.run(50);
    expect(rig.queue.pipeline.isWritten(2)).toBe(true);
    expect(rig.queue.pipeline.isWritten(3)).toBe(false);
  });

  it('that is not open gives damage, and says so in a step of its own', async () => {
    const { rig, scans } = await start(2);
    await rig.turn(1, (_turn, effects) => effects.openView('v'));
    await rig.turn(0, (_turn, effects) => {
      effects.scan('never', ALL, 10, 'v');
      expect(scans).toEqual([]);
    });
    await rig.turn(0, (_turn, effects) => {
      effects.put('a', bytes('1'));
      effects.openView('v');
      effects.scan('waits', ALL, 10, 'v');
      effects.closeView('v');
      effects.scan('closed', ALL, 10, 'v');
      effects.closeView('v');
    });
    await rig.run(50);
    expect(scans).toEqual(['never: damaged', 'waits: damaged', 'closed: damaged']);
  });

  it('is replaced by one of the same name, and given back to the store', async () => {
    const { rig, scans } = await start();
    const views = countViews(rig.storage);
    await rig.turn(0, (_turn, effects) => {
      effects.put('a', bytes('1'));
      effects.openView('v');
      effects.openView('w');
    });
    await rig.run(50);
    expect(views.open).toBe(2);
    await rig.turn(0, (_turn, effects) => {
      effects.scan('under way', ALL, 10, 'v');
      effects.put('a', bytes('2'));
      effects.openView('v');
      effects.scan('new', ALL, 10, 'v');
      effects.scan('other', ALL, 10, 'w');
    });
    await rig.run(50);
    expect(scans.toSorted()).toEqual(['new: a=2', 'other: a=1', 'under way: a=1']);
    expect(views.open).toBe(2);
    await rig.turn(0, (_turn, effects) => {
      effects.closeView('v');
      effects.closeView('w');
    });
    expect(views.open).toBe(0);
  });

  it('closed before it was opened never is', async () => {
    const { rig } = await start();
    const views = countViews(rig.storage);
    await rig.turn(0, (_turn, effects) => {
      effects.put('a', bytes('1'));
      effects.openView('v');
    });
    await rig.turn(0, (_turn, effects) => effects.closeView('v'));
    await rig.run(50);
    expect(views.open).toBe(0);
  });

  it('that the store refuses is not open', async () => {
    const { rig, scans } = await start();
    await rig.storage.close();
    await rig.turn(0, (_turn, effects) => {
      effects.openView('v');
      effects.scan('s', ALL, 10, 'v');
    });
    await rig.run(50);
    expect(scans).toEqual(['s: damaged']);
  });

  it('ends when the queue stops', async () => {
    const { rig } = await start();
    const views = countViews(rig.storage);
    await rig.turn(0, (_turn, effects) => effects.openView('v'));
    await rig.run(10);
    expect(views.open).toBe(1);
    rig.queue.stop();
    expect(views.open).toBe(0);
  });

  it('ends when its replica is opened anew, unanswered scans and all', async () => {
    const { rig, scans } = await start();
    const views = countViews(rig.storage);
    await rig.turn(0, (_turn, effects) => effects.openView('open'));
    await rig.run(10);
    rig.disk.failWrites('StorageFailed');
    await rig.turn(0, (_turn, effects) => {
      effects.put('a', bytes('1'));
      effects.openView('asked');
      effects.scan('waits', ALL, 10, 'asked');
    });
    await rig.world.simulation.runUntil(() => rig.queue.readOnly);
    expect(views.open).toBe(0);
    await rig.turn(0, (_turn, effects) => effects.scan('gone', ALL, 10, 'open'));
    await rig.run(50);
    expect(scans).toEqual(['gone: damaged']);
    // While the storage has failed there are views still, of what is on it.
    await rig.turn(0, (_turn, effects) => {
      effects.openView('v');
      effects.scan('failed', ALL, 10, 'v');
    });
    await rig.run(STORAGE_RETRY_MS + 100);
    expect(rig.queue.readOnly).toBe(false);
    await rig.turn(0, (_turn, effects) => effects.scan('after', ALL, 10, 'v'));
    await rig.run(50);
    expect(scans.slice(1)).toEqual(['failed: ', 'after: damaged']);
  });

  it.each([
    ['that was closed meanwhile finds nothing', true, ['s: damaged'], 0],
    ['that is still open tells that the storage cannot be read', false, [], 1],
  ])('whose scan fails, of a view %s', async (_name, closed, found, failures) => {
    const { rig, scans } = await start();
    let fail: (error: Error) => void = () => undefined;
    rig.storage.view = () => ({
      scan: () => new Promise((_resolve, reject) => (fail = reject)),
      close: () => Promise.resolve(),
    });
    await rig.turn(0, (_turn, effects) => effects.openView('v'));
    await rig.turn(0, (_turn, effects) => effects.scan('s', ALL, 10, 'v'));
    await rig.run(10);
    if (closed) await rig.turn(0, (_turn, effects) => effects.closeView('v'));
    fail(new TrefoilError('StorageFailed', 'the view is closed'));
    await rig.run(10);
    expect(scans).toEqual(found);
    expect(rig.counters.all()['reads_failed'] ?? 0).toBe(failures);
  });
});
