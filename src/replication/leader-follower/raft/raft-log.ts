/**
 * The log of one replica, as the protocol sees it: which index has which term, where it begins and ends, and what of it is on disk.
 *
 *      base          first ... retained ... stable ... last
 *       │             │                       │         │
 *   compacted         │<── on disk ──────────>│<─ not yet
 *
 * Entries come in segments, the runs that one turn brought; a segment is one key on disk and the same bytes everywhere. Terms
 * are kept as runs, so that a million entries cost a few numbers. The bytes of old segments are dropped from memory (`forget`) and
 * read from the disk again for a follower that is far behind.
 *
 * Invariant: segments follow one another without a gap from `base` on, and terms never fall. What is truncated was never committed;
 * the caller sees to that.
 */
import { invariant } from '../../../core/invariant.js';

/** The first index of a term, and the term, up to the next run. */
export type TermRun = readonly [index: number, term: number];

/** Entries `first` to `last`, as they are stored and sent. */
export interface Segment {
  readonly first: number;
  readonly last: number;
  /** In order; the first run begins at `first`. */
  readonly runs: readonly TermRun[];
  readonly bytes: Uint8Array;
}

/** What the log must know of how entries are encoded. */
export interface SegmentCodec {
  /** A segment that has come. Throws `MalformedFrame` for bytes that are none, or have entries that cannot be read. */
  parse(bytes: Uint8Array): Segment;
  /** The entries of a segment from `first` to `last`, as a segment of their own. */
  slice(segment: Segment, first: number, last: number): Segment;
}

/** A position in the log: an index and its term. */
export interface LogPosition {
  readonly index: number;
  readonly term: number;
}

/** Where a log ended at a moment, and how often it had been cut by then. */
export interface LogMark extends LogPosition {
  readonly cuts: number;
}

/** What must be written to make the disk's log this one. In order. */
export type LogChange =
  { readonly type: 'put'; readonly segment: Segment } | { readonly type: 'delete'; readonly first: number };

interface Held {
  readonly first: number;
  last: number;
  readonly size: number;
  /** Bytes of it and of all that were held before it. */
  readonly through: number;
  /** undefined: on disk only. */
  segment: Segment | undefined;
}

export class RaftLog {
  readonly #codec: SegmentCodec;
  #base: LogPosition;
  #held: Held[] = [];
  /** Runs of the retained entries. */
  #runs: TermRun[] = [];
  #last: LogPosition;
  #stable: number;
  /** Truncations and resets so far. */
  #cuts = 0;
  #bytes = 0;
  #changes: LogChange[] = [];
  /** Segments before this place have no bytes in memory. */
  #forgotten = 0;
  /** Of the segments from there on. */
  #bytesInMemory = 0;

  /** An empty log that begins after `base`. */
  constructor(codec: SegmentCodec, base: LogPosition) {
    this.#codec = codec;
    this.#base = base;
    this.#last = base;
    this.#stable = base.index;
  }

  /** The entry before the first that is retained. */
  get base(): LogPosition {
    return this.#base;
  }

  get last(): LogPosition {
    return this.#last;
  }

  /** The last index that is on disk, with all before it. After a reset 0, until that is known to be on disk. */
  get stable(): number {
    return this.#stable;
  }

  /** What `stabilized` wants to hear of once all that was changed until now is on disk. */
  get mark(): LogMark {
    // Made for every turn of a group; a spread would go through V8's slow path.
    const { index, term } = this.#last;
    return { index, term, cuts: this.#cuts };
  }

  /** Bytes of the retained entries, on disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of the entries that are not on disk yet. */
  get unwrittenBytes(): number {
    const last = this.#held.at(-1);
    if (last === undefined || this.#stable >= last.last) return 0;
    const { size, through } = this.#held[this.#placeOf(this.#stable + 1)] as Held;
    return last.through - through + size;
  }

  /** Takes a segment that is on disk already; only while the log is being read at the start. */
  restore(segment: Segment): void {
    this.#add(segment);
    this.#stable = segment.last;
  }

  /** The term of an index; undefined where it is compacted or not there. */
  termAt(index: number): number | undefined {
    if (index === this.#base.index) return this.#base.term;
    if (index < this.#base.index || index > this.#last.index) return undefined;
    if (index === this.#last.index) return this.#last.term;
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#runs[middle] as TermRun)[0] <= index) low = middle;
      else high = middle - 1;
    }
    return (this.#runs[low] as TermRun)[1];
  }

  /** Whether a log that ends so has at least what this one has (Raft, 5.4.1). */
  isBehindOrEqual(last: LogPosition): boolean {
    return last.term > this.#last.term || (last.term === this.#last.term && last.index >= this.#last.index);
  }

  /** The largest index up to `index` whose term is at most `term`, for fast back-off after a rejection. */
  lastAtMost(index: number, term: number): LogPosition {
    for (let at = Math.min(index, this.#last.index); at > this.#base.index;) {
      const own = this.termAt(at) as number;
      if (own <= term) return { index: at, term: own };
      at = this.#runStart(at) - 1;
    }
    return this.#base;
  }

  /** Appends entries that follow the last one. */
  append(segment: Segment): void {
    this.#add(segment);
    this.#changes.push({ type: 'put', segment });
  }

  /** Takes away every entry from `from` on. What of them is unwritten is never written. */
  truncate(from: number): void {
    invariant(from > this.#base.index, 'what is compacted is committed');
    while (this.#held.length > 0) {
      const held = this.#held.at(-1) as Held;
      if (held.last < from) break;
      this.#held.pop();
      this.#letGo(held);
      if (held.first >= from) {
        this.#changes.push({ type: 'delete', first: held.first });
        continue;
      }
      invariant(held.segment !== undefined, 'what may be truncated is in memory');
      const kept = this.#codec.slice(held.segment, held.first, from - 1);
      this.#hold(kept);
      this.#changes.push({ type: 'put', segment: kept });
    }
    this.#forgotten = Math.min(this.#forgotten, this.#held.length);
    while ((this.#runs.at(-1)?.[0] ?? 0) >= from) this.#runs.pop();
    const index = from - 1;
    this.#last = index === this.#base.index ? this.#base : { index, term: (this.#runs.at(-1) as TermRun)[1] };
    this.#stable = Math.min(this.#stable, index);
    this.#cuts++;
  }

  /**
   * Everything that was changed before `mark` was made is on disk. Where the log was cut since, that is no news: the very same entries may be here
   * again, and the cut, which takes them from the disk, be on its way there.
   */
  stabilized(mark: LogMark): void {
    if (mark.cuts === this.#cuts) this.#stable = Math.max(this.#stable, mark.index);
  }

  /** What was changed since the last call and must be written. */
  takeChanges(): LogChange[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  get hasChanges(): boolean {
    return this.#changes.length > 0;
  }

  /**
   * Segments that hold the entries from `from` on, about `bytesMax` at most and at least one. `disk`: they must be read
   * there, beginning with the key of `segmentStart(from)`. `compacted`: they are gone. The first may begin before `from`.
   */
  segmentsFrom(from: number, bytesMax: number): readonly Segment[] | 'disk' | 'compacted' {
    if (from <= this.#base.index) return 'compacted';
    const place = this.#placeOf(from);
    if (place < this.#forgotten) return 'disk';
    const found: Segment[] = [];
    for (let at = place, bytes = 0; at < this.#held.length; at++) {
      const { segment, size } = this.#held[at] as Held;
      if (segment === undefined) return found.length > 0 ? found : 'disk';
      if (found.length > 0 && bytes + size > bytesMax) break;
      found.push(segment);
      bytes += size;
    }
    return found;
  }

  /** The first index of the retained segment that holds `index`. */
  segmentStart(index: number): number {
    return (this.#held[this.#placeOf(index)] as Held).first;
  }

  /** Drops the bytes of segments that end at or before `index` from memory, the oldest first, until at most `bytesMax` are left of these. */
  forget(index: number, bytesMax: number): void {
    // Asked at the end of every turn: nothing is walked while there is nothing to drop.
    if (this.#bytesInMemory <= bytesMax) return;
    let bytes = this.#bytesInMemory;
    for (let at = this.#held.length - 1; at >= this.#forgotten; at--) {
      const { last, size } = this.#held[at] as Held;
      if (last <= index) break;
      bytes -= size;
    }
    while (bytes > bytesMax) {
      const oldest = this.#held[this.#forgotten++] as Held;
      oldest.segment = undefined;
      bytes -= oldest.size;
      this.#bytesInMemory -= oldest.size;
    }
  }

  /**
   * Gives up the oldest entries, whole segments, up to `index` at most, until the log has `bytesMax` bytes or `segmentsMax` segments have
   * gone; they must be applied. What is not on disk yet stays, and at least one segment. Returns the first indexes of the segments that
   * go from the disk.
   */
  compact(index: number, bytesMax = 0, segmentsMax = Infinity): number[] {
    const gone: number[] = [];
    let end = 0;
    while (end < this.#held.length - 1 && end < segmentsMax && this.#bytes > bytesMax) {
      const oldest = this.#held[end] as Held;
      if (oldest.last > Math.min(index, this.#stable)) break;
      gone.push(oldest.first);
      this.#letGo(oldest);
      end++;
    }
    if (end === 0) return gone;
    const { last } = this.#held[end - 1] as Held;
    const term = this.termAt(last) as number;
    this.#held = this.#held.slice(end);
    this.#forgotten = Math.max(0, this.#forgotten - end);
    this.#base = { index: last, term };
    const runs = this.#runs.filter((_, at) => (this.#runs[at + 1]?.[0] ?? Infinity) > last + 1);
    this.#runs = runs.map(([first, t]) => [Math.max(first, last + 1), t] as const);
    return gone;
  }

  /** Begins anew after a snapshot: nothing is retained. Returns the first indexes of the segments that go from the disk. */
  reset(base: LogPosition): number[] {
    const gone = this.#held.map(({ first }) => first);
    for (const change of this.#changes) if (change.type === 'delete') gone.push(change.first);
    this.#held = [];
    this.#runs = [];
    this.#changes = [];
    this.#bytes = 0;
    this.#bytesInMemory = 0;
    this.#forgotten = 0;
    this.#base = base;
    this.#last = base;
    this.#stable = 0;
    this.#cuts++;
    return gone;
  }

  /** How many segments are retained. */
  get segments(): number {
    return this.#held.length;
  }

  #add(segment: Segment): void {
    invariant(segment.first === this.#last.index + 1, 'segments follow one another');
    const [, firstTerm] = segment.runs[0] as TermRun;
    invariant(firstTerm >= this.#last.term, 'terms never fall');
    this.#hold(segment);
    for (const run of segment.runs) {
      if (this.#runs.at(-1)?.[1] !== run[1]) this.#runs.push(run);
    }
    this.#last = { index: segment.last, term: (segment.runs.at(-1) as TermRun)[1] };
  }

  #hold(segment: Segment): void {
    const { first, last, bytes } = segment;
    const through = (this.#held.at(-1)?.through ?? 0) + bytes.length;
    this.#held.push({ first, last, size: bytes.length, through, segment });
    this.#bytes += bytes.length;
    this.#bytesInMemory += bytes.length;
  }

  #letGo({ size, segment }: Held): void {
    this.#bytes -= size;
    if (segment !== undefined) this.#bytesInMemory -= size;
  }

  #runStart(index: number): number {
    for (let at = this.#runs.length - 1; at >= 0; at--) {
      const [first] = this.#runs[at] as TermRun;
      if (first <= index) return first;
    }
    return this.#base.index;
  }

  #placeOf(index: number): number {
    let low = 0;
    let high = this.#held.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#held[middle] as Held).last < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
