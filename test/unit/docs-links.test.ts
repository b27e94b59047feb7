/** Every relative link of every page resolves: to a file that is there, and to a heading in it. So does every path that a page names. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const PAGES_OUTSIDE = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];
const FOLDERS = ['docs', 'src'];

/** Paths that a page names in backticks, as seen from the project's folder. */
const NAMED_PATH = /`((?:src|test|docs|bench|cluster-configs)\/[\w./-]*)`/g;

const pages = [
  ...PAGES_OUTSIDE,
  ...FOLDERS.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  ).filter((path) => path.endsWith('.md')),
];

/** What is neither in a code block nor in backticks. */
function proseOf(page: string): string {
  return withoutBlocks(page).replaceAll(/`[^`\n]*`/g, '');
}

function withoutBlocks(page: string): string {
  return page.replaceAll(/^```.*?^```/gms, '');
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const seen = new Map<string, number>();
  return new Set(
    [...withoutBlocks(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => {
      const text = (heading as string).replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
      const slug = text.replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
      const before = seen.get(slug) ?? 0;
      seen.set(slug, before + 1);
      return before === 0 ? slug : `${slug}-${before}`;
    }),
  );
}

function broken(path: string, text: string): string[] {
  const found: string[] = [];
  for (const [, target] of proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (target === undefined || /^[a-z]+:/.test(target)) continue;
    const [file = '', anchor] = target.split('#');
    const to = file === '' ? path : join(dirname(path), file);
    if (!existsSync(to)) found.push(`${target}: no such file`);
    else if (anchor !== undefined && !anchorsOf(readFileSync(to, 'utf8')).has(anchor))
      found.push(`${target}: no such heading`);
  }
  return found;
}

/** The SPEC names tests of invariants before they are written; its own checklist is another matter. */
const named = pages.filter((path) => !path.endsWith('SPEC.md'));

describe('pages', () => {
  it('are all looked at', () => {
    expect(pages).toEqual(
      expect.arrayContaining(['README.md', 'docs/sdk.md', 'src/replication/leaderless/SPEC.md']),
    );
  });

  it.each(pages)('%s: its links resolve', (path) => {
    expect(broken(path, readFileSync(path, 'utf8'))).toEqual([]);
  });

  it.each(named)('%s: the paths it names are there', (path) => {
    const paths = [...withoutBlocks(readFileSync(path, 'utf8')).matchAll(NAMED_PATH)].map(
      ([, p]) => p as string,
    );
    expect(paths.filter((p) => !existsSync(p) && !p.startsWith('cluster-configs/.trefoil'))).toEqual([]);
  });

  it.each(pages)('%s: begins with one title', (path) => {
    const text = withoutBlocks(readFileSync(path, 'utf8'));
    expect(text).toMatch(/^# \S/);
    expect(text.match(/^# /gm)).toHaveLength(1);
  });

  it('link to every page of docs from the README', () => {
    const readme = readFileSync('README.md', 'utf8');
    const missing = readdirSync('docs')
      .filter((name) => name.endsWith('.md') || statSync(join('docs', name)).isDirectory())
      .filter((name) => !readme.includes(`(docs/${name}`));
    expect(missing).toEqual([]);
  });
});

describe('a broken link is found', () => {
  it.each([
    ['[a](none.md)', 'none.md: no such file'],
    ['[a](#nowhere)', '#nowhere: no such heading'],
    ['[a](docs/sdk.md#nowhere)', 'docs/sdk.md#nowhere: no such heading'],
  ])('%s', (text, complaint) => {
    expect(broken('README.md', text)).toEqual([complaint]);
  });

  it('and a good one is none', () => {
    expect(broken('README.md', '[a](docs/sdk.md#the-sdk) `[b](none.md)` [c](https://example.org)')).toEqual(
      [],
    );
  });
});
