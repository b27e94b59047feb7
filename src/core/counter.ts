/**
 * The counter: what a `counter` namespace keeps under a key, and what it shows.
 *
 *   sibling of incarnation i, at dot (i, n)    one for each incarnation, superseding only its own previous one
 *     sum             all that i ever added, up to n
 *     lastIncrement   the dot counter of i's latest increment
 *     resets          what i has deleted: of incarnation j, everything up to its dot (j, c), which added up to s
 *
 *   total = over all incarnations: sum, less the sum of its highest reset
 *
 * Sums never start again. A delete therefore writes down which part of every sum it takes away, instead of superseding
 * the siblings: an increment that is concurrent with it carries the old sum along, and has to be told apart from it.
 * Rejected: a tombstone over the siblings; the next increment by an incarnation that has not seen it would bring
 * the whole of its old sum back.
 *
 * After M. Shapiro et al., "A comprehensive study of convergent and commutative replicated data types" (2011), the
 * PN-counter, with a reset that removes what was observed.
 */
import type { HlcTime } from './hlc.js';
import { incarnationId, type IncarnationId } from './ids.js';
import type { KeyRecord, Sibling } from './record.js';
import type { Dot } from './version-vector.js';

/** What an incarnation had added when it was last reset. */
export interface CounterReset {
  readonly incarnation: IncarnationId;
  /** The dot counter up to which its increments are taken away. */
  readonly counter: number;
  /** Their sum. */
  readonly sum: number;
}

export interface CounterPayload {
  /** A safe integer. */
  readonly sum: number;
  /** 0: it never incremented. */
  readonly lastIncrement: number;
  /** Each incarnation at most once. */
  readonly resets: readonly CounterReset[];
}

export interface CounterView {
  /** Whether there was an increment that no delete has taken away. */
  readonly present: boolean;
  /** Exact; beyond the safe integers where concurrent increments carried it there. */
  readonly total: bigint;
  readonly hlc: HlcTime;
}

const NOTHING: CounterPayload = { sum: 0, lastIncrement: 0, resets: [] };

/** What the record shows, or undefined where a payload in it is none of a counter. */
export function viewCounter(record: KeyRecord): CounterView | undefined {
  const sums = readSums(record);
  if (sums === undefined) return undefined;
  const resets = highestResets(sums.map(({ payload }) => payload));
  let present = false;
  let total = 0n;
  let hlc = 0;
  for (const { sibling, payload } of sums) {
    const reset = resets.get(sibling.dot.incarnation);
    present ||= payload.lastIncrement > (reset?.counter ?? 0);
    total += BigInt(payload.sum) - BigInt(reset?.sum ?? 0);
    hlc = Math.max(hlc, sibling.hlc);
  }
  return { present, total, hlc };
}

/** The sibling that the incarnation of `dot` holds in the record: the one that a new one at `dot` supersedes. */
export function previousSum(record: KeyRecord, dot: Dot): Sibling | undefined {
  return record.siblings.find((s) => s.dot.incarnation === dot.incarnation);
}

/** The payload at `dot` after an increment, or undefined where `previous` holds none of a counter. */
export function incremented(previous: Sibling | undefined, dot: Dot, by: number): CounterPayload | undefined {
  const before = previous === undefined ? NOTHING : payloadOf(previous);
  return before && { ...before, sum: before.sum + by, lastIncrement: dot.counter };
}

/** The payload at `dot` after a delete of everything that the record holds. */
export function resetAll(record: KeyRecord, dot: Dot): CounterPayload | undefined {
  const sums = readSums(record);
  if (sums === undefined) return undefined;
  const own = sums.find(({ sibling }) => sibling.dot.incarnation === dot.incarnation)?.payload;
  const resets = sums.map(({ sibling, payload }) => ({ ...sibling.dot, sum: payload.sum }));
  return { ...(own ?? NOTHING), resets };
}

interface Sum {
  readonly sibling: Sibling;
  readonly payload: CounterPayload;
}

function readSums(record: KeyRecord): Sum[] | undefined {
  const sums: Sum[] = [];
  for (const sibling of record.siblings) {
    const payload = payloadOf(sibling);
    if (payload === undefined) return undefined;
    sums.push({ sibling, payload });
  }
  return sums;
}

function payloadOf({ value }: Sibling): CounterPayload | undefined {
  return value === null ? undefined : decodeCounterPayload(value);
}

/** Of each incarnation the reset that reaches furthest. */
function highestResets(payloads: readonly CounterPayload[]): ReadonlyMap<IncarnationId, CounterReset> {
  const highest = new Map<IncarnationId, CounterReset>();
  for (const reset of payloads.flatMap(({ resets }) => resets)) {
    if (reset.counter > (highest.get(reset.incarnation)?.counter ?? 0)) highest.set(reset.incarnation, reset);
  }
  return highest;
}

// --- Bytes ---------------------------------------------------------------------------------------------
//
//     sum (8) | last increment (8) | for each reset: length of the incarnation's name (1), name, counter (8), sum (8)
//
// Numbers are float64, big-endian, which hold every safe integer. Names are ASCII.

const PAYLOAD_VERSION = 1;
const FIXED_BYTES = 17;
const RESET_BYTES = 17;

export function encodeCounterPayload({ sum, lastIncrement, resets }: CounterPayload): Uint8Array {
  const length = resets.reduce((bytes, r) => bytes + RESET_BYTES + r.incarnation.length, FIXED_BYTES);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes[0] = PAYLOAD_VERSION;
  view.setFloat64(1, sum);
  view.setFloat64(9, lastIncrement);
  let at = FIXED_BYTES;
  for (const reset of resets) {
    bytes[at++] = reset.incarnation.length;
    for (let i = 0; i < reset.incarnation.length; i++) bytes[at++] = reset.incarnation.charCodeAt(i);
    view.setFloat64(at, reset.counter);
    view.setFloat64(at + 8, reset.sum);
    at += 16;
  }
  return bytes;
}

/** undefined for bytes that are no payload of a counter. */
export function decodeCounterPayload(bytes: Uint8Array): CounterPayload | undefined {
  if (bytes.length < FIXED_BYTES || bytes[0] !== PAYLOAD_VERSION) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const resets: CounterReset[] = [];
  for (let at = FIXED_BYTES; at < bytes.length;) {
    const end = at + 1 + (bytes[at] as number);
    if (end + 16 > bytes.length) return undefined;
    const name = String.fromCharCode(...bytes.subarray(at + 1, end));
    resets.push({
      incarnation: incarnationId(name),
      counter: view.getFloat64(end),
      sum: view.getFloat64(end + 8),
    });
    at = end + 16;
  }
  const payload = { sum: view.getFloat64(1), lastIncrement: view.getFloat64(9), resets };
  const numbers = [payload.sum, payload.lastIncrement, ...resets.flatMap((r) => [r.counter, r.sum])];
  return numbers.every(Number.isSafeInteger) ? payload : undefined;
}
