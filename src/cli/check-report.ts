/** What `trefoil check` prints of one file: a line and the witness for people, one document for machines. */
import type { Model } from '../../chaos/checkers/models.js';
import type { Verdict } from '../../chaos/checkers/verdict.js';
import type { Operation } from '../../chaos/history/history.js';
import type { History } from '../../chaos/history/read-history.js';
import { jsonValue } from './value-text.js';

/** What became of one file. */
export interface CheckedFile {
  readonly file: string;
  readonly model: Model;
  readonly level: string;
  /** Undefined where it could not be read. */
  readonly history: History | undefined;
  readonly verdict: Verdict;
  readonly ms: number;
}

/** For a person: the verdict on one line; of an invalid history the witness, indented. */
export function checkLines({ file, verdict, history }: CheckedFile): string[] {
  const leftOut = [
    ...counted(history?.nemesisEvents, 'event of a nemesis', 'events of nemeses'),
    ...counted(history?.otherLines, 'other line', 'other lines'),
  ];
  const suffix = leftOut.length === 0 ? '' : ` (left out: ${leftOut.join(', ')})`;
  const witness = verdict.validity === 'invalid' ? (verdict.witness?.lines ?? []) : [];
  const reason = verdict.reason.split('\n').join('; ');
  return [`${file}: ${verdict.validity}  ${reason}${suffix}`, ...witness.map((line) => `  ${line}`)];
}

function counted(count: number | undefined, one: string, many: string): string[] {
  return count === undefined || count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
}

/** For a machine. `history` is null where the file could not be read. */
export function checkJson({ file, model, level, history, verdict, ms }: CheckedFile): unknown {
  const { validity, reason, witness } = verdict;
  return {
    file,
    verdict: validity,
    reason,
    model,
    consistency: level,
    history:
      history === undefined
        ? null
        : {
            format: history.format,
            operations: history.operations.length,
            events: history.events,
            nemesisEvents: history.nemesisEvents,
            otherLines: history.otherLines,
          },
    witness:
      witness === undefined
        ? null
        : {
            lines: witness.lines,
            operations: witness.operations.map(operationJson),
            ...(witness.placed === undefined ? {} : { placed: witness.placed.map(operationJson) }),
          },
    ms: Math.round(ms),
  };
}

/** An operation as JSON can say it: what has not ended has null for its end, and so have times that are not known. */
function operationJson(operation: Operation): unknown {
  const { process, f, key, input, output, outcome, invokedAt, completedAt, invokedNs, completedNs } =
    operation;
  return {
    process,
    f,
    ...(key === undefined ? {} : { key }),
    input: jsonValue(input),
    output: jsonValue(output),
    outcome,
    invokedAt,
    completedAt: finite(completedAt),
    invokedNs: finite(invokedNs),
    completedNs: finite(completedNs),
  };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
