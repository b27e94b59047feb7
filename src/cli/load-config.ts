/** The cluster config as a command gets it: from a file that a person named, with paths made whole. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseClusterConfig, type ClusterConfig, type ConfiguredNode } from '../cluster/config.js';
import { TrefoilError } from '../core/errors.js';

/** Reads and checks a config file. Throws `ConfigInvalid`, also where the file cannot be read. */
export function loadConfig(file: string): ClusterConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new TrefoilError('ConfigInvalid', `cannot read ${file}: ${(error as Error).message}`);
  }
  return parseClusterConfig(text, file);
}

/** The node of that id. Throws `ConfigInvalid` with the ids there are. */
export function nodeOf(config: ClusterConfig, id: string): ConfiguredNode {
  const node = config.nodes.find((candidate) => candidate.id === id);
  if (node !== undefined) return node;
  const known = config.nodes.map((candidate) => candidate.id).join(', ');
  throw new TrefoilError('ConfigInvalid', `no node "${id}" in cluster ${config.cluster}; it has ${known}`);
}

/** A node's data folder: a relative one starts at the config file's folder. */
export function dataDirOf(configFile: string, node: ConfiguredNode): string {
  return resolve(dirname(configFile), node.dataDir);
}

/** Where a client finds the cluster. */
export function seedsOf(config: ClusterConfig): string[] {
  return config.nodes.map((node) => `${node.host}:${node.port}`);
}
