/** Files that a run leaves. A place that cannot be written is the caller's mistake, not a defect of Trefoil. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { TrefoilError } from '../../src/core/errors.js';

/** Throws `BadRequest` where the file cannot be written. */
export function writeText(file: string, text: string): void {
  orRefuse(file, () => {
    writeFileSync(file, text);
  });
}

/** Makes the folder unless it is there. Throws `BadRequest` where it cannot be made. */
export function makeFolder(folder: string): void {
  orRefuse(folder, () => {
    mkdirSync(folder, { recursive: true });
  });
}

function orRefuse(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw new TrefoilError('BadRequest', `cannot write ${path}: ${(error as Error).message}`);
  }
}
