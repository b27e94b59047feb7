/** Where `cluster up` keeps what belongs to each node of a config: its data folder, pid file and log. */
import { join } from 'node:path';
import { loadConfig, dataDirOf, seedsOf } from './load-config.js';
import { pidFileOf } from './pid-file.js';

export interface NodePlace {
  readonly id: string;
  readonly address: string;
  readonly dataDir: string;
  readonly pidFile: string;
  readonly logFile: string;
}

export interface ClusterPlaces {
  readonly cluster: string;
  readonly credentials: string;
  readonly seeds: readonly string[];
  readonly nodes: readonly NodePlace[];
}

/** Reads a config. Throws `ConfigInvalid`. */
export function clusterPlaces(configFile: string): ClusterPlaces {
  const config = loadConfig(configFile);
  return {
    cluster: config.cluster,
    credentials: config.credentials,
    seeds: seedsOf(config),
    nodes: config.nodes.map((node) => {
      const dataDir = dataDirOf(configFile, node);
      return {
        id: node.id,
        address: `${node.host}:${node.port}`,
        dataDir,
        pidFile: pidFileOf(dataDir),
        logFile: join(dataDir, 'node.log'),
      };
    }),
  };
}
