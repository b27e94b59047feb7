/**
 * The four session guarantees, each on its own (Terry et al., "Session guarantees for weakly consistent replicated
 * data", 1994), over registers whose written values are unique.
 *
 * A guarantee says which writes a read must know of besides the one it shows. Those of the same key then came before the shown one, in an
 * order of each key's writes that everybody agrees on and that keeps each process's own order of writing it. The guarantee holds if such an
 * order exists: if these edges make no cycle, and no read that must know of a write shows the initial value. A read of what nobody wrote
 * is in no order, and breaks all four.
 *
 *     read your writes     the last own write of the key
 *     monotonic reads      what the process read of the key before
 *     monotonic writes     of every process, what it wrote to the key before a write that the reader has been shown
 *     writes follow reads  of every process, what it had read of the key last before it wrote what the reader has been shown
 *
 * The last two are about what a server knows, which only a sequence of reads reveals: the reader is taken to read
 * monotonically, from servers that know no less than the ones before.
 */
import type { Operation } from '../../history/history.js';
import { ledgersOf } from '../promises/key-ledger.js';
import { checkSessionReads } from '../promises/session-reads.js';
import { CHECK_BUDGET_DEFAULT, type Verdict } from '../verdict.js';
import type { ConsistencyOptions } from './causal.js';
import { cycleWitness, tellNode, thinAirVerdict } from './cycle-witness.js';
import { OrderGraph, OVERWRITTEN, READS_FROM, SESSION } from './order-graph.js';
import {
  INITIAL,
  NOTHING,
  registerHistoryOf,
  type RegisterHistory,
  type RegisterNode,
} from './register-history.js';

export const SESSION_GUARANTEES = [
  'read-your-writes',
  'monotonic-reads',
  'monotonic-writes',
  'writes-follow-reads',
] as const;
export type SessionGuarantee = (typeof SESSION_GUARANTEES)[number];

/** Where reads list siblings, the first two are judged over what each write had seen; the others are `unknown`. */
export function checkSessionGuarantee(
  operations: readonly Operation[],
  guarantee: SessionGuarantee,
  options: ConsistencyOptions = {},
): Verdict {
  if (operations.some((operation) => operation.f === 'read' && Array.isArray(operation.output))) {
    if (guarantee === 'read-your-writes' || guarantee === 'monotonic-reads')
      return checkSessionReads(operations, guarantee);
    const ledgers = ledgersOf(operations);
    if ('validity' in ledgers) return ledgers;
    return { validity: 'unknown', reason: `${guarantee} is not decided where reads list siblings` };
  }
  const history = registerHistoryOf(operations, options);
  if ('validity' in history) return history;
  const thinAir = thinAirVerdict(history);
  if (thinAir !== undefined) return thinAir;
  const budget = options.budget ?? CHECK_BUDGET_DEFAULT;
  if (history.nodes.length * history.chains.length > budget.stepsMax)
    return { validity: 'unknown', reason: `operations times processes exceed ${budget.stepsMax} steps` };
  return new SessionJudge(history, guarantee).verdict();
}

/** What one process did to one key, by position in its chain. */
interface KeyTrack {
  readonly positions: number[];
  readonly writes: number[];
}

class SessionJudge {
  readonly #history: RegisterHistory;
  readonly #guarantee: SessionGuarantee;
  readonly #graph: OrderGraph;
  /** Per chain and key: the writes, and the sources of the reads. */
  readonly #wrote: readonly Map<number, KeyTrack>[];
  readonly #read: readonly Map<number, KeyTrack>[];
  #broken: Verdict | undefined;

  constructor(history: RegisterHistory, guarantee: SessionGuarantee) {
    this.#history = history;
    this.#guarantee = guarantee;
    this.#graph = new OrderGraph(history.nodes.length);
    this.#wrote = history.chains.map(() => new Map<number, KeyTrack>());
    this.#read = history.chains.map(() => new Map<number, KeyTrack>());
  }

  verdict(): Verdict {
    for (const members of this.#history.chains) for (const number of members) this.#track(number);
    for (const [number, node] of this.#history.nodes.entries())
      if (node.position === 0) this.#follow(number, node);
    for (const members of this.#history.chains) this.#judge(members);
    if (this.#broken !== undefined) return this.#broken;
    const sorted = this.#graph.sorted();
    if (sorted.length < this.#graph.size) {
      const cycle = this.#graph.cycle(sorted);
      return {
        validity: 'invalid',
        reason: `${this.#guarantee} is broken: the writes of a key have no order, a cycle of ${cycle.length} steps`,
        witness: cycleWitness(this.#history, cycle),
      };
    }
    return {
      validity: 'valid',
      reason: `${this.#guarantee} holds over ${this.#history.nodes.length} operations of ${this.#history.chains.length} processes`,
    };
  }

  #track(number: number): void {
    const node = this.#history.nodes[number] as RegisterNode;
    if (node.source >= 0) add(this.#read[node.chain], node, node.source);
    if (!node.writes) return;
    const before = this.#wrote[node.chain]?.get(node.key)?.writes.at(-1);
    if (before !== undefined) this.#graph.add(before, number, SESSION);
    if (node.source >= 0) this.#graph.add(node.source, number, READS_FROM);
    add(this.#wrote[node.chain], node, number);
  }

  /** A detached write is in no chain, and comes after its process's earlier writes of the key all the same. */
  #follow(number: number, { chain, key, previous }: RegisterNode): void {
    if (previous < 0) return;
    for (const before of lastBefore(this.#wrote[chain]?.get(key), this.#positionOf(previous) + 1))
      this.#graph.add(before, number, SESSION);
  }

  #judge(members: readonly number[]): void {
    // Per chain, the last position of it whose write this process has been shown.
    const shown = new Int32Array(this.#history.chains.length);
    for (const number of members) {
      const node = this.#history.nodes[number] as RegisterNode;
      if (node.source === NOTHING) continue;
      this.#observe(shown, node);
      for (const known of this.#mustKnow(node, shown)) this.#require(known, number, node);
    }
  }

  /** A detached write stands for what its process had done before it. */
  #observe(shown: Int32Array, node: RegisterNode): void {
    if (node.source < 0) return;
    const { chain, position, previous } = this.#history.nodes[node.source] as RegisterNode;
    const reached = position > 0 ? position : previous < 0 ? 0 : this.#positionOf(previous) + 1;
    if (reached > (shown[chain] as number)) shown[chain] = reached;
  }

  #positionOf(number: number): number {
    return (this.#history.nodes[number] as RegisterNode).position;
  }

  #mustKnow(node: RegisterNode, shown: Int32Array): number[] {
    switch (this.#guarantee) {
      case 'read-your-writes':
        return lastBefore(this.#wrote[node.chain]?.get(node.key), node.position);
      case 'monotonic-reads':
        return lastBefore(this.#read[node.chain]?.get(node.key), node.position);
      case 'monotonic-writes':
        return this.#wrote.flatMap((tracks, chain) =>
          lastBefore(tracks.get(node.key), shown[chain] as number),
        );
      case 'writes-follow-reads':
        return this.#read.flatMap((tracks, chain) =>
          lastBefore(tracks.get(node.key), shown[chain] as number),
        );
    }
  }

  #require(known: number, reader: number, node: RegisterNode): void {
    if (known === node.source || known === reader) return;
    if (node.source !== INITIAL) {
      this.#graph.add(known, node.source, OVERWRITTEN, reader);
      return;
    }
    this.#broken ??= {
      validity: 'invalid',
      reason: `${this.#guarantee} is broken: a read shows the initial value`,
      witness: {
        lines: [
          `${tellNode(this.#history, known)} must be known to ${tellNode(this.#history, reader)}`,
          'which shows the value from before any write',
        ],
        operations: [known, reader].map((number) => (this.#history.nodes[number] as RegisterNode).operation),
      },
    };
  }
}

function add(tracks: Map<number, KeyTrack> | undefined, node: RegisterNode, write: number): void {
  const track = tracks?.get(node.key);
  if (track === undefined) tracks?.set(node.key, { positions: [node.position], writes: [write] });
  else {
    track.positions.push(node.position);
    track.writes.push(write);
  }
}

/** The last of a track before a position of its chain; none or one. */
function lastBefore(track: KeyTrack | undefined, position: number): number[] {
  if (track === undefined) return [];
  let low = 0;
  let high = track.positions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((track.positions[middle] as number) < position) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? [] : [track.writes[low - 1] as number];
}
