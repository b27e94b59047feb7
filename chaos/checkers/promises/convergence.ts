/** After healing, all replicas of a group hold the same: byte for byte, key for key, none of them a key more. */
import type { Verdict } from '../verdict.js';
import { count } from './witness-lines.js';

/** Per node, what it stores: the bytes of each record as hex, by key. */
export type ReplicaCopies = ReadonlyMap<string, ReadonlyMap<string, string>>;

const KEYS_TOLD_MAX = 10;
const HEX_TOLD_MAX = 64;

export function checkConvergence(copies: ReplicaCopies): Verdict {
  const keys = new Set<string>();
  for (const held of copies.values()) for (const key of held.keys()) keys.add(key);
  const differing = [...keys].filter((key) => holdersOf(copies, key).size > 1).sort();
  if (differing.length === 0) {
    return {
      validity: 'valid',
      reason: `${count(copies.size, 'replica')} hold the same ${count(keys.size, 'key')}`,
    };
  }
  const lines = differing.slice(0, KEYS_TOLD_MAX).flatMap((key) => tellKey(copies, key));
  if (differing.length > KEYS_TOLD_MAX)
    lines.push(`and ${count(differing.length - KEYS_TOLD_MAX, 'more key')}`);
  return {
    validity: 'invalid',
    reason: `replicas differ in ${differing.length} of ${count(keys.size, 'key')}, the first is ${differing[0] ?? ''}`,
    witness: { lines, operations: [] },
  };
}

/** The nodes by what they hold under a key; undefined for nothing. */
function holdersOf(copies: ReplicaCopies, key: string): Map<string | undefined, string[]> {
  const holders = new Map<string | undefined, string[]>();
  for (const [node, held] of copies) {
    const bytes = held.get(key);
    const nodes = holders.get(bytes);
    if (nodes === undefined) holders.set(bytes, [node]);
    else nodes.push(node);
  }
  return holders;
}

function tellKey(copies: ReplicaCopies, key: string): string[] {
  const holders = [...holdersOf(copies, key)];
  const from = firstDifference(holders.flatMap(([bytes]) => (bytes === undefined ? [] : [bytes])));
  const told = holders.map(
    ([bytes, nodes]) => `  ${nodes.join(', ')}: ${bytes === undefined ? 'nothing' : excerpt(bytes, from)}`,
  );
  return [`key ${key}`, ...told];
}

/** Offset of the first byte, in digits of hex, at which not all agree. */
function firstDifference(records: readonly string[]): number {
  const [first = '', ...others] = records;
  let from = 0;
  while (from < first.length && others.every((other) => other[from] === first[from])) from++;
  return from - (from % 2);
}

/** Long records are told from where they differ. */
function excerpt(hex: string, from: number): string {
  const size = count(hex.length / 2, 'byte');
  if (hex.length <= HEX_TOLD_MAX) return `${size}, ${hex}`;
  const more = hex.length > from + HEX_TOLD_MAX ? '...' : '';
  return `${size}, from byte ${from / 2} on ${hex.slice(from, from + HEX_TOLD_MAX)}${more}`;
}
