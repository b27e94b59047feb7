/** Runs the built program as a user's shell would, and makes configs for clusters on free ports. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/cli/free-ports.js';
import { trefoilProgram } from '../../src/cli/node-process.js';

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
}

export interface RunOptions {
  readonly input?: Uint8Array | string;
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the program's stdout after this many bytes, as `| head -c` does. */
  readonly readBytes?: number;
  /** Killed when it takes longer. */
  readonly deadlineMs?: number;
}

/** How long one command may take; the slowest are `cluster up` and `cluster down`. */
const RUN_MS_MAX = 45_000;

/** Runs `trefoil ARGS...` and resolves when it has ended. */
export function runTrefoil(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = spawn(process.execPath, [trefoilProgram(), ...args], {
    env: { ...process.env, NO_COLOR: '1', ...options.env },
    stdio: 'pipe',
    timeout: options.deadlineMs ?? RUN_MS_MAX,
    killSignal: 'SIGKILL',
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  let read = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    stdout.push(chunk);
    read += chunk.length;
    if (options.readBytes !== undefined && read >= options.readBytes) child.stdout.destroy();
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const stdoutBytes = Buffer.concat(stdout);
      resolve({ code, stdout: stdoutBytes.toString('utf8'), stderr, stdoutBytes });
    });
  });
}

export interface TestCluster {
  readonly folder: string;
  readonly configFile: string;
  readonly nodes: readonly string[];
  readonly seeds: string;
  remove(): void;
}

/** A config of `count` nodes in a folder of its own, with the namespaces that a test needs. Starts nothing. */
export async function makeCluster(
  cluster: string,
  count: number,
  namespaces: readonly string[],
): Promise<TestCluster> {
  const folder = mkdtempSync(join(tmpdir(), `trefoil-${cluster}-`));
  const ports = await freePorts(count);
  const configFile = join(folder, 'cluster.yaml');
  const nodes = ports.map((_, i) => `n${i + 1}`);
  const lines = [
    `cluster: ${cluster}`,
    'nodes:',
    ...ports.map((port, i) => `  - { id: n${i + 1}, port: ${port}, dataDir: ./data/n${i + 1} }`),
    'namespaces:',
    ...namespaces.map((namespace) => `  - { ${namespace} }`),
  ];
  writeFileSync(configFile, `${lines.join('\n')}\n`);
  return {
    folder,
    configFile,
    nodes,
    seeds: ports.map((port) => `127.0.0.1:${port}`).join(','),
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }),
  };
}
