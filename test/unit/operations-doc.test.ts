/** `docs/operations.md` has the limits of `core/limits.ts` and explains every field, gauge and counter that a node shows. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as limits from '../../src/core/limits.js';

const page = readFileSync('docs/operations.md', 'utf8');

/** What a table names in its first column, under the header that begins so. */
function namesUnder(header: string): string[] {
  const table = page.split('\n\n').find((part) => new RegExp(`^\\| ${header} +\\|`).test(part)) ?? '';
  const firstCells = table.split('\n').map((line) => line.split('|')[1] ?? '');
  return firstCells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string));
}

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.startsWith('cli/'))
  .map((path) => readFileSync(`src/${path}`, 'utf8'));

function namesInSources(pattern: RegExp): string[] {
  const found = sources.flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => name as string));
  return [...new Set(found)].sort();
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1_000,
  KiB: 1024,
  MiB: 1024 * 1024,
};

/** `64 MiB`, `5 s`, `2,048`: in bytes, milliseconds or pieces. */
function quantity(text: string): number {
  const match = /^([\d,]+) ?(\w*)$/.exec(text);
  return Number(match?.[1]?.replaceAll(',', '')) * (UNITS[match?.[2] ?? 'none'] ?? NaN);
}

describe('docs/operations.md', () => {
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` +\| ([^|]+?) +\|/gm)];

  it('has a table of limits', () => {
    expect(rows.length).toBeGreaterThan(20);
  });

  it.each(rows.map(([, name, value]) => [name as string, value as string]))('%s is %s', (name, value) => {
    expect(quantity(value)).toBe((limits as Readonly<Record<string, number>>)[name]);
  });

  it('explains every counter, and none that is not there', () => {
    const counted = namesInSources(/(?:\bcount|ounters\.add)\(\s*'([a-z_]+)'/g).filter((name) =>
      name.includes('_'),
    );
    const counters = new Set([...counted, 'requests', 'clock_skewed']);
    expect(counters.size).toBeGreaterThan(20);
    expect(namesUnder('counter').sort()).toEqual([...counters].sort());
  });

  it('explains every gauge', () => {
    const replicas = ['leaderless.ts', 'stand-in.ts'].map((file) =>
      readFileSync(`src/replication/leaderless/${file}`, 'utf8'),
    );
    const leaders = readFileSync('src/replication/leader-follower/open-group.ts', 'utf8');
    const gauges = [
      ...replicas.map((text) => /gauges: \{([^}]+)\}/.exec(text)?.[1] ?? ''),
      /gauges\(\)[^]*?return \{([^}]+)\}/.exec(leaders)?.[1] ?? '',
    ].join('\n');
    const names = [...new Set([...gauges.matchAll(/^\s+(\w+)[:,]/gm)].map(([, name]) => name as string))];
    expect(names.length).toBeGreaterThan(3);
    expect(namesUnder('gauge').sort()).toEqual(names.sort());
  });

  it('explains every field of the status', () => {
    const status = readFileSync('src/node/node-status.ts', 'utf8').split('interface NodeStatus')[1] ?? '';
    const fields = [...status.matchAll(/readonly (\w+):/g)].map(([, name]) => name as string);
    expect(fields.length).toBeGreaterThan(8);
    expect(namesUnder('field')).toEqual(
      expect.arrayContaining(fields.filter((field) => !['node', 'cluster'].includes(field))),
    );
    for (const field of fields) expect(namesUnder('field')).toContain(field);
  });
});
