/**
 * Histories that other projects have judged: the program gives the verdicts that their README gives. They are not part
 * of this project; where their folder is absent, the tests say that they were skipped.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runTrefoil } from '../support/cli-program.js';

const FOLDER = join(process.env['TREFOIL_SHARED'] ?? resolve('../shared'), 'histories');
const present = existsSync(FOLDER);

const listed = (folder: string): string[] =>
  present
    ? readdirSync(join(FOLDER, folder))
        .sort()
        .map((name) => `${folder}/${name}`)
    : [];

const LINEARIZABLE_ETCD = ['002', '005', '007', '018', '025'].map(
  (number) => `porcupine-jepsen-etcd/etcd_${number}.log`,
);
/** By model: files and their verdicts. */
const EXPECTED: Readonly<Record<string, ReadonlyMap<string, 'valid' | 'invalid'>>> = {
  'cas-register': new Map([
    ...listed('porcupine-jepsen-etcd').map(
      (file) => [file, LINEARIZABLE_ETCD.includes(file) ? 'valid' : 'invalid'] as const,
    ),
    ...listed('knossos-cas-register/good').map((file) => [file, 'valid'] as const),
    ...listed('knossos-cas-register/bad').map((file) => [file, 'invalid'] as const),
  ]),
  kv: new Map(
    listed('porcupine-kv').map((file) => [file, file.includes('-ok') ? 'valid' : 'invalid'] as const),
  ),
  'list-append': new Map([
    ['elle-cli/paper-example.edn', 'invalid'],
    ['elle-cli/paper-example.json', 'invalid'],
  ]),
  counter: new Map([['elle-cli/counter.json', 'valid']]),
  bank: new Map([
    ['elle-cli/bank.json', 'valid'],
    ['elle-cli/bank-negative-balances.json', 'invalid'],
  ]),
  set: new Map([
    ['elle-cli/set.edn', 'valid'],
    ['elle-cli/set_full.json', 'invalid'],
  ]),
  'long-fork': new Map([['elle-cli/long-fork.edn', 'invalid']]),
};

interface Document {
  readonly file: string;
  readonly verdict: string;
  readonly witness: { readonly lines: readonly string[] } | null;
}

/** What the program says of files, by file. */
async function verdicts(files: readonly string[], options: readonly string[]): Promise<Document[]> {
  const ran = await runTrefoil(['check', ...files.map((file) => join(FOLDER, file)), ...options, '--json']);
  expect(ran.stderr).toBe('');
  expect(ran.code).toBe(ran.stdout.includes('"verdict":"invalid"') ? 1 : 0);
  return ran.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Document);
}

describe.skipIf(!present)(`the histories in ${FOLDER}`, () => {
  it('are all there', () => {
    const files = Object.values(EXPECTED).flatMap((expected) => [...expected.keys()]);
    const found = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((path) =>
      /\.(log|txt|edn|json)$/.test(path),
    );
    expect(files.sort()).toEqual(found.sort());
  });

  it.each(Object.entries(EXPECTED))('get their verdicts as a %s', async (model, expected) => {
    const documents = await verdicts([...expected.keys()], ['--model', model]);
    const said = documents.map(({ file, verdict }) => [file.slice(FOLDER.length + 1), verdict]);
    expect(said).toEqual([...expected]);
    for (const { file, verdict, witness } of documents)
      if (verdict === 'invalid') expect(witness?.lines.length, file).toBeGreaterThan(0);
  });
});

describe.runIf(!present)('the histories of other projects', () => {
  it.skip(`were skipped: ${FOLDER} is not there`, () => undefined);
});
