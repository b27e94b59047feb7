/**
 * The checks of an experiment, by name: which checker, over which operations. All see the final reads too, which
 * are the process `judge`.
 */
import { TrefoilError } from '../../src/core/errors.js';
import type { GroupCopies } from '../../src/simulation/copies.js';
import { checkBank } from '../checkers/objects/bank.js';
import { checkCausal } from '../checkers/consistency/causal.js';
import { checkSessionGuarantee, type SessionGuarantee } from '../checkers/consistency/session-guarantees.js';
import { checkSequential } from '../checkers/consistency/sequential.js';
import { checkLinearizable } from '../checkers/linearizability/check-linearizable.js';
import { checkAcknowledgedKept } from '../checkers/promises/acknowledged-kept.js';
import { checkConvergence } from '../checkers/promises/convergence.js';
import { checkCounterTotal } from '../checkers/promises/counter-total.js';
import { checkExpiry } from '../checkers/promises/expiry.js';
import { checkFreshness } from '../checkers/promises/freshness.js';
import { checkLastWriterWins } from '../checkers/promises/last-writer-wins.js';
import type { ReadPromiseOptions } from '../checkers/promises/key-ledger.js';
import { checkLostUpdates } from '../checkers/promises/lost-updates.js';
import { checkNoDoubledEffect } from '../checkers/promises/no-doubled-effect.js';
import { checkNoResurrection } from '../checkers/promises/no-resurrection.js';
import { checkNothingFromNowhere } from '../checkers/promises/nothing-from-nowhere.js';
import { checkRegistersKept } from '../checkers/promises/registers-kept.js';
import { checkSessionReads } from '../checkers/promises/session-reads.js';
import { checkSetElements } from '../checkers/promises/set-elements.js';
import { checkListAppend } from '../checkers/transactions/list-append.js';
import { worstOf, type CheckBudget, type Verdict } from '../checkers/verdict.js';
import type { Experiment } from '../experiments/experiment.js';
import { readsPromiseFreshness, usedNamespace } from '../experiments/used-namespace.js';
import type { HistoryEvent, Operation } from '../history/history.js';
import { operationsOf } from '../history/pairing.js';
import type { CheckName } from './check-names.js';

export interface CheckResult {
  /** A name of `CHECK_NAMES`, or what every run must do: `runs`, `served`, `deterministic`. */
  readonly name: CheckName | 'runs' | 'served' | 'deterministic';
  readonly promised: boolean;
  readonly verdict: Verdict;
}

/** A run must not take minutes because a history is hard to place. */
const BUDGET: CheckBudget = { stepsMax: 2_000_000, bytesMax: 64 * 1024 * 1024 };

/** What a run leaves to be judged. */
export interface RunEvidence {
  readonly history: readonly HistoryEvent[];
  /** Of the replicas once they have had their time to agree. */
  readonly copies: readonly GroupCopies[];
  /** The sums of all nodes' counters, also of those that ended. */
  readonly counters: Readonly<Record<string, number>>;
  /** What is left of the keys after all were deleted, for people; undefined where they were not. */
  readonly remains: readonly string[] | undefined;
}

interface Evidence extends Omit<RunEvidence, 'history'> {
  readonly experiment: Experiment;
  readonly operations: readonly Operation[];
}

const CHECKERS: Readonly<Record<CheckName, (evidence: Evidence) => Verdict>> = {
  converged: ({ copies }) => converged(copies),
  'acknowledged-kept': ({ experiment, operations }) =>
    hasSiblings(experiment) ? checkAcknowledgedKept(operations) : checkRegistersKept(operations, 'promised'),
  'no-resurrection': ({ experiment, operations }) => checkNoResurrection(operations, reads(experiment)),
  'nothing-from-nowhere': ({ operations }) => checkNothingFromNowhere(operations),
  'no-doubled-effect': ({ experiment, operations }) => checkNoDoubledEffect(operations, reads(experiment)),
  freshness: ({ operations }) => checkFreshness(operations),
  'read-your-writes': (evidence) => sessionGuarantee(evidence, 'read-your-writes'),
  'monotonic-reads': (evidence) => sessionGuarantee(evidence, 'monotonic-reads'),
  'monotonic-writes': (evidence) => sessionGuarantee(evidence, 'monotonic-writes'),
  'writes-follow-reads': (evidence) => sessionGuarantee(evidence, 'writes-follow-reads'),
  'lost-updates': ({ operations }) => checkLostUpdates(operations),
  'reads-repair': ({ counters }) => readsRepair(counters['read_repairs'] ?? 0),
  'stand-ins-used': ({ counters }) => standInsUsed(counters['stand_in_hints_kept'] ?? 0),
  forgotten: ({ remains }) => forgotten(remains),
  'fail-over-losses': ({ operations }) => checkRegistersKept(operations, 'reported'),
  'steady-leaders': ({ counters, copies }) => steadyLeaders(counters['elections_won'] ?? 0, copies.length),
  expiry: ({ experiment, operations }) => expiry(operations, ttlMsOf(experiment)),
  'last-writer-wins': ({ operations }) => checkLastWriterWins(operations),
  'counter-total': ({ operations }) => checkCounterTotal(operations),
  'set-elements': ({ operations }) => checkSetElements(operations),
  'bank-total': ({ operations }) => checkBank(operations, {}),
  linearizable: ({ experiment, operations }) =>
    checkLinearizable(operations, {
      model: experiment.workload.name === 'cas-register' ? 'cas-register' : 'register',
      // A value whose time has come is gone without a write.
      nilReads: ttlMsOf(experiment) > 0 ? 'unknown' : 'absent',
      budget: BUDGET,
    }),
  sequential: ({ operations }) => checkSequential(operations, { budget: BUDGET }),
  causal: ({ operations }) => checkCausal(operations, { budget: BUDGET }),
  serializable: ({ operations }) => checkListAppend(operations, { consistency: 'serializable' }),
  'strict-serializable': ({ operations }) =>
    checkListAppend(operations, { consistency: 'strict-serializable' }),
};

export function runChecks(experiment: Experiment, { history, ...rest }: RunEvidence): CheckResult[] {
  const { checks } = experiment;
  const evidence = { experiment, operations: operationsOf(history), ...rest };
  const named = (names: readonly CheckName[], promised: boolean): CheckResult[] =>
    names.map((name) => ({ name, promised, verdict: verdictOf(name, evidence) }));
  return [...named(checks.promised, true), ...named(checks.reported, false)];
}

/** A checker that is not for this kind of history cannot tell. */
function verdictOf(name: CheckName, evidence: Evidence): Verdict {
  try {
    return CHECKERS[name](evidence);
  } catch (error) {
    if (!(error instanceof TrefoilError)) throw error;
    return { validity: 'unknown', reason: error.message };
  }
}

function hasSiblings({ workload }: Experiment): boolean {
  return workload.name === 'siblings';
}

function sessionGuarantee({ experiment, operations }: Evidence, guarantee: SessionGuarantee): Verdict {
  const isOfReads = guarantee === 'read-your-writes' || guarantee === 'monotonic-reads';
  return isOfReads && hasSiblings(experiment)
    ? checkSessionReads(operations, guarantee)
    : checkSessionGuarantee(operations, guarantee, { budget: BUDGET });
}

/** Reads that need not meet what was acknowledged may show what it replaced, all but the final ones. */
function reads(experiment: Experiment): ReadPromiseOptions {
  const promise = readsPromiseFreshness(experiment);
  return { isQuorumRead: () => promise };
}

/** How long the values of the namespace under test live; 0 for ever. */
function ttlMsOf(experiment: Experiment): number {
  return usedNamespace(experiment).ttlMs;
}

function expiry(operations: readonly Operation[], ttlMs: number): Verdict {
  if (ttlMs > 0) return checkExpiry(operations, { ttlMs });
  return { validity: 'unknown', reason: 'the values of the namespace live for ever' };
}

function converged(copies: readonly GroupCopies[]): Verdict {
  const verdicts = copies.map(({ replicas }) => checkConvergence(replicas));
  return worstOf(verdicts, `the replicas of all ${String(copies.length)} groups agree byte for byte`);
}

/** For experiments in which a majority has heard its leader all the while: each group has elected one, and handed over to the preferred one at most. */
function steadyLeaders(elections: number, groups: number): Verdict {
  const reason = `${String(elections)} elections were won in ${String(groups)} group${groups === 1 ? '' : 's'}`;
  return { validity: elections <= 2 * groups ? 'valid' : 'invalid', reason };
}

/** For experiments in which homes are sure to be missed while clients write. */
function standInsUsed(kept: number): Verdict {
  return kept > 0
    ? { validity: 'valid', reason: `stand-ins kept ${String(kept)} records for homes` }
    : { validity: 'invalid', reason: 'no stand-in kept anything for a home' };
}

/** Lines of a witness. */
const REMAINS_TOLD_MAX = 10;

function forgotten(remains: readonly string[] | undefined): Verdict {
  if (remains === undefined) return { validity: 'unknown', reason: 'the keys were not deleted' };
  if (remains.length === 0)
    return { validity: 'valid', reason: 'nothing is left of the keys once all are deleted' };
  return {
    validity: 'invalid',
    reason: `${String(remains.length)} records are left after every key was deleted`,
    witness: { lines: remains.slice(0, REMAINS_TOLD_MAX), operations: [] },
  };
}

/** For experiments in which reads are sure to meet stale replicas. */
function readsRepair(repairs: number): Verdict {
  return repairs > 0
    ? { validity: 'valid', reason: `reads brought stale replicas level ${String(repairs)} times` }
    : { validity: 'invalid', reason: 'no read brought a stale replica level' };
}
