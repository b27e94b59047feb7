/** The built program against a real cluster of three node processes, as a user and as a script would use it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pollUntil } from '../../src/cli/poll.js';
import {
  makeCluster,
  runTrefoil,
  type Ran,
  type RunOptions,
  type TestCluster,
} from '../support/cli-program.js';

interface UpJson {
  readonly nodes: readonly { readonly node: string; readonly pid: number; readonly started: boolean }[];
}
interface EntryJson {
  readonly key: string;
  readonly value: unknown;
  readonly siblings: readonly unknown[];
  readonly context: string | null;
}

let cluster: TestCluster;
let pids = new Map<string, number>();

const trefoil = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  runTrefoil(args, { ...options, env: { TREFOIL_SEEDS: cluster.seeds, ...options.env } });

async function json<T>(args: readonly string[], code = 0): Promise<T> {
  const ran = await trefoil([...args, '--json']);
  expect([ran.code, ran.stderr]).toEqual([code, '']);
  return JSON.parse(ran.stdout) as T;
}

async function up(): Promise<UpJson> {
  const result = await json<UpJson>(['cluster', 'up', '--config', cluster.configFile]);
  pids = new Map(result.nodes.map(({ node, pid }) => [node, pid]));
  return result;
}

beforeAll(async () => {
  cluster = await makeCluster('cli-test', 3, [
    'name: default, strategy: leaderless, replicas: 3, partitions: 4',
    'name: latest, strategy: leaderless, replicas: 3, partitions: 4, conflict: lww',
    'name: likes, strategy: leaderless, replicas: 3, partitions: 4, conflict: counter',
    'name: tags, strategy: leaderless, replicas: 3, partitions: 4, conflict: set',
  ]);
  const result = await up();
  expect(result.nodes.map(({ node, started }) => [node, started])).toEqual([
    ['n1', true],
    ['n2', true],
    ['n3', true],
  ]);
});

afterAll(async () => {
  await runTrefoil(['cluster', 'down', '--config', cluster.configFile]);
  for (const pid of pids.values()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Stopped, as it should be.
    }
  }
  cluster.remove();
});

describe('keys', () => {
  it('puts, gets and deletes', async () => {
    expect(await trefoil(['put', 'greeting', 'hello'])).toMatchObject({
      code: 0,
      stdout: 'stored greeting\n',
    });
    expect(await trefoil(['get', 'greeting'])).toMatchObject({ code: 0, stdout: 'hello\n', stderr: '' });
    expect(await trefoil(['delete', 'greeting'])).toMatchObject({ code: 0, stdout: 'deleted greeting\n' });
    expect(await trefoil(['get', 'greeting'])).toMatchObject({
      code: 5,
      stdout: '',
      stderr: 'absent: greeting\n',
    });
  });

  it('keeps text as it is, and numbers only where JSON is asked for', async () => {
    await trefoil(['put', '007', '1e3']);
    expect(await json<EntryJson>(['get', '007'])).toMatchObject({
      key: '007',
      value: '1e3',
      siblings: ['1e3'],
    });
    await trefoil(['put', 'object', '{"a":[1,true,null]}', '--value-json']);
    expect(await json<EntryJson>(['get', 'object'])).toMatchObject({ value: { a: [1, true, null] } });
    await trefoil(['put', 'minus', '--', '-5']);
    expect((await trefoil(['get', 'minus'])).stdout).toBe('-5\n');
  });

  it('carries bytes through stdin, files and stdout unchanged', async () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 31) % 256);
    expect((await trefoil(['put', 'stdin', '-'], { input: bytes })).code).toBe(0);
    expect((await trefoil(['get', 'stdin'])).stdoutBytes.equals(bytes)).toBe(true);
    const file = join(cluster.folder, 'value.bin');
    writeFileSync(file, new Uint8Array([0, 255, 10, 13]));
    expect((await trefoil(['put', 'file', '--file', file])).code).toBe(0);
    expect(await json<EntryJson>(['get', 'file'])).toMatchObject({ value: { $base64: 'AP8KDQ==' } });
  });

  it('counts', async () => {
    const likes = ['-n', 'likes'];
    expect(await trefoil(['increment', 'post', ...likes])).toMatchObject({
      code: 0,
      stdout: 'incremented post\n',
      stderr: '',
    });
    await trefoil(['increment', 'post', '41', ...likes]);
    await trefoil(['increment', 'other', ...likes, '--', '-5']);
    expect((await trefoil(['get', 'post', ...likes])).stdout).toBe('42\n');
    expect(await json(['get', 'post', ...likes])).toEqual({
      key: 'post',
      value: 42,
      context: expect.any(String) as string,
    });
    expect((await trefoil(['scan', ...likes])).stdout).toBe('other\t-5\npost\t42\n');
    const refused = await trefoil(['put', 'post', '7', ...likes]);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/^error: Unsupported: .*increment/),
    ]);
    expect((await trefoil(['increment', 'post', 'many', ...likes])).code).toBe(2);
    await trefoil(['delete', 'post', ...likes]);
    expect((await trefoil(['get', 'post', ...likes])).code).toBe(5);
  });

  it('keeps sets', async () => {
    const tags = ['-n', 'tags'];
    expect(await trefoil(['add', 'photo', 'sea', 'dawn', ...tags])).toMatchObject({
      code: 0,
      stdout: 'added to photo\n',
      stderr: '',
    });
    await trefoil(['add', 'photo', 'gulls', ...tags]);
    expect((await trefoil(['get', 'photo', ...tags])).stdout.split('\n').sort()).toEqual([
      '',
      'dawn',
      'gulls',
      'sea',
    ]);
    const removed = await json<EntryJson>(['remove', 'photo', 'dawn', 'gulls', ...tags]);
    expect(removed).toEqual({ key: 'photo', context: expect.any(String) as string });
    expect(await json(['get', 'photo', ...tags])).toMatchObject({ key: 'photo', elements: ['sea'] });
    await trefoil(['add', 'photo', 'boats', ...tags]);
    // Elements have no order: which comes first depends on who coordinated the adds.
    expect(['photo\tsea | boats\n', 'photo\tboats | sea\n']).toContain(
      (await trefoil(['scan', ...tags])).stdout,
    );
    await trefoil(['delete', 'photo', ...tags]);
    expect((await trefoil(['get', 'photo', ...tags])).code).toBe(5);
    expect((await trefoil(['add', 'photo', ...tags])).code).toBe(2);
  });

  it('shows siblings, replaces with a context, and resolves', async () => {
    await trefoil(['put', 'color', 'red']);
    const second = await trefoil(['put', 'color', 'blue']);
    expect(second.stderr).toContain('2 siblings');
    const shown = await trefoil(['get', 'color']);
    expect(shown.stdout.split('\n').filter((line) => line !== '')).toHaveLength(2);
    expect(shown.stderr).toContain('trefoil update color -n default --resolve INDEX');
    const refused = await trefoil(['update', 'color', '--append', 'x']);
    expect([refused.code, refused.stdout]).toEqual([1, '']);
    const before = await json<EntryJson>(['get', 'color']);
    expect(before.siblings).toHaveLength(2);
    expect((await trefoil(['update', 'color', '--resolve', '1'])).stdout).toBe(
      `${String(before.siblings[1])}\n`,
    );
    const resolved = await json<EntryJson>(['get', 'color']);
    expect(resolved.siblings).toEqual([before.siblings[1]]);
    const replaced = await trefoil(['put', 'color', 'green', '--context', resolved.context ?? '']);
    expect([replaced.code, replaced.stderr]).toEqual([0, '']);
    expect((await json<EntryJson>(['get', 'color'])).siblings).toEqual(['green']);
  });

  it('updates', async () => {
    expect((await trefoil(['update', 'text', '--append', 'a'])).stdout).toBe('a\n');
    expect((await trefoil(['update', 'text', '--append=-b'])).stdout).toBe('a-b\n');
    expect((await trefoil(['update', 'count', '--increment', '5'])).stdout).toBe('5\n');
    expect((await trefoil(['update', 'count', '--increment', '-2'])).stdout).toBe('3\n');
    await trefoil(['update', 'doc', '--merge', '{"a":1,"b":{"c":2}}']);
    const merged = await json<EntryJson>(['update', 'doc', '--merge', '{"a":null,"b":{"d":3}}']);
    expect(merged).toMatchObject({ value: { b: { c: 2, d: 3 } } });
    expect(await trefoil(['update', 'count', '--append', 'x'])).toMatchObject({ code: 2 });
  });

  it('expires', async () => {
    await trefoil(['put', 'short', 'lived', '--ttl', '1s']);
    const gone = await pollUntil(
      async () => ((await trefoil(['get', 'short'])).code === 5 ? true : undefined),
      { deadlineMs: 15_000, everyMs: 100 },
    );
    expect(gone).toBe(true);
  });

  it('explains on stderr, or in the JSON', async () => {
    await trefoil(['put', 'why', 'because']);
    const told = await trefoil(['get', 'why', '--explain', '--read', 'all']);
    expect(told.stdout).toBe('because\n');
    expect(told.stderr).toMatch(/^coordinator {2}n[123] \(leaderless, .*3/);
    const explained = await json<{ explain: { replicas: readonly unknown[] } }>(['get', 'why', '--explain']);
    expect(explained.explain.replicas).toHaveLength(3);
  });

  it('refuses what cannot be, each with its code', async () => {
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [['get', 'k', '-n', 'nowhere'], 2, /^error: UnknownNamespace: .*nowhere/],
      [['get', 'x'.repeat(1025)], 2, /^error: KeyTooLarge: /],
      [['put', 'k'], 2, /^error: BadRequest: give one value/],
      [['put', 'k', 'v', '--write', '4'], 2, /^error: BadRequest: /],
      [['put', 'k', 'v', '--context', 'AAAA'], 2, /^error: BadContext: /],
      [['get', 'k', '--read', 'most'], 2, /^error: BadRequest: --read/],
      [['update', 'k'], 2, /^error: BadRequest: give one of/],
      [['get'], 2, /^error: BadRequest: /],
      [['frob'], 2, /^error: BadRequest: /],
      [['get', 'k', '--frob'], 2, /^error: BadRequest: .*frob/],
      [[], 2, /^error: BadRequest: name a command/],
      [['cluster'], 2, /^error: BadRequest: name a command: up, down or status/],
    ];
    const runs = await Promise.all(cases.map(([args]) => trefoil(args)));
    for (const [i, [args, code, stderr]] of cases.entries()) {
      const ran = runs[i];
      expect([args, ran?.code, ran?.stdout]).toEqual([args, code, '']);
      expect(ran?.stderr).toMatch(stderr);
      expect(ran?.stderr).toMatch(/\n {2}next: .+\n$/);
      expect(ran?.stderr).not.toMatch(/\n\s+at /);
    }
    const large = await trefoil(['put', 'large', '-'], { input: new Uint8Array(1024 * 1024 + 1) });
    expect([large.code, large.stderr]).toEqual([2, expect.stringMatching(/^error: ValueTooLarge: /)]);
  });

  it('reports failures as JSON too', async () => {
    const ran = await trefoil(['get', 'k', '-n', 'nowhere', '--json']);
    expect([ran.code, ran.stdout]).toEqual([2, '']);
    expect(JSON.parse(ran.stderr)).toMatchObject({ error: { code: 'UnknownNamespace', outcome: 'failed' } });
  });
});

describe('scan', () => {
  beforeAll(async () => {
    const keys = ['s/a', 's/b', 's/c', 's/d'];
    await Promise.all(keys.map((key) => trefoil(['put', key, `value of ${key}`, '-n', 'latest'])));
  });

  const scan = async (...args: string[]): Promise<string[]> =>
    (await trefoil(['scan', '-n', 'latest', '--prefix', 's/', ...args])).stdout.split('\n').slice(0, -1);

  it('prints entries in key order', async () => {
    expect(await scan()).toEqual(['s/a', 's/b', 's/c', 's/d'].map((key) => `${key}\tvalue of ${key}`));
  });

  it('begins after a key and ends at a limit', async () => {
    expect(await scan('--after', 's/a', '--limit', '2', '--keys')).toEqual(['s/b', 's/c']);
    expect(await scan('--limit', '0')).toEqual([]);
  });

  it('prints JSON lines', async () => {
    const [first, ...rest] = await scan('--json');
    expect(rest).toHaveLength(3);
    expect(JSON.parse(first ?? '')).toMatchObject({ key: 's/a', value: 'value of s/a' });
  });

  it('ends quietly when its reader leaves', async () => {
    const ran = await trefoil(['scan', '-n', 'latest'], { readBytes: 1 });
    expect([ran.code, ran.stderr]).toEqual([0, '']);
  });
});

describe('the program itself', () => {
  it('tells its version, its commands and its exit codes', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect((await trefoil(['--version'])).stdout).toBe(`${version}\n`);
    const help = await trefoil(['--help']);
    expect(help.code).toBe(0);
    for (const word of ['node', 'cluster', 'get', 'put', 'photos', 'demo', 'Exit codes', 'TREFOIL_SEEDS'])
      expect(help.stdout).toContain(word);
    expect((await trefoil(['put', '--help'])).stdout).toContain('--value-json');
  });

  it('prints a completion script and completes commands', async () => {
    expect((await trefoil(['completion'])).stdout).toMatch(/complete|compdef/);
    const words = await trefoil(['--get-yargs-completions', 'trefoil', 'clu']);
    expect(words.stdout).toContain('cluster');
  });

  it('says where it looked when nobody answers', async () => {
    const ran = await trefoil(['get', 'k', '--seeds', '127.0.0.1:1', '--timeout', '500ms']);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/^error: NoReachableNode: /);
  });
});

describe('config check', () => {
  it('tells what a config promises', async () => {
    const ran = await trefoil(['config', 'check', cluster.configFile]);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('cluster cli-test, epoch 1, 3 nodes, 1 zone, 4 namespaces');
    expect(ran.stdout).toContain('read-your-writes: R+W = 2+2 > N = 3');
    const checked = await json<{ namespaces: readonly { readYourWrites: boolean }[] }>([
      'config',
      'check',
      cluster.configFile,
    ]);
    expect(checked.namespaces.map((namespace) => namespace.readYourWrites)).toEqual([true, true, true, true]);
  });

  it('accepts every config that comes with the project', async () => {
    for (const name of [
      'local-3',
      'zones-6',
      'single',
      'leaderless-5-sloppy',
      'leader-follower-3',
      'mixed-3',
    ])
      expect(await trefoil(['config', 'check', `cluster-configs/${name}.yaml`])).toMatchObject({
        code: 0,
        stderr: '',
      });
  });

  it('names file, line and reason of every problem', async () => {
    const file = join(cluster.folder, 'bad.yaml');
    writeFileSync(
      file,
      'cluster: bad\nnodes:\n  - { id: n1, port: 0, dataDir: ./x }\nnamespaces:\n  - { name: a, strategy: leaderless, replicas: 9 }\n',
    );
    const ran = await trefoil(['config', 'check', file]);
    expect([ran.code, ran.stdout]).toEqual([2, '']);
    expect(ran.stderr).toContain(`${file}:3: `);
    expect(ran.stderr).toContain(`${file}:5: `);
    expect(await trefoil(['config', 'check', join(cluster.folder, 'none.yaml')])).toMatchObject({ code: 2 });
  });
});

describe('nodes that must not start', () => {
  const node = (...args: string[]): Promise<Ran> =>
    trefoil(['node', '--config', cluster.configFile, ...args]);

  it('a second one on one data folder', async () => {
    const ran = await node('--id', 'n1');
    expect([ran.code, ran.stdout]).toEqual([1, '']);
    expect(ran.stderr).toMatch(/^error: DataFolderInUse: /m);
  });

  it('one whose port is in use', async () => {
    const ran = await node('--id', 'n1', '--data-dir', join(cluster.folder, 'other'));
    expect([ran.code, ran.stdout]).toEqual([1, '']);
    expect(ran.stderr).toMatch(/^error: PortInUse: .*127\.0\.0\.1/m);
  });

  it('one that the config does not know', async () => {
    const ran = await node('--id', 'n9');
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toMatch(/^error: ConfigInvalid: no node "n9".*n1, n2, n3/);
  });
});

describe('the cluster', () => {
  it('refuses to be started twice', async () => {
    const ran = await trefoil(['cluster', 'up', '--config', cluster.configFile]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/^error: DataFolderInUse: cluster cli-test is already up \(n1 pid \d+/);
  });

  it('shows every node', async () => {
    const ran = await trefoil(['cluster', 'status', '--config', cluster.configFile]);
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    const lines = ran.stdout.split('\n');
    expect(lines[0]).toMatch(/^NODE +ADDRESS +ZONE +STATE +PEERS +HINTS/);
    for (const [i, id] of cluster.nodes.entries())
      expect(lines[i + 1]).toMatch(new RegExp(`^${id} .* up +2/2 `));
    expect(lines[4]).toBe('cluster cli-test, epoch 1: 3 of 3 nodes up');
  });

  it('serves and has a status with a node down, and gets it back', async () => {
    process.kill(pids.get('n2') ?? 0, 'SIGKILL');
    const status = await pollUntil(
      async () => {
        const ran = await trefoil(['cluster', 'status', '--json']);
        return ran.code === 3 ? ran : undefined;
      },
      { deadlineMs: 20_000, everyMs: 200 },
    );
    const { nodes } = JSON.parse(status?.stdout ?? '') as {
      nodes: readonly { node: string; state: string }[];
    };
    expect(nodes.map(({ node, state }) => [node, state])).toEqual([
      ['n1', 'up'],
      ['n2', 'down'],
      ['n3', 'up'],
    ]);
    expect((await trefoil(['put', 'without', 'n2'])).code).toBe(0);
    expect((await trefoil(['get', 'without'])).stdout).toBe('n2\n');
    const again = await up();
    expect(again.nodes.map(({ node, started }) => [node, started])).toEqual([
      ['n1', false],
      ['n2', true],
      ['n3', false],
    ]);
  });

  it('refuses early where a quorum cannot be reached', async () => {
    process.kill(pids.get('n2') ?? 0, 'SIGKILL');
    process.kill(pids.get('n3') ?? 0, 'SIGKILL');
    const refused = await pollUntil(
      async () => {
        const ran = await trefoil(['put', 'lonely', 'x', '--timeout', '2s']);
        return /^error: QuorumUnavailable/.test(ran.stderr) ? ran : undefined;
      },
      { deadlineMs: 20_000, everyMs: 200 },
    );
    expect(refused?.code).toBe(1);
    expect(await trefoil(['get', '007', '--read', 'one'])).toMatchObject({ code: 0, stdout: '1e3\n' });
  });

  it('goes down, cleanly, and twice', async () => {
    const down = await json<{ nodes: readonly { node: string; ending: string }[] }>([
      'cluster',
      'down',
      '--config',
      cluster.configFile,
    ]);
    expect(down.nodes).toEqual([
      { node: 'n1', ending: 'stopped' },
      { node: 'n2', ending: 'was not running' },
      { node: 'n3', ending: 'was not running' },
    ]);
    expect((await trefoil(['cluster', 'down', '--config', cluster.configFile])).stdout).toContain(
      'was not running',
    );
    expect((await trefoil(['cluster', 'status', '--timeout', '500ms'])).stderr).toMatch(
      /^error: NoReachableNode/,
    );
  });

  it("refuses another node's data folder", async () => {
    const ran = await trefoil([
      'node',
      '--config',
      cluster.configFile,
      '--id',
      'n1',
      '--data-dir',
      join(cluster.folder, 'data', 'n2'),
    ]);
    expect([ran.code, ran.stdout]).toEqual([1, '']);
    expect(ran.stderr).toMatch(/^error: DataFolderForeign: .*n2/m);
  });

  it('calls a config that does not fit the stored data one that cannot be used', async () => {
    const changed = join(cluster.folder, 'changed.yaml');
    const text = readFileSync(cluster.configFile, 'utf8');
    writeFileSync(changed, text.replace('\n', '\nepoch: 2\n').replace('partitions: 4', 'partitions: 8'));
    for (const args of [
      ['cluster', 'up'],
      ['node', '--id', 'n1'],
    ]) {
      const ran = await trefoil([...args, '--config', changed]);
      expect([ran.code, ran.stdout]).toEqual([2, '']);
      expect(ran.stderr).toMatch(/^error: ConfigIncompatible: /m);
    }
  });

  it('names the node that cannot start, and leaves none running', async () => {
    const taken = await trefoil(['cluster', 'up', '--config', cluster.configFile, '--json']);
    expect(taken.code).toBe(0);
    const twin = join(cluster.folder, 'twin.yaml');
    const text = readFileSync(cluster.configFile, 'utf8');
    writeFileSync(twin, text.replaceAll('./data/', './twin/').replace(/(id: n1, port: )\d+/, '$11'));
    const ran = await trefoil(['cluster', 'up', '--config', twin]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/^error: PortInUse: n[23]: |^error: \w+: n1: /);
    const down = await json<{ nodes: readonly { ending: string }[] }>(['cluster', 'down', '--config', twin]);
    expect(down.nodes.map(({ ending }) => ending)).toEqual(Array(3).fill('was not running'));
    await trefoil(['cluster', 'down', '--config', cluster.configFile]);
  });
});
