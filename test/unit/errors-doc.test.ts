import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { errorsMarkdown } from '../../src/cli/errors-doc.js';
import { ERRORS } from '../../src/core/errors.js';

const FILE = new URL('../../docs/errors.md', import.meta.url);
const REMEDY = 'regenerate it: UPDATE_DOCS=1 npx vitest run test/unit/errors-doc.test.ts';

it('docs/errors.md is made from the registry', () => {
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(FILE, errorsMarkdown());
  expect(readFileSync(FILE, 'utf8'), REMEDY).toBe(errorsMarkdown());
});

it('has one row for each code, with all that the registry says of it', () => {
  const rows = errorsMarkdown()
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  expect(rows).toEqual(
    Object.entries(ERRORS).map(([code, e]) => [
      `\`${code}\``,
      e.outcome,
      e.retryable ? 'yes' : 'no',
      e.help.replaceAll('|', '\\|'),
    ]),
  );
});
