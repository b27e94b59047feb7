/**
 * Coordinates scans: one page of one partition, from R replicas.
 *
 * Each replica gives a page of its records up to an end: every key it holds up to there is in the page. The
 * merge can speak only for keys up to the smallest of these ends: beyond it one of the R has not been heard.
 */
import { TrefoilError } from '../../core/errors.js';
import type { NodeId } from '../../core/ids.js';
import { SCAN_PAGE_ENTRIES_MAX } from '../../core/limits.js';
import { afterPrefix, compareKeys } from '../../core/text-order.js';
import type { FetchPage, FetchPageResult } from '../../protocol/leaderless-messages.js';
import type { ScanEntry, ScanOperation } from '../../protocol/messages.js';
import { checkRecord } from '../../protocol/record-codec.js';
import type { Effects, ReplicaEvent, RequestHandle, Turn } from '../strategy.js';
import { AnswerTimes } from './answer-times.js';
import { checkReachable, requiredReplicas, type GroupMembers } from './group-members.js';
import { RECORDS, RECORDS_END, usableRecord, type LocalRecords } from './local-records.js';
import type { Floor } from './floor.js';
import type { PeerCalls } from './peer-calls.js';
import { ReadAnswers } from './read-answers.js';
import { readContext } from './read-coordinator.js';
import type { RecordRepair } from './record-repair.js';
import { shownValues } from './shown-values.js';
import { READ_WIDEN_MS, STORE_ANSWER_MS_MAX } from './tuning.js';

type ScanRequest = Extract<ReplicaEvent, { readonly type: 'request' }> & {
  readonly operation: ScanOperation;
};
type Scanned = Extract<ReplicaEvent, { readonly type: 'scanned' }>;

interface Page {
  readonly records: ReadonlyMap<string, Uint8Array>;
  /** null: to the end of the prefix. */
  readonly end: string | null;
}

interface OpenScan {
  readonly request: RequestHandle;
  readonly operation: ScanOperation;
  readonly limit: number;
  readonly required: number;
  readonly deadlineMs: number;
  widenAtMs: number;
  /** When to ask one spare replica; Infinity once that was done or there is none. */
  speculateAtMs: number;
  /** The spare replica that was asked since another was late. */
  speculated: NodeId | undefined;
  readonly asked: Set<NodeId>;
  readonly pages: Map<NodeId, Page>;
  waiting: number;
  /** Replicas that gave no page because they are refilling. */
  refilling: number;
  /** This replica was refilling when its own page was asked for: the page may be older than the end of that. */
  readonly refilledLater: boolean;
}

/** Names of scans of this replica's own records: for its own requests and for a peer's. */
export const SCAN = 'scan:';
export const PAGE = 'page:';

/** A page that a peer waits for; whether this replica was refilling when it was asked. */
interface PageAsked {
  readonly peer: NodeId;
  readonly ask: FetchPage;
  readonly refilling: boolean;
}

export class ScanCoordinator {
  readonly #members: GroupMembers;
  readonly #records: LocalRecords;
  readonly #calls: PeerCalls;
  readonly #repair: RecordRepair;
  readonly #floor: Floor;
  readonly #open = new Map<RequestHandle, OpenScan>();
  readonly #forPeers = new Map<string, PageAsked>();

  readonly #times = new AnswerTimes();
  /** No open scan asks a spare replica before this. */
  #speculateAtMs = Infinity;

  constructor(
    members: GroupMembers,
    records: LocalRecords,
    calls: PeerCalls,
    repair: RecordRepair,
    floor: Floor,
  ) {
    this.#floor = floor;
    this.#members = members;
    this.#records = records;
    this.#calls = calls;
    this.#repair = repair;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Throws what refuses the scan. */
  begin(request: ScanRequest, turn: Turn, effects: Effects): void {
    const { operation } = request;
    const required = requiredReplicas(this.#members, operation.read, this.#members.namespace.read);
    checkReachable(this.#members, turn, required);
    const scan: OpenScan = {
      request: request.request,
      operation,
      limit: Math.max(1, Math.min(operation.limit, SCAN_PAGE_ENTRIES_MAX)),
      required,
      deadlineMs: request.deadlineMs,
      widenAtMs: turn.monotonicMs + READ_WIDEN_MS,
      speculateAtMs: Infinity,
      speculated: undefined,
      asked: new Set([this.#members.self]),
      pages: new Map(),
      waiting: 1,
      refilling: 0,
      refilledLater: this.#floor.refilling,
    };
    this.#open.set(request.request, scan);
    effects.scan(SCAN + request.request, pageRange(operation), scan.limit);
    this.#ask(scan, required - 1, turn, effects);
    if (required > 1 && this.#spare(scan, turn) !== undefined) {
      scan.speculateAtMs = turn.monotonicMs + this.#times.delayMs;
      this.#speculateAtMs = Math.min(this.#speculateAtMs, scan.speculateAtMs);
    }
  }

  /** When `speculate` is wanted next; Infinity for not at all. */
  get speculateAtMs(): number {
    return this.#speculateAtMs;
  }

  /** Asks one spare replica for each scan that waits for a peer's page by now; its own page no peer can bring sooner. */
  speculate(turn: Turn, effects: Effects): void {
    if (turn.monotonicMs < this.#speculateAtMs) return;
    this.#speculateAtMs = Infinity;
    for (const scan of this.#open.values()) {
      if (scan.speculateAtMs > turn.monotonicMs) {
        this.#speculateAtMs = Math.min(this.#speculateAtMs, scan.speculateAtMs);
        continue;
      }
      scan.speculateAtMs = Infinity;
      scan.speculated = scan.pages.has(this.#members.self) ? this.#spare(scan, turn) : undefined;
      if (scan.speculated === undefined) continue;
      effects.count('reads_speculated');
      this.#ask(scan, 1, turn, effects);
    }
  }

  #spare(scan: OpenScan, turn: Turn): NodeId | undefined {
    return this.#members.peers.find((peer) => !scan.asked.has(peer) && turn.reachable(peer));
  }

  /** A peer wants a page of our records. */
  pageFor(peer: NodeId, ask: FetchPage, effects: Effects): void {
    const name = `${PAGE}${peer}/${ask.sequence}`;
    this.#forPeers.set(name, { peer, ask, refilling: this.#floor.refilling });
    effects.scan(name, pageRange(ask), Math.max(1, Math.min(ask.limit, SCAN_PAGE_ENTRIES_MAX)));
  }

  /** A page of our own records has been read. */
  scanned(scanned: Scanned, turn: Turn, effects: Effects): void {
    const forPeer = this.#forPeers.get(scanned.scan);
    if (forPeer !== undefined) {
      this.#forPeers.delete(scanned.scan);
      effects.send(forPeer.peer, this.#pageResult(forPeer, scanned, turn, effects));
      return;
    }
    const scan = this.#open.get(Number(scanned.scan.slice(SCAN.length)));
    if (scan === undefined) return;
    const refilling = scan.refilledLater || this.#floor.refilling;
    const page = refilling ? 'refilling' : this.#pageOf(scanned, turn, effects);
    this.#answered(scan, this.#members.self, page, turn, effects);
  }

  sweep(turn: Turn, effects: Effects): void {
    for (const scan of this.#open.values()) {
      if (scan.deadlineMs <= turn.monotonicMs) {
        this.#fail(scan, effects, new TrefoilError('Timeout', this.#shortfall(scan), { outcome: 'failed' }));
      } else if (scan.widenAtMs <= turn.monotonicMs) this.#widen(scan, turn, effects);
    }
  }

  cancel(request: RequestHandle): void {
    this.#open.delete(request);
  }

  #widen(scan: OpenScan, turn: Turn, effects: Effects): void {
    scan.widenAtMs = Infinity;
    scan.speculateAtMs = Infinity;
    this.#ask(scan, this.#members.peers.length, turn, effects);
  }

  #ask(scan: OpenScan, count: number, turn: Turn, effects: Effects): void {
    let left = count;
    for (const peer of this.#members.peers) {
      if (left <= 0) return;
      if (scan.asked.has(peer) || !turn.reachable(peer)) continue;
      scan.asked.add(peer);
      scan.waiting++;
      left--;
      const page = { prefix: scan.operation.prefix, after: scan.operation.after, limit: scan.limit };
      const askedMs = turn.monotonicMs;
      this.#calls.fetchPage(effects, peer, page, scan.deadlineMs, (answer, turnNow, effectsNow) => {
        if (answer !== null) this.#times.took(peer, turnNow.monotonicMs - askedMs);
        this.#answered(scan, peer, peerPage(answer), turnNow, effectsNow);
      });
    }
  }

  /** `page` is undefined where the replica could not give one. */
  #answered(
    scan: OpenScan,
    replica: NodeId,
    page: Page | 'refilling' | undefined,
    turn: Turn,
    effects: Effects,
  ): void {
    scan.waiting--;
    if (!this.#open.has(scan.request)) return;
    if (page === 'refilling') scan.refilling++;
    if (page !== undefined && page !== 'refilling') scan.pages.set(replica, page);
    else if (scan.widenAtMs !== Infinity) this.#widen(scan, turn, effects);
    if (scan.pages.size >= scan.required) this.#reply(scan, turn, effects);
    else if (scan.waiting === 0) {
      const { pages, refilling, required } = scan;
      const isRefilling = refilling > 0 && pages.size + refilling >= required;
      const code = isRefilling ? 'ReplicasRefilling' : 'QuorumUnavailable';
      this.#fail(scan, effects, new TrefoilError(code, this.#shortfall(scan)));
    }
  }

  #reply(scan: OpenScan, turn: Turn, effects: Effects): void {
    this.#open.delete(scan.request);
    const { speculated, widenAtMs, waiting } = scan;
    if (speculated !== undefined && scan.pages.has(speculated) && widenAtMs !== Infinity && waiting > 0) {
      effects.count('reads_speculated_won');
    }
    const end = smallestEnd(scan.pages.values());
    const keys = new Set<string>();
    for (const page of scan.pages.values()) {
      for (const key of page.records.keys()) if (end === null || compareKeys(key, end) <= 0) keys.add(key);
    }
    const entries: ScanEntry[] = [];
    for (const key of [...keys].sort(compareKeys)) {
      const { record, bytes } = this.#mergeKey(scan, key, turn, effects);
      if (bytes === null) continue;
      const values = shownValues(record, this.#members.namespace.conflict, turn.wallMs);
      if (values instanceof TrefoilError) {
        return effects.reply(scan.request, new TrefoilError(values.code, `${key}: ${values.message}`));
      }
      if (values.length > 0) entries.push({ key, values, context: readContext(key, record), version: 0 });
    }
    effects.reply(scan.request, { type: 'scan-result', entries, next: end, lag: null, index: 0 });
  }

  /** Merges what the replicas hold of one key, and repairs those that hold less. */
  #mergeKey(scan: OpenScan, key: string, turn: Turn, effects: Effects): ReturnType<ReadAnswers['merge']> {
    const answers = new ReadAnswers();
    for (const [replica, page] of scan.pages) answers.add(replica, page.records.get(key) ?? null);
    const merged = answers.merge();
    if (merged.bytes === null) return merged;
    for (const replica of answers.stale(merged)) {
      effects.count('read_repairs');
      if (replica !== this.#members.self) {
        this.#calls.store(
          effects,
          replica,
          { key, record: merged.bytes },
          turn.monotonicMs + STORE_ANSWER_MS_MAX,
          () => undefined,
        );
      } else if (turn.writesRefused === null) this.#records.absorb(turn, effects, key, merged.bytes);
    }
    return merged;
  }

  #fail(scan: OpenScan, effects: Effects, error: TrefoilError): void {
    this.#open.delete(scan.request);
    effects.reply(scan.request, error);
  }

  #shortfall(scan: OpenScan): string {
    return `${scan.pages.size} of the ${scan.required} replicas needed gave a page`;
  }

  #pageOf(scanned: Scanned, turn: Turn, effects: Effects): Page | undefined {
    if (scanned.damaged) return undefined;
    const records = new Map<string, Uint8Array>();
    for (const [stored, bytes] of scanned.entries) {
      const key = stored.slice(RECORDS.length);
      if (!checkRecord(bytes)) {
        this.#repair.begin(key, turn, effects);
        return undefined;
      }
      records.set(key, bytes);
    }
    const last = scanned.entries.at(-1)?.[0].slice(RECORDS.length);
    return { records, end: scanned.more && last !== undefined ? last : null };
  }

  #pageResult(asked: PageAsked, scanned: Scanned, turn: Turn, effects: Effects): FetchPageResult {
    const { sequence } = asked.ask;
    if (asked.refilling || this.#floor.refilling)
      return { type: 'fetch-page-result', sequence, status: 'refilling', entries: [], end: null };
    const page = this.#pageOf(scanned, turn, effects);
    return {
      type: 'fetch-page-result',
      sequence,
      status: page === undefined ? 'corrupt' : 'found',
      entries: page === undefined ? [] : [...page.records],
      end: page?.end ?? null,
    };
  }
}

function peerPage(answer: FetchPageResult | null): Page | 'refilling' | undefined {
  if (answer?.status === 'refilling') return 'refilling';
  if (answer === null || answer.status === 'corrupt') return undefined;
  if (!answer.entries.every(([, bytes]) => usableRecord(bytes) !== undefined)) return undefined;
  return { records: new Map(answer.entries), end: answer.end };
}

function smallestEnd(pages: Iterable<Page>): string | null {
  let smallest: string | null = null;
  for (const { end } of pages) {
    if (end !== null && (smallest === null || compareKeys(end, smallest) < 0)) smallest = end;
  }
  return smallest;
}

/** The stored range of a page: after `after`, within the prefix. */
function pageRange(page: { readonly prefix: string; readonly after: string }): {
  gte?: string;
  gt?: string;
  lt: string;
} {
  const end = page.prefix === '' ? undefined : afterPrefix(page.prefix);
  const lt = end === undefined ? RECORDS_END : RECORDS + end;
  if (page.after !== '' && compareKeys(page.after, page.prefix) >= 0) return { gt: RECORDS + page.after, lt };
  return { gte: RECORDS + page.prefix, lt };
}
