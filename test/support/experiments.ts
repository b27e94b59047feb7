/** Small experiments for tests of the laboratory. */
import { parseExperiment, type Experiment } from '../../chaos/experiments/experiment.js';

/** The least that an experiment says. */
export const SMALL_EXPERIMENT = `name: small
summary: as small as can be
cluster:
  nodes: 3
  namespaces:
    - { name: data, strategy: leaderless, partitions: 2 }
workload: { name: siblings, namespace: data }
checks: { promised: [converged] }
`;

/** The smallest experiment with more lines, or with other ones. */
export function smallExperiment(more = '', [from, to]: readonly [string, string] = ['', '']): Experiment {
  return parseExperiment(SMALL_EXPERIMENT.replace(from, to) + more, 'small.yaml');
}
