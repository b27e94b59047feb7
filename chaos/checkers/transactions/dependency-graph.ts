/**
 * The graph of what must come before what. Nodes are transactions, and helpers that stand for many edges:
 *
 *     T1 \            / T3        n readers of a version before m writers of later ones is n + m edges
 *         -> helper ->            through a helper, not n * m; likewise everyone who completed before a
 *     T2 /            \ T4        moment, before everyone who began after it.
 *
 * An edge into a helper has the kind of the whole way; edges out of one are `PASS`. Edges are collected in
 * arrays of numbers and then sorted by source once, since histories have millions of them.
 */

export const WW = 1;
export const WR = 2;
export const RW = 4;
export const PROCESS = 8;
export const REALTIME = 16;
export const PASS = 32;

/** Why a version comes before another: its list said so, or what was inferred. */
export const NOTES = ['observed', 'initial', 'read-then-written', 'process', 'realtime'] as const;
export type Note = (typeof NOTES)[number];

/** An edge between two transactions, helpers left out. Versions are numbers of the checker; -1: none. */
export interface Dependency {
  readonly from: number;
  readonly to: number;
  readonly kind: number;
  readonly key: number;
  /** Of ww and rw: the version that was overwritten. */
  readonly before: number;
  /** The version that was read, or that overwrote the other. */
  readonly after: number;
  readonly note: Note;
}

class Numbers {
  private items = new Int32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.items.length) {
      const grown = new Int32Array(this.items.length * 2);
      grown.set(this.items);
      this.items = grown;
    }
    this.items[this.length] = value;
    this.length += 1;
  }

  view(): Int32Array {
    return this.items.subarray(0, this.length);
  }
}

export class GraphBuilder {
  private nodes: number;
  private readonly from = new Numbers();
  private readonly to = new Numbers();
  private readonly kind = new Numbers();
  private readonly key = new Numbers();
  private readonly before = new Numbers();
  private readonly after = new Numbers();
  private readonly note = new Numbers();
  readonly transactions: number;

  constructor(transactions: number) {
    this.transactions = transactions;
    this.nodes = transactions;
  }

  addHelper(): number {
    this.nodes += 1;
    return this.nodes - 1;
  }

  /** An edge to itself is no edge: a transaction does not wait for itself. */
  add(
    from: number,
    to: number,
    kind: number,
    key = -1,
    before = -1,
    after = -1,
    note: Note = 'observed',
  ): void {
    if (from === to) return;
    this.from.push(from);
    this.to.push(to);
    this.kind.push(kind);
    this.key.push(key);
    this.before.push(before);
    this.after.push(after);
    this.note.push(NOTES.indexOf(note));
  }

  build(): DependencyGraph {
    const count = this.from.length;
    const source = this.from.view();
    const first = new Int32Array(this.nodes + 1);
    for (let e = 0; e < count; e += 1) first[source[e]! + 1]! += 1;
    for (let n = 0; n < this.nodes; n += 1) first[n + 1]! += first[n]!;
    const place = first.slice();
    const order = new Int32Array(count);
    for (let e = 0; e < count; e += 1) {
      const n = source[e]!;
      order[place[n]!] = e;
      place[n]! += 1;
    }
    const sorted = (numbers: Numbers): Int32Array => {
      const items = numbers.view();
      return order.map((e) => items[e]!);
    };
    return new DependencyGraph(this.transactions, first, {
      from: sorted(this.from),
      to: sorted(this.to),
      kind: sorted(this.kind),
      key: sorted(this.key),
      before: sorted(this.before),
      after: sorted(this.after),
      note: sorted(this.note),
    });
  }
}

interface EdgeColumns {
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly kind: Int32Array;
  readonly key: Int32Array;
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly note: Int32Array;
}

export class DependencyGraph {
  readonly transactions: number;
  /** Edges of node n are `first[n]` up to, not including, `first[n + 1]`. */
  readonly first: Int32Array;
  readonly to: Int32Array;
  readonly from: Int32Array;
  readonly kind: Int32Array;
  private readonly columns: EdgeColumns;

  constructor(transactions: number, first: Int32Array, columns: EdgeColumns) {
    this.transactions = transactions;
    this.first = first;
    this.from = columns.from;
    this.to = columns.to;
    this.kind = columns.kind;
    this.columns = columns;
  }

  get nodes(): number {
    return this.first.length - 1;
  }

  get edges(): number {
    return this.to.length;
  }

  isHelper(node: number): boolean {
    return node >= this.transactions;
  }

  noteOf(edge: number): Note {
    return NOTES[this.columns.note[edge]!] ?? 'observed';
  }

  /** Edges that follow each other, as edges between transactions: the ways through helpers become one each. */
  dependencies(path: readonly number[]): Dependency[] {
    const found: Dependency[] = [];
    let start = -1;
    for (const edge of path) {
      if (start < 0) start = edge;
      if (this.isHelper(this.to[edge]!)) continue;
      const of = (column: keyof EdgeColumns): number => {
        const last = this.columns[column][edge]!;
        return last >= 0 ? last : this.columns[column][start]!;
      };
      found.push({
        from: this.from[start]!,
        to: this.to[edge]!,
        kind: this.kind[start]!,
        key: of('key'),
        before: of('before'),
        after: of('after'),
        note: this.noteOf(edge),
      });
      start = -1;
    }
    return found;
  }
}
