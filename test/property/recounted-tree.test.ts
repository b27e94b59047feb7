/** A tree that is recounted beside writes ends equal to a fresh count of the same records. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareKeys } from '../../src/core/text-order.js';
import { RecountedTree, type Counted } from '../../src/replication/leaderless/recounted-tree.js';
import { HashTree } from '../../src/replication/shared/hash-tree.js';

const CHUNK = 3;

/** What happens around a recount. `snapshot` and `count` are the two ends of one scan: writes come between them. */
type Happening =
  | { readonly type: 'write'; readonly key: string }
  | { readonly type: 'start' | 'snapshot' | 'count' | 'distrust' };

const keys = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', '\u{1f600}', '\u{ffff}');
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 8, arbitrary: keys.map((key): Happening => ({ type: 'write', key })) },
  { weight: 1, arbitrary: fc.constant<Happening>({ type: 'start' }) },
  { weight: 6, arbitrary: fc.constant<Happening>({ type: 'snapshot' }) },
  { weight: 6, arbitrary: fc.constant<Happening>({ type: 'count' }) },
  { weight: 1, arbitrary: fc.constant<Happening>({ type: 'distrust' }) },
);

/** A store and the tree over it, driven as `AntiEntropy` drives them. */
class Recounted {
  readonly tree = new RecountedTree();
  readonly #records = new Map<string, Counted>();
  #version = 0;
  #from: string | undefined;
  #snapshot: readonly string[] | undefined;

  happen(happening: Happening): void {
    switch (happening.type) {
      case 'write':
        return this.#write(happening.key);
      case 'start':
        return this.#start();
      case 'snapshot':
        if (this.#from !== undefined) this.#snapshot ??= this.#scan(this.#from);
        return;
      case 'count':
        return this.#count();
      case 'distrust':
        return this.tree.distrust();
    }
  }

  /** Lets a recount run to its end. */
  finish(): void {
    if (!this.tree.recounting) this.#start();
    while (this.tree.recounting) {
      this.happen({ type: 'snapshot' });
      this.happen({ type: 'count' });
    }
  }

  freshCounts(): { readonly records: number; readonly tombstones: number } {
    const all = [...this.#records.values()];
    return { records: all.length, tombstones: all.filter((record) => record.tombstone).length };
  }

  fresh(): HashTree {
    const tree = new HashTree();
    for (const [key, { header }] of this.#records) tree.replace(key, null, header);
    return tree;
  }

  #write(key: string): void {
    const before = this.#records.get(key) ?? null;
    const version = this.#version++;
    const after = { header: Buffer.from(`${key}${version}`), tombstone: version % 3 === 0 };
    this.tree.replace(key, before, after);
    this.#records.set(key, after);
  }

  #start(): void {
    this.#from = this.tree.startRecount();
    this.#snapshot = undefined;
  }

  #scan(from: string): readonly string[] {
    return [...this.#records.keys()].filter((key) => compareKeys(key, from) >= 0).sort(compareKeys);
  }

  #count(): void {
    if (this.#snapshot === undefined) return;
    const chunk = this.#snapshot.slice(0, CHUNK);
    const end = this.#snapshot.length > CHUNK ? (chunk.at(-1) ?? null) : null;
    this.#snapshot = undefined;
    const counted = this.tree.countChunk(chunk, end, (key) => this.#records.get(key) ?? null);
    this.#from = counted.next ?? undefined;
    if (counted.next === null) expect(counted.drifted).toBe(false);
  }
}

describe('a recounted tree', () => {
  it('equals a fresh count, whatever was written meanwhile', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 80 }), (happenings) => {
        const recounted = new Recounted();
        for (const one of happenings) {
          recounted.happen(one);
          if (recounted.tree.current !== undefined)
            expect(recounted.tree.current.equals(recounted.fresh())).toBe(true);
          if (recounted.tree.current !== undefined)
            expect(recounted.tree.counts).toEqual(recounted.freshCounts());
        }
        recounted.finish();
        expect(recounted.tree.current?.equals(recounted.fresh())).toBe(true);
        expect(recounted.tree.counts).toEqual(recounted.freshCounts());
        expect(recounted.tree.current?.root()).toEqual(recounted.fresh().root());
      }),
      { numRuns: 3_000 },
    );
  });

  it('tells of drift, and heals it', () => {
    const tree = new RecountedTree();
    tree.startRecount();
    tree.countChunk([], null, () => null);
    tree.replace('a', null, { header: Buffer.from('one'), tombstone: false });
    tree.startRecount();
    // The store never got what the tree was told.
    expect(tree.countChunk([], null, () => null)).toEqual({ next: null, drifted: true });
    expect(tree.current?.equals(new HashTree())).toBe(true);
  });
});
