/**
 * Registers under several keys, each value written once per key: so every read tells which write it read from.
 *
 *     chain     the answered operations of one process, in its order
 *     detached  a write of unknown outcome that somebody read. It follows what its process did before, but not even its own process
 *               need see it from any moment on, so it is in no chain. One that nobody read is taken not to have happened:
 *               leaving it out takes constraints away and adds none
 *
 * A swap that succeeded is a read and a write in one node.
 */
import type { Operation, Value } from '../../history/history.js';
import { identityOf } from '../promises/key-ledger.js';
import { show } from '../promises/witness-lines.js';
import type { Verdict } from '../verdict.js';

/** Instead of the node read from: the initial value; or the node reads nothing that could be judged. */
export const INITIAL = -1;
export const NOTHING = -2;

export interface RegisterNode {
  readonly operation: Operation;
  readonly key: number;
  /** Number of its process; positions in a chain begin with 1, and 0 is a detached write. */
  readonly chain: number;
  readonly position: number;
  /** The node before it in its process, -1 where there is none. */
  readonly previous: number;
  /** The node it read from, or `INITIAL`, or `NOTHING`. */
  readonly source: number;
  readonly writes: boolean;
}

export interface RegisterHistory {
  readonly nodes: readonly RegisterNode[];
  /** Nodes by chain, in order. */
  readonly chains: readonly (readonly number[])[];
  readonly keys: readonly string[];
  /** A read of what nobody wrote, or of a write that failed. */
  readonly thinAir: Operation | undefined;
}

export interface RegisterOptions {
  /** What every key holds at first; null, an absent value, by default. */
  readonly initial?: Value;
}

/** What an operation read and wrote; undefined for none of it. */
interface Access {
  readonly operation: Operation;
  readonly key: string;
  readonly read: Value | undefined;
  readonly written: Value | undefined;
}

export function registerHistoryOf(
  operations: readonly Operation[],
  options: RegisterOptions = {},
): RegisterHistory | Verdict {
  const initial = identityOf(options.initial ?? null);
  const accesses: Access[] = [];
  for (const operation of operations) {
    if (operation.outcome === 'fail') continue;
    const access = accessOf(operation);
    if (access === undefined) continue;
    if ('validity' in access) return access;
    accesses.push(access);
  }
  accesses.sort((a, b) => a.operation.invokedAt - b.operation.invokedAt);
  const writers = new Writers();
  for (const access of accesses) {
    if (access.written === undefined) continue;
    const twice = writers.add(access, initial);
    if (twice !== undefined) return twice;
  }
  return assemble(accesses, writers, initial);
}

function accessOf(operation: Operation): Access | Verdict | undefined {
  const { f, input, output, outcome } = operation;
  const key = operation.key ?? '';
  switch (f) {
    case 'read': {
      if (outcome !== 'ok') return undefined;
      if (!Array.isArray(output)) return { operation, key, read: output, written: undefined };
      const values = output as readonly Value[];
      if (values.length > 1)
        return { validity: 'unknown', reason: `a read lists ${values.length} siblings: this is no register` };
      return { operation, key, read: values[0] ?? null, written: undefined };
    }
    case 'write':
      return { operation, key, read: undefined, written: input };
    case 'update':
      return { operation, key, read: undefined, written: output ?? input };
    case 'cas': {
      const [from = null, to = null] = Array.isArray(input) ? (input as readonly Value[]) : [];
      return { operation, key, read: from, written: to };
    }
    case 'delete':
      return {
        validity: 'unknown',
        reason: 'a delete brings the initial value back, so reads do not tell which write they show',
      };
    default:
      return undefined;
  }
}

class Writers {
  readonly #byKey = new Map<string, Map<unknown, Access>>();

  add(access: Access, initial: unknown): Verdict | undefined {
    let ofKey = this.#byKey.get(access.key);
    if (ofKey === undefined) this.#byKey.set(access.key, (ofKey = new Map<unknown, Access>()));
    const identity = identityOf(access.written ?? null);
    const first = ofKey.get(identity);
    if (first === undefined && identity !== initial) {
      ofKey.set(identity, access);
      return undefined;
    }
    const what = first === undefined ? 'written though it is the initial one' : 'written twice';
    return {
      validity: 'unknown',
      reason: `value ${show(access.written ?? null)} of key ${access.key} is ${what}, so reads do not tell which write they show`,
    };
  }

  of(key: string, value: Value): Access | undefined {
    return this.#byKey.get(key)?.get(identityOf(value));
  }
}

function assemble(accesses: readonly Access[], writers: Writers, initial: unknown): RegisterHistory {
  const { needed, thinAir } = neededOf(accesses, writers, initial);
  const numbers = new Map<Access, number>();
  for (const access of accesses) if (needed.has(access)) numbers.set(access, numbers.size);
  const keys = new Map<string, number>();
  const processes = new Map<number | string, number>();
  const chains: number[][] = [];
  const nodes: RegisterNode[] = [];
  for (const [access, number] of numbers) {
    const { operation, read } = access;
    const key = numberOf(keys, access.key);
    const chain = numberOf(processes, operation.process);
    const before = (chains[chain] ??= []);
    const detached = operation.outcome !== 'ok';
    const source =
      read === undefined
        ? NOTHING
        : identityOf(read) === initial
          ? INITIAL
          : (numbers.get(writers.of(access.key, read) as Access) ?? NOTHING);
    nodes.push({
      operation,
      key,
      chain,
      position: detached ? 0 : before.length + 1,
      previous: before.at(-1) ?? -1,
      source,
      writes: access.written !== undefined,
    });
    if (!detached) before.push(number);
  }
  return { nodes, chains, keys: [...keys.keys()], thinAir };
}

/** The answered operations, and the unknown writes that they read from, directly or over other swaps. */
function neededOf(
  accesses: readonly Access[],
  writers: Writers,
  initial: unknown,
): { needed: Set<Access>; thinAir: Operation | undefined } {
  const open = accesses.filter((access) => access.operation.outcome === 'ok');
  const needed = new Set(open);
  let thinAir: Operation | undefined;
  for (let access = open.pop(); access !== undefined; access = open.pop()) {
    if (access.read === undefined || identityOf(access.read) === initial) continue;
    const source = writers.of(access.key, access.read);
    if (source === undefined) thinAir = access.operation;
    else if (!needed.has(source)) {
      needed.add(source);
      open.push(source);
    }
  }
  return { needed, thinAir };
}

function numberOf<K>(numbers: Map<K, number>, name: K): number {
  let number = numbers.get(name);
  if (number === undefined) numbers.set(name, (number = numbers.size));
  return number;
}
