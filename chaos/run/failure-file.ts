/**
 * The one file that a failure leaves: all that it takes to make it happen again, and what was wrong.
 * JSON, so that people can read it and other programs too.
 */
import { TrefoilError } from '../../src/core/errors.js';
import type { Value } from '../history/history.js';
import { checkExperiment, nodeNames, type Experiment } from '../experiments/experiment.js';
import { nodesOf } from '../faults/fault.js';
import { faultSchema } from '../faults/fault-schema.js';
import type { PlannedOperation } from '../workloads/workload.js';
import type { Plan } from './plan.js';
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

const failureSchema = z.object({
  format: z.literal(FORMAT),
  trefoil: z.string(),
  node: z.string(),
  experiment: z.unknown(),
  seed: z.number(),
  bug: z.string().nullable(),
  plan: z.object({
    faults: z.array(faultSchema),
    operations: z.array(
      z.object({
        id: z.number(),
        atMs: z.number().min(0),
        client: z.number().int().min(0),
        f: z.string(),
        key: z.string().optional(),
        value: z.unknown(),
        blind: z.boolean().optional(),
      }),
    ),
  }),
  drawn: z.object({ faults: z.number(), operations: z.number() }),
  verdict: z.literal('invalid'),
  check: z.string(),
  reason: z.string(),
  witness: z.array(z.string()),
  traceHash: z.string(),
});

/** Throws `BadRequest` for a text that is no failure file, `ConfigInvalid` for an experiment in it that is none. */
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
  const parsed = failureSchema.safeParse(json);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0] ?? { path: [], message: 'it is something else' };
    throw new TrefoilError('BadRequest', `${file} is no failure file: ${path.join('.')}: ${message}`);
  }
  const { experiment, plan, format: _format, ...rest } = parsed.data;
  const operations = plan.operations.map(
    (operation) => ({ ...operation, value: fromJson(operation.value) }) as PlannedOperation,
  );
  const failure = {
    ...rest,
    experiment: checkExperiment(experiment, file),
    plan: { faults: plan.faults, operations },
  };
  checkPlan(failure, file);
  return failure;
}

/** A plan that was edited by hand must still be one of its experiment. */
function checkPlan({ plan, experiment }: Pick<Failure, 'plan' | 'experiment'>, file: string): void {
  const nodes = new Set(nodeNames(experiment));
  const stranger = plan.faults.flatMap(nodesOf).find((name) => !nodes.has(name));
  if (stranger !== undefined) {
    throw new TrefoilError(
      'BadRequest',
      `${file} is no failure file: its experiment has no node ${stranger}`,
    );
  }
  const { clients } = experiment.workload;
  if (plan.operations.some(({ client }) => client >= clients)) {
    const reason = `its experiment has no client beyond ${String(clients - 1)}`;
    throw new TrefoilError('BadRequest', `${file} is no failure file: ${reason}`);
  }
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
