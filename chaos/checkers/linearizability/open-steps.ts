/**
 * The steps not made yet, as a doubly linked list of their invocations and completions in the order of the history.
 *
 *     head -> invoke a -> invoke b -> complete a -> invoke c -> ...
 *
 * What stands before the first completion can be made next: everything that must be before it has been. Taking a step out and
 * putting it back in the reverse order costs four links (Lowe, "Testing for linearizability", 2017; Knuth's dancing links).
 * Nodes: i is the invocation of step i, n + i its completion.
 */
import type { Step } from './model.js';

export class OpenSteps {
  readonly next: Int32Array;
  private readonly previous: Int32Array;
  private readonly count: number;
  private readonly head: number;
  /** How many completions come before this one's: orders completions. */
  readonly completionRank: Int32Array;

  constructor(steps: readonly Step[]) {
    const n = steps.length;
    this.count = n;
    this.head = 2 * n;
    this.next = new Int32Array(2 * n + 2);
    this.previous = new Int32Array(2 * n + 2);
    this.completionRank = new Int32Array(n);
    const completions = Int32Array.from(steps, (_, at) => at).sort(
      (a, b) => steps[a]!.operation.completedAt - steps[b]!.operation.completedAt,
    );
    let last = this.head;
    let completed = 0;
    const link = (node: number): void => {
      this.next[last] = node;
      this.previous[node] = last;
      last = node;
    };
    for (let at = 0; at < n; at++) {
      // A completion at the very index of an invocation is not before it.
      const invokedAt = steps[at]!.operation.invokedAt;
      while (completed < n && steps[completions[completed]!]!.operation.completedAt < invokedAt) {
        link(n + completions[completed++]!);
      }
      link(at);
    }
    while (completed < n) link(n + completions[completed++]!);
    link(2 * n + 1);
    completions.forEach((step, rank) => (this.completionRank[step] = rank));
  }

  get empty(): boolean {
    return this.next[this.head] === 2 * this.count + 1;
  }

  get first(): number {
    return this.next[this.head]!;
  }

  take(step: number): void {
    this.unlink(step);
    this.unlink(this.count + step);
  }

  putBack(step: number): void {
    this.relink(this.count + step);
    this.relink(step);
  }

  private unlink(node: number): void {
    const { next, previous } = this;
    next[previous[node]!] = next[node]!;
    previous[next[node]!] = previous[node]!;
  }

  private relink(node: number): void {
    const { next, previous } = this;
    next[previous[node]!] = node;
    previous[next[node]!] = node;
  }
}
