/** The planted bugs of leaderless replication. `trefoil sim bugs` hunts them all. */
import type { PlantedBug } from './planted-bug.js';

export const LEADERLESS_BUGS: readonly PlantedBug[] = [
  {
    name: 'skip-read-repair',
    strategy: 'leaderless',
    summary: 'a read leaves stale replicas as they are',
    file: 'src/replication/leaderless/read-coordinator.ts',
    edits: [['if (bytes === null || stale.length === 0)', 'if (true)']],
    experiments: [],
    seedsMax: 50,
  },
];
