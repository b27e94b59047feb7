/**
 * A toy store with siblings that keeps every promise: each operation takes effect at one instant between its
 * beginning and its end, on one copy. Its histories are valid by construction; what a test corrupts in them is the only fault.
 */
import type { Operation } from '../../chaos/history/history.js';
import type { Random } from '../../src/runtime/runtime.js';

export interface SiblingStoreOptions {
  readonly operations: number;
  readonly processes: number;
  readonly keys: number;
  /** Share of writes whose outcome is unknown; half of them take effect. 0.05 by default. */
  readonly unknownRate?: number;
  /** Share of writes without context, which make siblings. 0.15 by default. */
  readonly blindRate?: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Open {
  readonly operation: Mutable<Operation>;
  readonly value: string | null;
  readonly seen: readonly string[];
  readonly takesEffect: boolean;
  effective: boolean;
}

export function siblingHistory(random: Random, options: SiblingStoreOptions): Operation[] {
  return new SiblingStore(random, options).run();
}

class SiblingStore {
  readonly #random: Random;
  readonly #options: SiblingStoreOptions;
  readonly #operations: Operation[] = [];
  readonly #live = new Map<string, string[]>();
  readonly #open: (Open | undefined)[];
  readonly #known: Map<string, readonly string[]>[];
  #event = 0;

  constructor(random: Random, options: SiblingStoreOptions) {
    this.#random = random;
    this.#options = options;
    this.#open = Array.from({ length: options.processes }, () => undefined);
    this.#known = Array.from({ length: options.processes }, () => new Map<string, readonly string[]>());
  }

  run(): Operation[] {
    while (this.#operations.length < this.#options.operations || this.#open.some((open) => open)) {
      const process = this.#random.integer(this.#options.processes);
      const open = this.#open[process];
      if (open === undefined) {
        if (this.#operations.length < this.#options.operations) this.#invoke(process);
      } else if (!open.effective) this.#takeEffect(open);
      else this.#complete(process, open);
    }
    for (let key = 0; key < this.#options.keys; key++) this.#finalRead(`k${key}`);
    return this.#operations;
  }

  #invoke(process: number): void {
    const key = `k${this.#random.integer(this.#options.keys)}`;
    const draw = this.#random.float();
    const f = draw < 0.5 ? 'read' : draw < 0.6 ? 'delete' : draw < 0.75 ? 'update' : 'write';
    const value = f === 'read' || f === 'delete' ? null : `v${this.#operations.length}`;
    const blind = this.#random.float() < (this.#options.blindRate ?? 0.15);
    const seen = f === 'read' || blind ? [] : (this.#known[process]?.get(key) ?? []);
    const fate = f === 'read' ? 1 : this.#random.float();
    const unknownRate = this.#options.unknownRate ?? 0.05;
    const outcome = fate < unknownRate ? 'info' : fate < unknownRate + 0.03 ? 'fail' : 'ok';
    const operation = this.#begin(process, f, key, value, outcome);
    if (f !== 'read') operation.seen = seen;
    const takesEffect = outcome === 'ok' || (outcome === 'info' && this.#random.integer(2) === 0);
    this.#open[process] = { operation, value, seen, takesEffect, effective: false };
  }

  #begin(
    process: number | string,
    f: string,
    key: string,
    value: string | null,
    outcome: Operation['outcome'],
  ): Mutable<Operation> {
    const at = this.#event++;
    const operation: Mutable<Operation> = {
      index: this.#operations.length,
      process,
      f,
      key,
      input: value,
      output: value,
      outcome,
      invokedAt: at,
      completedAt: Infinity,
      invokedNs: at * 1e6,
      completedNs: Infinity,
    };
    this.#operations.push(operation);
    return operation;
  }

  #takeEffect(open: Open): void {
    open.effective = true;
    const key = open.operation.key ?? '';
    const live = this.#live.get(key) ?? [];
    if (open.operation.f === 'read') open.operation.output = [...live];
    else if (open.takesEffect) {
      const left = live.filter((value) => !open.seen.includes(value));
      this.#live.set(key, open.value === null ? left : [...left, open.value]);
    }
  }

  #complete(process: number, open: Open): void {
    this.#open[process] = undefined;
    const { operation } = open;
    const key = operation.key ?? '';
    const at = this.#event++;
    if (operation.outcome !== 'info') {
      operation.completedAt = at;
      operation.completedNs = at * 1e6;
    }
    if (operation.f === 'read') this.#known[process]?.set(key, operation.output as string[]);
    else if (operation.outcome === 'ok')
      this.#known[process]?.set(key, open.value === null ? open.seen : [...open.seen, open.value]);
  }

  #finalRead(key: string): void {
    const operation = this.#begin('judge', 'read', key, null, 'ok');
    operation.output = [...(this.#live.get(key) ?? [])];
    operation.completedAt = this.#event++;
    operation.completedNs = operation.completedAt * 1e6;
  }
}
