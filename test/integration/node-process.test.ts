/** One node as a process: it tells when it is ready, stops in order, and never outlives who started it by accident. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spawnNode, trefoilProgram } from '../../src/cli/node-process.js';
import { pollUntil } from '../../src/cli/poll.js';
import { identifyProcess, isRunning } from '../../src/cli/process-identity.js';
import { makeCluster, type TestCluster } from '../support/cli-program.js';

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await makeCluster('process-test', 1, [
    'name: default, strategy: leaderless, replicas: 1, partitions: 1',
  ]);
});
afterAll(() => cluster.remove());

describe('a node process', () => {
  const start = (more: Partial<Parameters<typeof spawnNode>[0]> = {}) =>
    spawnNode({ configFile: cluster.configFile, id: 'n1', ...more });

  it('is ready, stops in order, and starts again on the same folder', async () => {
    for (let round = 0; round < 2; round++) {
      const node = await start();
      expect(`${node.address.host}:${node.address.port}`).toBe(cluster.seeds);
      expect(await node.stop()).toEqual({ code: 0, signal: null });
    }
  });

  it('can be killed, and starts again', async () => {
    const node = await start();
    expect(await node.kill()).toEqual({ code: null, signal: 'SIGKILL' });
    const again = await start();
    await again.stop();
  });

  it('stops when whoever started it is gone', async () => {
    const module = new URL('./node-process.js', `file://${trefoilProgram()}`);
    const script = `
      const { spawnNode } = await import(${JSON.stringify(fileURLToPath(module))});
      const node = await spawnNode({ configFile: ${JSON.stringify(cluster.configFile)}, id: 'n1' });
      console.log(node.pid);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const identity = identifyProcess(Number(line.toString()));
    if (identity === undefined) throw new Error(`no process ${line.toString()}`);
    parent.kill('SIGKILL');
    const gone = await pollUntil(async () => (isRunning(identity) ? undefined : true), {
      deadlineMs: 15_000,
      everyMs: 50,
    });
    expect(gone).toBe(true);
  });

  it('that cannot start says why, with its own code', async () => {
    const node = await start();
    try {
      await expect(start()).rejects.toMatchObject({ code: 'DataFolderInUse' });
    } finally {
      await node.stop();
    }
    await expect(start({ id: 'n7' })).rejects.toMatchObject({ code: 'ConfigInvalid' });
  });

  it('that is not ready in time is killed', async () => {
    await expect(start({ readyMsMax: 1 })).rejects.toMatchObject({ code: 'Timeout' });
  });
});
