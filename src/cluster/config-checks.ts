/**
 * What must hold between the fields of a config: names and addresses are unique, and no namespace states
 * what its settings cannot keep. A check looks only at fields that were read well; the others have been
 * reported already.
 */
import { SIBLINGS_MAX } from '../core/limits.js';
import { isTyped } from '../core/views.js';
import { quorumSize, type QuorumLevel } from './cluster-map.js';
import type { ConfigEntry } from './config-fields.js';
import type { NodeFields } from './config-schema.js';
import { checkLeaderFollower } from './leader-follower-checks.js';
import type { LeaderFollowerFields, LeaderlessFields } from './namespace-schema.js';
import type { Problem } from './yaml-source.js';

/** A namespace as it was read, by the schema of its strategy. */
export type NamespaceConfig =
  | { readonly strategy: 'leaderless'; readonly entry: ConfigEntry<LeaderlessFields> }
  | { readonly strategy: 'leader-follower'; readonly entry: ConfigEntry<LeaderFollowerFields> };

/** What namespaces of all strategies have. */
type CommonEntry = ConfigEntry<Pick<LeaderlessFields, 'name' | 'replicas'>>;

/** Ids, addresses and data folders must each belong to one node. */
export function checkNodes(nodes: readonly ConfigEntry<NodeFields>[], problems: Problem[]): void {
  const ids = new Map<string, number>();
  const addresses = new Map<string, number>();
  const folders = new Map<string, number>();
  for (const node of nodes) {
    const { id, host, port, dataDir } = node.values;
    if (id !== undefined) once(ids, id, `id ${id} is taken`, node, 'id', problems);
    if (host === undefined) continue;
    const machine = canonicalHost(host);
    if (port !== undefined) {
      const what = `${host}:${port} is the address of another node`;
      once(addresses, `${machine} ${port}`, what, node, 'port', problems);
    }
    if (dataDir !== undefined) {
      const what = `dataDir ${dataDir} is the folder of another node on ${host}`;
      once(folders, `${machine} ${canonicalFolder(dataDir)}`, what, node, 'dataDir', problems);
    }
  }
}

/** Names are unique and every namespace can keep what it states. `nodeCount` is undefined where nodes could not be counted. */
export function checkNamespaces(
  namespaces: readonly NamespaceConfig[],
  nodeCount: number | undefined,
  problems: Problem[],
): void {
  const names = new Map<string, number>();
  for (const namespace of namespaces) {
    const common: CommonEntry = namespace.entry;
    const { name } = common.values;
    if (name !== undefined) once(names, name, `name ${name} is taken`, common, 'name', problems);
    checkReplicas(common, nodeCount, problems);
    switch (namespace.strategy) {
      case 'leaderless':
        checkQuorums(namespace.entry, problems);
        checkSloppy(namespace.entry, nodeCount, problems);
        checkTyped(namespace.entry, problems);
        checkGuarantee(namespace.entry, problems);
        break;
      case 'leader-follower':
        checkLeaderFollower(namespace.entry, problems);
        break;
    }
  }
}

/** Reports the second use of a key, with the line of the first. */
function once<Fields>(
  seen: Map<string, number>,
  key: string,
  what: string,
  entry: ConfigEntry<Fields>,
  field: keyof Fields & string,
  problems: Problem[],
): void {
  const line = entry.lineOf(field);
  const first = seen.get(key);
  if (first === undefined) seen.set(key, line);
  else problems.push({ line, reason: `${entry.label}: ${what}: see line ${first}` });
}

function canonicalHost(host: string): string {
  const lower = host.toLowerCase();
  return lower === 'localhost' || lower === '::1' ? '127.0.0.1' : lower;
}

/** `./a//b/../c/` and `a/c` are one folder. */
function canonicalFolder(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    const last = parts.at(-1);
    if (part === '..' && last !== undefined && last !== '..') parts.pop();
    else parts.push(part);
  }
  return `${path.startsWith('/') ? '/' : ''}${parts.join('/')}`;
}

function checkReplicas(namespace: CommonEntry, nodeCount: number | undefined, problems: Problem[]): void {
  const { replicas } = namespace.values;
  if (replicas === undefined || nodeCount === undefined || replicas <= nodeCount) return;
  const nodes = nodeCount === 1 ? 'there is only 1 node' : `there are only ${nodeCount} nodes`;
  problems.push({
    line: namespace.lineOf('replicas'),
    reason: `${namespace.label}: ${replicas} replicas need as many nodes, and ${nodes}: add nodes or set replicas to ${nodeCount}`,
  });
}

function checkQuorums(namespace: ConfigEntry<LeaderlessFields>, problems: Problem[]): void {
  const { replicas } = namespace.values;
  if (replicas === undefined) return;
  for (const field of ['read', 'write'] as const) {
    const level = namespace.values[field];
    if (level === undefined || quorumSize(level, replicas) <= replicas) continue;
    problems.push({
      line: namespace.lineOf(field),
      reason: `${namespace.label}: ${field} ${level} is more than its ${replicas} replicas: no request could ever succeed`,
    });
  }
}

/** Refused where nobody can stand in: quorums that silently stayed strict would not be what was asked for. */
function checkSloppy(
  namespace: ConfigEntry<LeaderlessFields>,
  nodeCount: number | undefined,
  problems: Problem[],
): void {
  const { sloppy, replicas } = namespace.values;
  if (sloppy !== true || replicas === undefined || nodeCount === undefined || replicas !== nodeCount) return;
  const why = `with ${replicas} replicas on as many nodes no node is left to stand in`;
  problems.push({
    line: namespace.lineOf('sloppy'),
    reason: `${namespace.label}: sloppy: true needs nodes beyond the replicas: ${why}; add nodes or set it to false`,
  });
}

/** What a typed policy has no meaning for, and what would wear it out. */
function checkTyped(namespace: ConfigEntry<LeaderlessFields>, problems: Problem[]): void {
  const { conflict, ttl, durability } = namespace.values;
  if (conflict === undefined || !isTyped(conflict)) return;
  const cannot = `${namespace.label}: conflict: ${conflict} does not go with`;
  if (ttl !== undefined && ttl > 0) {
    const why =
      conflict === 'counter' ? 'a sum cannot forget a part of itself' : 'its elements do not expire';
    problems.push({ line: namespace.lineOf('ttl'), reason: `${cannot} ttl: ${why}; leave ttl out` });
  }
  if (conflict === 'counter' && durability === 'buffered') {
    const why = `every unclean stop of a node would leave one more sum in its counters, and they hold ${SIBLINGS_MAX}`;
    problems.push({
      line: namespace.lineOf('durability'),
      reason: `${cannot} durability: buffered: ${why}; use sync`,
    });
  }
}

/** Read-your-writes needs every read to meet every acknowledged write, and that write to stay. */
function checkGuarantee(namespace: ConfigEntry<LeaderlessFields>, problems: Problem[]): void {
  const { guarantee, replicas, read, write, sloppy, durability } = namespace.values;
  if (guarantee === undefined) return;
  const line = namespace.lineOf('guarantee');
  const cannot = `${namespace.label}: guarantee ${guarantee} cannot be kept`;
  if (guarantee === 'linearizable') {
    const why = 'concurrent writes have no one order here; use strategy: leader-follower';
    problems.push({ line, reason: `${cannot} by strategy leaderless: ${why}` });
    return;
  }
  if (replicas !== undefined && read !== undefined && write !== undefined) {
    const r = quorumSize(read, replicas);
    const w = quorumSize(write, replicas);
    if (r + w <= replicas) {
      const sum = `read ${levelText(read, r)} + write ${levelText(write, w)} = ${r + w} must exceed its ${replicas} replicas`;
      const why = 'or a read may ask only replicas that missed the write';
      problems.push({ line, reason: `${cannot}: ${sum}, ${why}; raise read or write` });
    }
  }
  if (sloppy === true) {
    const why = 'a stand-in that took a write is not asked by reads';
    problems.push({ line, reason: `${cannot}: with sloppy: true ${why}; set sloppy to false` });
  }
  if (durability === 'buffered') {
    const why = 'a machine that crashes may take back a write that was acknowledged';
    problems.push({ line, reason: `${cannot}: with durability: buffered ${why}; use sync` });
  }
}

function levelText(level: QuorumLevel, size: number): string {
  return typeof level === 'number' ? String(level) : `${level} (${size})`;
}
