/**
 * What a storage node has beyond a client: LevelDB, and a log by pino. Apart from `system-runtime.ts`, so that the SDK
 * and short commands load neither.
 */
import { pino, type DestinationStream } from 'pino';
import type { Log, LogLevel, NodeRuntime } from '../runtime/runtime.js';
import { openLevelStorage } from './level-storage.js';
import { systemClientRuntime } from './system-runtime.js';

export interface LogOptions {
  /** Stands in every line as `name`; for telling processes apart. */
  readonly name?: string;
  /** Where lines go; standard error by default, written at once so that a crash loses none. */
  readonly destination?: DestinationStream;
}

/** A log of JSON lines (pino's) from `level` up. */
export function createLog(level: LogLevel = 'info', options: LogOptions = {}): Log {
  const logger = pino(
    { level, ...(options.name === undefined ? {} : { name: options.name }) },
    options.destination ?? pino.destination({ dest: 2, sync: true }),
  );
  return {
    write: (lineLevel, message, fields = {}) => {
      logger[lineLevel](fields, message);
    },
  };
}

/** What a storage node runs on. Logs to standard error unless it is given a log. */
export function systemNodeRuntime(options: { readonly log?: Log } = {}): NodeRuntime {
  return { ...systemClientRuntime({ log: options.log ?? createLog() }), openStorage: openLevelStorage };
}
