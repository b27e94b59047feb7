/**
 * `node.pid` in a node's data folder: which process `cluster up` started for it, so that `cluster down`
 * finds it from any shell. A file that names a process that is gone, or a stranger, counts as no file.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { identifyProcess, isRunning, type ProcessIdentity } from './process-identity.js';

const schema = z.object({ pid: z.number().int().positive(), startedAt: z.string().nullable() });

export function pidFileOf(dataDir: string): string {
  return join(dataDir, 'node.pid');
}

/** Writes down a running process; false where it is already gone. */
export function writePidFile(file: string, pid: number): boolean {
  const identity = identifyProcess(pid);
  if (identity === undefined) return false;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(identity)}\n`);
  renameSync(`${file}.new`, file);
  return true;
}

/** The process that the file names, if that very process still runs. */
export function readPidFile(file: string): ProcessIdentity | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
  const identity = schema.safeParse(parsed);
  return identity.success && isRunning(identity.data) ? identity.data : undefined;
}

export function removePidFile(file: string): void {
  rmSync(file, { force: true });
}
