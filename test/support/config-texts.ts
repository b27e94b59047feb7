/** Texts of cluster configs for tests, and what is said of them. */
import { parseClusterConfig } from '../../src/cluster/config.js';
import { TrefoilError } from '../../src/core/errors.js';

const NODES = `nodes:
  - { id: n1, port: 7101, dataDir: ./n1 }
  - { id: n2, port: 7102, dataDir: ./n2 }
  - { id: n3, port: 7103, dataDir: ./n3 }
`;

/** A config of three nodes and one namespace with these settings, each on its own line from line 9 on. */
export function withNamespace(...settings: string[]): string {
  const lines = ['strategy: leaderless', ...settings].map((line) => `    ${line}\n`).join('');
  return `cluster: test\n${NODES}namespaces:\n\n  - name: photos\n${lines}`;
}

/** The lines of the message that refuses this text. */
export function problemsOf(text: string): string[] {
  try {
    parseClusterConfig(text, 'c.yaml');
  } catch (error) {
    if (error instanceof TrefoilError && error.code === 'ConfigInvalid') return error.message.split('\n');
    throw error;
  }
  return [];
}
