/** What LevelDB's errors mean to us, and the damage that it does not report as an error at all. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TrefoilError, type ErrorCode } from '../core/errors.js';

/** Codes and messages of an error and of what caused it: abstract-level wraps the telling one. */
function* causesOf(error: unknown): Generator<{ readonly code: string; readonly message: string }> {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    yield { code: typeof code === 'string' ? code : '', message: cause.message };
  }
}

/** Maps a failure of the disk or of LevelDB. `doing` says what was tried, for people. */
export function storageError(error: unknown, doing: string): TrefoilError {
  if (error instanceof TrefoilError) return error;
  const causes = [...causesOf(error)];
  const is = (code: string): boolean => causes.some((cause) => cause.code === code);
  const says = (text: RegExp): boolean => causes.some((cause) => text.test(cause.message));
  const message = `The store could not ${doing}: ${causes.at(-1)?.message ?? String(error)}`;
  const make = (code: ErrorCode): TrefoilError => new TrefoilError(code, message, { cause: error });

  if (is('LEVEL_LOCKED')) {
    return new TrefoilError('DataFolderInUse', `Another process uses the data folder (${doing}).`, {
      cause: error,
    });
  }
  if (is('ENOSPC') || is('EDQUOT') || says(/no space left|quota exceeded/i)) return make('StorageFull');
  // On opening, damage is the whole folder's, not one record's.
  if (says(/^corruption/i) || is('LEVEL_CORRUPTION')) {
    return make(doing.startsWith('open') ? 'StorageFailed' : 'RecordCorrupt');
  }
  if (is('LEVEL_DATABASE_NOT_OPEN') && !doing.startsWith('open')) {
    return new TrefoilError('StorageFailed', 'The storage is closed.', { outcome: 'failed', cause: error });
  }
  return make('StorageFailed');
}

/**
 * Whether LevelDB, opening, skipped damaged parts of its write log. It notes that only in its own LOG file, which
 * starts anew with each open: `(ignoring error) 000005.log: dropping 32721 bytes; checksum mismatch`.
 */
export async function droppedInRecovery(location: string): Promise<boolean> {
  const log = await readFile(join(location, 'LOG'), 'utf8').catch(() => '');
  return /dropping \d+ bytes|ignoring error/i.test(log);
}
