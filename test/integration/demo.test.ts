/** The demo, small: its proof, its exit code, and that it leaves nothing behind. `npm run demo` is the same at full size. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FailOver } from '../../src/cli/demo/leader-act.js';
import { trefoilProgram } from '../../src/cli/node-process.js';
import { pollUntil } from '../../src/cli/poll.js';
import { identifyProcess } from '../../src/cli/process-identity.js';
import { formatCount } from '../../src/cli/table.js';
import { runTrefoil } from '../support/cli-program.js';

const PHOTOS = '../shared/photos';
const DEMO_MS_MAX = 90_000;

let temporary: string;
beforeAll(() => {
  temporary = mkdtempSync(join(tmpdir(), 'trefoil-demo-test-'));
});
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

const demo = (...args: string[]) =>
  runTrefoil(['demo', '--json', ...args], { env: { TMPDIR: temporary }, deadlineMs: DEMO_MS_MAX });

function pidsIn(story: string): number[] {
  return [...story.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
}

/** The leader that was killed has a successor of a later term, and all that either acknowledged was read back. */
function expectFailOver(failOver: FailOver, story: string): void {
  const { leader, term, successor, successorTerm, silenceMs, acknowledged, readBack } = failOver;
  expect(successor).not.toBe(leader);
  expect(successorTerm).toBeGreaterThan(term);
  expect(acknowledged).toBeGreaterThanOrEqual(400);
  expect(readBack).toBe(acknowledged);
  for (const told of [
    `SIGKILL for ${leader}, which leads in term ${term}`,
    `have elected ${successor}, which leads in term ${successorTerm}`,
    `time without an acknowledged order      ${formatCount(silenceMs)} ms`,
    `read back, linearizable                 ${formatCount(readBack)} of ${formatCount(acknowledged)}`,
  ])
    expect(story).toContain(told);
}

describe('the demo', () => {
  it(
    'loses nothing, says so, and leaves nothing behind',
    async () => {
      const ran = await demo('--count', '200');
      expect([ran.code, ran.stderr.slice(-2000)]).toEqual([0, expect.stringContaining('Nothing was lost.')]);
      const proof = JSON.parse(ran.stdout) as Record<string, number | string[]>;
      expect(proof).toMatchObject({ missing: [], differing: [] });
      expect(proof['acknowledged']).toBeGreaterThan(200);
      expect(proof['copies']).toBe(3 * (proof['keys'] as number));
      for (const act of [
        'siblings kept                           2',
        'hints delivered',
        'loses its disk',
        'Try next',
      ])
        expect(ran.stderr).toContain(act);
      expectFailOver(proof['failOver'] as unknown as FailOver, ran.stderr);
      expect(ran.stderr).not.toContain('\u001b[');
      expect(readdirSync(temporary)).toEqual([]);
      expect(pidsIn(ran.stderr).filter((pid) => identifyProcess(pid) !== undefined)).toEqual([]);
    },
    DEMO_MS_MAX,
  );

  it.skipIf(!existsSync(PHOTOS))(
    'tells its story with real photographs',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'trefoil-demo-photos-'));
      for (const name of ['Nikon_D70.jpg', 'DSCN0010.jpg', 'canon-ixus.jpg'])
        copyFileSync(join(PHOTOS, name), join(folder, name));
      writeFileSync(join(folder, 'broken.jpg'), 'no photo');
      const ran = await demo('--photos', folder);
      rmSync(folder, { recursive: true });
      expect([ran.code, ran.stderr.slice(-2000)]).toEqual([0, expect.stringContaining('Nothing was lost.')]);
      expect(ran.stderr).toMatch(/photos stored +3\n/);
      expect(ran.stderr).toMatch(/files that could not be read +1\n +broken.jpg: /);
    },
    DEMO_MS_MAX,
  );

  it('cleans up when it is interrupted', async () => {
    const child = spawn(process.execPath, [trefoilProgram(), 'demo'], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let story = '';
    const closed = once(child, 'close');
    for await (const chunk of child.stdout.setEncoding('utf8')) {
      story += String(chunk);
      if (story.includes('A made-up album')) child.kill('SIGINT');
    }
    expect((await closed)[0]).toBe(130);
    expect(readdirSync(temporary)).toEqual([]);
    const pids = pidsIn(story);
    expect(pids).toHaveLength(3);
    const gone = await pollUntil(
      async () => (pids.every((pid) => identifyProcess(pid) === undefined) ? true : undefined),
      { deadlineMs: 5_000, everyMs: 50 },
    );
    expect(gone).toBe(true);
  });

  it('refuses a folder without photos, before it starts anything', async () => {
    expect(await demo('--photos', temporary)).toMatchObject({ code: 2, stdout: '' });
    expect(await demo('--count', '0')).toMatchObject({ code: 2, stdout: '' });
    expect(readdirSync(temporary)).toEqual([]);
  });
});
