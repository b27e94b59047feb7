/** Every planted bug, by name. */
import { didYouMean } from '../../src/cluster/did-you-mean.js';
import { TrefoilError } from '../../src/core/errors.js';
import { LEADER_FOLLOWER_BUGS } from './leader-follower-bugs.js';
import { LEADERLESS_BUGS } from './leaderless-bugs.js';
import type { PlantedBug } from './planted-bug.js';

export const PLANTED_BUGS: readonly PlantedBug[] = [...LEADERLESS_BUGS, ...LEADER_FOLLOWER_BUGS];

/** Throws `BadRequest` for a name that none has. */
export function bugNamed(name: string): PlantedBug {
  const bug = PLANTED_BUGS.find((one) => one.name === name);
  if (bug !== undefined) return bug;
  const names = PLANTED_BUGS.map((one) => one.name);
  throw new TrefoilError(
    'BadRequest',
    `there is no planted bug ${name}${didYouMean(name, names)}; trefoil sim list --bugs names all ${String(names.length)}`,
  );
}
