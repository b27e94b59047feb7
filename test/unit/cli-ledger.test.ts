/** The ledger of acknowledged writes, and whether it notices what a replica lost. */
import { describe, expect, it } from 'vitest';
import { Ledger, type LedgerEntry } from '../../src/cli/ledger.js';
import type { ReplicaReader } from '../../src/cli/replica-reader.js';
import { showsAcknowledged, verifyReplicas } from '../../src/cli/verify-replicas.js';
import { hashBytes } from '../../src/core/hash.js';
import { incarnationId } from '../../src/core/ids.js';
import type { VersionVector } from '../../src/core/version-vector.js';
import { encodeContext } from '../../src/protocol/context-codec.js';
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
    ledger.add('ns', { key: 'k', token: context([[A, 1]]) }, bytes('old'));
    ledger.add('ns', { key: 'k', token: context([[A, 2]]) }, bytes('new'));
    expect(onlyEntry(ledger).value).toBe(hashBytes(bytes('new')));
    expect([ledger.writes, ledger.keys]).toEqual([2, 1]);
  });

  it('keeps it also where the older write is acknowledged later', () => {
    const ledger = new Ledger();
    ledger.add('ns', { key: 'k', token: context([[A, 2]]) }, bytes('new'));
    ledger.add('ns', { key: 'k', token: context([[A, 1]]) }, bytes('old'));
    expect(onlyEntry(ledger).value).toBe(hashBytes(bytes('new')));
  });

  it('expects both of two concurrent writes and the value of neither', () => {
    const ledger = new Ledger();
    ledger.add('ns', { key: 'k', token: context([[A, 1]]) }, bytes('mine'));
    ledger.add('ns', { key: 'k', token: context([[B, 1]]) }, bytes('theirs'));
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
    ledger.add('ns', { key: 'k', token: context([[A, 1]]) }, bytes('first'));
    const exact = encodeContext('k', { vector: [], dots: [{ incarnation: A, counter: 2 }], hlc: 1 });
    ledger.add('ns', { key: 'k', token: exact }, bytes('second'));
    const entry = onlyEntry(ledger);
    expect(entry.value).toBeUndefined();
    expect(showsAcknowledged(entry, copy([[A, 1]], 'first'))).toBe(false);
    expect(showsAcknowledged(entry, copy([[A, 2]], 'first', 'second'))).toBe(true);
  });
});

describe('a replica', () => {
  const ledger = new Ledger();
  ledger.add('ns', { key: 'k', token: context([[A, 2]]) }, bytes('value'));
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

describe('verifying', () => {
  const reader = (result: GetResult): ReplicaReader => ({
    get: async () => result,
    close: () => undefined,
  });
  const ledger = new Ledger();
  ledger.add('ns', { key: 'k', token: context([[A, 2]]) }, bytes('value'));

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
