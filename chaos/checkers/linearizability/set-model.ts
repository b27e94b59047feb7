/**
 * A set: `add` and `remove` of an element, `read` of the whole as a list in any order. A state is a bit for each element.
 *
 * A read tells of all elements at once, so it is accepted in one state only. A pending change of an element can be
 * delayed past every other change (of the same element, it is overwritten or changes nothing: leave it out) up to a read, which
 * it helps only if it brings that element to where the read has it. Without removals, all of it holds for additions that
 * are certain too: they commute, and the state follows from which were made.
 */
import type { Operation, Value } from '../../history/history.js';
import {
  malformed,
  Numbering,
  showValue,
  type Model,
  type ModelOptions,
  type State,
  type Step,
} from './model.js';

export const SET_OPERATIONS = ['add', 'remove', 'read'] as const;

export function setModel(operations: readonly Operation[], options: ModelOptions): Model {
  const elements = new Numbering();
  const addsOnly = operations.every((operation) => operation.f !== 'remove' || operation.outcome === 'fail');
  const initial = Array.isArray(options.initial) ? bitsOf(options.initial as readonly Value[], elements) : 0n;
  return {
    initial,
    step: (operation) => setStep(operation, elements, options),
    commutes: addsOnly,
    stateFollowsFromSteps: addsOnly,
    helps: (before, after, next) =>
      next.needs !== undefined &&
      (((next.needs as bigint) ^ (before as bigint)) & ((before as bigint) ^ (after as bigint))) !== 0n,
    ...(addsOnly
      ? { outgrown: (state: State, needed: State) => ((state as bigint) & ~(needed as bigint)) !== 0n }
      : {}),
    seenUntil,
    unsettled: undefined,
    show: (state) => showValue(elementsOf(state as bigint, elements)),
  };
}

function setStep(operation: Operation, elements: Numbering, options: ModelOptions): Step | undefined {
  if (operation.f === 'read') {
    if (operation.outcome !== 'ok') return undefined;
    if (operation.output === null && options.nilReads === 'unknown') return undefined;
    const list = operation.output ?? [];
    if (!Array.isArray(list)) throw malformed(operation, 'a read of a set has a list');
    const shows = bitsOf(list as readonly Value[], elements);
    const apply = (state: State): State | undefined => (state === shows ? state : undefined);
    return { operation, observes: true, kind: `r${shows.toString(36)}`, needs: shows, apply };
  }
  if (operation.outcome === 'fail') return undefined;
  const element = elements.of(operation.input);
  const bit = 1n << BigInt(element);
  if (operation.f === 'add') {
    return { operation, observes: false, kind: `a${element}`, apply: (state) => (state as bigint) | bit };
  }
  return { operation, observes: false, kind: `d${element}`, apply: (state) => (state as bigint) & ~bit };
}

/** Built as digits, not by shifting a growing number: a list of n elements in time n. */
function bitsOf(list: readonly Value[], elements: Numbering): bigint {
  const numbers = list.map((value) => elements.of(value));
  const nibbles = new Uint8Array((elements.size >> 2) + 1);
  for (const number of numbers) {
    const at = nibbles.length - 1 - (number >> 2);
    nibbles[at] = (nibbles[at] ?? 0) | (1 << (number & 3));
  }
  return BigInt(`0x${Array.from(nibbles, (nibble) => nibble.toString(16)).join('')}`);
}

function elementsOf(state: bigint, elements: Numbering): Value[] {
  const held: Value[] = [];
  for (let number = 0; number < elements.size; number++) {
    if ((state >> BigInt(number)) & 1n) held.push(elements.value(number));
  }
  return held;
}

/** A pending addition is seen by reads that have the element, a pending removal by those that have it not. */
function seenUntil(required: readonly Step[], pending: readonly Step[]): (step: Step) => number {
  const until = new Map<string, number>();
  const unknown = new Map(pending.map(({ kind }) => [kind, 1n << BigInt(kind.slice(1))]));
  const reads = required.filter((step) => step.needs !== undefined);
  for (const { needs, operation } of reads.toSorted(
    (a, b) => b.operation.completedAt - a.operation.completedAt,
  )) {
    for (const [kind, bit] of unknown) {
      if (kind.startsWith('a') !== (((needs as bigint) & bit) !== 0n)) continue;
      until.set(kind, operation.completedAt);
      unknown.delete(kind);
    }
    if (unknown.size === 0) break;
  }
  return ({ kind }) => until.get(kind) ?? -Infinity;
}
