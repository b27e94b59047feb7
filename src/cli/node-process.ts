/**
 * One storage node as a process of its own: started, waited for, killed, stopped. `cluster up`, the demo,
 * the integration tests and the bench all start their nodes here.
 *
 * A node lives in a process group of its own, so that Ctrl-C in a terminal reaches only the program that
 * started it, which then stops its nodes in order. Unless it is meant to outlive that program, a node also
 * watches its standard input, a pipe from here: when this program dies, by SIGKILL even, the pipe ends
 * and the node stops. Nothing is left behind.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TrefoilError } from '../core/errors.js';
import { DRAIN_MS_MAX } from '../core/limits.js';
import type { Address } from '../runtime/runtime.js';
import { parseFailure } from './failure.js';

/** How long a node may take until it serves. */
export const READY_MS_MAX = 20_000;

/** How long a node may take to stop after SIGTERM, before it is killed. */
export const STOP_MS_MAX = DRAIN_MS_MAX + 2_000;

const STDERR_CHARS_MAX = 64 * 1024;

export interface SpawnNodeOptions {
  readonly configFile: string;
  readonly id: string;
  /** The config's own folder where absent. */
  readonly dataDir?: string;
  /** Where the node's log is appended; it is kept in memory, its end only, where absent. */
  readonly logFile?: string;
  readonly logLevel?: string;
  readonly newIncarnation?: boolean;
  readonly trustStore?: boolean;
  /** The node goes on when this program ends. */
  readonly outlive?: boolean;
  readonly readyMsMax?: number;
}

export interface NodeExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface NodeProcess {
  readonly id: string;
  readonly pid: number;
  readonly address: Address;
  /** Resolves when the process is gone, however it ended. */
  readonly exited: Promise<NodeExit>;
  /** SIGKILL: what was not durable is lost. Resolves when it is gone. */
  kill(): Promise<NodeExit>;
  /** SIGTERM, and SIGKILL when it takes longer than `STOP_MS_MAX`. */
  stop(): Promise<NodeExit>;
  /** Sends any other signal, such as SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void;
  /** The end of what it wrote to stderr, unless that goes to a file. */
  stderr(): string;
  /** Lets this program end while an outliving node goes on. */
  release(): void;
}

/**
 * Starts a node and resolves when it serves. Rejects with the node's own error where it ends before,
 * and with `Timeout` (it is killed then) where it is not ready in time.
 */
export async function spawnNode(options: SpawnNodeOptions): Promise<NodeProcess> {
  const log = options.logFile === undefined ? undefined : openLog(options.logFile);
  const child = spawn(process.execPath, [trefoilProgram(), ...nodeArguments(options)], {
    detached: true,
    stdio: [options.outlive === true ? 'ignore' : 'pipe', 'pipe', log?.fd ?? 'pipe'],
  });
  // A node that dies at once leaves a broken pipe; its exit says all there is to say.
  child.stdin?.on('error', () => undefined);
  const exited = exitOf(child);
  const stderr = tailOf(child);
  try {
    const address = await readyAddress(child, exited, options).catch((error: unknown) => {
      if (!(error instanceof EndedEarly)) throw error;
      throw startFailure(options, error.exit, log === undefined ? stderr() : log.readNew());
    });
    return nodeProcess(options.id, child, address, exited, stderr);
  } finally {
    log?.close();
  }
}

/** The built program: beside this file, or, where this runs from the sources, in `dist`. */
export function trefoilProgram(): string {
  const beside = fileURLToPath(new URL('./main.js', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
}

function nodeArguments(options: SpawnNodeOptions): string[] {
  return [
    'node',
    `--config=${options.configFile}`,
    `--id=${options.id}`,
    ...(options.dataDir === undefined ? [] : [`--data-dir=${options.dataDir}`]),
    ...(options.logLevel === undefined ? [] : [`--log-level=${options.logLevel}`]),
    ...(options.newIncarnation === true ? ['--new-incarnation'] : []),
    ...(options.trustStore === true ? ['--trust-store'] : []),
    ...(options.outlive === true ? [] : ['--until-stdin-ends']),
  ];
}

class EndedEarly extends Error {
  readonly exit: NodeExit;
  constructor(exit: NodeExit) {
    super('ended before it was ready');
    this.exit = exit;
  }
}

/** Waits for `ready ID HOST:PORT`, the exit, or the deadline, whichever comes first. */
async function readyAddress(
  child: ChildProcess,
  exited: Promise<NodeExit>,
  options: SpawnNodeOptions,
): Promise<Address> {
  const readyMsMax = options.readyMsMax ?? READY_MS_MAX;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(
        new TrefoilError('Timeout', `${options.id} was not ready within ${readyMsMax} ms and was killed`),
      );
    }, readyMsMax);
  });
  const ended = exited.then((exit) => {
    throw new EndedEarly(exit);
  });
  try {
    return await Promise.race([readyLine(child), ended, late]);
  } finally {
    clearTimeout(timer);
  }
}

function readyLine(child: ChildProcess): Promise<Address> {
  return new Promise((resolve) => {
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const match = /^ready \S+ (\S+):(\d+)$/m.exec(text);
      if (match?.[1] !== undefined) resolve({ host: match[1], port: Number(match[2]) });
    });
  });
}

function exitOf(child: ChildProcess): Promise<NodeExit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
}

function tailOf(child: ChildProcess): () => string {
  let tail = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    tail = (tail + chunk).slice(-STDERR_CHARS_MAX);
  });
  return () => tail;
}

function startFailure(options: SpawnNodeOptions, exit: NodeExit, log: string): TrefoilError {
  const reported = parseFailure(log);
  if (reported !== undefined)
    return new TrefoilError(reported.code, `${options.id}: ${reported.message}`, { cause: reported });
  const how = exit.signal === null ? `code ${String(exit.code)}` : exit.signal;
  const where = options.logFile === undefined ? log.trim().slice(-500) : `see ${options.logFile}`;
  return new TrefoilError('Internal', `${options.id} ended with ${how} before it was ready: ${where}`);
}

function nodeProcess(
  id: string,
  child: ChildProcess,
  address: Address,
  exited: Promise<NodeExit>,
  stderr: () => string,
): NodeProcess {
  return {
    id,
    pid: child.pid ?? 0,
    address,
    exited,
    stderr,
    kill() {
      child.kill('SIGKILL');
      return exited;
    },
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
    signal(signal) {
      child.kill(signal);
    },
    release() {
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
    },
  };
}

interface LogFile {
  readonly fd: number;
  /** What was appended since it was opened. */
  readNew(): string;
  close(): void;
}

function openLog(file: string): LogFile {
  mkdirSync(dirname(file), { recursive: true });
  const fd = openSync(file, 'a+');
  const start = fstatSync(fd).size;
  return {
    fd,
    readNew() {
      const bytes = Buffer.alloc(Math.min(fstatSync(fd).size - start, STDERR_CHARS_MAX));
      readSync(fd, bytes, 0, bytes.length, fstatSync(fd).size - bytes.length);
      return bytes.toString('utf8');
    },
    close: () => closeSync(fd),
  };
}
