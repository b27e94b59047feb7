/**
 * Stores of texts whose puts and appends can be told from what gets show, in time n log n.
 *
 * A state is a put's text (or the initial one) and then texts that were appended. Where all these texts differ, and none begins
 * with another, a text that a get shows has one reading only: which put, and which appends in which order. So
 *
 *     segment   a put, the appends shown behind it, and the gets that show them:   put a1 gets a2 a3 gets ...
 *
 * - The gets of a segment must be prefixes of its longest; an append stands in one segment, once. Else no order exists.
 * - Within a segment the order is then given, but for gets of equal texts, which real time orders. It is true to real time
 *   if nothing in it completed before something that stands earlier was invoked: one pass.
 * - A segment stands together in any order: between its put and its last get no put can be, and only its own appends. An
 *   append that no get shows stands in none of them, as a get behind it would show it, so it can move to the next gap between segments.
 * - So segments and those appends are clusters as in `zones.ts`, with f the first completion and s the last invocation, and an order
 *   of them exists exactly if no two must each be before the other. What was held at first is before everything (f = -Infinity).
 * - What is pending and not shown stays out: it may never have happened. An append of nothing changes nothing, anywhere.
 *
 * Rejected: to let the search find the order of the appends; among 50 clients it tries permutations that a later get rules out.
 */
import type { Operation } from '../../history/history.js';
import { textIn, textOf } from './kv-model.js';
import type { ModelOptions } from './model.js';
import { findClash, type Cluster } from './zones.js';

export type TextContradiction =
  /** No puts and appends make up the text, from `at` on; `failed` is a write that would, had it not failed. */
  | {
      readonly kind: 'no-reading';
      readonly read: Operation;
      readonly at: number;
      readonly failed?: Operation;
    }
  /** The text shows one append twice. */
  | { readonly kind: 'twice'; readonly read: Operation; readonly append: Operation }
  /** Neither text begins with the other, though both grew from the same put. */
  | { readonly kind: 'fork'; readonly one: Operation; readonly other: Operation }
  /** One append is shown behind two puts. */
  | {
      readonly kind: 'two-places';
      readonly append: Operation;
      readonly one: Operation;
      readonly other: Operation;
    }
  /** `shown` tells that `earlier` precedes `later`, which had completed before `earlier` was invoked. */
  | {
      readonly kind: 'out-of-time';
      readonly earlier: Operation;
      readonly later: Operation;
      readonly shown: Operation;
    }
  | { readonly kind: 'clash'; readonly one: TextCluster; readonly other: TextCluster };

/** A segment, or an append that no get shows. */
export interface TextCluster extends Cluster {
  readonly unseen: boolean;
}

/** What contradicts linearizability; `none`; or undefined where the texts have no single reading. */
export function findTextContradiction(
  operations: readonly Operation[],
  options: ModelOptions,
): TextContradiction | 'none' | undefined {
  const initial = textOf(options.initial ?? null);
  const code = codeOf(operations, initial);
  if (code === undefined) return undefined;
  const segments = segmentsOf(operations, code, initial, options);
  if ('kind' in segments) return segments;
  const places = new Map<Operation, Operation>();
  const clusters: TextCluster[] = [];
  for (const segment of segments.values()) {
    const chain = chainOf(segment, code, places);
    if ('kind' in chain) return chain;
    const late = findOutOfTime(chain, segment);
    if (late !== undefined) return late;
    clusters.push(clusterOf(segment.put, chain.flat()));
  }
  for (const operation of operations) {
    if (operation.outcome !== 'ok' || isRead(operation) || textOf(operation.input) === '') continue;
    const unseen = operation.f === 'append' && !places.has(operation);
    if (unseen || (operation.f !== 'append' && !segments.has(operation)))
      clusters.push({ ...clusterOf(operation, [operation]), unseen });
  }
  const clash = findClash(clusters);
  return clash === undefined ? 'none' : { kind: 'clash', ...clash };
}

const isRead = ({ f }: Operation): boolean => f === 'get' || f === 'read';

/** Written texts, found at the beginning of others. */
class Code {
  private readonly tokens = new Map<string, Operation | 'initial'>();
  private lengths: number[] = [];

  /** False if the text was there. */
  add(text: string, written: Operation | 'initial'): boolean {
    if (this.tokens.has(text)) return false;
    this.tokens.set(text, written);
    return true;
  }

  /** Whether no text begins with another; to be asked before texts are read. */
  close(): boolean {
    const texts = [...this.tokens.keys()].sort();
    // Sorted, all that begin with a text follow it at once.
    if (texts.some((text, at) => at > 0 && text.startsWith(texts[at - 1]!))) return false;
    this.lengths = [...new Set(texts.map((text) => text.length))].sort((a, b) => a - b);
    return true;
  }

  /** What wrote the beginning of `text` behind `at`, and where it ends. */
  at(
    text: string,
    at: number,
  ): { readonly written: Operation | 'initial'; readonly end: number } | undefined {
    for (const length of this.lengths) {
      const end = at + length;
      if (end > text.length) return undefined;
      const written = this.tokens.get(text.slice(at, end));
      if (written !== undefined) return { written, end };
    }
    return undefined;
  }
}

/** Undefined where two texts are the same, one begins with another, or a put leaves what may have been there at first. */
function codeOf(operations: readonly Operation[], initial: string): Code | undefined {
  const code = new Code();
  if (initial !== '') code.add(initial, 'initial');
  for (const operation of operations) {
    if (isRead(operation) || operation.outcome === 'fail') continue;
    const text = textOf(textIn(operation, operation.input));
    if (text === '' && operation.f === 'append') continue;
    if (text === '' || !code.add(text, operation)) return undefined;
  }
  return code.close() ? code : undefined;
}

interface Segment {
  /** Undefined of what was held at first. */
  readonly put: Operation | undefined;
  /** Where the first append is in its texts. */
  readonly begin: number;
  readonly reads: { readonly read: Operation; readonly text: string }[];
  longest: { readonly read: Operation; readonly text: string } | undefined;
}

/** By put; `undefined` is the initial segment, which is always there. */
function segmentsOf(
  operations: readonly Operation[],
  code: Code,
  initial: string,
  options: ModelOptions,
): Map<Operation | undefined, Segment> | TextContradiction {
  const segments = new Map<Operation | undefined, Segment>([
    [undefined, { put: undefined, begin: initial.length, reads: [], longest: undefined }],
  ]);
  for (const read of operations) {
    if (!isRead(read) || read.outcome !== 'ok') continue;
    if (read.output === null && options.nilReads === 'unknown') continue;
    const text = textOf(textIn(read, read.output));
    const head = code.at(text, 0);
    const first = head === undefined || head.written === 'initial' ? undefined : head.written;
    const put = first === undefined || first.f === 'append' ? undefined : first;
    // It begins with what was held at first: by name, or if that is nothing, with an append or not at all.
    const fromInitial = initial === '' ? text === '' || first?.f === 'append' : head?.written === 'initial';
    if (put === undefined && !fromInitial) return noReading(read, text, 0, operations);
    let segment = segments.get(put);
    if (segment === undefined) {
      segment = { put, begin: head!.end, reads: [], longest: undefined };
      segments.set(put, segment);
    }
    segment.reads.push({ read, text });
    if (segment.longest === undefined || text.length > segment.longest.text.length)
      segment.longest = { read, text };
  }
  for (const { begin, longest, reads } of segments.values()) {
    if (longest === undefined) continue;
    const ends = endsOf(longest, begin, code, operations);
    if ('kind' in ends) return ends;
    for (const { read, text } of reads) {
      if (longest.text.startsWith(text) && ends.has(text.length)) continue;
      const own = endsOf({ read, text }, begin, code, operations);
      return 'kind' in own ? own : { kind: 'fork', one: read, other: longest.read };
    }
  }
  return segments;
}

/** Where the appends of a text end, its beginning too. */
function endsOf(
  { read, text }: { readonly read: Operation; readonly text: string },
  begin: number,
  code: Code,
  operations: readonly Operation[],
): Set<number> | TextContradiction {
  const ends = new Set([begin]);
  const seen = new Set<Operation>();
  for (let at = begin; at < text.length;) {
    const next = code.at(text, at);
    if (next === undefined || next.written === 'initial' || next.written.f !== 'append')
      return noReading(read, text, at, operations);
    if (seen.has(next.written)) return { kind: 'twice', read, append: next.written };
    seen.add(next.written);
    at = next.end;
    ends.add(at);
  }
  return ends;
}

function noReading(
  read: Operation,
  text: string,
  at: number,
  operations: readonly Operation[],
): TextContradiction {
  const failed = operations.find((other) => {
    const written = isRead(other) || other.outcome !== 'fail' ? '' : textOf(other.input);
    return written !== '' && text.startsWith(written, at);
  });
  return { kind: 'no-reading', read, at, ...(failed === undefined ? {} : { failed }) };
}

/** The segment in its order; what stands in one group is ordered by time alone. Notes which get shows each append. */
function chainOf(
  { put, begin, reads, longest }: Segment,
  code: Code,
  places: Map<Operation, Operation>,
): Operation[][] | TextContradiction {
  const byLength = new Map<number, Operation[]>();
  for (const { read, text } of reads) {
    const alike = byLength.get(text.length);
    if (alike === undefined) byLength.set(text.length, [read]);
    else alike.push(read);
  }
  const chain = [put === undefined ? [] : [put], byLength.get(begin) ?? []];
  if (longest === undefined) return chain;
  for (let at = begin; at < longest.text.length;) {
    const next = code.at(longest.text, at)!;
    const append = next.written as Operation;
    const other = places.get(append);
    if (other !== undefined) return { kind: 'two-places', append, one: other, other: longest.read };
    places.set(append, longest.read);
    at = next.end;
    chain.push([append], byLength.get(at) ?? []);
  }
  return chain;
}

function findOutOfTime(
  chain: readonly (readonly Operation[])[],
  { longest }: Segment,
): TextContradiction | undefined {
  let invokedLast: Operation | undefined;
  for (const group of chain) {
    for (const later of group) {
      if (invokedLast !== undefined && later.completedAt < invokedLast.invokedAt)
        return { kind: 'out-of-time', earlier: invokedLast, later, shown: longest!.read };
    }
    for (const operation of group) {
      if (invokedLast === undefined || operation.invokedAt > invokedLast.invokedAt) invokedLast = operation;
    }
  }
  return undefined;
}

function clusterOf(put: Operation | undefined, members: readonly Operation[]): TextCluster {
  let firstCompleted: Operation | undefined;
  let lastInvoked: Operation | undefined;
  for (const member of members) {
    if (member.completedAt < (firstCompleted?.completedAt ?? Infinity)) firstCompleted = member;
    if (member.invokedAt > (lastInvoked?.invokedAt ?? -Infinity)) lastInvoked = member;
  }
  return {
    write: put,
    firstCompleted: put === undefined ? undefined : firstCompleted,
    f: put === undefined ? -Infinity : (firstCompleted?.completedAt ?? Infinity),
    lastInvoked,
    s: lastInvoked?.invokedAt ?? -Infinity,
    reads: 0,
    unseen: false,
  };
}
