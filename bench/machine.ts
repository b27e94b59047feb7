/** What the numbers were measured on: without it they mean nothing. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';

const SYNCS = 50;
const SYNC_BYTES = 16 * 1024;

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly node: string;
  readonly platform: string;
  /** Runnable processes over the minute before: well above 0, something else was running too. */
  readonly loadAverage: number;
  /** Median milliseconds to append 16 KiB to a file and sync it: the floor of every durable write here. */
  readonly syncMs: number;
}

/** Describes this machine; `folder` is where the data will lie. */
export function describeMachine(folder: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    loadAverage: loadavg()[0] ?? 0,
    syncMs: measureSyncMs(folder),
  };
}

function measureSyncMs(folder: string): number {
  const path = join(folder, `trefoil-bench-sync-${process.pid}`);
  const file = openSync(path, 'w');
  try {
    const block = Buffer.alloc(SYNC_BYTES, 1);
    const times = Array.from({ length: SYNCS }, () => {
      writeSync(file, block);
      const startedMs = performance.now();
      fdatasyncSync(file);
      return performance.now() - startedMs;
    });
    return times.toSorted((a, b) => a - b)[SYNCS >> 1] ?? 0;
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
