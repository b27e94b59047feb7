/** Majorities: the arithmetic of votes and of commitment, apart from everything that votes. */

/** The least number of `voters` that any two such sets share a member of. */
export function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

export type VoteResult = 'won' | 'lost' | 'pending';

/** The outcome of an election in which `granted` and `refused` of `voters` have answered. */
export function voteResult(voters: number, granted: number, refused: number): VoteResult {
  const needed = majorityOf(voters);
  if (granted >= needed) return 'won';
  return voters - refused < needed ? 'lost' : 'pending';
}

/**
 * The highest index that a majority has: `acked` holds one index for each voter, 0 for one that has nothing or does not count.
 * Without voters nothing is ever decided: 0.
 */
export function majorityIndex(acked: readonly number[]): number {
  if (acked.length === 0) return 0;
  const sorted = [...acked].sort((a, b) => b - a);
  return sorted[majorityOf(acked.length) - 1] as number;
}
