/** Options that a call does not know, from JavaScript: refused before anything is sent. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BatchOperation, Database, Namespace } from '../../src/client/api.js';
import { connectWith } from '../../src/client/database.js';
import { LedWorld } from '../support/led-world.js';
import { keyFor, type ScriptedWorld } from '../support/scripted-world.js';

let led: LedWorld;
let world: ScriptedWorld;
let db: Database;
let photos: Namespace<number>;

beforeAll(async () => {
  led = await LedWorld.start();
  ({ world, db, photos } = led);
});
afterAll(async () => {
  await world.settle(db.close());
});

const key = keyFor(1);
/** As JavaScript hands it over. */
const slip: object = { ifabsent: true };
const operations = [{ type: 'put', key, value: 1, ...slip }] as BatchOperation<number>[];

describe('an unknown option is refused by', () => {
  test.each([
    ['put', () => photos.put(key, 1, slip)],
    ['delete', () => photos.delete(key, slip)],
    ['update', () => photos.update(key, () => 1, { tlMs: 1 } as object)],
    ['get', () => photos.get(key, { raed: 1 } as object)],
    ['batch', () => photos.batch([], { atomc: true } as object)],
    ['an atomic batch, of an operation', () => photos.batch(operations, { atomic: true })],
    ['counters', () => db.counter('photos').increment('k', 1, { wirte: 1 } as object)],
    ['counters that read', () => db.counter('photos').get('k', { raed: 1 } as object)],
    ['removals', () => db.counter('photos').delete('k', { contxt: 1 } as object)],
    ['sets', () => db.set('photos').add('k', [1], { wirte: 1 } as object)],
    ['sets that read', () => db.set('photos').has('k', 1, { raed: 1 } as object)],
    [
      'scans of sets',
      () =>
        db
          .set('photos')
          .scan({ perfix: 1 } as object)
          .next(),
    ],
    ['nodeStatus', () => db.nodeStatus('n1', { timeout: 1 } as object)],
    ['connect', () => connectWith(world.runtime, { seeds: ['test:1'], ...({ timeout: 1 } as object) })],
  ])('%s', async (_, call) => {
    led.forget();
    const error = await world.failure(call());
    expect(error).toMatchObject({ code: 'BadRequest', outcome: 'failed' });
    expect(error.message).toMatch(/^unknown option .* \(did you mean /);
    expect(led.asked()).toEqual([]);
  });

  test('scan and namespace, at once', () => {
    expect(() => photos.scan({ perfix: 'a' } as object)).toThrow('did you mean prefix?');
    expect(() => db.namespace('photos', { codecs: 1 } as object)).toThrow('did you mean codec?');
    expect(() => db.set('photos', { codecs: 1 } as object)).toThrow('did you mean codec?');
  });

  test('one operation of a batch, and the others take effect', async () => {
    const other = { type: 'put', key: keyFor(2), value: 1 } as const;
    const strange = { type: 'Delete', key: keyFor(2) } as unknown as BatchOperation<number>;
    const results = await world.settle(photos.batch([...operations, other, strange]));
    expect(results).toMatchObject([
      { type: 'error', key, error: { code: 'BadRequest', outcome: 'failed' } },
      { type: 'put' },
      { type: 'error', error: { code: 'BadRequest' } },
    ]);
    expect((await world.settle(photos.get(key))).version).toBe(0);
    expect((await world.settle(photos.get(keyFor(2)))).value).toBe(1);
  });
});
