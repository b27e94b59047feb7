/** How the checkers of this folder tell of operations: who did what, and when it began and ended. */
import type { Operation, Value } from '../../history/history.js';
import type { Verdict, Witness } from '../verdict.js';
import type { KeyLedger, ReadEntry, WriteEntry } from './key-ledger.js';

export function show(value: Value): string {
  return typeof value === 'string'
    ? value
    : JSON.stringify(value, (_, part: unknown) =>
        part instanceof Map ? [...(part as ReadonlyMap<string, Value>)] : part,
      );
}

function showList(values: readonly Value[]): string {
  return `[${values.map(show).join(', ')}]`;
}

/** A moment: milliseconds where the history has times, else the event. */
function moment(ns: number, event: number): string {
  return Number.isFinite(ns) ? `${(ns / 1e6).toFixed(1)} ms` : `event ${event}`;
}

export function began(operation: Operation): string {
  return moment(operation.invokedNs, operation.invokedAt);
}

export function ended(operation: Operation): string {
  return moment(operation.completedNs, operation.completedAt);
}

const VERBS: Readonly<Record<string, string>> = { write: 'wrote', update: 'updated to', cas: 'swapped in' };

/** `process 3 wrote v7 (begun at 1.0 ms, acknowledged at 2.0 ms)` */
export function tellWrite(write: WriteEntry): string {
  const { operation } = write;
  const what = write.value === null ? 'deleted' : `${VERBS[operation.f] ?? operation.f} ${show(write.value)}`;
  return `process ${operation.process} ${what} (begun at ${began(operation)}, ${fate(operation)}${seen(write)})`;
}

export function tellRead(key: string, read: ReadEntry): string {
  const { operation } = read;
  return `process ${operation.process} read ${nameOf(key)} from ${began(operation)} to ${ended(operation)} and was shown ${showList(read.shown)}`;
}

/** How a value was superseded: by an acknowledged write that had seen it, or had seen what had. */
export function tellSuperseded(write: WriteEntry, by: WriteEntry): string {
  const direct = by.seen.includes(write) ? '' : `, over writes between that it had seen`;
  return `${tellWrite(by)}: that superseded ${show(write.value)}${direct}`;
}

export function fate(operation: Operation): string {
  if (operation.outcome === 'ok') return `acknowledged at ${ended(operation)}`;
  return operation.outcome === 'fail' ? 'failed' : 'outcome unknown';
}

function seen(write: WriteEntry): string {
  if (write.seen.length === 0) return '';
  return `, had seen ${write.seen.map((earlier) => show(earlier.value)).join(', ')}`;
}

export function nameOf(key: string): string {
  return key === '' ? 'the object' : `key ${key}`;
}

/** `1 write is`, `2 writes are` */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

export interface Violation {
  readonly reason: string;
  readonly witness: Witness;
}

/** Counts violations and keeps the witness of the first. */
export class Violations {
  count = 0;
  #first: Violation | undefined;

  /** The witness is only made for the first. */
  add(make: () => Violation): void {
    this.count++;
    this.#first ??= make();
  }

  verdict(valid: Verdict): Verdict {
    if (this.#first === undefined) return valid;
    const more = this.count === 1 ? '' : `, and ${count(this.count - 1, 'more violation')}`;
    return {
      validity: 'invalid',
      reason: this.#first.reason + more,
      witness: this.#first.witness,
    };
  }
}

export function operationsOf(ledgers: readonly KeyLedger[]): string {
  const total = ledgers.reduce((sum, ledger) => sum + ledger.writes.length + ledger.reads.length, 0);
  return `${count(total, 'operation')} on ${count(ledgers.length, 'key')}`;
}
