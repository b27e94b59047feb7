/**
 * One leader-follower replica alone: `n1` of three, on a store of its own. A test hands it the events of a turn and sees what it says.
 * What it writes is on disk when the turn is over; a scan is answered when the test says so.
 */
import { hlcFromWallMs, type HlcTime } from '../../src/core/hlc.js';
import { groupId, namespaceName, nodeId, type NodeId } from '../../src/core/ids.js';
import { compareKeys } from '../../src/core/text-order.js';
import type { LeaderFollowerNamespace } from '../../src/cluster/cluster-map.js';
import type { TrefoilError } from '../../src/core/errors.js';
import { encodeHardState, type StoredHardState } from '../../src/protocol/hard-state-codec.js';
import type { AppendEntries, LeaderFollowerMessage } from '../../src/protocol/leader-follower-messages.js';
import { encodeSegment, type LogEntry } from '../../src/protocol/log-codec.js';
import type { ClientResult, GetOperation, PutOperation } from '../../src/protocol/messages.js';
import { leaderFollower } from '../../src/replication/leader-follower/leader-follower.js';
import type {
  Effects,
  Replica,
  ReplicaEvent,
  ReplicaOperation,
  RequestHandle,
  Turn,
} from '../../src/replication/strategy.js';
import { SeededRandom } from '../../src/simulation/random.js';
import { ledMap } from './led-store.js';

type Range = Parameters<Effects['scan']>[1];

interface Asked {
  readonly scan: string;
  readonly range: Range;
  readonly limit: number;
}

export const [N1, N2, N3] = ['n1', 'n2', 'n3'].map((name) => nodeId(name)) as [NodeId, NodeId, NodeId];

/** More turns in a row than anything takes that does not go on for ever. */
const TURNS_MAX = 1_000;

export class LoneReplica {
  readonly store: Map<string, Uint8Array>;
  readonly sent: { readonly to: NodeId; readonly message: LeaderFollowerMessage }[] = [];
  readonly replies = new Map<RequestHandle, ClientResult | TrefoilError>();
  wallMs = 1_700_000_000_000;
  monotonicMs = 1_000;
  writesRefused: Turn['writesRefused'] = null;
  trustStore = false;
  #replica: Replica | undefined;
  #endAsked = false;
  readonly #timers = new Map<string, number>();
  #scans: Asked[] = [];
  #durable: number[] = [];
  #lastRequest = 0;
  #lastHlc: HlcTime = 0;
  /** In the map's order. */
  replicas: readonly NodeId[] = [N1, N2, N3];
  readonly #random = new SeededRandom('lone replica');
  readonly #own: Partial<LeaderFollowerNamespace>;

  constructor(own: Partial<LeaderFollowerNamespace> = {}, store = new Map<string, Uint8Array>()) {
    this.#own = own;
    this.store = store;
  }

  /** A member of a group that was formed, which knows nothing more yet. */
  static member(own: Partial<LeaderFollowerNamespace> = {}): LoneReplica {
    const lone = new LoneReplica(own);
    lone.storeHard();
    lone.open();
    lone.settle();
    return lone;
  }

  /** Stores a hard state: a member's, in this store, where nothing else is said. */
  storeHard(own: Partial<StoredHardState> = {}): void {
    const member = {
      term: 1,
      votedFor: null,
      standing: 'member',
      life: 1,
      store: 'store',
      formed: [],
    } as const;
    this.store.set('h', encodeHardState({ ...member, ...own }));
  }

  open(): void {
    const map = ledMap(3, { partitions: 1 });
    const [entry] = map.namespaces as readonly [LeaderFollowerNamespace];
    const setup = {
      group: groupId(namespaceName('photos'), 0),
      self: N1,
      map: { ...map, namespaces: [{ ...entry, ...this.#own }], placement: [[this.replicas]] },
      namespaceIndex: 0,
      partition: 0,
      store: 'store',
      trustStore: this.trustStore,
    };
    this.#timers.clear();
    this.#replica = leaderFollower.open(setup, this.#turn(), this.#effects());
  }

  get gauges(): Readonly<Record<string, number>> {
    return this.#replica?.status().gauges ?? {};
  }

  /** These events come in one turn. What it puts is on disk afterwards; that it hears in the next one. */
  turn(...events: ReplicaEvent[]): void {
    const told = this.#durable.map((token) => ({ type: 'durable', token }) as const);
    this.#durable = [];
    for (const event of [...told, ...events]) this.#step(event);
    if (!this.#endAsked) return;
    this.#endAsked = false;
    this.#step({ type: 'turn-end' });
  }

  /** Goes on until nothing is left to do; scans are answered. */
  settle(): void {
    for (let turns = 0; this.#endAsked || this.#durable.length > 0 || this.#scans.length > 0; turns++) {
      if (turns > TURNS_MAX) throw new Error('it goes on for ever');
      this.turn(...this.scanned());
    }
  }

  /** Goes on as `settle` does, but for scans. */
  rest(): void {
    for (let turns = 0; this.#endAsked || this.#durable.length > 0; turns++) {
      if (turns > TURNS_MAX) throw new Error('it goes on for ever');
      this.turn();
    }
  }

  /** The answers to all scans that were asked for. */
  scanned(): ReplicaEvent[] {
    const asked = this.#scans;
    this.#scans = [];
    return asked.map(({ scan, range, limit }) => {
      const keys = [...this.store.keys()]
        .filter((key) => compareKeys(key, range.lt) < 0)
        .filter((key) => range.gte === undefined || compareKeys(key, range.gte) >= 0)
        .filter((key) => range.gt === undefined || compareKeys(key, range.gt) > 0)
        .sort(compareKeys)
        .slice(0, limit);
      const entries = keys.map((key) => [key, this.store.get(key) as Uint8Array] as const);
      return { type: 'scanned', scan, entries, more: keys.length === limit, damaged: false };
    });
  }

  get scansAsked(): readonly string[] {
    return this.#scans.map(({ scan }) => scan);
  }

  /** Time passes, and the timers that are due fire in one turn. */
  pass(ms: number): void {
    this.wallMs += ms;
    this.monotonicMs += ms;
    const due = [...this.#timers].filter(([, at]) => at <= this.monotonicMs).map(([timer]) => timer);
    for (const timer of due) this.#timers.delete(timer);
    this.turn(...due.map((timer) => ({ type: 'timer', timer }) as const));
  }

  message(from: NodeId, message: LeaderFollowerMessage): ReplicaEvent {
    return { type: 'message', from, message };
  }

  /** A request, and the number under which it is answered. */
  request(operation: ReplicaOperation): ReplicaEvent & { readonly request: RequestHandle } {
    const request = ++this.#lastRequest;
    return { type: 'request', request, operation, deadlineMs: this.monotonicMs + 60_000, explain: false };
  }

  /** It campaigns and gets the votes of the others; its first entry is on its own disk, and on no other. */
  lead(): number {
    for (let waited = 0; this.#messages('pre-vote').length === 0; waited += 100) {
      if (waited > 10_000) throw new Error('it does not campaign');
      this.pass(100);
      this.settle();
    }
    const term = (this.gauges['term'] as number) + 1;
    this.turn(this.message(N2, { type: 'pre-vote-result', term, granted: true }));
    this.turn(this.message(N2, { type: 'request-vote-result', term, life: 1, granted: true }));
    this.settle();
    return term;
  }

  /** A follower's word that it has everything up to `index`, in the round that it heard of last. */
  acknowledged(from: NodeId, index: number, round = this.round): ReplicaEvent {
    const term = this.gauges['term'] as number;
    const answer = { life: 7, joining: false, round, hintIndex: 0, hintTerm: 0 } as const;
    return this.message(from, { type: 'append-entries-result', term, status: 'durable', index, ...answer });
  }

  /** The latest round that it has told of. */
  get round(): number {
    return this.#messages<AppendEntries>('append-entries').at(-1)?.round ?? 0;
  }

  #messages<M extends LeaderFollowerMessage>(type: M['type']): M[] {
    return this.sent.flatMap(({ message }) => (message.type === type ? [message as M] : []));
  }

  #step(event: ReplicaEvent): void {
    (this.#replica as Replica).step(event, this.#turn(), this.#effects());
  }

  #turn(): Turn {
    const unused = (): never => {
      throw new Error('nothing is minted here');
    };
    return {
      wallMs: this.wallMs,
      monotonicMs: this.monotonicMs,
      random: this.#random,
      writesRefused: this.writesRefused,
      read: (key) => this.store.get(key),
      written: () => true,
      tick: (above) => {
        this.#lastHlc = Math.max(hlcFromWallMs(this.wallMs), this.#lastHlc + 1, above + 1);
        return this.#lastHlc;
      },
      observe: () => undefined,
      reachable: () => true,
      mint: unused,
      lastMinted: unused,
      mayMint: unused,
    };
  }

  #effects(): Effects {
    const put = (key: string, value: Uint8Array): void => void this.store.set(key, value);
    const remove = (key: string): void => void this.store.delete(key);
    const send: Effects['send'] = (to, message) =>
      void this.sent.push({ to, message: message as LeaderFollowerMessage });
    const reply: Effects['reply'] = (request, result) => void this.replies.set(request, result);
    return {
      put,
      delete: remove,
      putLazily: put,
      deleteLazily: remove,
      whenDurable: (token) => void this.#durable.push(token),
      whenTurnEnds: () => void (this.#endAsked = true),
      mark: () => 0,
      waitFor: () => undefined,
      send,
      sendEarly: send,
      reply,
      replyEarly: reply,
      setTimer: (timer, afterMs) => void this.#timers.set(timer, this.monotonicMs + afterMs),
      cancelTimer: (timer) => void this.#timers.delete(timer),
      scan: (scan, range, limit) => {
        this.#scans = [...this.#scans.filter((asked) => asked.scan !== scan), { scan, range, limit }];
      },
      openView: () => undefined,
      closeView: () => undefined,
      endIncarnation: () => undefined,
      count: () => undefined,
      log: () => undefined,
    };
  }
}

/** A leader's message with these entries, which follow each other. */
export function appended(
  term: number,
  prev: { readonly index: number; readonly term: number },
  entries: readonly LogEntry[],
  commit: number,
): AppendEntries {
  return {
    type: 'append-entries',
    term,
    prevIndex: prev.index,
    prevTerm: prev.term,
    commit,
    round: 1,
    quiet: false,
    segments: entries.length === 0 ? [] : [encodeSegment(entries)],
  };
}

export function putOf(session: string, own: Partial<PutOperation> = {}): PutOperation {
  return {
    type: 'put',
    key: 'k',
    value: new TextEncoder().encode('mine'),
    context: null,
    ifVersion: null,
    write: null,
    ttlMs: 0,
    operation: { session, sequence: 1 } as PutOperation['operation'],
    lowestOpen: 1,
    attempt: 0,
    ...own,
  };
}

export function getOf(own: Partial<GetOperation> = {}): GetOperation {
  return { type: 'get', key: 'k', read: null, atLeast: null, maxStalenessMs: 0, ...own };
}
