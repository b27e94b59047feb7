/** What a call ends with that ran out of time: the word of a replica that was heard, and what each of them said. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database, Namespace } from '../../src/client/api.js';
import { ERRORS } from '../../src/core/errors.js';
import type { WireError } from '../../src/protocol/messages.js';
import { ledMap, LedStore } from '../support/led-store.js';
import { wireError } from '../support/scripted-node.js';
import { keyFor, scriptedWorld, type ScriptedWorld } from '../support/scripted-world.js';

let world: ScriptedWorld;
let db: Database;
let photos: Namespace<number>;

async function start(seed: number): Promise<void> {
  const map = ledMap();
  world = await scriptedWorld(map, seed, new LedStore(map));
  db = await world.connect();
  photos = db.namespace<number>('photos');
  // Connected to all of them, and with a session in the group.
  for (const n of [1, 2, 3]) await world.settle(photos.put(keyFor(n), 0));
}

beforeEach(() => start(1));
afterEach(async () => {
  await world.settle(db.close());
});

const key = keyFor(1);

/** A majority is gone; the first replica gives this word, and the others refuse. */
function onlyFirstIsLeft(word: WireError): void {
  world.node(1).react = () => word;
  for (const n of ['n2', 'n3']) world.network.crash(n);
}

describe('the word of a replica that is left', () => {
  test.each([
    'NoLeader',
    'QuorumUnavailable',
    'TooStale',
    'ReplicasRefilling',
    'NodeReadOnly',
    'StorageFull',
  ] as const)(
    '%s is told, whatever the connections to the others came to and whenever the time is up',
    async (code) => {
      for (let seed = 1; seed <= 8; seed++) {
        if (seed > 1) {
          await world.settle(db.close());
          await start(seed);
        }
        onlyFirstIsLeft(wireError(code));
        const error = await world.failure(photos.get(key, { timeoutMs: 400 + 70 * seed }));
        expect(error).toMatchObject({ code, outcome: 'failed' });
        expect(error.message).toBe(
          `scripted ${code} (n1: ${code}, n2: connection refused, n3: connection refused)`,
        );
      }
    },
  );

  test('is told of a write too, and what never arrived had no effect', async () => {
    onlyFirstIsLeft(wireError('NoLeader'));
    const error = await world.failure(photos.put(key, 1, { timeoutMs: 800 }));
    expect(error).toMatchObject({ code: 'NoLeader', outcome: 'failed' });
    expect(error.message).toContain('n1: NoLeader, n2: connection refused');
  });

  test('is told in place of an attempt that got no answer', async () => {
    for (const n of [1, 2]) world.node(n).react = () => wireError('NoLeader');
    world.node(3).react = () => ({ lose: 'request' });
    const error = await world.failure(photos.get(key, { timeoutMs: 900 }));
    expect(error.code).toBe('NoLeader');
    expect(error.message).toContain('(n1: NoLeader, n2: NoLeader, n3: no answer in time)');
  });

  test('outranks one about the way: who does not lead, and which node leaves', async () => {
    for (const n of [1, 2]) world.node(n).react = () => wireError('NotLeader');
    world.node(3).react = () => wireError('StorageFull');
    const error = await world.failure(photos.get(key, { timeoutMs: 700 }));
    expect(error.code).toBe('StorageFull');
    expect(error.message).toContain('n1: NotLeader, n2: NotLeader, n3: StorageFull');
  });

  test('is not told where a later one is final', async () => {
    let asked = 0;
    for (const n of [1, 2, 3])
      world.node(n).react = () => wireError(asked++ < 4 ? 'NoLeader' : 'Unsupported');
    const error = await world.failure(photos.get(key));
    expect(error).toMatchObject({ code: 'Unsupported', message: 'scripted Unsupported' });
  });
});

describe('a write that may have had an effect stays unknown, whatever is told', () => {
  /** The first attempt at the leader takes effect, but its answer is lost with the connection; from then on nobody leads. */
  function loseFirst(then: WireError): void {
    let first = true;
    world.node(1).react = () => {
      if (!first) return then;
      first = false;
      world.runtime.timers.after(5, () => world.node(1).breakConnections('lost'));
      return { lose: 'answer' };
    };
    for (const n of [2, 3]) world.node(n).react = () => then;
  }

  test('a lost answer, and then only words that are certain', async () => {
    loseFirst(wireError('NoLeader'));
    const error = await world.failure(photos.put(key, 1, { timeoutMs: 700 }));
    expect(error).toMatchObject({ code: 'NoLeader', outcome: 'unknown' });
  });

  test('words that are certain, and an attempt under way when the time is up', async () => {
    for (const n of [1, 2]) world.node(n).react = () => wireError('NoLeader');
    world.node(3).react = () => ({ lose: 'answer' });
    const error = await world.failure(photos.put(key, 1, { timeoutMs: 700 }));
    expect(error).toMatchObject({ code: 'NoLeader', outcome: 'unknown' });
  });

  test('a word that leaves it open, and then nothing but refused connections', async () => {
    world.node(1).react = () => {
      world.runtime.timers.after(5, () => world.network.crash('n1'));
      return wireError('QuorumNotReached', { outcome: 'unknown' });
    };
    for (const n of ['n2', 'n3']) world.network.crash(n);
    const error = await world.failure(photos.put(key, 1, { timeoutMs: 700 }));
    expect(error).toMatchObject({ code: 'QuorumNotReached', outcome: 'unknown' });
  });

  test('no word at all', async () => {
    world.node(1).react = () => {
      world.network.crash('n1');
      return { lose: 'answer' };
    };
    for (const n of ['n2', 'n3']) world.network.crash(n);
    const error = await world.failure(photos.put(key, 1, { timeoutMs: 700 }));
    expect(error).toMatchObject({ code: 'NoReachableNode', outcome: 'unknown' });
    // And the same of a write that found nobody from the start, which is certain.
    expect(await world.failure(photos.put(key, 2, { timeoutMs: 300 }))).toMatchObject({
      code: 'NoReachableNode',
      outcome: 'failed',
    });
  });
});

test('a read has no effect: its Timeout says nothing that only a write can mean', async () => {
  for (const n of [1, 2, 3]) world.node(n).react = () => ({ lose: 'request' });
  const error = await world.failure(photos.get(key, { timeoutMs: 200 }));
  expect(error).toMatchObject({ code: 'Timeout', outcome: 'failed' });
  expect(error.help).toBe(ERRORS.Timeout.help);
  expect(error.help).toMatch(/^Allow more time.*; a write/);
});
