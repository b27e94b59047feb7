/**
 * Reads one mapping of a config by its schema, each field on its own: what is right is kept even where a
 * neighbour is wrong, so that the checks between fields can still find what they can.
 */
import type { z } from 'zod';
import { didYouMean } from './did-you-mean.js';
import type { Problem, YamlNode } from './yaml-source.js';

/** What was read of one mapping; a field that was missing or wrong is absent from `values`. */
export interface ConfigEntry<Fields> {
  readonly values: Partial<Fields>;
  /** How messages name it: `node n1`, or its position where it has no usable name. Empty for the file itself. */
  readonly label: string;
  /** The line of a field, or of the mapping where the field is not written. */
  lineOf(field: keyof Fields & string): number;
}

interface EntryKind<Shape extends z.ZodRawShape> {
  readonly schema: z.ZodObject<Shape>;
  /** Keys that are known but read by someone else. */
  readonly alsoKnown?: readonly string[];
  /** Keys that belong to another kind of entry, each with what completes the sentence "KEY ...". */
  readonly foreign?: Readonly<Record<string, string>>;
  /** Names the entry by its fields. */
  readonly label: (fields: ReadonlyMap<string, YamlNode>) => string;
}

/** Reads `node` as `kind`; whatever is wrong goes to `problems`. */
export function readEntry<Shape extends z.ZodRawShape>(
  node: YamlNode,
  kind: EntryKind<Shape>,
  problems: Problem[],
): ConfigEntry<z.infer<z.ZodObject<Shape>>> {
  const fields = node.fields();
  const label = kind.label(fields);
  const prefix = label === '' ? '' : `${label}: `;
  const report = (line: number, reason: string): void => {
    problems.push({ line, reason: `${prefix}${reason}` });
  };
  const values: Record<string, unknown> = {};
  const entry: ConfigEntry<z.infer<z.ZodObject<Shape>>> = {
    values: values as Partial<z.infer<z.ZodObject<Shape>>>,
    label,
    lineOf: (field) => fields.get(field)?.line ?? node.line,
  };
  const known = Object.keys(kind.schema.shape);
  if (node.kind !== 'mapping') {
    report(node.line, `must be a mapping with ${known.join(', ')}`);
    return entry;
  }
  const allKnown = [...known, ...(kind.alsoKnown ?? [])];
  for (const [key, field] of fields) {
    const foreign = Object.hasOwn(kind.foreign ?? {}, key) ? kind.foreign?.[key] : undefined;
    if (foreign !== undefined) report(field.line, `${key} ${foreign}`);
    else if (!allKnown.includes(key))
      report(field.line, `unknown key ${key}${unknownKeyHelp(key, allKnown)}`);
  }
  for (const key of known) {
    const schema = kind.schema.shape[key] as z.ZodType;
    const field = fields.get(key);
    const reason = readField(schema, field, (value) => (values[key] = value));
    if (reason !== undefined) report(field?.line ?? node.line, `${key} ${reason}`);
  }
  return entry;
}

function unknownKeyHelp(key: string, known: readonly string[]): string {
  return didYouMean(key, known) || `; known here are ${known.join(', ')}`;
}

/** Gives the field's value, or its default, to `keep`; returns what is wrong with it otherwise. */
function readField(
  schema: z.ZodType,
  field: YamlNode | undefined,
  keep: (value: unknown) => void,
): string | undefined {
  if (field !== undefined && field.kind !== 'scalar') return `must be a single value, not a ${field.kind}`;
  if (field?.value === null) return 'has no value';
  const parsed = schema.safeParse(field?.value);
  if (parsed.success) {
    keep(parsed.data);
    return undefined;
  }
  return field === undefined ? 'is missing' : parsed.error.issues[0]?.message;
}
