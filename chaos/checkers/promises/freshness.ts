/**
 * A read that begins after a write was acknowledged reflects it; and shows nothing that had been superseded for certain by then.
 *
 * Only writes that were acknowledged and not yet superseded for certain when the read began are looked for: whoever reflects a later
 * one reflects those before. Of a store that keeps its word these are about as many as the read shows, so the check is linear in what reads
 * list. They are kept in the order of acknowledgement, and a read's scan ends at the first it lacks, the oldest.
 *
 * Staleness is how long before the read began the oldest write that it lacks had been acknowledged, so far as the history tells.
 */
import type { Operation } from '../../history/history.js';
import type { Verdict, Witness } from '../verdict.js';
import {
  isAcknowledged,
  ledgersOf,
  supersededAt,
  type KeyLedger,
  type PromiseOptions,
  type ReadEntry,
  type WriteEntry,
} from './key-ledger.js';
import { Reflection } from './reflection.js';
import { count, ended, nameOf, show, tellRead, tellSuperseded, tellWrite } from './witness-lines.js';

export interface FreshnessOptions extends PromiseOptions {
  /** Which reads are judged; all, the final ones too, by default. */
  readonly reads?: (read: Operation) => boolean;
  /** Whether freshness is promised (R + W > N). If not, staleness is measured and the verdict is `valid`. True by default. */
  readonly promised?: boolean;
  /** Staleness that is let pass, 0 by default. In a history without times every stale read is too stale. */
  readonly staleMsMax?: number;
}

export interface StaleRead {
  readonly read: ReadEntry;
  readonly key: string;
  /** The oldest write known to be lacking. */
  readonly since: WriteEntry;
  /** The superseded value that is shown, where that is how it is known. */
  readonly shows: WriteEntry | undefined;
  /** NaN where the history has no times. */
  readonly staleMs: number;
  /** Acknowledged writes of the key from `since` to the read's begin that the read does not show. */
  readonly versions: number;
}

export interface FreshnessReport {
  readonly reads: number;
  readonly stale: readonly StaleRead[];
  readonly staleMsMax: number;
  readonly versionsMax: number;
  /** The bound on search steps was reached: there may be more stale reads. */
  readonly exhausted: boolean;
}

export function checkFreshness(operations: readonly Operation[], options: FreshnessOptions = {}): Verdict {
  const report = measureFreshness(operations, options);
  if ('validity' in report) return report;
  const letPassMs = options.staleMsMax ?? 0;
  const found = summary(report);
  const worst = report.stale.reduce<StaleRead | undefined>(
    (a, b) => (a === undefined || b.staleMs > a.staleMs ? b : a),
    undefined,
  );
  const within = !(worst !== undefined && !(worst.staleMs <= letPassMs));
  if (options.promised === false || within) {
    if (report.exhausted) return { validity: 'unknown', reason: `the budget ran out; until then ${found}` };
    return { validity: 'valid', reason: options.promised === false ? `${found}; none promised` : found };
  }
  return { validity: 'invalid', reason: found, witness: witnessOf(worst) };
}

/** Every stale read, judged by whether it lacks anything at all. */
export function measureFreshness(
  operations: readonly Operation[],
  options: FreshnessOptions = {},
): FreshnessReport | Verdict {
  const ledgers = ledgersOf(operations, options);
  if ('validity' in ledgers) return ledgers;
  const reflection = new Reflection();
  const stale: StaleRead[] = [];
  let reads = 0;
  for (const ledger of ledgers) {
    const sweep = new FreshnessSweep(ledger, reflection);
    for (const read of ledger.reads) {
      if (options.reads?.(read.operation) === false) continue;
      reads++;
      const found = sweep.judge(read);
      if (found !== undefined) stale.push(found);
    }
  }
  const largest = (of: (s: StaleRead) => number): number => stale.reduce((max, s) => Math.max(max, of(s)), 0);
  return {
    reads,
    stale,
    staleMsMax: largest((s) => s.staleMs),
    versionsMax: largest((s) => s.versions),
    exhausted: reflection.exhausted,
  };
}

interface Link {
  readonly write: WriteEntry;
  next: Link | undefined;
}

/** One key, its reads in the order in which they began. */
class FreshnessSweep {
  readonly #ledger: KeyLedger;
  readonly #reflection: Reflection;
  /** Acknowledged writes, deletes too, by acknowledgement. */
  readonly #acknowledged: readonly WriteEntry[];
  #arrived = 0;
  /** The acknowledged writes to look for, as a list that loses members while it is walked. */
  #head: Link | undefined;
  #tail: Link | undefined;

  constructor(ledger: KeyLedger, reflection: Reflection) {
    this.#ledger = ledger;
    this.#reflection = reflection;
    this.#acknowledged = ledger.writes
      .filter(isAcknowledged)
      .sort((a, b) => a.operation.completedAt - b.operation.completedAt);
  }

  judge(read: ReadEntry): StaleRead | undefined {
    const began = read.operation.invokedAt;
    this.#arrive(began);
    const lacks = this.#oldestLacking(read);
    let since = lacks === undefined ? undefined : this.#rootOf(lacks, read);
    let shows: WriteEntry | undefined;
    for (const write of read.entries) {
      const by = write.supersededBy;
      if (by === undefined || supersededAt(write) >= began) continue;
      if (since !== undefined && since.operation.completedAt <= supersededAt(write)) continue;
      since = by;
      shows = write;
    }
    if (since === undefined) return undefined;
    const staleMs = (read.operation.invokedNs - since.operation.completedNs) / 1e6;
    return { read, key: this.#ledger.key, since, shows, staleMs, versions: this.#versions(since, read) };
  }

  #arrive(began: number): void {
    for (;;) {
      const write = this.#acknowledged[this.#arrived];
      if (write === undefined || write.operation.completedAt >= began) return;
      this.#arrived++;
      if (write.value === null) continue;
      const link: Link = { write, next: undefined };
      if (this.#tail === undefined) this.#head = link;
      else this.#tail.next = link;
      this.#tail = link;
    }
  }

  #oldestLacking(read: ReadEntry): WriteEntry | undefined {
    const { invokedAt, completedAt } = read.operation;
    let previous: Link | undefined;
    for (let link = this.#head; link !== undefined; link = link.next) {
      if (supersededAt(link.write) < invokedAt) {
        this.#unlink(previous, link);
        continue;
      }
      if (this.#reflection.find(link.write, read.entries, completedAt) === undefined) return link.write;
      previous = link;
    }
    return undefined;
  }

  #unlink(previous: Link | undefined, link: Link): void {
    if (previous === undefined) this.#head = link.next;
    else previous.next = link.next;
    if (this.#tail === link) this.#tail = previous;
  }

  /** A read that shows nothing lacks also what the lacking write had superseded, back to a delete. */
  #rootOf(lacks: WriteEntry, read: ReadEntry): WriteEntry {
    if (read.entries.size > 0) return lacks;
    const { completedAt } = read.operation;
    const deleted = (write: WriteEntry): boolean =>
      write.successors.some((s) => s.value === null && s.operation.invokedAt < completedAt);
    let root = lacks;
    for (let at: WriteEntry | undefined = lacks; at !== undefined;) {
      at = at.seen.find((earlier) => isAcknowledged(earlier) && !deleted(earlier));
      if (at !== undefined && at.operation.completedAt < root.operation.completedAt) root = at;
      else at = undefined;
    }
    return root;
  }

  #versions(since: WriteEntry, read: ReadEntry): number {
    const upTo = this.#rank(read.operation.invokedAt);
    const from = this.#rank(since.operation.completedAt);
    let shown = 0;
    for (const write of read.entries) {
      const { completedAt } = write.operation;
      if (completedAt >= since.operation.completedAt && completedAt < read.operation.invokedAt) shown++;
    }
    return upTo - from - shown;
  }

  /** How many were acknowledged before an event. */
  #rank(event: number): number {
    let low = 0;
    let high = this.#acknowledged.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#acknowledged[middle] as WriteEntry).operation.completedAt < event) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function summary(report: FreshnessReport): string {
  if (report.stale.length === 0) return `none of ${count(report.reads, 'read')} was stale`;
  const ms = Number.isNaN(report.staleMsMax) ? '' : `${report.staleMsMax.toFixed(1)} ms and `;
  return `${report.stale.length} of ${count(report.reads, 'read')} stale, by up to ${ms}${count(report.versionsMax, 'version')}`;
}

function witnessOf(stale: StaleRead): Witness {
  const { read, key, since, shows } = stale;
  const readLine = tellRead(key, read);
  if (shows !== undefined) {
    return {
      lines: [tellWrite(shows), tellSuperseded(shows, since), readLine],
      operations: [shows.operation, since.operation, read.operation],
    };
  }
  const possible = since.successors.filter((s) => s.operation.invokedAt < read.operation.completedAt);
  const why =
    possible.length === 0
      ? `no write that began before the read ended at ${ended(read.operation)} had seen ${show(since.value)}`
      : `nothing shown descends from ${possible.map((s) => show(s.value)).join(', ')}, which alone had seen ${show(since.value)}`;
  return {
    lines: [tellWrite(since), `${readLine}, without ${show(since.value)} of ${nameOf(key)}`, why],
    operations: [since.operation, read.operation],
  };
}
