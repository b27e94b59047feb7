/**
 * What a client that speaks the protocol by hand may ask for. Each of these requests is refused with words; none may
 * end the node, then or at its next start, and the connection and its neighbours go on.
 */
import { describe, expect, it } from 'vitest';
import { HLC_TIME_MAX } from '../../src/core/hlc.js';
import { sessionId } from '../../src/core/ids.js';
import {
  CONTEXT_BYTES_MAX,
  ERROR_MESSAGE_LENGTH_MAX,
  KEY_BYTES_MAX,
  SESSION_ID_LENGTH_MAX,
  TTL_MS_MAX,
} from '../../src/core/limits.js';
import { encodeContext } from '../../src/protocol/context-codec.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';

const ONE_PARTITION = `
  - { name: default, strategy: leaderless, partitions: 1 }
`;

const contextAt = (hlc: number): Uint8Array => encodeContext('k', { vector: [], dots: [], hlc });
const underSession = (session: string) => ({ operation: { session: sessionId(session), sequence: 1 } });

type Attempt = (client: RawClient) => Promise<unknown>;

const REFUSED: readonly (readonly [what: string, code: string, attempt: Attempt])[] = [
  ['a time to live beyond the limit', 'BadRequest', (c) => c.put('k', 'v', { ttlMs: TTL_MS_MAX + 1 })],
  [
    'a time to live beyond all clocks',
    'BadRequest',
    (c) => c.put('k', 'v', { ttlMs: Number.MAX_SAFE_INTEGER }),
  ],
  [
    'a context from the end of time',
    'BadContext',
    (c) => c.put('k', 'v', { context: contextAt(Number.MAX_SAFE_INTEGER) }),
  ],
  ['a bound from the end of time', 'BadContext', (c) => c.get('k', { atLeast: contextAt(HLC_TIME_MAX + 1) })],
  [
    'a context too long',
    'BadContext',
    (c) => c.put('k', 'v', { context: new Uint8Array(CONTEXT_BYTES_MAX + 1) }),
  ],
  ['a bound too long', 'BadContext', (c) => c.get('k', { atLeast: new Uint8Array(CONTEXT_BYTES_MAX + 1) })],
  ['an endless prefix', 'KeyTooLarge', (c) => c.scan(0, { prefix: 'a'.repeat(500_000) })],
  ['a prefix too long', 'KeyTooLarge', (c) => c.scan(0, { prefix: 'a'.repeat(KEY_BYTES_MAX + 1) })],
  [
    'a place to go on from too long',
    'KeyTooLarge',
    (c) => c.scan(0, { after: 'a'.repeat(KEY_BYTES_MAX + 1) }),
  ],
  ['half a character as a session', 'BadRequest', (c) => c.put('k', 'v', underSession('\ud800'))],
  ['a nameless session', 'BadRequest', (c) => c.put('k', 'v', underSession(''))],
  [
    'a session with a long name',
    'BadRequest',
    (c) => c.put('k', 'v', underSession('s'.repeat(SESSION_ID_LENGTH_MAX + 1))),
  ],
  [
    'a namespace with an endless name',
    'UnknownNamespace',
    (c) => c.get('k', { namespace: '\n'.repeat(2_000_000) }),
  ],
];

describe('a request that cannot be', () => {
  it.each(REFUSED)('%s is refused with %s', async (_what, code, attempt) => {
    const cluster = await SimCluster.start({ seed: 1, namespaces: ONE_PARTITION });
    const client = await RawClient.open(cluster, 'n1');
    const refusal = await cluster.settle(
      attempt(client).then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    expect(refusal).toMatchObject({ code, outcome: 'failed' });
    expect((refusal as Error).message.length).toBeLessThanOrEqual(ERROR_MESSAGE_LENGTH_MAX);
    await cluster.settle(client.put('k', 'v', { write: 'all' }));
    await cluster.simulation.runFor(5_000);
    expect(cluster.stored('n1', 'k')).toEqual(['v']);
  });
});

describe('a request at its limit', () => {
  it('is served', async () => {
    const cluster = await SimCluster.start({ seed: 2, namespaces: ONE_PARTITION });
    const client = await RawClient.open(cluster, 'n1');
    const session = underSession('s'.repeat(SESSION_ID_LENGTH_MAX));
    await cluster.settle(client.put('k', 'v', { ttlMs: TTL_MS_MAX, write: 'all', ...session }));
    const prefix = 'a'.repeat(KEY_BYTES_MAX);
    const page = await cluster.settle(client.scan(0, { prefix, after: prefix }));
    expect(page.entries).toEqual([]);
  });

  it('leaves a key writable even at the end of time', async () => {
    const cluster = await SimCluster.start({ seed: 3, namespaces: ONE_PARTITION });
    const client = await RawClient.open(cluster, 'n1');
    const last = await cluster.settle(
      client.put('k', 'last', { context: contextAt(HLC_TIME_MAX), write: 'all' }),
    );
    const next = await cluster.settle(client.put('k', 'next', { context: last.context, write: 'all' }));
    await cluster.settle(client.put('k', 'blind', { write: 'all' }));
    expect(cluster.stored('n2', 'k')).toEqual(['blind', 'next']);
    expect((await cluster.settle(client.get('k', { atLeast: next.context }))).values).toHaveLength(2);
  });
});
