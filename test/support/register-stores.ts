/** Toy stores of registers: each keeps exactly one consistency model, and writes every value once. */
import type { Operation, Value } from '../../chaos/history/history.js';
import type { Random } from '../../src/runtime/runtime.js';

export interface RegisterStoreOptions {
  readonly operations: number;
  readonly processes: number;
  readonly keys: number;
}

interface Replica {
  readonly write: (key: string, value: number) => void;
  readonly read: (key: string) => Value;
}

function run(random: Random, options: RegisterStoreOptions, replicas: readonly Replica[]): Operation[] {
  const operations: Operation[] = [];
  for (let index = 0; index < options.operations; index++) {
    const process = random.integer(options.processes);
    const key = `k${random.integer(options.keys)}`;
    const replica = replicas[process] as Replica;
    const writes = random.integer(2) === 0;
    if (writes) replica.write(key, index);
    const value = writes ? index : replica.read(key);
    operations.push({
      index,
      process,
      f: writes ? 'write' : 'read',
      key,
      input: writes ? value : null,
      output: value,
      outcome: 'ok',
      invokedAt: 2 * index,
      completedAt: 2 * index + 1,
      invokedNs: 2e6 * index,
      completedNs: 2e6 * index + 1e6,
    });
  }
  return operations;
}

/** One log of all writes; each process reads a prefix that only grows, and holds its own writes: sequential, not linearizable. */
export function sequentialHistory(random: Random, options: RegisterStoreOptions): Operation[] {
  const log: { key: string; value: number }[] = [];
  const replicas = Array.from({ length: options.processes }, (): Replica => {
    const state = new Map<string, number>();
    let applied = 0;
    const applyTo = (end: number): void => {
      for (; applied < end; applied++) {
        const entry = log[applied] as (typeof log)[number];
        state.set(entry.key, entry.value);
      }
    };
    return {
      write: (key, value) => {
        log.push({ key, value });
        applyTo(log.length);
      },
      read: (key) => {
        if (random.integer(3) === 0) applyTo(applied + random.integer(log.length - applied + 1));
        return state.get(key) ?? null;
      },
    };
  });
  return run(random, options, replicas);
}

interface Message {
  readonly key: string;
  readonly value: number;
  readonly time: number;
  readonly origin: number;
  /** Per origin, how many of its writes must be applied before. */
  readonly after: readonly number[];
}

/** Replicas that apply each other's writes late, in causal order, last writer wins by Lamport time: causally convergent. */
export function causalHistory(random: Random, options: RegisterStoreOptions): Operation[] {
  const logs: Message[][] = Array.from({ length: options.processes }, () => []);
  const replicas = logs.map((own, self): Replica => {
    const state = new Map<string, Message>();
    const applied = logs.map(() => 0);
    let time = 0;
    const apply = (message: Message): void => {
      const held = state.get(message.key);
      const wins =
        held === undefined ||
        message.time > held.time ||
        (message.time === held.time && message.origin > held.origin);
      if (wins) state.set(message.key, message);
      time = Math.max(time, message.time);
      applied[message.origin] = (applied[message.origin] ?? 0) + 1;
    };
    const receive = (origin: number): void => {
      const next = logs[origin]?.[applied[origin] ?? 0];
      if (next === undefined || origin === self) return;
      if (next.after.every((count, from) => count <= (applied[from] ?? 0))) apply(next);
    };
    return {
      write: (key, value) => {
        const message = { key, value, time: time + 1, origin: self, after: [...applied] };
        own.push(message);
        apply(message);
      },
      read: (key) => {
        for (let i = random.integer(4); i > 0; i--) receive(random.integer(options.processes));
        return state.get(key)?.value ?? null;
      },
    };
  });
  return run(random, options, replicas);
}
