/** The ledger of acknowledged writes, and whether it notices what a replica lost. */
import { describe, expect, it } from 'vitest';
import { Ledger, type LedgerEntry } from '../../src/cli/ledger.js';
import {
  showsAcknowledged,
  verifyReplicas,
  type Copy,
  type CopyReader,
} from '../../src/cli/verify-replicas.js';
import { hashBytes } from '../../src/core/hash.js';
import { incarnationId } from '../../src/core/ids.js';
import type { VersionVector } from '../../src/core/version-vector.js';
import { encodeContext } from '../../src/protocol/context-codec.js';
import { encodeLeaderContext } from '../../src/protocol/leader-context-codec.js';
import type { GetResult } from '../../src/protocol/messages.js';

const A = incarnationId('a');
const B = incarnationId('b');
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const context = (vector: VersionVector): Uint8Array => encodeContext('k', { vector, dots: [], hlc: 1 });

function copy(vector: VersionVector | null, ...values: string[]): GetResult {
  return {
    type: 'get-result',
    values: values.map((value) => ({ value: bytes(value), hlc: 1, expiresAt: 0 })),
    context: vector === null ? null : context(vector),
    version: 0,
    lag: null,
    explain: null,
  };
}

function onlyEntry(ledger: Ledger): LedgerEntry {
  const [entry] = ledger.entries();
  if (entry === undefined) throw new Error('the ledger is empty');
  return entry;
}

describe('the ledger', () => {
  it('keeps the value of the last write of a key', () => {
    const ledger = new Ledger();
    ledger.add('ns', 'leaderless', { key: 'k', token: context([[A, 1]]) }, bytes('old'));
    ledger.add('ns', 'leaderless', { key: 'k', token: context([[A, 2]]) }, bytes('new'));
    expect(onlyEntry(ledger).value).toBe(hashBytes(bytes('new')));
    expect([ledger.writes, ledger.keys]).toEqual([2, 1]);
  });

  it('keeps it also where the older write is acknowledged later', () => {
    const ledger = new Ledger();
    ledger.add('ns', 'leaderless', { key: 'k', token: context([[A, 2]]) }, bytes('new'));
    ledger.add('ns', 'leaderless', { key: 'k', token: context([[A, 1]]) }, bytes('old'));
    expect(onlyEntry(ledger).value).toBe(hashBytes(bytes('new')));
  });

  it('expects both of two concurrent writes and the value of neither', () => {
    const ledger = new Ledger();
    ledger.add('ns', 'leaderless', { key: 'k', token: context([[A, 1]]) }, bytes('mine'));
    ledger.add('ns', 'leaderless', { key: 'k', token: context([[B, 1]]) }, bytes('theirs'));
    const entry = onlyEntry(ledger);
    expect(entry.value).toBeUndefined();
    expect(showsAcknowledged(entry, copy([[A, 1]], 'mine'))).toBe(false);
    expect(
      showsAcknowledged(
        entry,
        copy(
          [
            [A, 1],
            [B, 1],
          ],
          'mine',
          'theirs',
        ),
      ),
    ).toBe(true);
  });
});

describe('a write that stands beside others', () => {
  it('is expected, and its value left open, though its counter is higher', () => {
    const ledger = new Ledger();
    ledger.add('ns', 'leaderless', { key: 'k', token: context([[A, 1]]) }, bytes('first'));
    const exact = encodeContext('k', { vector: [], dots: [{ incarnation: A, counter: 2 }], hlc: 1 });
    ledger.add('ns', 'leaderless', { key: 'k', token: exact }, bytes('second'));
    const entry = onlyEntry(ledger);
    expect(entry.value).toBeUndefined();
    expect(showsAcknowledged(entry, copy([[A, 1]], 'first'))).toBe(false);
    expect(showsAcknowledged(entry, copy([[A, 2]], 'first', 'second'))).toBe(true);
  });
});

describe('a replica', () => {
  const ledger = new Ledger();
  ledger.add('ns', 'leaderless', { key: 'k', token: context([[A, 2]]) }, bytes('value'));
  const entry = onlyEntry(ledger);

  it.each<[string, GetResult | undefined, boolean]>([
    ['shows what was acknowledged', copy([[A, 2]], 'value'), true],
    ['has gone on since', copy([[A, 3]], 'newer'), true],
    ['does not know the key', copy(null), false],
    ['has an older version', copy([[A, 1]], 'old'), false],
    ['shows another value under the same version', copy([[A, 2]], 'damaged'), false],
    ['shows no value', copy([[A, 2]]), false],
    ['did not answer', undefined, false],
  ])('%s', (_, found, right) => {
    expect(showsAcknowledged(entry, found)).toBe(right);
  });

  it('must not show what was deleted', () => {
    const deleted = { ...entry, value: null };
    expect(showsAcknowledged(deleted, copy([[A, 2]]))).toBe(true);
    expect(showsAcknowledged(deleted, copy([[A, 2]], 'value'))).toBe(false);
  });
});

describe('writes of a namespace with leaders', () => {
  const led = (version: number, index = version): Uint8Array => encodeLeaderContext({ version, index });
  const shown = (found: Uint8Array, ...values: string[]): Copy => ({
    values: values.map((value) => ({ value: bytes(value) })),
    context: found,
  });
  const written = (...writes: readonly [version: number, value: string | null][]): LedgerEntry => {
    const ledger = new Ledger();
    for (const [version, value] of writes) {
      const context = { key: 'k', token: led(version) };
      ledger.add('ns', 'leader-follower', context, value === null ? null : bytes(value));
    }
    return onlyEntry(ledger);
  };

  it('follow one another, in whichever order they are acknowledged', () => {
    for (const entry of [written([5, 'old'], [7, 'new']), written([7, 'new'], [5, 'old'])])
      expect([entry.value, entry.context]).toEqual([hashBytes(bytes('new')), led(7)]);
  });

  it.each<[string, LedgerEntry, Copy, boolean]>([
    ['shown', written([7, 'new']), shown(led(7, 9), 'new'), true],
    ['followed by another', written([7, 'new']), shown(led(8), 'newer'), true],
    ['not applied yet', written([5, 'old'], [7, 'new']), shown(led(5, 6), 'old'), false],
    [
      'lost, and others applied in its place',
      written([5, 'old'], [7, 'new']),
      shown(led(5, 9), 'old'),
      false,
    ],
    ['lost, and nothing there', written([7, 'new']), shown(led(0, 9)), false],
    ['shown with another value', written([7, 'new']), shown(led(7, 9), 'damaged'), false],
    ['deleted, as acknowledged', written([5, 'old'], [7, null]), shown(led(0, 9)), true],
    ['deleted, and still there', written([5, 'old'], [7, null]), shown(led(5, 9), 'old'), false],
    ['deleted, which is not applied yet', written([7, null]), shown(led(0, 6)), false],
  ])('%s', (_, entry, found, right) => {
    expect(showsAcknowledged(entry, found)).toBe(right);
  });

  it('are the same at replicas that have applied more or less besides', async () => {
    const reader = (found: Copy): CopyReader => ({ get: async () => found });
    const level = await verifyReplicas(
      [written([7, 'new'])],
      new Map([
        ['n1', reader(shown(led(7, 9), 'new'))],
        ['n2', reader(shown(led(7, 7), 'new'))],
      ]),
    );
    expect(level).toMatchObject({ right: 2, missing: [], differing: [] });
    const unlevel = await verifyReplicas(
      [written([7, 'new'])],
      new Map([
        ['n1', reader(shown(led(7), 'new'))],
        ['n2', reader(shown(led(8), 'newer'))],
      ]),
    );
    expect(unlevel).toMatchObject({ right: 2, differing: ['ns/k'] });
  });
});

describe('verifying', () => {
  const reader = (result: GetResult): CopyReader => ({ get: async () => result });
  const ledger = new Ledger();
  ledger.add('ns', 'leaderless', { key: 'k', token: context([[A, 2]]) }, bytes('value'));

  it('finds replicas that agree', async () => {
    const readers = new Map(['n1', 'n2'].map((node) => [node, reader(copy([[A, 2]], 'value'))]));
    const verdict = await verifyReplicas(ledger.entries(), readers);
    expect(verdict).toMatchObject({ keys: 1, copies: 2, right: 2, missing: [], differing: [], unlevel: [] });
  });

  it('names the replica that lost a write', async () => {
    const readers = new Map([
      ['n1', reader(copy([[A, 2]], 'value'))],
      ['n2', reader(copy(null))],
    ]);
    const verdict = await verifyReplicas(ledger.entries(), readers);
    expect(verdict).toMatchObject({ right: 1, missing: ['n2 ns/k'], differing: ['ns/k'] });
    expect(verdict.unlevel).toHaveLength(1);
  });

  it('names a key of which one replica has seen more', async () => {
    const readers = new Map([
      ['n1', reader(copy([[A, 2]], 'value'))],
      ['n2', reader(copy([[A, 3]], 'newer'))],
    ]);
    expect(await verifyReplicas(ledger.entries(), readers)).toMatchObject({
      missing: [],
      differing: ['ns/k'],
    });
  });
});
