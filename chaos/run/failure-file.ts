/**
 * The one file that a failure leaves: all that it takes to make it happen again, and what was wrong.
 * JSON, so that people can read it and other programs too.
 */
import { TrefoilError } from '../../src/core/errors.js';
import type { Value } from '../history/history.js';
import { checkExperiment, scheduleProblems, type Experiment } from '../experiments/experiment.js';
import { problemsOf, type Problem } from '../experiments/tell-issue.js';
import type { Path } from '../experiments/yaml-lines.js';
import { faultSchema } from '../faults/fault-schema.js';
import type { PlannedOperation } from '../workloads/workload.js';
import { WORKLOADS } from '../workloads/workloads.js';
import { OPERATION_SCHEMAS } from './operation-schema.js';
import { workloadOptions, type Plan } from './plan.js';
import { z } from 'zod';

const FORMAT = 'trefoil-failure-1';

export interface Failure {
  /** Versions that it was found with; another one may run differently. */
  readonly trefoil: string;
  readonly node: string;
  readonly experiment: Experiment;
  readonly seed: number;
  /** The planted bug that was in the code, if any. */
  readonly bug: string | null;
  /** What is left of the plan after shrinking. */
  readonly plan: Plan;
  /** How much the seed had drawn. */
  readonly drawn: { readonly faults: number; readonly operations: number };
  readonly verdict: 'invalid';
  readonly check: string;
  readonly reason: string;
  readonly witness: readonly string[];
  readonly traceHash: string;
}

export function encodeFailure(failure: Failure): string {
  const { plan, ...rest } = failure;
  const operations = plan.operations.map((operation) => ({ ...operation, value: toJson(operation.value) }));
  const { experiment, ...head } = rest;
  return `${JSON.stringify({ format: FORMAT, ...head, experiment, plan: { faults: plan.faults, operations } }, null, 2)}\n`;
}

const failureSchema = z.strictObject({
  format: z.literal(FORMAT),
  trefoil: z.string(),
  node: z.string(),
  experiment: z.unknown(),
  seed: z.number().int(),
  bug: z.string().nullable(),
  plan: z.strictObject({
    faults: z.array(faultSchema),
    // Which operations there are, and what each says, is the workload's.
    operations: z.array(z.unknown()),
  }),
  drawn: z.strictObject({ faults: z.number().int().min(0), operations: z.number().int().min(0) }),
  verdict: z.literal('invalid'),
  check: z.string(),
  reason: z.string(),
  witness: z.array(z.string()),
  traceHash: z.string(),
});

/**
 * Throws `BadRequest` for a text that is no failure file, with a line `file is no failure file: field: reason` for each problem;
 * `ConfigInvalid` for an experiment in it that is none.
 */
export function decodeFailure(text: string, file: string): Failure {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new TrefoilError(
      'BadRequest',
      `${file} is not JSON: a failure file is what trefoil sim hunt writes`,
    );
  }
  const { experiment, plan, format: _format, ...rest } = checked(failureSchema, json, [], file);
  const failure = { ...rest, experiment: checkExperiment(experiment, file) };
  const operations = checkedOperations(plan.operations, failure.experiment, file);
  refuse(planProblems({ faults: plan.faults, operations }, failure.experiment), file);
  return { ...failure, plan: { faults: plan.faults, operations } };
}

/** What a schema makes of a part of the file that stands at `path`. */
function checked<T>(schema: z.ZodType<T>, part: unknown, path: Path, file: string): T {
  const parsed = schema.safeParse(part);
  if (parsed.success) return parsed.data;
  refuse(
    parsed.error.issues
      .flatMap((issue) => problemsOf(issue, part))
      .map((problem) => ({ ...problem, path: [...path, ...problem.path] })),
    file,
  );
  throw parsed.error;
}

function checkedOperations(
  operations: readonly unknown[],
  { workload }: Experiment,
  file: string,
): PlannedOperation[] {
  const schema = OPERATION_SCHEMAS[workload.name];
  return operations.map((one, i) => {
    const operation = checked(schema, one, ['plan', 'operations', i], file) as PlannedOperation;
    return { ...operation, value: fromJson(operation.value) };
  });
}

/** A plan that was edited by hand must still be one of its experiment. */
function planProblems({ faults, operations }: Plan, experiment: Experiment): Problem[] {
  const { workload, durationMs } = experiment;
  const keys = keysOf(experiment);
  const ids = new Set<number>();
  return [
    ...faults.flatMap((fault, i) =>
      scheduleProblems(fault, experiment).map((reason) => ({ path: ['plan', 'faults', i], reason })),
    ),
    ...outOfOrder(faults, 'faults'),
    ...outOfOrder(operations, 'operations'),
    ...operations.flatMap((operation, i) => {
      const problem = (field: string, reason: string): Problem => ({
        path: ['plan', 'operations', i, field],
        reason,
      });
      const { id, atMs, client } = operation;
      const isTwice = ids.has(id);
      ids.add(id);
      const [field, key] = keyOf(operation);
      return [
        ...(isTwice ? [problem('id', `${String(id)} is another operation's too`)] : []),
        ...(atMs > durationMs
          ? [problem('atMs', `it begins at ${String(atMs)}, after durationMs ${String(durationMs)}`)]
          : []),
        ...(client >= workload.clients
          ? [problem('client', `there is no client beyond ${String(workload.clients - 1)}`)]
          : []),
        // The final reads would not know of it, and what it wrote would be taken for lost.
        ...(key !== undefined && !keys.has(key)
          ? [problem(field, `there is no key ${key} (they are ${[...keys].slice(0, 8).join(', ')} ...)`)]
          : []),
      ];
    }),
  ];
}

/** Runs take them one after the other, as they come. */
function outOfOrder(planned: readonly { readonly atMs: number }[], of: 'faults' | 'operations'): Problem[] {
  return planned.flatMap(({ atMs }, i) => {
    const before = planned[i - 1]?.atMs ?? 0;
    if (atMs >= before) return [];
    const reason = `${String(atMs)} is earlier than the ${String(before)} of the one before it`;
    return [{ path: ['plan', of, i, 'atMs'], reason }];
  });
}

/** The keys that an experiment's final reads ask for: all that its operations may name. */
function keysOf(experiment: Experiment): ReadonlySet<string> {
  const reads = WORKLOADS[experiment.workload.name].finalReads(workloadOptions(experiment));
  return new Set(reads.map((read) => keyOf(read)[1]).filter((key) => key !== undefined));
}

/** The key of an operation, and the field that has it: of a transaction of one micro-operation, its value. */
function keyOf({
  f,
  key,
  value,
}: Pick<PlannedOperation, 'f' | 'key' | 'value'>): [string, string | undefined] {
  return f === 'txn' ? ['value', (value as readonly (readonly string[])[])[0]?.[1]] : ['key', key];
}

function refuse(problems: readonly Problem[], file: string): void {
  if (problems.length === 0) return;
  const lines = problems.map(({ path, reason }) =>
    path.length === 0 ? reason : `${path.join('.')}: ${reason}`,
  );
  throw new TrefoilError('BadRequest', lines.map((line) => `${file} is no failure file: ${line}`).join('\n'));
}

function toJson(value: Value): unknown {
  if (Array.isArray(value)) return (value as readonly Value[]).map(toJson);
  if (value instanceof Map) {
    return Object.fromEntries([...(value as ReadonlyMap<string, Value>)].map(([k, v]) => [k, toJson(v)]));
  }
  return value;
}

function fromJson(json: unknown): Value {
  if (Array.isArray(json)) return json.map(fromJson);
  if (json !== null && typeof json === 'object') {
    return new Map(Object.entries(json).map(([k, v]) => [k, fromJson(v)]));
  }
  return json as Value;
}
