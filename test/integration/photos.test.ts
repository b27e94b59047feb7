/** `trefoil photos` against three real nodes, with the real photographs where they lie beside the project. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCluster, runTrefoil, type Ran, type TestCluster } from '../support/cli-program.js';

const PHOTOS = join(import.meta.dirname, '../../../shared/photos');
const NAMESPACES = [
  'name: photos, strategy: leaderless, partitions: 4',
  'name: features, strategy: leaderless, partitions: 4, conflict: lww',
  'name: users, strategy: leaderless, partitions: 4, conflict: lww',
];

describe.skipIf(!existsSync(PHOTOS))('photos, from the folder of real photographs beside the project', () => {
  let cluster: TestCluster;
  let folder: string;
  let readable: number;

  beforeAll(async () => {
    cluster = await makeCluster('photos', 3, NAMESPACES);
    folder = join(cluster.folder, 'pictures');
    mkdirSync(folder);
    cpSync(PHOTOS, folder, { recursive: true });
    readable = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((f) =>
      f.endsWith('.jpg'),
    ).length;
    const whole = readFileSync(join(folder, 'Nikon_D70.jpg'));
    writeFileSync(join(folder, 'truncated.jpg'), whole.subarray(0, whole.length / 3));
    writeFileSync(join(folder, 'empty.jpg'), '');
    writeFileSync(join(folder, 'text.jpg'), 'not a picture');
    expect((await trefoil('cluster', 'up', '--config', cluster.configFile)).code).toBe(0);
  });

  afterAll(async () => {
    await trefoil('cluster', 'down', '--config', cluster.configFile);
    cluster.remove();
  });

  function trefoil(...args: string[]): Promise<Ran> {
    return runTrefoil(args, { env: { TREFOIL_SEEDS: cluster.seeds } });
  }

  it('stores every readable picture and names the unreadable ones', async () => {
    const imported = await trefoil('photos', 'import', folder, '--user', 'ann');
    expect(imported.code).toBe(3);
    for (const broken of ['truncated.jpg', 'empty.jpg', 'text.jpg']) {
      expect(imported.stdout + imported.stderr).toMatch(new RegExp(`${broken}.*\\w`));
    }
    const listed = await trefoil('photos', 'list', '--user', 'ann', '--limit', '1000', '--json');
    const ids = listed.stdout.trim().split('\n').flatMap(idsOf);
    expect(new Set(ids).size).toBe(readable);

    const again = await trefoil('photos', 'import', folder, '--user', 'ann');
    expect(again.code).toBe(3);
    const relisted = await trefoil('photos', 'list', '--user', 'ann', '--limit', '1000', '--json');
    expect(relisted.stdout).toBe(listed.stdout);

    const [id] = ids as [string];
    const shown = await trefoil('photos', 'show', id);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain(id);
    const similar = await trefoil('photos', 'similar', id, '--limit', '3', '--json');
    expect(similar.code).toBe(0);
    expect(similar.stdout.trim().split('\n').flatMap(idsOf).length).toBeGreaterThanOrEqual(3);
    expect((await trefoil('photos', 'show', 'ann.nobody-knows')).code).not.toBe(0);
  });
});

/** The photo ids in one line of JSON, however it nests them. */
function idsOf(line: string): string[] {
  return [...line.matchAll(/"id":\s*"(ann\.[^"]+)"/g)].map((match) => match[1] as string);
}
