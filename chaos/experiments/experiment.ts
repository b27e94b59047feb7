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
import { stringify } from 'yaml';
import { z } from 'zod';
import { parseClusterConfig, type ClusterConfig } from '../../src/cluster/config.js';
import { TrefoilError } from '../../src/core/errors.js';
import { nodesOf, type Fault, type FaultName } from '../faults/fault.js';
import { drawnFaultSchema, faultSchema, range } from '../faults/fault-schema.js';
import { CHECK_NAMES, CHECKS_OF } from '../run/check-names.js';
import {
  CONDITIONAL_WORKLOADS,
  LEADER_WORKLOADS,
  PHOTO_NAMESPACES,
  POLICIES_OF,
  WORKLOAD_NAMES,
} from '../workloads/workload-names.js';
import { tell, tellIssue, type Problem } from './tell-issue.js';
import { readYaml } from './yaml-lines.js';

/** Between two drawn faults; it bounds how many there can be. */
const PAUSE_MS_MIN = 10;

const QUORUM_LEVELS = ['one', 'quorum', 'all'] as const;
const READ_MODES = ['linearizable', 'session', 'follower'] as const;

const level = z.union([z.enum(QUORUM_LEVELS), z.number().int().min(1)]);

const experimentSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, { error: 'lower-case letters, digits and dashes' }),
  summary: z.string().min(1),
  cluster: z.strictObject({
    nodes: z.number().int().min(1).max(9).default(3),
    /** Zone of each node in turn, where placement shall know. */
    zones: z.array(z.string()).optional(),
    /** Other intervals and sizes than the nodes' own, so that a short run sees what they make rare. */
    pace: z
      .strictObject({
        compareMs: z.number().min(50).optional(),
        pruneMs: z.number().min(50).optional(),
        retryAgeMs: z.number().min(50).optional(),
        appendBytesMax: z.number().int().min(1).optional(),
      })
      .prefault({}),
    namespaces: z.array(z.record(z.string(), z.unknown())).min(1),
  }),
  workload: z.strictObject({
    name: z.enum(WORKLOAD_NAMES),
    namespace: z.string(),
    clients: z.number().int().min(1).max(64).default(4),
    rate: z.number().positive().max(100_000).default(50),
    keys: z.number().int().min(1).max(1_000_000).default(5),
    keyChoice: z.enum(['uniform', 'zipfian']).default('uniform'),
    read: z.union([level, z.enum(READ_MODES)]).optional(),
    write: level.optional(),
    ack: z.enum(['leader', 'quorum', 'all']).optional(),
    session: z.boolean().default(false),
    timeoutMs: z.number().int().min(10).max(60_000).default(1_500),
  }),
  durationMs: z.number().min(100).max(86_400_000).default(20_000),
  faults: z
    .strictObject({
      pauseMs: range(PAUSE_MS_MIN, 86_400_000).default([300, 1_800]),
      draw: z.array(drawnFaultSchema).default([]),
      schedule: z.array(faultSchema).default([]),
    })
    .prefault({}),
  heal: z
    .strictObject({
      withinMs: z.number().min(1).default(60_000),
      /**
       * Who brings agreement about. `background`: hints and anti-entropy, within the time from the end of the fault phase.
       * `reads`: one read of every key from all replicas, at once when all nodes are up, and within the time from then.
       */
      by: z.enum(['background', 'reads']).default('background'),
      /** For the check `forgotten`: how long until nothing is left of the keys, from when the last of them was deleted. */
      forgetWithinMs: z.number().min(1).default(240_000),
    })
    .prefault({}),
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
  const source = readYaml(text);
  refuse(
    source.problems.map(({ line, reason }) => `${String(line)}: ${reason}`),
    file,
  );
  const parsed = experimentSchema.safeParse(source.value);
  if (!parsed.success) {
    refuse(
      parsed.error.issues.flatMap((issue) => tellIssue(issue, source)),
      file,
    );
    throw parsed.error;
  }
  refuse(
    problemsBetween(parsed.data).map(({ path, reason }) => tell(path, reason, source.lineOf)),
    file,
  );
  return parsed.data;
}

/** Each problem as `line: reason`. */
function refuse(problems: readonly string[], file: string): void {
  if (problems.length === 0) return;
  throw new TrefoilError('ConfigInvalid', problems.map((problem) => `${file}:${problem}`).join('\n'));
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

const configs = new WeakMap<Experiment, ClusterConfig>();

/** What the text says, parsed once for each experiment: checks and phases of a run ask for it again and again. */
export function clusterConfigOf(experiment: Experiment): ClusterConfig {
  const known = configs.get(experiment);
  if (known !== undefined) return known;
  const config = parseClusterConfig(clusterConfigText(experiment), `cluster of ${experiment.name}`);
  configs.set(experiment, config);
  return config;
}

/** What must hold between fields. */
function problemsBetween(experiment: Experiment): Problem[] {
  return [
    ...clusterProblems(experiment),
    ...experiment.faults.schedule.flatMap((fault, i) =>
      scheduleProblems(fault, experiment).map((reason) => ({ path: ['faults', 'schedule', i], reason })),
    ),
    ...experiment.faults.draw.flatMap(({ fault }, i) => {
      const reason = `${fault} is between nodes, and there is only one`;
      const isAlone = experiment.cluster.nodes === 1 && BETWEEN_NODES.has(fault);
      return isAlone ? [{ path: ['faults', 'draw', i], reason }] : [];
    }),
    ...repeatedChecks(experiment),
    ...unfitChecks(experiment),
  ];
}

const BETWEEN_NODES: ReadonlySet<FaultName> = new Set(['partition', 'clog', 'slow-link', 'narrow']);

/** What the cluster config would refuse, told of the experiment's own lines. */
function clusterProblems(experiment: Experiment): Problem[] {
  const { namespaces } = experiment.cluster;
  let config: ClusterConfig;
  try {
    config = clusterConfigOf(experiment);
  } catch (error) {
    if (!(error instanceof TrefoilError)) throw error;
    return error.message.split('\n').map((line) => {
      const reason = line.slice(line.indexOf(': ') + 2);
      const about = namespaces.findIndex(({ name }) => reason.includes(`namespace ${String(name)}:`));
      return { path: about < 0 ? ['cluster', 'namespaces'] : ['cluster', 'namespaces', about], reason };
    });
  }
  const { namespace } = experiment.workload;
  const used = config.namespaces.find(({ name }) => name === namespace);
  if (used !== undefined) return workloadProblems(experiment, config, used);
  const known = config.namespaces.map(({ name }) => name).join(', ');
  const reason = `${namespace} is none of the cluster's namespaces (${known})`;
  return [{ path: ['workload', 'namespace'], reason }];
}

/** A workload on a namespace that cannot take its operations would tell of broken promises where there are none. */
function workloadProblems(
  { workload }: Experiment,
  config: ClusterConfig,
  used: ClusterConfig['namespaces'][number],
): Problem[] {
  const policies = POLICIES_OF[workload.name];
  const takes =
    used.strategy === 'leaderless'
      ? policies.includes(used.conflict)
      : LEADER_WORKLOADS.includes(workload.name);
  if (!takes) {
    const has = used.strategy === 'leaderless' ? used.conflict : `strategy: ${used.strategy}`;
    const needs = policies.length > 0 ? `conflict: ${policies.join(' or ')}` : 'strategy: leader-follower';
    const reason = `the workload ${workload.name} is for ${needs}, and ${used.name} has ${has}`;
    return [{ path: ['workload', 'namespace'], reason }];
  }
  const unfit = unfitLevels(workload, used);
  if (unfit.length > 0) return unfit;
  if (workload.name !== 'photos') return [];
  const known: readonly string[] = config.namespaces.map(({ name }) => name);
  const missing = PHOTO_NAMESPACES.filter((name) => !known.includes(name));
  if (missing.length === 0) return [];
  const reason = `the workload photos is for namespaces ${PHOTO_NAMESPACES.join(', ')}; there is no ${missing.join(', no ')}`;
  return [{ path: ['cluster', 'namespaces'], reason }];
}

/** Levels of the other strategy, and what an acknowledgement by the leader alone cannot have. */
function unfitLevels(
  { name, read, write, ack }: Experiment['workload'],
  used: ClusterConfig['namespaces'][number],
): Problem[] {
  const has = `${used.name} has strategy: ${used.strategy}`;
  const isMode = READ_MODES.some((mode) => mode === read);
  const problem = (field: string, reason: string): Problem => ({ path: ['workload', field], reason });
  if (used.strategy === 'leaderless') {
    if (isMode) return [problem('read', `${String(read)} is for strategy: leader-follower, and ${has}`)];
    return ack === undefined ? [] : [problem('ack', `ack is for strategy: leader-follower, and ${has}`)];
  }
  if (read !== undefined && !isMode)
    return [problem('read', `${String(read)} is for strategy: leaderless, and ${has}`)];
  if (write !== undefined) return [problem('write', `write is for strategy: leaderless, and ${has}`)];
  if ((ack ?? used.ack) !== 'leader' || !CONDITIONAL_WORKLOADS.includes(name)) return [];
  const reason = `the workload ${name} has conditional writes, which ack: leader cannot answer`;
  return [problem(ack === undefined ? 'namespace' : 'ack', reason)];
}

/** What is wrong with a fault of a schedule or a plan, as one of this experiment. */
export function scheduleProblems(fault: Fault, experiment: Experiment): string[] {
  const nodes = nodeNames(experiment);
  const unknown = nodesOf(fault).filter((name) => !nodes.includes(name));
  const late = fault.atMs > experiment.durationMs;
  return [
    ...unknown.map((name) => `there is no node ${name} (they are ${nodes.join(', ')})`),
    ...(late
      ? [`it begins at ${String(fault.atMs)}, after durationMs ${String(experiment.durationMs)}`]
      : []),
  ];
}

function repeatedChecks({ checks }: Experiment): Problem[] {
  const seen = new Set<string>();
  return (['promised', 'reported'] as const).flatMap((list) =>
    checks[list].flatMap((name, i) => {
      const isNew = !seen.has(name);
      seen.add(name);
      return isNew ? [] : [{ path: ['checks', list, i], reason: `${name} is named twice` }];
    }),
  );
}

/** A check that does not know the workload's operations would end every run. */
function unfitChecks({ checks, workload }: Experiment): Problem[] {
  const fitting = CHECKS_OF[workload.name];
  return (['promised', 'reported'] as const).flatMap((kind) =>
    checks[kind].flatMap((name, i) => {
      const reason = `${name} does not go with the workload ${workload.name}, which has ${fitting.join(', ')}`;
      return fitting.includes(name) ? [] : [{ path: ['checks', kind, i], reason }];
    }),
  );
}
