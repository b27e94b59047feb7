/**
 * Histories of other projects with known verdicts, where they are present (see their README for formats and traps). They are not
 * ours to copy: where they are absent the tests say that they were skipped.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkLinearizable,
  type LinearizabilityOptions,
} from '../../chaos/checkers/linearizability/check-linearizable.js';
import type { Verdict } from '../../chaos/checkers/verdict.js';
import { parseHistory } from '../../chaos/history/read-history.js';

const FOLDER = resolve(process.env['TREFOIL_SHARED'] ?? '../shared', 'histories');
const present = existsSync(FOLDER);
const ETCD_VALID = new Set(['002', '005', '007', '018', '025']);

function check(path: string, options: LinearizabilityOptions): Verdict {
  const { operations } = parseHistory(readFileSync(join(FOLDER, path), 'utf8'), {
    source: path,
    format: 'auto',
  });
  expect(operations.length).toBeGreaterThan(1);
  return checkLinearizable(operations, options);
}

const filesOf = (folder: string): string[] =>
  present
    ? readdirSync(join(FOLDER, folder))
        .sort()
        .map((name) => `${folder}/${name}`)
    : [];

function expectVerdict(verdict: Verdict, validity: 'valid' | 'invalid'): void {
  expect(verdict.validity, verdict.reason).toBe(validity);
  if (validity === 'valid') return;
  expect(verdict.witness?.operations.length).toBeGreaterThan(0);
}

describe.skipIf(!present)(
  'histories with known verdicts (skipped where ../shared/histories is absent)',
  () => {
    it.each(filesOf('porcupine-jepsen-etcd'))('%s', (path) => {
      const valid = ETCD_VALID.has(/(\d+)\.log$/.exec(path)?.[1] ?? '');
      const verdict = check(path, { model: 'cas-register', failedCasObserves: true, nilReads: 'absent' });
      expectVerdict(verdict, valid ? 'valid' : 'invalid');
    });

    it.each([...filesOf('knossos-cas-register/good'), ...filesOf('knossos-cas-register/bad')])(
      '%s',
      (path) => {
        const verdict = check(path, { model: 'cas-register', initial: 0, nilReads: 'unknown' });
        expectVerdict(verdict, path.includes('/good/') ? 'valid' : 'invalid');
      },
    );

    it.each(filesOf('porcupine-kv'))('%s', (path) => {
      expectVerdict(check(path, { model: 'kv' }), path.endsWith('-ok.txt') ? 'valid' : 'invalid');
    });

    it.each([
      ['counter.json', 'counter', 'valid'],
      ['bank.json', 'bank', 'valid'],
      ['bank-negative-balances.json', 'bank', 'invalid'],
      ['set.edn', 'set', 'valid'],
      ['set_full.json', 'set', 'invalid'],
    ] as const)('elle-cli/%s as a %s is %s', (name, model, validity) => {
      expectVerdict(check(`elle-cli/${name}`, { model }), validity);
    });
  },
);
