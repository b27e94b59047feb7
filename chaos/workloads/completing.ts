/**
 * How a call of the SDK ends in a history: `ok` with its value, `fail` where it certainly had no effect, `info`
 * where nobody knows. A read that gave nothing has no effect and says nothing: `fail`.
 */
import { TrefoilError } from '../../src/core/errors.js';
import type { Value } from '../history/history.js';
import type { Completion, PlannedOperation } from './workload.js';

export async function completeRead(
  operation: PlannedOperation,
  read: () => Promise<Value>,
): Promise<Completion> {
  try {
    return { type: 'ok', value: await read() };
  } catch (error) {
    if (!(error instanceof TrefoilError)) throw error;
    return { type: 'fail', value: operation.value, error: error.code };
  }
}

export async function completeWrite(
  operation: PlannedOperation,
  write: () => Promise<Value>,
): Promise<Completion> {
  try {
    return { type: 'ok', value: await write() };
  } catch (error) {
    if (!(error instanceof TrefoilError)) throw error;
    const type = error.outcome === 'failed' ? 'fail' : 'info';
    return { type, value: operation.value, error: error.code };
  }
}
