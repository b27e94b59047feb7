/** The pages of the laboratory as the program writes them: of a run, of a failure with its planted bug, of a history. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTrefoil } from '../support/cli-program.js';

/** Slow links and a crash under levels of one: its registers are not linearizable, whatever the seed. */
const STALE = `
name: stale
summary: last-writer-wins is no linearizable register
cluster:
  nodes: 3
  namespaces:
    - { name: data, strategy: leaderless, partitions: 2, conflict: lww }
workload: { name: register, namespace: data, clients: 4, rate: 300, keys: 1, read: one, write: one }
durationMs: 1000
faults:
  schedule:
    - { fault: slow-link, from: n1, latencyMs: [20, 60], atMs: 100, forMs: 800 }
    - { fault: slow-link, from: n2, latencyMs: [20, 60], atMs: 100, forMs: 800 }
    - { fault: slow-link, from: n3, latencyMs: [20, 60], atMs: 100, forMs: 800 }
    - { fault: reset, node: n1, atMs: 200, forMs: 0 }
    - { fault: crash, node: n2, unsynced: seeded, powerOff: false, atMs: 500, forMs: 300 }
checks: { promised: [linearizable] }
`;

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trefoil-pages-'));
  writeFileSync(at('stale.yaml'), STALE);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('trefoil sim trace', () => {
  it('draws a run, the same one that sim run makes, and the failure that is left of it', async () => {
    const ran = await runTrefoil([
      ...['sim', 'run', at('stale.yaml'), '--seed', '1', '--json'],
      ...['--out', folder, '--trace', at('run.html')],
    ]);
    expect(ran.code).toBe(1);
    const told = JSON.parse(ran.stdout) as { readonly traceHash: string; readonly failure: string };
    const page = readFileSync(at('run.html'), 'utf8');
    expect(page).toContain(`<code>${told.traceHash}</code>`);
    expect(page).toMatch(/badge invalid.*linearizable: /);

    const traced = await runTrefoil(['sim', 'trace', told.failure]);
    expect(traced).toMatchObject({ code: 0, stderr: '' });
    const beside = told.failure.replace(/\.json$/, '.html');
    const { traceHash } = JSON.parse(readFileSync(told.failure, 'utf8')) as { readonly traceHash: string };
    expect(traced.stdout).toBe(`${beside}: invalid, trace ${traceHash}\n`);
    expect(readFileSync(beside, 'utf8')).toContain(`<code>${traceHash}</code>`);
  });

  it('draws a seed of an experiment, with a planted bug in the code', async () => {
    const args = ['sim', 'trace', at('stale.yaml'), '--seed', '2', '--minutes', '0.01'];
    const plain = await runTrefoil([...args, '--out', at('plain.html'), '--json']);
    expect(plain).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(plain.stdout)).toMatchObject({
      page: at('plain.html'),
      traceHash: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown,
    });
    await runTrefoil([...args, '--out', at('bug.html'), '--bug', 'skip-read-repair']);
    expect(readFileSync(at('plain.html'), 'utf8')).toContain('<h1>stale, seed 2</h1>');
    expect(readFileSync(at('bug.html'), 'utf8')).toContain('with the planted bug skip-read-repair</h1>');
  });

  it.each([
    [['nowhere.json'], 'there is no file nowhere.json'],
    [['nowhere'], 'there is no experiment nowhere'],
    [['leaderless-everything', '--bug', 'none'], 'there is no planted bug none'],
  ])('refuses %j', async (args, message) => {
    const ran = await runTrefoil(['sim', 'trace', ...args]);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain(message);
  });
});

describe('trefoil check --html', () => {
  const EVENTS =
    '{:process 0 :type :invoke :f :write :value "<b>"}\n{:process 0 :type :ok :f :write :value "<b>"}\n' +
    '{:process 1 :type :invoke :f :read :value nil}\n{:process 1 :type :ok :f :read :value 2}\n';

  it('draws one history and leaves what it prints as it is', async () => {
    writeFileSync(at('bad.edn'), EVENTS);
    const plain = await runTrefoil(['check', at('bad.edn'), '--model', 'register']);
    const drawn = await runTrefoil(['check', at('bad.edn'), '--model', 'register', '--html', at('bad.html')]);
    expect(drawn).toEqual(plain);
    expect(drawn.code).toBe(1);
    const page = readFileSync(at('bad.html'), 'utf8');
    expect(page.match(/<g class="o /g)).toHaveLength(2);
    expect(page).not.toContain('<b>"');
  });

  it('refuses several files, and what cannot be read', async () => {
    const two = await runTrefoil([
      ...['check', at('bad.edn'), at('bad.edn'), '--model', 'register', '--html', at('two.html')],
    ]);
    expect(two).toMatchObject({ code: 2, stdout: '' });
    expect(two.stderr).toContain('--html draws one history, and 2 are named');
    const none = await runTrefoil(['check', at('none.edn'), '--model', 'register', '--html', at('two.html')]);
    expect(none.code).toBe(2);
    expect(none.stderr).toContain('is not drawn: the history could not be read');
    expect(existsSync(at('two.html'))).toBe(false);
  });
});
