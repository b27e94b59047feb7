/**
 * What a history of read-write registers shows, key by key: who wrote which value, and who read it. Values are
 * unique, so a value is a version. What a transaction reads of its own writes tells nothing about others and is
 * left out; that it fits them is checked on the way.
 */
import type { Value } from '../../history/history.js';
import type { Findings } from './findings.js';
import { Interned, nameOf, sameValue, textOf } from './interned.js';
import type { MicroOperation, Transaction, Transactions } from './transaction.js';

/** The version of the initial state. */
export const INITIAL_VERSION = -1;
/** A version that is none: nobody wrote what was read. */
const GARBAGE = -2;

/** What one transaction had to do with one key, as others can tell. */
export interface Interaction {
  readonly transaction: Transaction;
  /** The version it read first, before it wrote the key. */
  read: number | undefined;
  /** The version it left. */
  written: number | undefined;
}

export class RegisterHistory {
  readonly name: string;
  private readonly initial: Value;
  private readonly values = new Interned();
  readonly writers: Transaction[] = [];
  readonly intermediate = new Set<number>();
  readonly interactions = new Map<Transaction, Interaction>();
  /** Of each version, who read it from outside, in any step; `INITIAL_VERSION` too. */
  readonly readers = new Map<number, Set<Transaction>>();

  constructor(name: string, initial: Value) {
    this.name = name;
    this.initial = initial;
  }

  get versions(): number {
    return this.writers.length;
  }

  isInitial(value: Value): boolean {
    return value === null || sameValue(value, this.initial);
  }

  /** Says why where the write leaves open who wrote what. */
  write(transaction: Transaction, value: Value): string | undefined {
    const { outcome, operation } = transaction;
    if (this.isInitial(value) && outcome !== 'fail') {
      return `operation ${operation.index} writes ${this.name} = ${textOf(value)}, its initial value`;
    }
    const id = this.values.idOf(value);
    const before = this.writers[id];
    if (before !== undefined && before !== transaction && outcome === 'fail') return undefined;
    if (before !== undefined && before !== transaction && before.outcome !== 'fail') {
      const who = `operations ${before.operation.index} and ${operation.index}`;
      return `${textOf(value)} was written to ${this.name} twice, by ${who}: written values must be unique`;
    }
    this.writers[id] = transaction;
    if (outcome === 'fail') return undefined;
    const interaction = this.interactionOf(transaction);
    if (interaction.written !== undefined && interaction.written !== id)
      this.intermediate.add(interaction.written);
    this.intermediate.delete(id);
    interaction.written = id;
    return undefined;
  }

  interactionOf(transaction: Transaction): Interaction {
    let interaction = this.interactions.get(transaction);
    if (interaction === undefined) {
      interaction = { transaction, read: undefined, written: undefined };
      this.interactions.set(transaction, interaction);
    }
    return interaction;
  }

  versionOf(value: Value): number {
    if (this.isInitial(value)) return INITIAL_VERSION;
    return this.values.find(value) ?? GARBAGE;
  }

  text(version: number): string {
    return textOf(version < 0 ? this.initial : (this.values.values[version] ?? null));
  }

  noteReader(version: number, transaction: Transaction): void {
    const readers = this.readers.get(version);
    if (readers === undefined) this.readers.set(version, new Set([transaction]));
    else readers.add(transaction);
  }
}

/** The histories of all keys, by number; a text where the history does not tell who wrote what. */
export function indexWrites(
  { all, keys }: Transactions,
  initialOf: (key: number) => Value,
  findings: Findings,
): readonly RegisterHistory[] | string {
  const histories = keys.values.map((key, number) => new RegisterHistory(nameOf(key), initialOf(number)));
  for (const transaction of all) {
    for (const { kind, key, value } of transaction.micro) {
      const problem = kind === 'write' ? histories[key]!.write(transaction, value) : undefined;
      if (problem !== undefined) return problem;
    }
  }
  for (const transaction of all) {
    if (transaction.outcome === 'ok') readTransaction(transaction, histories, findings);
  }
  return histories;
}

function readTransaction(
  transaction: Transaction,
  histories: readonly RegisterHistory[],
  findings: Findings,
): void {
  /** By key, what the transaction itself last read or wrote, and whether it has written. */
  const views = new Map<number, { current: Value; wrote: boolean }>();
  for (const step of transaction.micro) {
    const history = histories[step.key]!;
    const view = views.get(step.key);
    const wrote = view?.wrote === true;
    if (step.kind === 'read') {
      if (view !== undefined && !agrees(history, view.current, step.value)) {
        findings.add('internal', [transaction], (names) => [
          `${names(transaction)} read ${history.name} = ${textOf(step.value)} where its own step before leaves ${textOf(view.current)}`,
        ]);
      }
      readOne(transaction, history, step, wrote, findings);
    }
    views.set(step.key, { current: step.value, wrote: wrote || step.kind === 'write' });
  }
}

function agrees(history: RegisterHistory, a: Value, b: Value): boolean {
  return sameValue(a, b) || (history.isInitial(a) && history.isInitial(b));
}

function readOne(
  transaction: Transaction,
  history: RegisterHistory,
  { value }: MicroOperation,
  wrote: boolean,
  findings: Findings,
): void {
  const version = history.versionOf(value);
  const writer = history.writers[version];
  if (version === GARBAGE) {
    findings.add('garbage-read', [transaction], (names) => [
      `${names(transaction)} read ${history.name} = ${textOf(value)}, which nobody wrote`,
    ]);
    return;
  }
  if (writer === transaction) {
    if (wrote) return;
    findings.add('future-read', [transaction], (names) => [
      `${names(transaction)} read ${history.name} = ${textOf(value)} before it wrote that`,
    ]);
    return;
  }
  if (writer?.outcome === 'fail') {
    findings.add('G1a', [writer, transaction], (names) => [
      `${names(writer)} failed, yet ${names(transaction)} read its write ${history.name} = ${textOf(value)}`,
    ]);
    return;
  }
  if (writer !== undefined && history.intermediate.has(version)) {
    findings.add('G1b', [writer, transaction], (names) => [
      `${names(transaction)} read ${history.name} = ${textOf(value)}, which ${names(writer)} overwrote in the same transaction`,
    ]);
  }
  history.noteReader(version, transaction);
  if (!wrote) history.interactionOf(transaction).read ??= version;
}
