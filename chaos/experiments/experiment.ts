/**
 * Experiments: one YAML file each that composes a cluster, a workload, faults over time, and a healing phase in
 * which everything is repaired and the cluster must agree and serve within a stated time.
 *
 *     name, summary
 *     cluster:   how many nodes, and namespaces as a cluster config has them
 *     workload:  what the clients do                       (chaos/workloads)
 *     durationMs                                            the fault phase
 *     faults:    drawn from the seed, or given by time, or both  (chaos/faults)
 *     heal:      how long agreement may take
 *     checks:    which promises must hold, and which are only reported  (chaos/run/checks.ts)
 *
 * Times are virtual milliseconds in a simulation. A file that is wrong anywhere is refused whole, with each problem and its line.
 */
import { isNode, LineCounter, parseDocument, stringify } from 'yaml';
import { z } from 'zod';
import { parseClusterConfig, type ClusterConfig } from '../../src/cluster/config.js';
import { TrefoilError } from '../../src/core/errors.js';
import { drawnFaultSchema, faultSchema } from '../faults/fault-schema.js';
import { CHECK_NAMES } from '../run/check-names.js';
import { WORKLOAD_NAMES } from '../workloads/workload-names.js';

const range = z.tuple([z.number().min(0), z.number().min(0)]);
const level = z.union([z.enum(['one', 'quorum', 'all']), z.number().int().min(1)]);

const experimentSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, { error: 'lower-case letters, digits and dashes' }),
  summary: z.string().min(1),
  cluster: z.strictObject({
    nodes: z.number().int().min(1).max(9).default(3),
    /** Zone of each node in turn, where placement shall know. */
    zones: z.array(z.string()).optional(),
    namespaces: z.array(z.record(z.string(), z.unknown())).min(1),
  }),
  workload: z.strictObject({
    name: z.enum(WORKLOAD_NAMES),
    namespace: z.string(),
    clients: z.number().int().min(1).max(64).default(4),
    rate: z.number().positive().max(100_000).default(50),
    keys: z.number().int().min(1).max(1_000_000).default(5),
    keyChoice: z.enum(['uniform', 'zipfian']).default('uniform'),
    read: level.optional(),
    write: level.optional(),
    session: z.boolean().default(false),
    timeoutMs: z.number().int().min(10).max(60_000).default(1_500),
  }),
  durationMs: z.number().min(100).max(86_400_000).default(20_000),
  faults: z
    .strictObject({
      pauseMs: range.default([300, 1_800]),
      draw: z.array(drawnFaultSchema).default([]),
      schedule: z.array(faultSchema).default([]),
    })
    .prefault({}),
  heal: z.strictObject({ withinMs: z.number().min(1).default(60_000) }).prefault({}),
  checks: z.strictObject({
    promised: z.array(z.enum(CHECK_NAMES)).min(1),
    reported: z.array(z.enum(CHECK_NAMES)).default([]),
  }),
  /** A seed that once failed: the bug that it found is named in the summary, and stays found. */
  seed: z.number().int().optional(),
});

export type Experiment = z.infer<typeof experimentSchema>;

/**
 * Reads an experiment; `file` is its name, for messages. Throws `ConfigInvalid` with a line `file:line: reason` for
 * each problem.
 */
export function parseExperiment(text: string, file: string): Experiment {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (offset: number | undefined): number =>
    offset === undefined ? 1 : lines.linePos(offset).line;
  const broken = document.errors.map((e) => `${file}:${String(lineOf(e.pos[0]))}: ${e.message}`);
  if (broken.length > 0) throw new TrefoilError('ConfigInvalid', broken.join('\n'));
  const parsed = experimentSchema.safeParse(document.toJS({ maxAliasCount: 100 }));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => {
      const node = path.length === 0 ? document.contents : document.getIn(path as (string | number)[], true);
      const line = lineOf(isNode(node) ? node.range?.[0] : undefined);
      return `${file}:${String(line)}: ${path.join('.')}: ${message}`;
    });
    throw new TrefoilError('ConfigInvalid', problems.join('\n'));
  }
  checkNames(parsed.data, file);
  return parsed.data;
}

/** An experiment as a file of results holds it: the same checks again. */
export function checkExperiment(value: unknown, file: string): Experiment {
  return parseExperiment(stringify(value), file);
}

/** Names of the nodes of an experiment, in order. */
export function nodeNames(experiment: Experiment): string[] {
  return Array.from({ length: experiment.cluster.nodes }, (_, i) => `n${String(i + 1)}`);
}

/** The text of the cluster config that an experiment's cluster starts with. */
export function clusterConfigText(experiment: Experiment): string {
  const { zones, namespaces } = experiment.cluster;
  return stringify({
    cluster: 'simulated',
    nodes: nodeNames(experiment).map((id, i) => ({
      id,
      host: `${id}.test`,
      port: 7000,
      dataDir: `./${id}`,
      ...(zones === undefined ? {} : { zone: zones[i % zones.length] }),
    })),
    namespaces,
  });
}

export function clusterConfigOf(experiment: Experiment): ClusterConfig {
  return parseClusterConfig(clusterConfigText(experiment), `cluster of ${experiment.name}`);
}

/** What must hold between fields. */
function checkNames(experiment: Experiment, file: string): void {
  const problems: string[] = [];
  const config = clusterConfigOf(experiment);
  const { namespace } = experiment.workload;
  if (!config.namespaces.some(({ name }) => name === namespace)) {
    problems.push(`workload.namespace: ${namespace} is none of the cluster's namespaces`);
  }
  const nodes = new Set(nodeNames(experiment));
  experiment.faults.schedule.forEach((fault, i) => {
    const place = `faults.schedule.${String(i)}`;
    const named = Object.entries(fault).flatMap(([field, value]) =>
      ['node', 'from', 'to', 'order'].includes(field) ? ([value].flat() as unknown[]) : [],
    );
    for (const name of named) {
      if (typeof name === 'string' && !nodes.has(name)) {
        problems.push(`${place}: there is no node ${name} (they are ${[...nodes].join(', ')})`);
      }
    }
    if (fault.atMs > experiment.durationMs) problems.push(`${place}: begins after durationMs`);
  });
  if (problems.length > 0) {
    throw new TrefoilError('ConfigInvalid', problems.map((reason) => `${file}: ${reason}`).join('\n'));
  }
}
