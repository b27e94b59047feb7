/**
 * rw edges: whoever read a version comes before whoever wrote a later one. Many readers and many writers meet
 * where a key was read for the last time and appended to long after, so the product is not written out:
 *
 *     reader -> first n -> ... -> first 2 -> first 1          first i leads to writers 1 to i
 *                  |                 |          |
 *               writer n          writer 2   writer 1 ...     last i leads to writers i to n
 *
 * A reader that is itself writer i must not reach itself, or it would be a cycle that is none: it goes to
 * first i-1 and last i+1. Any other reader goes to first n.
 */
import { PASS, RW, type GraphBuilder, type Note } from './dependency-graph.js';

export interface LaterWriter {
  readonly transaction: number;
  readonly version: number;
  readonly note: Note;
}

const PRODUCT_WRITTEN_OUT_MAX = 16;

export function addAntiDependencies(
  builder: GraphBuilder,
  key: number,
  version: number,
  readers: readonly number[],
  writers: readonly LaterWriter[],
): void {
  if (writers.length === 1 || readers.length * writers.length <= PRODUCT_WRITTEN_OUT_MAX) {
    for (const reader of readers) {
      for (const w of writers) builder.add(reader, w.transaction, RW, key, version, w.version, w.note);
    }
    return;
  }
  const places = new Map<number, number[]>();
  writers.forEach((w, i) => places.set(w.transaction, [...(places.get(w.transaction) ?? []), i]));
  const first = chain(builder, key, version, writers);
  const last = readers.some((r) => places.has(r))
    ? chain(builder, key, version, [...writers].reverse()).reverse()
    : [];
  const enter = (reader: number, helper: number | undefined): void => {
    if (helper !== undefined) builder.add(reader, helper, RW, key, version);
  };
  for (const reader of readers) {
    const own = places.get(reader);
    if (own === undefined) {
      enter(reader, first.at(-1));
      continue;
    }
    enter(reader, first[own[0]! - 1]);
    enter(reader, last[own.at(-1)! + 1]);
    for (let i = own[0]! + 1; i < own.at(-1)!; i += 1) {
      const w = writers[i]!;
      builder.add(reader, w.transaction, RW, key, version, w.version, w.note);
    }
  }
}

/** Helpers, one per writer, each leading to its writer and to the helper before it. */
function chain(
  builder: GraphBuilder,
  key: number,
  version: number,
  writers: readonly LaterWriter[],
): number[] {
  const helpers: number[] = [];
  for (const w of writers) {
    const helper = builder.addHelper();
    builder.add(helper, w.transaction, PASS, key, version, w.version, w.note);
    const before = helpers.at(-1);
    if (before !== undefined) builder.add(helper, before, PASS);
    helpers.push(helper);
  }
  return helpers;
}
