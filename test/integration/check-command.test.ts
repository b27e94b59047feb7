/** `trefoil check` as a script sees it: lines, documents and exit codes, for files that are good, bad and no histories at all. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTrefoil, type Ran, type RunOptions } from '../support/cli-program.js';

const FRESH = '{:process 0 :type :invoke :f :write :value 1}\n{:process 0 :type :ok :f :write :value 1}\n';
const READ = (value: number): string =>
  `{:process 1 :type :invoke :f :read :value nil}\n{:process 1 :type :ok :f :read :value ${value}}\n`;
const OPEN = '{:process :nemesis :type :info :f :kill :value nil}\n';

const FILES = {
  'good.edn': FRESH + READ(1),
  'bad.edn': `${FRESH}${OPEN}${READ(2)}`,
  'skew.json':
    '[{"process":0,"type":"invoke","f":"txn","value":[["r","x",null],["append","y",1]]},{"process":1,"type":"invoke","f":"txn","value":[["r","y",null],["append","x",1]]},{"process":0,"type":"ok","f":"txn","value":[["r","x",[]],["append","y",1]]},{"process":1,"type":"ok","f":"txn","value":[["r","y",[]],["append","x",1]]},{"process":2,"type":"invoke","f":"txn","value":[["r","x",null],["r","y",null]]},{"process":2,"type":"ok","f":"txn","value":[["r","x",[1]],["r","y",[1]]]}]',
  'truncated.edn': `[${FRESH}`,
  'twice.edn': FRESH.repeat(1) + OPEN + FRESH.split('\n')[0] + '\n' + FRESH,
  'empty.json': '[]',
  'overdrawn.json':
    '[{"process":0,"type":"invoke","f":"read"},{"process":0,"type":"ok","f":"read","value":{"a":12,"b":-2}}]',
  'pair.json':
    '[{"process":0,"type":"invoke","f":"read","value":[["r",1,null],["r",2,null]]},{"process":0,"type":"ok","f":"read","value":[["r",1,1],["r",2,null]]}]',
  // Sixteen writes at once, none of which a later read can tell from another: an order has to be searched for.
  'hard.jsonl': [
    ...Array.from(
      { length: 16 },
      (_, at) => `{"process":${at},"type":"invoke","f":"write","value":${at % 8}}`,
    ),
    ...Array.from({ length: 16 }, (_, at) => `{"process":${at},"type":"ok","f":"write","value":${at % 8}}`),
    '{"process":20,"type":"invoke","f":"read"}\n{"process":20,"type":"ok","f":"read","value":5}',
  ].join('\n'),
};

let folder: string;
const check = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  runTrefoil(['check', ...args.map((arg) => (arg in FILES ? join(folder, arg) : arg))], options);
/** What it printed, without the folder. */
const lines = ({ stdout }: Ran): string[] => stdout.replaceAll(`${folder}/`, '').trimEnd().split('\n');

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trefoil-check-'));
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('one line a file', () => {
  it('and exit code 0 when all are valid', async () => {
    const ran = await check(['good.edn', '--model', 'register']);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(lines(ran)).toEqual([expect.stringMatching(/^good\.edn: valid {2}\S.*2 operations/)]);
  });

  it('with the witness below an invalid one, and exit code 1', async () => {
    const ran = await check(['good.edn', 'bad.edn', '--model', 'register']);
    const [good, bad, ...witness] = lines(ran);
    expect(ran.code).toBe(1);
    expect(good).toMatch(/^good\.edn: valid {2}/);
    expect(bad).toMatch(/^bad\.edn: invalid {2}.* \(left out: 1 event of a nemesis\)$/);
    expect(witness.length).toBeGreaterThan(0);
    for (const line of witness) expect(line).toMatch(/^ {2}\S?/);
  });

  it('and exit code 2 for what is unknown or cannot be read, unless another is invalid', async () => {
    const unreadable = ['truncated.edn', 'twice.edn', 'empty.json', 'absent.edn', tmpdir()];
    const ran = await check(['good.edn', ...unreadable, '--model', 'register']);
    expect(ran).toMatchObject({ code: 2, stderr: '' });
    expect(lines(ran).slice(1)).toEqual([
      'truncated.edn: unknown  truncated.edn:3: expected the ] that ends the list of events, found the end of the file',
      'twice.edn: unknown  twice.edn:5: process 0 invokes write while its write of event 3 is open',
      'empty.json: unknown  the history holds no operations',
      "absent.edn: unknown  cannot be read: ENOENT: no such file or directory, stat 'absent.edn'",
      `${tmpdir()}: unknown  is a folder; name the files in it, such as ${tmpdir()}/*`,
    ]);
    expect((await check(['truncated.edn', 'bad.edn', 'empty.json', '--model', 'register'])).code).toBe(1);
  });

  it('of standard input too', async () => {
    const ran = await check(['-', '--model', 'register'], { input: FILES['bad.edn'] });
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/^-: invalid {2}/);
  });

  it('where a history is not of the model', async () => {
    const ran = await check(['skew.json', '--model', 'register']);
    expect(ran).toMatchObject({ code: 2, stderr: '' });
    expect(ran.stdout).toMatch(/^\S+skew\.json: unknown {2}.*txn/);
  });
});

describe('options about one model', () => {
  it('what a bank holds, and whether it may be overdrawn', async () => {
    const bank = async (...options: readonly string[]): Promise<string | undefined> =>
      lines(await check(['overdrawn.json', '--model', 'bank', ...options]))[0];
    expect(await bank()).toBe('overdrawn.json: invalid  operation 0: account b has a negative balance, -2');
    expect(await bank('--negative-balances')).toBe('overdrawn.json: valid  1 reads, each with a total of 10');
    expect(await bank('--negative-balances', '--total', '11')).toBe(
      'overdrawn.json: invalid  operation 0: the balances sum to 10, not 11',
    );
  });

  it('how many keys a group has', async () => {
    const fork = async (...options: readonly string[]): Promise<string | undefined> =>
      lines(await check(['pair.json', '--model', 'long-fork', ...options]))[0];
    expect(await fork('--group-size', '2')).toMatch(/^pair\.json: valid/);
    expect(await fork('--group-size', '3')).toBe(
      'pair.json: unknown  operation 0 reads 2 keys, where groups have 3',
    );
  });

  it('how long a search may take', async () => {
    const search = async (...options: readonly string[]): Promise<string | undefined> =>
      lines(await check(['hard.jsonl', '--model', 'register', ...options]))[0];
    expect(await search('--budget', '5')).toMatch(/^hard\.jsonl: unknown {2}the search used up its steps/);
  });
});

describe('what is asked', () => {
  it.each([
    [
      ['--model', 'bank', '--consistency', 'causal'],
      '--model bank cannot be held to --consistency causal; it can to workload, linearizable',
    ],
    [
      ['--model', 'list-append', '--consistency', 'best'],
      '--model list-append cannot be held to --consistency best; it can to strict-serializable, read-uncommitted',
    ],
    [['--model', 'queue'], 'Given: "queue"'],
    [['--model', 'bank', '--total', '1e3'], '--total is a whole number, not 1e3'],
    [['--model', 'kv', '--budget', '0'], '--budget is a whole number from 1 on, not 0'],
    [['--model', 'kv', '--total', '5'], '--total and --negative-balances are about --model bank'],
    [['--model', 'bank', '--group-size', '5'], '--group-size is about --model long-fork'],
    [['--model', 'kv', '--model', 'set'], 'an option stands twice: kv and set'],
    [['--model', 'kv', '--initial', '[1'], '--initial:1: expected ], found the end of the file'],
    [[], 'Missing required argument: model'],
  ])('and is refused where it makes no sense: %j', async (options, message) => {
    const ran = await check(['good.edn', ...options]);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toMatch(/^error: BadRequest: /);
    expect(ran.stderr).toContain(message);
  });
});

describe('for machines', () => {
  it('one document a file', async () => {
    const ran = await check(['bad.edn', 'truncated.edn', '--model', 'register', '--json']);
    expect(ran).toMatchObject({ code: 1, stderr: '' });
    const [bad, truncated] = lines(ran).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(bad).toMatchObject({
      file: 'bad.edn',
      verdict: 'invalid',
      model: 'register',
      consistency: 'linearizable',
      history: { format: 'edn', operations: 2, events: 5, nemesisEvents: 1, otherLines: 0 },
      ms: expect.any(Number) as unknown,
    });
    expect(bad?.['witness']).toMatchObject({
      lines: expect.any(Array) as unknown,
      operations: [expect.objectContaining({ process: 1, f: 'read', output: 2, completedNs: null })],
    });
    expect(truncated).toMatchObject({
      file: 'truncated.edn',
      verdict: 'unknown',
      history: null,
      witness: null,
    });
  });
});
