/** Makes the page of a run in a worker process, where a planted bug can be, writes it and says where it is. */
import { writeText } from '../../../chaos/run/result-files.js';
import { WorkerPool } from '../../../chaos/run/worker-pool.js';
import type { WorkerWork } from '../../../chaos/run/worker-messages.js';
import { TrefoilError } from '../../core/errors.js';
import type { CliContext } from '../context.js';

type TraceWork = Extract<WorkerWork, { readonly type: 'trace' }>;

export interface WriteTraceOptions {
  readonly bug: string | null;
  /** File of the page. */
  readonly out: string;
}

export async function writeTrace(
  context: CliContext,
  work: TraceWork,
  { bug, out }: WriteTraceOptions,
): Promise<void> {
  const { summary, page } = await tracedBy(work, bug);
  writeText(out, page);
  if (context.json) {
    const { verdict, traceHash } = summary;
    context.printJson({ page: out, verdict, traceHash });
  } else context.print(`${out}: ${summary.verdict}, trace ${summary.traceHash}`);
}

/** Runs it in a worker of its own. Rejects with `Internal` where the worker could not. */
export async function tracedBy(
  work: TraceWork,
  bug: string | null,
): Promise<Extract<Awaited<ReturnType<WorkerPool['do']>>, { readonly type: 'traced' }>> {
  const pool = new WorkerPool(1, bug);
  try {
    const answer = await pool.do(work);
    if (answer.type === 'traced') return answer;
    throw new TrefoilError('Internal', answer.type === 'error' ? answer.message : 'no answer');
  } finally {
    pool.close();
  }
}
