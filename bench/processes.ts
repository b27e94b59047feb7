/**
 * The processes of a run: started alike for every subject, so that none has another Node, flag or pipe than
 * the others; waited for by their ready line; stopped by their own id; none left behind.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const READY_MS_MAX = 20_000;
const STOP_MS_MAX = 12_000;
const STDERR_CHARS_MAX = 4096;

const alive = new Set<ChildProcess>();

/** Ends every process started here, at once: for when this program itself is told to end. */
export function killAll(): void {
  for (const child of alive) child.kill('SIGKILL');
}

function remember(child: ChildProcess): ChildProcess {
  alive.add(child);
  child.once('exit', () => alive.delete(child));
  return child;
}

export interface ServerProcess {
  readonly pid: number;
  /** SIGTERM, and SIGKILL if it takes too long. Resolves when it is gone. */
  stop(): Promise<void>;
  /** SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>;
}

export interface ServerCommand {
  /** For messages. */
  readonly name: string;
  /** A script for this Node. */
  readonly program: string;
  readonly args: readonly string[];
  /** Where a CPU profile of the process is written when it stops; none where absent. */
  readonly cpuProfileDir?: string | undefined;
}

/** A program that is not ours. */
export interface ForeignCommand {
  /** For messages. */
  readonly name: string;
  /** Where the program lies. */
  readonly executable: string;
  readonly args: readonly string[];
  /** Matches its standard output once it serves. */
  readonly ready: RegExp;
}

/**
 * Starts a server and resolves when it prints a line that begins with `ready`. It is told to end when its
 * standard input does, so that it does not outlive this program. Rejects with the end of its stderr.
 */
export function startServer(command: ServerCommand): Promise<ServerProcess> {
  const { name, program, args, cpuProfileDir } = command;
  return start(name, process.execPath, [...profileFlags(cpuProfileDir), program, ...args], /^ready\b/m);
}

/**
 * The same for a program that does not watch its standard input: the kernel kills it when this one dies, where `setpriv` is there
 * to ask for that. `setpriv` becomes the program, so that the process is the program's own.
 */
export function startForeign({ name, executable, args, ready }: ForeignCommand): Promise<ServerProcess> {
  const setpriv = programOnPath('setpriv');
  if (setpriv === undefined) return start(name, executable, args, ready);
  return start(name, setpriv, ['--pdeathsig=KILL', executable, ...args], ready);
}

/** Where a program of this name lies, or undefined. */
export function programOnPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function start(
  name: string,
  executable: string,
  args: readonly string[],
  ready: RegExp,
): Promise<ServerProcess> {
  const child = spawn(executable, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  remember(child);
  child.stdin.on('error', () => undefined);
  const stderr = tailOf(child);
  const gone = exitOf(child);
  const stop = (): Promise<void> => stopProcess(child, gone);
  try {
    await within(
      READY_MS_MAX,
      `${name} is not ready`,
      Promise.race([readyText(child, ready), failsWith(gone)]),
    );
  } catch (error) {
    await stop();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${name}: ${reason}: ${stderr().trim()}`, { cause: error });
  }
  return { pid: child.pid ?? 0, stop, kill: () => killProcess(child, gone) };
}

/** Forks a program of this folder, to be talked to by messages. Its stderr is this program's. */
export function forkProgram(file: string, cpuProfileDir?: string): ChildProcess {
  const child = fork(programPath(file), {
    execArgv: profileFlags(cpuProfileDir),
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return remember(child);
}

/** Resolves when the process is gone, killed if it does not go by itself in time. */
export async function endOf(child: ChildProcess): Promise<void> {
  const gone = exitOf(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await gone;
  clearTimeout(timer);
}

/** The built program beside this file. */
export function programPath(file: string): string {
  return fileURLToPath(new URL(`./${file}`, import.meta.url));
}

function profileFlags(dir: string | undefined): string[] {
  return dir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${dir}`];
}

async function stopProcess(child: ChildProcess, gone: Promise<unknown>): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await gone;
  clearTimeout(timer);
}

async function killProcess(child: ChildProcess, gone: Promise<unknown>): Promise<void> {
  child.kill('SIGKILL');
  await gone;
}

function exitOf(child: ChildProcess): Promise<string> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve('it has ended');
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? `code ${String(code)}`}`));
    child.once('error', (error) => resolve(error.message));
  });
}

async function failsWith(gone: Promise<string>): Promise<never> {
  throw new Error(await gone);
}

/** What comes after it is read as well, or a pipe that is full would stop the server. */
function readyText(child: ChildProcess, ready: RegExp): Promise<void> {
  return new Promise((resolve) => {
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (ready.test(text)) resolve();
      text = text.slice(-STDERR_CHARS_MAX);
    });
  });
}

function tailOf(child: ChildProcess): () => string {
  let tail = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    tail = (tail + chunk).slice(-STDERR_CHARS_MAX);
  });
  return () => tail;
}

async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
