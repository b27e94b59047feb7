/** What the plans of all workloads share: when operations come, who makes them, and on which keys. */
import type { Random } from '../../src/runtime/runtime.js';
import type { Value } from '../history/history.js';
import type { PlannedOperation, WorkloadOptions } from './workload.js';

/** What a workload decides for one operation; the rest is the same for all. */
export interface Step {
  readonly f: string;
  readonly key?: string;
  readonly value: Value;
  readonly blind?: boolean;
}

/**
 * Operations at a fixed mean rate with uniform gaps of up to twice the mean, open loop: the next one comes
 * whether or not the one before it was answered. `serial` is unique within the plan.
 */
export function planOpenLoop(
  random: Random,
  options: WorkloadOptions,
  step: (serial: number, key: string) => Step,
): PlannedOperation[] {
  const gapMs = 1_000 / options.rate;
  const chooseKey = keyChooser(random, options);
  const plan: PlannedOperation[] = [];
  let atMs = 0;
  for (let id = 0; ; id++) {
    atMs += random.float() * 2 * gapMs;
    if (atMs >= options.durationMs) return plan;
    const client = random.integer(options.clients);
    plan.push({ id, atMs: Math.round(atMs * 1_000) / 1_000, client, ...step(id, chooseKey()) });
  }
}

/** Every key that a plan may use, in order. */
export function keyNames(options: WorkloadOptions): string[] {
  return Array.from({ length: options.keys }, (_, i) => `k${String(i)}`);
}

/** One final read of each key. */
export function readEach(keys: readonly string[], read: (key: string) => Step): PlannedOperation[] {
  return keys.map((key, id) => ({ id, atMs: 0, client: 0, ...read(key) }));
}

/** Picks one of weighted choices. */
export function weighted<T>(random: Random, choices: readonly (readonly [weight: number, choice: T])[]): T {
  let left = random.float() * choices.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, choice] of choices) {
    left -= weight;
    if (left < 0) return choice;
  }
  return (choices.at(-1) as readonly [number, T])[1];
}

/** Zipfian with exponent 1: the i-th key in proportion to 1/i, as YCSB's skewed mixes. */
function keyChooser(random: Random, options: WorkloadOptions): () => string {
  const keys = keyNames(options);
  if (options.keyChoice === 'uniform') return () => keys[random.integer(keys.length)] as string;
  const cumulative: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= keys.length; rank++) cumulative.push((sum += 1 / rank));
  return () => {
    const drawn = random.float() * sum;
    let low = 0;
    let high = keys.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulative[middle] as number) > drawn) high = middle;
      else low = middle + 1;
    }
    return keys[low] as string;
  };
}
