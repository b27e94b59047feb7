/**
 * Says why, to a person: the few operations that contradict each other, the furthest order found, and what cannot follow it.
 * Positions are event indexes of the history (`#12`), so that every line can be looked up.
 */
import type { Operation } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import { showValue, type ModelName, type ModelOptions } from './model.js';
import { modelOf } from './models.js';
import { planOf } from './plan.js';
import { searchOrder, type SearchResult } from './search.js';
import { smallestWindow, type Window } from './window.js';
import type { Cluster, Contradiction } from './zones.js';

type Options = ModelOptions & { readonly model: ModelName };

const LISTED_MAX = 24;
const PLACED_SHOWN_MAX = 8;
const STEPS_FOR_PREFIX = 200_000;

export function searchVerdict(
  result: SearchResult,
  operations: readonly Operation[],
  options: Options,
  bytesMax: number,
): Verdict {
  if (result.outcome === 'linearizable') return { validity: 'valid', reason: 'linearizable' };
  const placed = result.placed.map((step) => step.operation);
  if (result.outcome === 'exhausted') {
    const bound = result.bound === 'bytes' ? 'memory' : 'steps';
    const reason = `the search used up its ${bound}; at best it placed ${placed.length} of ${operations.length} operations`;
    return { validity: 'unknown', reason };
  }
  const window = smallestWindow(operations, result, options, bytesMax);
  const blocked = window.result.blocked?.operation;
  const lines = [headline(window), ...listed(window.operations), ...furthest(window.result)];
  if (blocked !== undefined) lines.push(...whyBlocked(blocked, window));
  return {
    validity: 'invalid',
    reason: blocked === undefined ? 'not linearizable' : `not linearizable: ${phrase(blocked)} has no place`,
    witness: {
      lines,
      operations: window.operations,
      placed: window.upToEnd.placed.map((step) => step.operation),
    },
  };
}

/** One line for an operation, as it reads in a sentence. */
export function phrase(operation: Operation): string {
  const { process, invokedAt, completedAt, outcome } = operation;
  const when =
    outcome === 'info' || completedAt === Infinity
      ? `from #${invokedAt} on, without an answer`
      : `between #${invokedAt} and #${completedAt}`;
  return `process ${process} ${call(operation)} ${when}`;
}

const READS: ReadonlySet<string> = new Set(['read', 'get']);

function call({ f, input, output, outcome }: Operation): string {
  const failed = outcome === 'fail' ? 'failed ' : '';
  if (READS.has(f)) return `${failed}${f} ${showValue(output)}`;
  return input === null ? `${failed}${f}` : `${failed}${f} ${showValue(input)}`;
}

function headline({ operations, begins }: Window): string {
  const count =
    operations.length === 1
      ? 'this operation has no place'
      : `these ${operations.length} operations have no order`;
  return begins === undefined
    ? `${count}, from how the history begins on:`
    : `${count}, whatever was held before #${begins}:`;
}

function listed(operations: readonly Operation[]): string[] {
  const lines = operations.slice(0, LISTED_MAX).map((operation) => `  ${phrase(operation)}`);
  const more = operations.length - lines.length;
  return more > 0 ? [...lines, `  and ${more} more`] : lines;
}

function furthest({ placed, held }: SearchResult): string[] {
  if (placed.length === 0) return [`the state is ${held}`];
  const shown = placed
    .slice(-PLACED_SHOWN_MAX)
    .map(({ operation }) => `${call(operation)} (#${operation.invokedAt})`);
  const dots = placed.length > shown.length ? '..., ' : '';
  return [`the furthest order: ${dots}${shown.join(', ')}; the state is then ${held}`];
}

function whyBlocked(blocked: Operation, window: Window): string[] {
  const lines = [
    `then ${phrase(blocked)} must be placed, for it completes first of the rest, and it cannot be`,
  ];
  if (!READS.has(blocked.f)) return lines;
  const writes = window.operations.filter((o) => !READS.has(o.f) && o.invokedAt <= blocked.completedAt);
  const last = writes.at(-1);
  if (last !== undefined) lines.push(`the last change that can precede it is: ${phrase(last)}`);
  return lines;
}

export function contradictionVerdict(
  contradiction: Contradiction,
  operations: readonly Operation[],
  options: Options,
  bytesMax: number,
): Verdict {
  return argumentVerdict(argue(contradiction), operations, options, bytesMax);
}

/** The verdict on a history that a few of its operations refute; says how far an order gets before they do. */
export function argumentVerdict(
  { lines, about, reason }: Argument,
  operations: readonly Operation[],
  options: Options,
  bytesMax: number,
): Verdict {
  const end = Math.max(...about.map((o) => (o.outcome === 'ok' ? o.completedAt : o.invokedAt)));
  const upToEnd = operations.filter((o) => o.invokedAt <= end);
  const model = modelOf(options.model, upToEnd, options);
  const { placed } = searchOrder(model, planOf(model, upToEnd), { stepsLeft: STEPS_FOR_PREFIX, bytesMax });
  return {
    validity: 'invalid',
    reason: `not linearizable: ${reason}`,
    witness: { lines, operations: about, placed: placed.map((step) => step.operation) },
  };
}

/** Why no order exists: the argument, a line each, the operations it is about, and all of it in one line. */
export interface Argument {
  readonly lines: readonly string[];
  readonly about: readonly Operation[];
  readonly reason: string;
}

function argue(contradiction: Contradiction): Argument {
  switch (contradiction.kind) {
    case 'never-written': {
      const { read, failed } = contradiction;
      const value = showValue(read.output);
      if (failed === undefined) {
        return {
          lines: [phrase(read), `nobody wrote ${value}`],
          about: [read],
          reason: `${phrase(read)}, which nobody wrote`,
        };
      }
      return {
        lines: [phrase(read), `the only write of ${value} failed: ${phrase(failed)}`],
        about: [failed, read],
        reason: `${phrase(read)}, whose only write failed`,
      };
    }
    case 'read-before-write': {
      const { read, write } = contradiction;
      return {
        lines: [phrase(read), `its value was written only after it had been read: ${phrase(write)}`],
        about: [read, write],
        reason: `${phrase(read)}, before it was written`,
      };
    }
    case 'clash': {
      const { one, other } = contradiction;
      const about = [...new Set([...operationsOf(one), ...operationsOf(other)])];
      about.sort((a, b) => a.invokedAt - b.invokedAt);
      const lines = [
        ...mustPrecede(one, other),
        ...mustPrecede(other, one),
        `so neither ${valueOf(one)} nor ${valueOf(other)} can have been held first`,
      ];
      return {
        lines,
        about,
        reason: `${valueOf(one)} and ${valueOf(other)} must each have been held before the other`,
      };
    }
  }
}

function mustPrecede(one: Cluster, other: Cluster): string[] {
  const before =
    one.firstCompleted === undefined ? `${valueOf(one)} was held at first` : phrase(one.firstCompleted);
  const after = other.lastInvoked === undefined ? '' : phrase(other.lastInvoked);
  return [
    `${valueOf(one)} was held before ${valueOf(other)} was for the last time:`,
    `  ${before}`,
    `  ${after}`,
  ];
}

function operationsOf({ write, firstCompleted, lastInvoked }: Cluster): Operation[] {
  return [write, firstCompleted, lastInvoked].filter((operation) => operation !== undefined);
}

function valueOf({ write, lastInvoked }: Cluster): string {
  return showValue(write === undefined ? (lastInvoked?.output ?? null) : write.input);
}
