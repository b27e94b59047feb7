/**
 * Counters and sets under any order of writes and merges, against a model that keeps every event: L30, L31, L33.
 *
 *   counter   total = the sum of all increments known, less those that a known delete had seen
 *   set       an element is in it while an add of it is known that no known remove had seen
 *
 * Replicas lose their disks on the way, and go on under another incarnation. The last block plants faults: a check that
 * cannot fail proves nothing.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LeaderlessNamespace } from '../../src/cluster/cluster-map.js';
import { decodeCounterPayload, encodeCounterPayload, viewCounter } from '../../src/core/counter.js';
import { viewElements } from '../../src/core/element-set.js';
import { incarnationId, sessionId } from '../../src/core/ids.js';
import { EMPTY_CONTEXT, EMPTY_RECORD, mergeRecords, type KeyRecord } from '../../src/core/record.js';
import { dominates, type VersionVector } from '../../src/core/version-vector.js';
import type { TypedPolicy } from '../../src/core/views.js';
import type { TypedChange, WriteOperation } from '../../src/protocol/messages.js';
import { decodeRecord, encodeRecord } from '../../src/protocol/record-codec.js';
import { mintWrite } from '../../src/replication/leaderless/mint-write.js';
import type { Effects, Turn } from '../../src/replication/strategy.js';

const REPLICAS = 3;
const ELEMENTS = ['x', 'y', 'z'];

interface Change {
  readonly by: number;
  /** Of an add or a remove; of a counter ''. */
  readonly element: string;
}

/** A delete or a remove, with the changes that it takes away. */
interface TakenAway {
  readonly past: ReadonlySet<Change>;
}

interface Replica {
  record: KeyRecord;
  incarnation: string;
  counter: number;
  known: ReadonlySet<Change | TakenAway>;
}

type Step =
  | {
      readonly type: 'change';
      readonly at: number;
      readonly by: number;
      readonly elements: readonly string[];
    }
  | { readonly type: 'take'; readonly at: number; readonly from: number; readonly element: string }
  | { readonly type: 'merge'; readonly at: number; readonly from: number }
  | { readonly type: 'anew'; readonly at: number; readonly lost: boolean };

const at = fc.nat({ max: REPLICAS - 1 });
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constant('change' as const),
        at,
        by: fc.integer({ min: -5, max: 9 }),
        elements: fc.subarray(ELEMENTS, { minLength: 1 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant('take' as const),
        at,
        from: at,
        element: fc.constantFrom(...ELEMENTS, ''),
      }),
    },
    { weight: 5, arbitrary: fc.record({ type: fc.constant('merge' as const), at, from: at }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('anew' as const), at, lost: fc.boolean() }) },
  ),
  { maxLength: 40 },
);

type Mint = typeof mintWrite;

class World {
  readonly #policy: TypedPolicy;
  readonly #mint: Mint;
  readonly replicas: Replica[];
  #incarnations = 0;
  #time = 0;

  constructor(policy: TypedPolicy, mint: Mint) {
    this.#policy = policy;
    this.#mint = mint;
    this.replicas = Array.from({ length: REPLICAS }, () => ({
      record: EMPTY_RECORD,
      incarnation: this.#name(),
      counter: 0,
      known: new Set(),
    }));
  }

  step(step: Step): void {
    const replica = this.replicas[step.at] as Replica;
    switch (step.type) {
      case 'change':
        return this.#change(replica, step.by, step.elements);
      case 'take':
        return this.#take(replica, this.replicas[step.from] as Replica, step.element);
      case 'merge': {
        const from = this.replicas[step.from] as Replica;
        replica.record = mergeRecords(replica.record, from.record);
        replica.known = new Set([...replica.known, ...from.known]);
        return;
      }
      case 'anew':
        replica.incarnation = this.#name();
        replica.counter = 0;
        if (step.lost) Object.assign(replica, { record: EMPTY_RECORD, known: new Set() });
    }
  }

  #change(replica: Replica, by: number, elements: readonly string[]): void {
    const counter = this.#policy === 'counter';
    const change: TypedChange = counter
      ? { kind: 'increment', by }
      : { kind: 'add', elements: elements.map((e) => Buffer.from(e)) };
    this.#write(replica, { type: 'change', key: 'k', change, ...this.#rest() });
    const changes = (counter ? [''] : elements).map((element): Change => ({ by, element }));
    replica.known = new Set([...replica.known, ...changes]);
  }

  /** By someone who has read at `from`, where this replica knows as much. `element` of '' takes everything away. */
  #take(replica: Replica, from: Replica, element: string): void {
    const read = dominates(replica.record.context, from.record.context) ? from : replica;
    const all = this.#policy === 'counter' || element === '';
    const rest = this.#rest();
    this.#write(
      replica,
      all
        ? { type: 'put', key: 'k', value: null, ifVersion: null, ttlMs: 0, ...rest }
        : { type: 'change', key: 'k', change: { kind: 'remove', elements: [Buffer.from(element)] }, ...rest },
      read.record.context,
    );
    // A counter's delete takes away all that its coordinator holds, which is at least what was read.
    const past = changesOf(this.#policy === 'counter' ? replica.known : read.known).filter(
      (c) => all || c.element === element,
    );
    replica.known = new Set([...replica.known, { past: new Set(past) }]);
  }

  #write(replica: Replica, operation: WriteOperation, read: VersionVector = []): void {
    const turn = {
      wallMs: 0,
      mint: () => ({ incarnation: incarnationId(replica.incarnation), counter: ++replica.counter }),
      tick: (above: number) => (this.#time = Math.max(this.#time, above) + 1),
    } as unknown as Turn;
    const seen = { ...EMPTY_CONTEXT, vector: read };
    const namespace = { name: 'n', conflict: this.#policy, ttlMs: 0 } as unknown as LeaderlessNamespace;
    const before = replica.record;
    const { record } = this.#mint(namespace, operation, seen, before, turn, {} as Effects);
    expect(dominates(record.context, before.context) && !dominates(before.context, record.context)).toBe(
      true,
    );
    // Through the bytes, and back into what it came from: nothing of it may depend on the way.
    replica.record = mergeRecords(before, decodeRecord(encodeRecord(record)));
    expect(encodeRecord(replica.record)).toEqual(encodeRecord(record));
  }

  #rest() {
    const operation = { session: sessionId('s'), sequence: ++this.#time };
    return { context: null, write: null, operation, lowestOpen: 0, attempt: 0 };
  }

  #name(): string {
    return `i${String(++this.#incarnations).padStart(3, '0')}`;
  }
}

const changesOf = (known: Replica['known']): Change[] => [...known].filter((e): e is Change => 'by' in e);

/** What the model shows. */
function effective(known: Replica['known']): Change[] {
  const taken = [...known].filter((e): e is TakenAway => 'past' in e);
  return changesOf(known).filter((change) => !taken.some(({ past }) => past.has(change)));
}

const elementsOf = (record: KeyRecord): string[] =>
  viewElements(record).map(({ value }) => Buffer.from(value as Uint8Array).toString());

function check(policy: TypedPolicy, { record, known }: Pick<Replica, 'record' | 'known'>): void {
  const shown = effective(known);
  if (policy === 'counter') {
    const view = viewCounter(record);
    expect(view).toMatchObject({
      present: shown.length > 0,
      total: BigInt(shown.reduce((sum, { by }) => sum + by, 0)),
    });
    const incarnations = record.siblings.map(({ dot }) => dot.incarnation);
    expect(new Set(incarnations).size).toBe(incarnations.length);
  } else {
    expect(elementsOf(record).sort()).toEqual([...new Set(shown.map((c) => c.element))].sort());
  }
}

function run(policy: TypedPolicy, history: readonly Step[], mint: Mint = mintWrite): void {
  const world = new World(policy, mint);
  for (const step of history) {
    world.step(step);
    check(policy, world.replicas[step.at] as Replica);
  }
  // All merged, in both orders.
  const known = new Set(world.replicas.flatMap((replica) => [...replica.known]));
  const records = world.replicas.map((replica) => replica.record);
  const merged = records.reduce(mergeRecords);
  check(policy, { record: merged, known });
  expect(encodeRecord(records.reduceRight(mergeRecords))).toEqual(encodeRecord(merged));
}

describe.each(['counter', 'set'] as const)('policy %s', (policy) => {
  it('shows what the model shows, at every replica and of every merge', () => {
    fc.assert(
      fc.property(steps, (history) => run(policy, history)),
      { numRuns: Number(process.env['HISTORIES'] ?? 2_000) },
    );
  });
});

describe('a payload of a counter', () => {
  const reset = fc.record({
    incarnation: fc.constantFrom('n1.abc', 'n2.x').map(incarnationId),
    counter: fc.maxSafeNat(),
    sum: fc.maxSafeInteger(),
  });
  const payload = fc.record({
    sum: fc.maxSafeInteger(),
    lastIncrement: fc.maxSafeNat(),
    resets: fc.array(reset, { maxLength: 5 }),
  });

  it('comes back as it was', () => {
    fc.assert(
      fc.property(payload, (p) => {
        expect(decodeCounterPayload(encodeCounterPayload(p))).toEqual(p);
      }),
    );
  });

  it('is never made of other bytes: they are none, or encode to themselves', () => {
    const cut = fc.tuple(payload, fc.nat({ max: 80 }), fc.nat({ max: 255 })).map(([p, place, byte]) =>
      encodeCounterPayload(p)
        .fill(byte, place, place + 1)
        .subarray(0, 60 + place),
    );
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), cut), (bytes) => {
        const decoded = decodeCounterPayload(bytes);
        if (decoded !== undefined) expect(encodeCounterPayload(decoded).length).toBe(bytes.length);
      }),
    );
    expect(decodeCounterPayload(Buffer.from('text'))).toBeUndefined();
  });
});

// --- The check can fail --------------------------------------------------------------------------------

/** The real mint, and a record that it should not have made. */
const after =
  (change: (record: KeyRecord, before: KeyRecord) => KeyRecord): Mint =>
  (namespace, operation, seen, before, turn, effects) => {
    const minted = mintWrite(namespace, operation, seen, before, turn, effects);
    return { ...minted, record: change(minted.record, before) };
  };

const FAULTS: readonly (readonly [string, TypedPolicy, Mint])[] = [
  [
    'an increment supersedes the sums of other incarnations',
    'counter',
    after((record, before) => ({
      ...record,
      siblings: record.siblings.filter((s) => !before.siblings.includes(s)),
    })),
  ],
  [
    'a delete supersedes the sums instead of writing down what it takes',
    'counter',
    (namespace, operation, seen, before, turn, effects) =>
      operation.type === 'put'
        ? mintWrite({ ...namespace, conflict: 'set' }, operation, seen, before, turn, effects)
        : mintWrite(namespace, operation, seen, before, turn, effects),
  ],
  [
    'a remove takes away what it has not seen a dot of',
    'set',
    (namespace, operation, seen, before, turn, effects) => {
      const element = operation.type === 'change' && operation.change.kind === 'remove';
      const all: WriteOperation = { ...operation, type: 'put', value: null, ifVersion: null, ttlMs: 0 };
      return mintWrite(namespace, element ? all : operation, seen, before, turn, effects);
    },
  ],
  [
    'an add supersedes everything',
    'set',
    after((record, before) => ({
      ...record,
      siblings: record.siblings.filter((s) => !before.siblings.includes(s)),
    })),
  ],
];

describe('the check finds planted faults', () => {
  it.each(FAULTS)('%s', (_fault, policy, mint) => {
    const property = fc.property(steps, (history) => run(policy, history, mint));
    expect(fc.check(property, { numRuns: 500, seed: 7, endOnFailure: true }).failed).toBe(true);
  });
});
