/**
 * fast-check arbitraries for everything that travels. The tables are keyed by message type: a new type
 * without an arbitrary does not compile.
 */
import fc from 'fast-check';
import type { ClusterMap, NamespaceEntry, QuorumLevel } from '../../src/cluster/cluster-map.js';
import { ERRORS, type ErrorCode } from '../../src/core/errors.js';
import { HLC_TIME_MAX } from '../../src/core/hlc.js';
import { groupId, incarnationId, namespaceName, nodeId, sessionId } from '../../src/core/ids.js';
import type { KeyRecord } from '../../src/core/record.js';
import { compareDots, type Dot, type VersionVector } from '../../src/core/version-vector.js';
import type { LeaderFollowerMessage } from '../../src/protocol/leader-follower-messages.js';
import type { LeaderlessMessage } from '../../src/protocol/leaderless-messages.js';
import { PROTOCOL_VERSION } from '../../src/protocol/messages.js';
import type {
  ClientOperation,
  ClientResult,
  Explanation,
  Message,
  ReplicaAnswer,
  TypedChange,
  ValueView,
  WireError,
} from '../../src/protocol/messages.js';

type ByType<U extends { readonly type: string }> = {
  readonly [T in U['type']]: fc.Arbitrary<Extract<U, { readonly type: T }>>;
};

const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom('', 'user/12/photo/0001', 'ключ', '🍺'.repeat(30), 'x'.repeat(300)),
);
const count = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0, 127, 128, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1),
);
const index = fc.nat({ max: 0xffff_ffff });
const bytes = fc.uint8Array({ maxLength: 300 });
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const hashes = fc.nat({ max: 6 }).chain((n) => bytesOf(n * 8));
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const node = text.map(nodeId);
const level: fc.Arbitrary<QuorumLevel> = fc.oneof(
  fc.constantFrom<QuorumLevel>('one', 'quorum', 'all'),
  fc.integer({ min: 1, max: 7 }),
);

const readLevel = fc.oneof(
  level,
  fc.constantFrom('linearizable' as const, 'session' as const, 'follower' as const),
);
const writeLevel = fc.oneof(level, fc.constant('leader' as const));
const amount = fc.double({ min: 0, max: 1000, noNaN: true }).map((n) => n + 0);

const basics = {
  name: text.map(namespaceName),
  replicas: fc.integer({ min: 1, max: 7 }),
  partitions: fc.constantFrom(1, 16, 4096),
  ttlMs: count,
};
const namespaces: fc.Arbitrary<NamespaceEntry> = fc.oneof(
  fc.record({
    ...basics,
    strategy: fc.constant('leaderless' as const),
    read: level,
    write: level,
    conflict: fc.constantFrom('siblings' as const, 'lww' as const, 'counter' as const, 'set' as const),
    durability: fc.constantFrom('sync' as const, 'buffered' as const),
    sloppy: fc.boolean(),
  }),
  fc.record({
    ...basics,
    strategy: fc.constant('leader-follower' as const),
    durability: fc.constant('sync' as const),
    read: fc.constantFrom('linearizable' as const, 'session' as const, 'follower' as const),
    ack: fc.constantFrom('leader' as const, 'quorum' as const, 'all' as const),
    minReplicas: fc.integer({ min: 1, max: 7 }),
    clockBoundMs: amount,
    logBytes: count,
  }),
);

export const clusterMaps: fc.Arbitrary<ClusterMap> = fc.record({
  cluster: text,
  epoch: count,
  hash: text,
  nodes: fc.array(
    fc.record({
      id: node,
      host: text,
      port: fc.nat({ max: 65_535 }),
      zone: text,
      weight: amount,
    }),
    { maxLength: 4 },
  ),
  namespaces: fc.array(namespaces, { maxLength: 3 }),
  placement: fc.array(fc.array(fc.array(node, { maxLength: 3 }), { maxLength: 4 }), { maxLength: 3 }),
});

const wireError: fc.Arbitrary<WireError> = fc.record({
  code: fc.constantFrom(...(Object.keys(ERRORS) as ErrorCode[])),
  message: text,
  outcome: fc.constantFrom('failed' as const, 'unknown' as const),
  retryAfterMs: count,
  map: orNull(clusterMaps),
  leader: orNull(node),
});

const answers: Record<ReplicaAnswer['answer'], true> = {
  current: true,
  stale: true,
  absent: true,
  corrupt: true,
  stored: true,
  hinted: true,
  refilling: true,
  waiting: true,
  unreachable: true,
  held: true,
  leads: true,
  confirmed: true,
  behind: true,
};
const explanation: fc.Arbitrary<Explanation> = fc.record({
  coordinator: node,
  strategy: fc.constantFrom('leaderless' as const, 'leader-follower' as const),
  required: text,
  replicas: fc.array(
    fc.record({ node, answer: fc.constantFrom(...(Object.keys(answers) as ReplicaAnswer['answer'][])) }),
    { maxLength: 4 },
  ),
  repaired: fc.array(node, { maxLength: 3 }),
  guarantee: text,
});
const values: fc.Arbitrary<ValueView[]> = fc.array(
  fc.record({ value: bytes, hlc: count, expiresAt: count }),
  { maxLength: 3 },
);

const changes: fc.Arbitrary<TypedChange> = fc.oneof(
  fc.record({ kind: fc.constant('increment' as const), by: fc.maxSafeInteger() }),
  fc.record({
    kind: fc.constantFrom('add' as const, 'remove' as const),
    elements: fc.array(bytes, { maxLength: 4 }),
  }),
);

const operationId = fc.record({ session: text.map(sessionId), sequence: count });
const lag = fc.record({ entries: count, ms: count });

const operations: ByType<ClientOperation> = {
  change: fc.record({
    type: fc.constant('change'),
    key: text,
    change: changes,
    context: orNull(bytes),
    write: orNull(writeLevel),
    operation: operationId,
    lowestOpen: count,
    attempt: count,
  }),
  get: fc.record({
    type: fc.constant('get'),
    key: text,
    read: orNull(readLevel),
    atLeast: orNull(bytes),
    maxStalenessMs: count,
  }),
  put: fc.record({
    type: fc.constant('put'),
    key: text,
    value: orNull(bytes),
    context: orNull(bytes),
    ifVersion: orNull(count),
    write: orNull(writeLevel),
    ttlMs: count,
    operation: operationId,
    lowestOpen: count,
    attempt: count,
  }),
  scan: fc.record({
    type: fc.constant('scan'),
    partition: index,
    prefix: text,
    after: text,
    limit: index,
    read: orNull(readLevel),
    atLeast: orNull(bytes),
    maxStalenessMs: count,
  }),
  'put-all': fc.record({
    type: fc.constant('put-all'),
    partition: index,
    puts: fc.array(fc.record({ key: text, value: orNull(bytes), ifVersion: orNull(count), ttlMs: count }), {
      maxLength: 4,
    }),
    write: orNull(writeLevel),
    operation: operationId,
    lowestOpen: count,
    attempt: count,
  }),
  'open-session': fc.record({ type: fc.constant('open-session'), partition: index }),
  status: fc.constant({ type: 'status' }),
};

const results: ByType<ClientResult> = {
  'get-result': fc.record({
    type: fc.constant('get-result'),
    values,
    context: orNull(bytes),
    version: count,
    lag: orNull(lag),
    explain: orNull(explanation),
  }),
  'put-result': fc.record({
    type: fc.constant('put-result'),
    context: bytes,
    siblings: count,
    version: count,
    replicas: count,
    explain: orNull(explanation),
  }),
  'scan-result': fc.record({
    type: fc.constant('scan-result'),
    entries: fc.array(fc.record({ key: text, values, context: bytes, version: count }), { maxLength: 3 }),
    next: orNull(text),
    lag: orNull(lag),
    index: count,
  }),
  'session-result': fc.record({ type: fc.constant('session-result'), session: text.map(sessionId) }),
  'status-result': fc.record({ type: fc.constant('status-result'), status: text }),
};

const sequence = count;
const vectors: fc.Arbitrary<VersionVector> = fc
  .uniqueArray(fc.tuple(text.map(incarnationId), fc.integer({ min: 1, max: 2 ** 40 })), {
    maxLength: 4,
    selector: ([incarnation]) => incarnation,
  })
  .map((entries) => entries.sort(([a], [b]) => (a < b ? -1 : 1)));
export const leaderlessMessages: ByType<LeaderlessMessage> = {
  store: fc.record({ type: fc.constant('store'), sequence, key: text, record: bytes, asks: fc.boolean() }),
  hold: fc.record({ type: fc.constant('hold'), sequence, home: node, key: text, record: bytes }),
  'store-result': fc.record({
    type: fc.constant('store-result'),
    sequence,
    status: fc.constantFrom('stored', 'corrupt', 'refused'),
    record: orNull(bytes),
    wallMs: count,
  }),
  fetch: fc.record({ type: fc.constant('fetch'), sequence, key: text }),
  'fetch-result': fc.record({
    type: fc.constant('fetch-result'),
    sequence,
    status: fc.constantFrom('found', 'absent', 'corrupt', 'refilling'),
    record: orNull(bytes),
    life: text,
  }),
  'fetch-page': fc.record({
    type: fc.constant('fetch-page'),
    sequence,
    prefix: text,
    after: text,
    limit: index,
  }),
  'fetch-page-result': fc.record({
    type: fc.constant('fetch-page-result'),
    sequence,
    status: fc.constantFrom('found', 'corrupt', 'refilling'),
    entries: fc.array(fc.tuple(text, bytes), { maxLength: 4 }),
    end: orNull(text),
  }),
  'compare-root': fc.record({
    type: fc.constant('compare-root'),
    root: bytesOf(8),
    life: text,
    stamp: bytesOf(8),
    heardLife: text,
    heardStamp: bytesOf(8),
    refilling: fc.boolean(),
    remembers: fc.boolean(),
    absorbed: orNull(vectors),
  }),
  'compare-branches': fc.record({
    type: fc.constant('compare-branches'),
    round: count,
    life: text,
    branches: hashes,
  }),
  pull: fc.record({ type: fc.constant('pull'), sequence, life: text, key: text }),
  'compare-leaves': fc.record({
    type: fc.constant('compare-leaves'),
    round: count,
    branches: fc.array(fc.tuple(index, hashes), { maxLength: 4 }),
  }),
  'differing-leaves': fc.record({
    type: fc.constant('differing-leaves'),
    round: count,
    life: text,
    leaves: fc.array(index, { maxLength: 40 }),
  }),
  'offer-keys': fc.record({
    type: fc.constant('offer-keys'),
    round: count,
    after: text,
    end: orNull(text),
    entries: fc.array(fc.tuple(text, bytesOf(8)), { maxLength: 5 }),
  }),
};

const term = count;
export const leaderFollowerMessages: ByType<LeaderFollowerMessage> = {
  'pre-vote': fc.record({ type: fc.constant('pre-vote'), term, lastIndex: count, lastTerm: count }),
  'pre-vote-result': fc.record({ type: fc.constant('pre-vote-result'), term, granted: fc.boolean() }),
  'request-vote': fc.record({
    type: fc.constant('request-vote'),
    term,
    life: index,
    lastIndex: count,
    lastTerm: count,
    transfer: fc.boolean(),
  }),
  'request-vote-result': fc.record({
    type: fc.constant('request-vote-result'),
    term,
    life: index,
    granted: fc.boolean(),
  }),
  'append-entries': fc.record({
    type: fc.constant('append-entries'),
    term,
    prevIndex: count,
    prevTerm: count,
    commit: count,
    round: count,
    quiet: fc.boolean(),
    segments: fc.array(bytes, { maxLength: 3 }),
  }),
  'append-entries-result': fc.record({
    type: fc.constant('append-entries-result'),
    term,
    life: index,
    joining: fc.boolean(),
    round: count,
    status: fc.constantFrom('durable', 'rejected', 'heard'),
    index: count,
    hintIndex: count,
    hintTerm: count,
  }),
  'install-snapshot': fc.record({
    type: fc.constant('install-snapshot'),
    term,
    snapshot: count,
    index: count,
    indexTerm: count,
    after: text,
    entries: fc.array(fc.tuple(text, bytes), { maxLength: 4 }),
    last: fc.boolean(),
  }),
  'install-snapshot-result': fc.record({
    type: fc.constant('install-snapshot-result'),
    term,
    life: index,
    snapshot: count,
    received: text,
    status: fc.constantFrom('wanted', 'installed'),
  }),
  'timeout-now': fc.record({ type: fc.constant('timeout-now'), term }),
  wake: fc.record({ type: fc.constant('wake'), term }),
  'join-query': fc.record({ type: fc.constant('join-query'), life: index }),
  'join-answer': fc.record({
    type: fc.constant('join-answer'),
    asked: index,
    life: index,
    state: fc.constantFrom('fresh', 'joining', 'member'),
    formed: fc.array(fc.tuple(node, index), { maxLength: 5 }),
    commit: count,
  }),
  admit: fc.record({ type: fc.constant('admit'), term, life: index, index: count }),
};

/** One arbitrary for each type of message. */
export const messagesByType: ByType<Message> = {
  hello: fc.record({
    type: fc.constant('hello'),
    protocol: fc.constant(PROTOCOL_VERSION),
    cluster: text,
    role: fc.constantFrom('node', 'client'),
    id: text,
    credentials: text,
    mapEpoch: count,
    mapHash: text,
  }),
  welcome: fc.record({
    type: fc.constant('welcome'),
    protocol: count,
    cluster: text,
    node,
    map: orNull(clusterMaps),
  }),
  refused: fc.record({ type: fc.constant('refused'), error: wireError }),
  ping: fc.record({ type: fc.constant('ping'), nonce: count }),
  pong: fc.record({ type: fc.constant('pong'), nonce: count }),
  goodbye: fc.record({ type: fc.constant('goodbye'), reason: text }),
  request: fc.record({
    type: fc.constant('request'),
    id: count,
    epoch: count,
    budgetMs: count,
    namespace: text,
    explain: fc.boolean(),
    operation: fc.oneof(...Object.values(operations)),
  }),
  response: fc.record({
    type: fc.constant('response'),
    id: count,
    result: fc.oneof(...Object.values(results), wireError),
  }),
  replica: fc.record({
    type: fc.constant('replica'),
    group: fc.tuple(text, fc.nat()).map(([name, partition]) => groupId(namespaceName(name), partition)),
    message: fc.oneof(...Object.values(leaderlessMessages), ...Object.values(leaderFollowerMessages)),
  }),
};

export const messages = fc.oneof(...Object.values(messagesByType)) as fc.Arbitrary<Message>;

/** Records that keep their own rules: sorted, and every dot covered by the context. */
export const records: fc.Arbitrary<KeyRecord> = fc
  .uniqueArray(fc.tuple(text.map(incarnationId), fc.integer({ min: 1, max: 2 ** 40 })), {
    maxLength: 5,
    selector: ([incarnation]) => incarnation,
  })
  .map((context) => context.sort(([a], [b]) => (a < b ? -1 : 1)))
  .chain((context) => {
    const dot: fc.Arbitrary<Dot> = fc
      .constantFrom(...(context.length === 0 ? [[incarnationId(''), 1] as const] : context))
      .chain(([incarnation, seen]) =>
        fc.integer({ min: Math.max(1, seen - 20), max: seen }).map((counter) => ({ incarnation, counter })),
      );
    const write = {
      dot,
      hlc: count.map((time) => Math.min(time, HLC_TIME_MAX)),
      operation: fc.record({ session: fc.oneof(text, fc.constant('s-1')).map(sessionId), sequence: count }),
    };
    // Present where it is true, and nowhere else.
    const retriable = <T extends object>(made: fc.Arbitrary<T>) =>
      fc
        .tuple(made, fc.boolean())
        .map(([one, retried]) => (retried ? { ...one, retried: true as const } : one));
    const many = context.length === 0 ? 0 : 5;
    const sameDot = (d: { readonly dot: Dot }) => `${d.dot.counter} ${d.dot.incarnation}`;
    const closable = fc
      .tuple(fc.record(write), fc.boolean())
      .map(([one, closed]) => (closed ? { ...one, closed: true as const } : one));
    const made = fc.record({
      context: fc.constant(context),
      siblings: fc
        .uniqueArray(
          retriable(
            fc.record({ ...write, expiresAt: fc.oneof(fc.constant(0), count), value: orNull(bytes) }),
          ),
          { maxLength: many, selector: sameDot },
        )
        .map((siblings) => siblings.sort((a, b) => compareDots(a.dot, b.dot))),
      recentOperations: fc.uniqueArray(retriable(fc.record(write)), { maxLength: many, selector: sameDot }),
    });
    const questions = fc.uniqueArray(closable, { maxLength: many, selector: sameDot });
    // Absent where there are none.
    return fc
      .tuple(made, questions)
      .map(([record, asked]) => (asked.length === 0 ? record : { ...record, questions: asked }));
  });
