/** What an experiment may ask to have checked, and of which workloads; `checks.ts` has the checkers. */
import type { WorkloadName } from '../workloads/workload-names.js';

export const CHECK_NAMES = [
  'converged',
  'acknowledged-kept',
  'no-resurrection',
  'nothing-from-nowhere',
  'no-doubled-effect',
  'freshness',
  'read-your-writes',
  'monotonic-reads',
  'monotonic-writes',
  'writes-follow-reads',
  'lost-updates',
  'reads-repair',
  'stand-ins-used',
  'forgotten',
  'fail-over-losses',
  'steady-leaders',
  'expiry',
  'last-writer-wins',
  'counter-total',
  'set-elements',
  'bank-total',
  'linearizable',
  'sequential',
  'causal',
  'serializable',
  'strict-serializable',
] as const;

export type CheckName = (typeof CHECK_NAMES)[number];

const OF_REGISTERS: readonly CheckName[] = [
  'converged',
  'acknowledged-kept',
  'nothing-from-nowhere',
  'linearizable',
  'sequential',
  'causal',
  'read-your-writes',
  'monotonic-reads',
  'monotonic-writes',
  'writes-follow-reads',
];

/** The checks that know a workload's operations. `converged` is about the replicas, and goes with all. */
export const CHECKS_OF: Readonly<Record<WorkloadName, readonly CheckName[]>> = {
  siblings: [
    'converged',
    'acknowledged-kept',
    'no-resurrection',
    'nothing-from-nowhere',
    'no-doubled-effect',
    'freshness',
    'read-your-writes',
    'monotonic-reads',
    'lost-updates',
    'reads-repair',
    'stand-ins-used',
    'forgotten',
  ],
  register: [...OF_REGISTERS, 'fail-over-losses', 'steady-leaders', 'expiry', 'last-writer-wins'],
  'cas-register': OF_REGISTERS,
  counter: ['converged', 'counter-total'],
  set: ['converged', 'set-elements'],
  'list-append': ['converged', 'serializable', 'strict-serializable'],
  bank: ['converged', 'bank-total'],
  photos: ['converged', 'set-elements'],
};
