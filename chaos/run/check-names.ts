/** What an experiment may ask to have checked; `checks.ts` has the checkers. */
export const CHECK_NAMES = [
  'converged',
  'acknowledged-kept',
  'no-resurrection',
  'nothing-from-nowhere',
  'no-doubled-effect',
  'freshness',
  'read-your-writes',
  'monotonic-reads',
  'lost-updates',
  'last-writer-wins',
  'counter-total',
  'set-elements',
  'bank-total',
  'linearizable',
  'sequential',
  'causal',
  'serializable',
] as const;

export type CheckName = (typeof CHECK_NAMES)[number];
