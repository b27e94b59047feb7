/**
 * Two session guarantees where reads list siblings (Terry et al., 1994), per process and key:
 *
 *   read your writes   a read reflects every write of its own process that was acknowledged before, and shows nothing
 *                      that those had seen and so superseded
 *   monotonic reads    a read reflects whatever an earlier read of its process showed, and nothing that the process has seen
 *                      go comes back
 *
 * Each is judged on its own. Only the previous read need be compared, because to reflect is transitive. Own writes are
 * kept in groups by what reflected them last: a write that is buried deep is
 * found by the step from one read to the next, not by a walk from where it began.
 */
import type { Operation } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import {
  isAcknowledged,
  JUDGE_DEFAULT,
  ledgersOf,
  type KeyLedger,
  type PromiseOptions,
  type ReadEntry,
  type WriteEntry,
} from './key-ledger.js';
import { DELETED, Reflection, type Reflected } from './reflection.js';
import {
  nameOf,
  operationsOf,
  show,
  tellRead,
  tellSuperseded,
  tellWrite,
  Violations,
  type Violation,
} from './witness-lines.js';

export type SessionReadGuarantee = 'read-your-writes' | 'monotonic-reads';

export interface SessionReadOptions extends PromiseOptions {
  /** The processes whose calls are bound to a session of their own; all but the judge by default. */
  readonly processes?: ReadonlySet<number | string>;
}

export function checkSessionReads(
  operations: readonly Operation[],
  guarantee: SessionReadGuarantee,
  options: SessionReadOptions = {},
): Verdict {
  const ledgers = ledgersOf(operations, options);
  if ('validity' in ledgers) return ledgers;
  const violations = new Violations();
  const reflection = new Reflection();
  const judge = options.judge ?? JUDGE_DEFAULT;
  for (const ledger of ledgers) {
    for (const [process, steps] of stepsByProcess(ledger)) {
      if (options.processes === undefined ? process === judge : !options.processes.has(process)) continue;
      const broken =
        guarantee === 'read-your-writes'
          ? brokenOwnWrites(steps, reflection)
          : brokenMonotonicity(steps, reflection);
      if (broken !== undefined) violations.add(() => witnessOf(guarantee, ledger.key, broken));
    }
  }
  if (reflection.exhausted && violations.count === 0)
    return { validity: 'unknown', reason: `the budget ran out before ${guarantee} was decided` };
  return violations.verdict({
    validity: 'valid',
    reason: `${guarantee} holds over ${operationsOf(ledgers)}`,
  });
}

type Step = { readonly write: WriteEntry } | { readonly read: ReadEntry };

/** What each process did to the key, in its order. */
function stepsByProcess(ledger: KeyLedger): Map<number | string, Step[]> {
  const steps: (Step & { readonly at: Operation })[] = [
    ...ledger.writes.map((write) => ({ write, at: write.operation })),
    ...ledger.reads.map((read) => ({ read, at: read.operation })),
  ];
  steps.sort((a, b) => a.at.invokedAt - b.at.invokedAt);
  const byProcess = new Map<number | string, Step[]>();
  for (const step of steps) {
    const own = byProcess.get(step.at.process);
    if (own === undefined) byProcess.set(step.at.process, [step]);
    else own.push(step);
  }
  return byProcess;
}

interface Broken {
  readonly read: ReadEntry;
  /** What is lacking, or what is shown though superseded. */
  readonly value: WriteEntry;
  /** The own write or the earlier read that forbids it. */
  readonly after: { readonly own: WriteEntry } | { readonly earlier: ReadEntry };
  readonly lacking: boolean;
}

function brokenOwnWrites(steps: readonly Step[], reflection: Reflection): Broken | undefined {
  const groups: ReflectedGroups = new Map();
  const superseded = new Map<WriteEntry, WriteEntry>();
  for (const step of steps) {
    if ('write' in step) {
      const { write } = step;
      if (!isAcknowledged(write)) continue;
      for (const earlier of write.seen) superseded.set(earlier, write);
      if (write.value !== null) groups.set(write, [write]);
      continue;
    }
    const { read } = step;
    for (const value of read.entries) {
      const own = superseded.get(value);
      if (own !== undefined) return { read, value, after: { own }, lacking: false };
    }
    const lacking = regroup(groups, read, reflection);
    if (lacking !== undefined) return { read, value: lacking, after: { own: lacking }, lacking: true };
  }
  return undefined;
}

/** Own writes by what reflected them last: each member leads there. Those that a delete may have taken are dropped. */
type ReflectedGroups = Map<WriteEntry, WriteEntry[]>;

/** Moves every group to what reflects it in this read; the first member that nothing reflects is returned. */
function regroup(groups: ReflectedGroups, read: ReadEntry, reflection: Reflection): WriteEntry | undefined {
  const before = read.operation.completedAt;
  const move = (to: Reflected, members: WriteEntry[]): void => {
    if (to === DELETED) return;
    const there = groups.get(to);
    if (there === undefined) groups.set(to, members);
    else if (there.length >= members.length) there.push(...members);
    else {
      members.push(...there);
      groups.set(to, members);
    }
  };
  for (const [leader, members] of [...groups]) {
    if (read.entries.has(leader)) continue;
    groups.delete(leader);
    const to = reflection.find(leader, read.entries, before);
    if (to !== undefined) {
      move(to, members);
      continue;
    }
    for (const member of members) {
      const other = reflection.find(member, read.entries, before);
      if (other === undefined) return member;
      move(other, [member]);
    }
  }
  return undefined;
}

function brokenMonotonicity(steps: readonly Step[], reflection: Reflection): Broken | undefined {
  let previous: ReadEntry | undefined;
  /** Values that a read showed and a later one did not, with that later one. */
  const gone = new Map<WriteEntry, ReadEntry>();
  for (const step of steps) {
    if ('write' in step) continue;
    const { read } = step;
    for (const value of read.entries) {
      const earlier = gone.get(value);
      if (earlier !== undefined) return { read, value, after: { earlier }, lacking: false };
    }
    for (const value of previous?.entries ?? []) {
      if (read.entries.has(value)) continue;
      if (reflection.find(value, read.entries, read.operation.completedAt) === undefined)
        return { read, value, after: { earlier: previous as ReadEntry }, lacking: true };
      gone.set(value, read);
    }
    previous = read;
  }
  return undefined;
}

function witnessOf(guarantee: SessionReadGuarantee, key: string, broken: Broken): Violation {
  const { read, value, after, lacking } = broken;
  const { process } = read.operation;
  const name = show(value.value);
  const lines: string[] = [];
  if ('earlier' in after) lines.push(tellRead(key, after.earlier));
  else if (!lacking) lines.push(tellSuperseded(value, after.own));
  if ('earlier' in after === false || lacking) lines.push(tellWrite(value));
  lines.push(tellRead(key, read));
  if (lacking)
    lines.push(`nothing shown is ${name} or descends from a write that had seen it, and no delete had`);
  else if ('earlier' in after) lines.push(`${name} had been shown to process ${process} and had gone before`);
  const what = lacking ? `lacks ${name}` : `shows ${name} again`;
  return {
    reason: `${guarantee} is broken: process ${process} ${what} of ${nameOf(key)}`,
    witness: {
      lines,
      operations: [
        value.operation,
        'own' in after ? after.own.operation : after.earlier.operation,
        read.operation,
      ].filter((operation, i, all) => all.indexOf(operation) === i),
    },
  };
}
