/** Whether a pid file still names the process that was written down. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../src/cli/free-ports.js';
import { pidFileOf, readPidFile, removePidFile, writePidFile } from '../../src/cli/pid-file.js';
import { pollUntil } from '../../src/cli/poll.js';
import { identifyProcess, isRunning, parseStat } from '../../src/cli/process-identity.js';

describe('pid files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-pid-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('name a running process', () => {
    const file = pidFileOf(join(folder, 'new', 'n1'));
    expect(writePidFile(file, process.pid)).toBe(true);
    expect(readPidFile(file)?.pid).toBe(process.pid);
    removePidFile(file);
    expect(readPidFile(file)).toBeUndefined();
  });

  it('name nobody once the process is gone', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const file = join(folder, 'gone.pid');
    expect(writePidFile(file, child.pid ?? 0)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(readPidFile(file)).toBeUndefined();
    expect(writePidFile(file, child.pid ?? 0)).toBe(false);
  });

  it('never name a stranger that has the pid now', () => {
    const file = join(folder, 'stranger.pid');
    writePidFile(file, process.pid);
    const identity = JSON.parse(readFileSync(file, 'utf8')) as { startedAt: string | null };
    if (identity.startedAt === null) return; // This system does not tell start times.
    writeFileSync(file, JSON.stringify({ ...identity, startedAt: 'another boot:1' }));
    expect(readPidFile(file)).toBeUndefined();
  });

  it.each(['', 'x', '{}', '{"pid":-1,"startedAt":null}', '[1]'])('that hold %j count as none', (text) => {
    const file = join(folder, 'broken.pid');
    writeFileSync(file, text);
    expect(readPidFile(file)).toBeUndefined();
  });
});

describe('process identities', () => {
  it('read the start time past a name with blanks and brackets', () => {
    const fields = Array.from({ length: 50 }, (_, i) => String(i + 4));
    expect(parseStat(`42 (a (b) c) S ${fields.join(' ')}`)).toEqual({ state: 'S', startTicks: '22' });
  });

  it('know this process', () => {
    const self = identifyProcess(process.pid);
    expect(self !== undefined && isRunning(self)).toBe(true);
  });
});

describe('polling', () => {
  it('asks once more at the deadline and then gives up', async () => {
    let asked = 0;
    const answer = await pollUntil(
      async () => {
        asked++;
        return undefined;
      },
      { deadlineMs: 30, everyMs: 10 },
    );
    expect(answer).toBeUndefined();
    expect(asked).toBeGreaterThanOrEqual(2);
  });

  it('gives the first answer', async () => {
    let asked = 0;
    expect(
      await pollUntil(async () => (++asked < 3 ? undefined : asked), { deadlineMs: 5000, everyMs: 1 }),
    ).toBe(3);
  });
});

describe('free ports', () => {
  it('are all different', async () => {
    const ports = await freePorts(5);
    expect(new Set(ports).size).toBe(5);
  });
});
