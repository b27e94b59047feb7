/**
 * A stand-in for a newcomer's clone: a temporary folder in which the pages' commands and programs run as they
 * are written. `dist` and `node_modules` are links to this project's, `cluster-configs/` is a copy whose
 * ports are free ones, because 7101 to 7103 (and 7501 to 7503, of the cluster with leaders) belong to whoever works on this machine.
 *
 * In such a folder `import ... from 'trefoil'` finds this project, as in a clone: a package may import itself.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/cli/free-ports.js';

const CONFIGS = ['local-3', 'leader-follower-3'] as const;
const PORTS = ['7101', '7102', '7103', '7501', '7502', '7503'];

type ConfigName = (typeof CONFIGS)[number];

const fileOf = (config: ConfigName): string => join('cluster-configs', `${config}.yaml`);

export interface Ran {
  readonly code: number | null;
  readonly output: string;
}

export interface Clone {
  readonly folder: string;
  /** Of `local-3`, for `TREFOIL_SEEDS`. */
  readonly seeds: string;
  readonly env: NodeJS.ProcessEnv;
  /** A page's text with this clone's ports in place of the usual ones. */
  withPorts(text: string): string;
  /** Runs a program in the clone; killed when it takes longer than `timeoutMs`. */
  run(command: string, args: readonly string[], timeoutMs?: number): Promise<Ran>;
  /** Stops what runs, and removes the folder. */
  remove(): Promise<void>;
}

export async function makeClone(name: string): Promise<Clone> {
  const project = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), `trefoil-${name}-`));
  const free = await freePorts(PORTS.length);
  const withPorts = (text: string): string =>
    PORTS.reduce((changed, port, i) => changed.replaceAll(port, String(free[i])), text);

  for (const link of ['dist', 'node_modules']) symlinkSync(join(project, link), join(folder, link));
  copyFileSync(join(project, 'package.json'), join(folder, 'package.json'));
  cpSync(join(project, 'cluster-configs'), join(folder, 'cluster-configs'), {
    recursive: true,
    filter: (path) => !path.includes('.trefoil'),
  });
  for (const config of CONFIGS) {
    const file = join(folder, fileOf(config));
    writeFileSync(file, withPorts(readFileSync(file, 'utf8')));
  }

  const seeds = free
    .slice(0, 3)
    .map((port) => `127.0.0.1:${port}`)
    .join(',');
  const env = { ...process.env, HOME: folder, TREFOIL_SEEDS: seeds, NO_COLOR: '1' };
  const run: Clone['run'] = (command, args, timeoutMs = 45_000) =>
    new Promise((resolve, reject) => {
      const options = { cwd: folder, env, timeout: timeoutMs, killSignal: 'SIGKILL' } as const;
      const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      const keep = (text: string): void => {
        output += text;
      };
      child.stdout.setEncoding('utf8').on('data', keep);
      child.stderr.setEncoding('utf8').on('data', keep);
      child.once('error', reject).once('close', (code) => resolve({ code, output }));
    });
  return {
    folder,
    seeds,
    env,
    withPorts,
    run,
    async remove() {
      for (const config of CONFIGS) await clusterCommand({ run }, 'down', config);
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

/** `trefoil cluster up` or `down` on three of the clone's nodes. */
export function clusterCommand(
  clone: Pick<Clone, 'run'>,
  command: 'up' | 'down',
  config: ConfigName = 'local-3',
): Promise<Ran> {
  const args = ['dist/src/cli/main.js', 'cluster', command, '--config', fileOf(config)];
  return clone.run(process.execPath, args);
}
