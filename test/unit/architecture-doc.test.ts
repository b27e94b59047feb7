/** The two ways of a write in `docs/architecture.md` lead through files that are there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const page = readFileSync('docs/architecture.md', 'utf8');

/** Files that the table under a heading names; those without a folder are in `folder`. */
function filesOf(heading: string, folder: string): string[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const rows = section.split('\n').filter((line) => /^\| \d/.test(line));
  const names = rows.flatMap((row) =>
    [...row.matchAll(/`([\w./-]+\.ts)`/g)].map(([, name]) => name as string),
  );
  return names.map((name) => (name.startsWith('src/') ? name : join(folder, name)));
}

describe.each([
  ['One write', 'src/replication/leaderless'],
  ['One write with a leader', 'src/replication/leader-follower'],
])('%s', (heading, folder) => {
  const files = filesOf(heading, folder);

  it('has steps', () => {
    expect(files.length).toBeGreaterThan(12);
  });

  it.each(files)('names %s, which is there', (file) => {
    expect(existsSync(file)).toBe(true);
  });
});
