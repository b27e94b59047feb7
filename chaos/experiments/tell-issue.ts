/** What a schema complains of, in words that follow `file:line: ` and help. */
import type { z } from 'zod';
import { didYouMean } from '../../src/cluster/did-you-mean.js';
import type { Path, YamlLines } from './yaml-lines.js';

export interface Problem {
  readonly path: Path;
  readonly reason: string;
}

/** Each thing that is wrong with a value, and where in it. */
export function problemsOf(issue: z.core.$ZodIssue, value: unknown): Problem[] {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], reason: 'there is no such field' }));
  }
  return [{ path, reason: reasonOf(issue, partAt(value, path)) }];
}

/** One line for each thing that is wrong, with the line of the file that it stands on. */
export function tellIssue(issue: z.core.$ZodIssue, { value, lineOf }: YamlLines): string[] {
  return problemsOf(issue, value).map(({ path, reason }) => tell(path, reason, lineOf));
}

/** `12: faults.draw.0: reason`. */
export function tell(path: Path, reason: string, lineOf: YamlLines['lineOf']): string {
  return `${String(lineOf(path))}: ${path.length === 0 ? '' : `${path.join('.')}: `}${reason}`;
}

function reasonOf(issue: z.core.$ZodIssue, part: unknown): string {
  if (part === undefined) return 'is missing';
  const known = knownOf(issue);
  if (known === undefined) return issue.message.replace('Invalid input: ', '');
  return `${JSON.stringify(part)} is none of ${known.join(', ')}${didYouMean(typeof part === 'string' ? part : '', known)}`;
}

/** The names that would have been right. */
function knownOf(issue: z.core.$ZodIssue): readonly string[] | undefined {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  if (issue.code !== 'invalid_union' || issue.discriminator === undefined) return undefined;
  return (issue as { readonly options?: readonly unknown[] }).options?.map(String);
}

function partAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (part, name) =>
      part === null || typeof part !== 'object' ? undefined : (part as Record<string, unknown>)[String(name)],
    value,
  );
}
