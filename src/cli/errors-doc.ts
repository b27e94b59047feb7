/** Makes `docs/errors.md` from the registry of errors; a test holds the file to it. */
import { ERRORS } from '../core/errors.js';

const INTRODUCTION = `# Errors

Every error that leaves Trefoil is a \`TrefoilError\` with one of these codes. Match on \`code\`: codes are stable,
messages are for people and may change.

- **outcome** says what may be concluded: \`failed\` certainly had no effect, \`unknown\` may have had one. An error
  may carry \`unknown\` where the table says \`failed\`, if it struck after the write had left; go by the error's own
  \`outcome\`.
- **retry** says whether the same request may succeed later or elsewhere. After \`unknown\`, retry a write only with
  the same operation id, as the SDK does: a node recognises it and does not apply it twice.
- \`retryAfterMs\`, where an error has it, is how long to wait first.

Made from \`src/core/errors.ts\` by \`UPDATE_DOCS=1 npx vitest run test/unit/errors-doc.test.ts\`; do not edit.
`;

/** The whole text of `docs/errors.md`. */
export function errorsMarkdown(): string {
  const rows = Object.entries(ERRORS).map(([code, { outcome, retryable, help }]) => [
    `\`${code}\``,
    outcome,
    retryable ? 'yes' : 'no',
    help.replaceAll('|', '\\|'),
  ]);
  return `${INTRODUCTION}\n${markdownTable([['code', 'outcome', 'retry', 'what helps'], ...rows])}\n`;
}

/** A table with its columns aligned, the first row as its head. */
function markdownTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`);
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  return lines.join('\n');
}
