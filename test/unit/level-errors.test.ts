import { describe, expect, it } from 'vitest';
import { storageError } from '../../src/adapters/level-errors.js';
import { TrefoilError } from '../../src/core/errors.js';

/** As abstract-level and the file system make them. */
function levelError(code: string, message: string, cause?: Error): Error {
  return Object.assign(new Error(message, { cause }), { code });
}

describe('errors of LevelDB and the disk', () => {
  it.each([
    [
      levelError('LEVEL_IO_ERROR', 'IO error: /d/000003.log: No space left on device'),
      'write',
      'StorageFull',
    ],
    [levelError('ENOSPC', 'ENOSPC: no space left on device, mkdir'), 'open d', 'StorageFull'],
    [levelError('LEVEL_IO_ERROR', 'IO error: /d/000003.log: Disk quota exceeded'), 'write', 'StorageFull'],
    [levelError('LEVEL_IO_ERROR', 'IO error: /d/000003.log: Input/output error'), 'write', 'StorageFailed'],
    [levelError('LEVEL_CORRUPTION', 'Corruption: block checksum mismatch'), 'read', 'RecordCorrupt'],
    [levelError('LEVEL_CORRUPTION', 'Corruption: bad block'), 'scan', 'RecordCorrupt'],
    [
      levelError(
        'LEVEL_DATABASE_NOT_OPEN',
        'Database failed to open',
        levelError('LEVEL_CORRUPTION', 'Corruption: x'),
      ),
      'open d',
      'StorageFailed',
    ],
    [
      levelError(
        'LEVEL_DATABASE_NOT_OPEN',
        'Database failed to open',
        levelError('LEVEL_LOCKED', 'IO error: lock'),
      ),
      'open d',
      'DataFolderInUse',
    ],
    ['what is this', 'read', 'StorageFailed'],
  ])('maps %s while trying to %s', (error, doing, code) => {
    expect(storageError(error, doing)).toMatchObject({ name: 'TrefoilError', code });
  });

  it('knows that a closed store did nothing', () => {
    const closed = storageError(levelError('LEVEL_DATABASE_NOT_OPEN', 'Database is not open'), 'write');
    expect(closed).toMatchObject({ code: 'StorageFailed', outcome: 'failed' });
  });

  it('keeps ours', () => {
    const ours = new TrefoilError('DataFolderForeign', 'It belongs to n2.');
    expect(storageError(ours, 'open d')).toBe(ours);
  });
});
