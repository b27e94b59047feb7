/**
 * The cluster config: one YAML file that names the nodes and what each namespace promises.
 *
 *     cluster: photos-at-home          nodes and namespaces are lists; every field, its default and
 *     nodes:                           its limits are in `config-schema.ts`, and the files under
 *       - { id: n1, port: 7101, ... }  `cluster-configs/` explain them to people
 *     namespaces:
 *       - { name: photos, strategy: leaderless, ... }
 *
 * A config that is wrong anywhere is refused whole, with every problem found and the line of each: a
 * setting that is misspelt or cannot keep its promise must never become a default in silence.
 */
import { invariant } from '../core/invariant.js';
import { TrefoilError } from '../core/errors.js';
import type { NamespaceEntry, NodeEntry } from './cluster-map.js';
import { checkNamespaces, checkNodes, type NamespaceConfig } from './config-checks.js';
import { readEntry, type ConfigEntry } from './config-fields.js';
import { clusterSchema, nodeSchema, type ClusterFields, type NodeFields } from './config-schema.js';
import {
  FOREIGN_TO_LEADER_FOLLOWER,
  FOREIGN_TO_LEADERLESS,
  leaderFollowerSchema,
  leaderlessSchema,
  type LeaderFollowerFields,
  type LeaderlessFields,
} from './namespace-schema.js';
import { parseYaml, type Problem, type YamlNode } from './yaml-source.js';

/** A node as its config has it. `dataDir` is as written: relative paths start at the config file's folder. */
export interface ConfiguredNode extends NodeEntry {
  readonly dataDir: string;
}

export interface ClusterConfig {
  readonly cluster: string;
  readonly epoch: number;
  /** The secret that nodes and clients share; empty for none. Never part of the cluster map. */
  readonly credentials: string;
  /** In the file's order. */
  readonly nodes: readonly ConfiguredNode[];
  /** In the file's order. */
  readonly namespaces: readonly NamespaceEntry[];
}

/**
 * Reads a cluster config. `file` is its name, for messages only.
 *
 * Throws `ConfigInvalid` with one line `file:line: reason` for each problem, in the file's order.
 */
export function parseClusterConfig(text: string, file: string): ClusterConfig {
  const { root, problems } = parseYaml(text);
  const config = root === undefined ? undefined : readConfig(root, problems);
  if (problems.length > 0) throw new TrefoilError('ConfigInvalid', listProblems(problems, file));
  invariant(config !== undefined, 'a config without problems was read whole');
  return config;
}

function readConfig(root: YamlNode, problems: Problem[]): ClusterConfig | undefined {
  if (root.kind !== 'mapping') {
    const reason = 'not a cluster config: it must be a mapping with cluster, nodes and namespaces';
    problems.push({ line: root.line, reason });
    return undefined;
  }
  const kind = { schema: clusterSchema, alsoKnown: ['nodes', 'namespaces'], label: () => '' };
  const cluster = readEntry(root, kind, problems);
  // The fields again, for the two lists; their own problems have been reported by the line above.
  const fields = root.fields();
  const nodes = readList(root, fields, 'nodes', problems)?.map((node, i) =>
    readEntry(node, { schema: nodeSchema, label: labelBy('node', 'id', i) }, problems),
  );
  const namespaces = readList(root, fields, 'namespaces', problems)?.map((node, i) =>
    readNamespace(node, labelBy('namespace', 'name', i), problems),
  );
  checkNodes(nodes ?? [], problems);
  checkNamespaces(namespaces ?? [], nodes?.length, problems);
  if (problems.length > 0) return undefined;
  return {
    ...whole<ClusterFields>(cluster),
    nodes: (nodes ?? []).map((node) => whole<NodeFields>(node)),
    namespaces: (namespaces ?? []).map(toNamespaceEntry),
  };
}

function readList(
  root: YamlNode,
  fields: ReadonlyMap<string, YamlNode>,
  key: string,
  problems: Problem[],
): readonly YamlNode[] | undefined {
  const list = fields.get(key);
  const items = list?.items() ?? [];
  if (items.length > 0) return items;
  const empty = list === undefined ? 'is missing' : list.kind === 'list' ? 'is empty' : 'is not a list';
  problems.push({ line: (list ?? root).line, reason: `${key} ${empty}: it must list at least one` });
  return undefined;
}

function labelBy(what: string, field: string, index: number) {
  return (fields: ReadonlyMap<string, YamlNode>): string => {
    const name = fields.get(field)?.value;
    return typeof name === 'string' && name !== '' && name.length <= 64
      ? `${what} ${name}`
      : `${what} number ${index + 1}`;
  };
}

/** All fields of an entry that had no problem. */
function whole<Fields>(entry: ConfigEntry<Fields>): Fields {
  return entry.values as Fields;
}

/** Reads a namespace by the schema of its strategy; where it has none that is known, as a leaderless one. */
function readNamespace(
  node: YamlNode,
  label: (fields: ReadonlyMap<string, YamlNode>) => string,
  problems: Problem[],
): NamespaceConfig {
  const strategy = node.fields().get('strategy')?.value;
  if (strategy === 'leader-follower') {
    const kind = { schema: leaderFollowerSchema, foreign: FOREIGN_TO_LEADER_FOLLOWER, label };
    return { strategy, entry: readEntry(node, kind, problems) };
  }
  const kind = { schema: leaderlessSchema, foreign: FOREIGN_TO_LEADERLESS, label };
  return { strategy: 'leaderless', entry: readEntry(node, kind, problems) };
}

function toNamespaceEntry(namespace: NamespaceConfig): NamespaceEntry {
  switch (namespace.strategy) {
    case 'leaderless': {
      const { ttl, guarantee, ...fields } = whole<LeaderlessFields>(namespace.entry);
      void guarantee;
      return { ...fields, ttlMs: ttl };
    }
    case 'leader-follower': {
      const { ttl, guarantee, clockBound, ...fields } = whole<LeaderFollowerFields>(namespace.entry);
      void guarantee;
      const minReplicas = fields.minReplicas ?? fields.replicas;
      return { ...fields, minReplicas, clockBoundMs: clockBound, ttlMs: ttl };
    }
  }
}

function listProblems(problems: readonly Problem[], file: string): string {
  const sorted = problems.toSorted((a, b) => a.line - b.line);
  return [...new Set(sorted.map(({ line, reason }) => `${file}:${line}: ${reason}`))].join('\n');
}
