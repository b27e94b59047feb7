/**
 * Worker processes of a hunt: as many as there are to be runs at once, each with one task at a time. Processes rather than
 * threads, so that a run that takes the process with it is an answer too, and a planted bug stays where it is.
 *
 * A worker that has ended, however, is never given a task: what ended it is told of the task that it had, and
 * of no other.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { WorkerAnswer, WorkerTask, WorkerWork } from './worker-messages.js';

/** Of what a worker says on stderr. */
const STDERR_CHARS_MAX = 2_000;

const WORKER_FILE = fileURLToPath(new URL('./worker.js', import.meta.url));

export class WorkerPool {
  readonly #bug: string | null;
  readonly #jobs: number;
  readonly #workers = new Set<Worker>();
  readonly #idle: Worker[] = [];
  /** Those who wait for a worker. */
  readonly #waiting: (() => void)[] = [];
  #nextId = 0;
  #closed = false;

  constructor(jobs: number, bug: string | null) {
    this.#jobs = jobs;
    this.#bug = bug;
  }

  /** Process ids of the workers that live. */
  get pids(): readonly number[] {
    return [...this.#workers].filter((worker) => worker.alive).map((worker) => worker.pid);
  }

  /** Does it as soon as a worker is free. Never rejects: a worker that died, and a pool that is closed, is an `error`. */
  async do(work: WorkerWork): Promise<WorkerAnswer> {
    const task: WorkerTask = { ...work, id: this.#nextId++ };
    const worker = await this.#takeWorker();
    if (worker === undefined) return { id: task.id, type: 'error', message: 'the hunt is over' };
    const answer = await worker.ask(task);
    if (worker.alive) this.#idle.push(worker);
    else this.#workers.delete(worker);
    this.#waiting.shift()?.();
    return answer;
  }

  /** Ends every worker. What they were doing is answered as an `error`, and so is all that comes later. */
  close(): void {
    this.#closed = true;
    for (const worker of this.#workers) worker.kill();
    for (const tell of this.#waiting.splice(0)) tell();
  }

  async #takeWorker(): Promise<Worker | undefined> {
    while (!this.#closed) {
      const worker = this.#idle.pop();
      if (worker?.alive === true) return worker;
      if (worker !== undefined) {
        this.#workers.delete(worker);
      } else if (this.#workers.size < this.#jobs) {
        const started = new Worker(this.#bug);
        this.#workers.add(started);
        return started;
      } else {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    }
    return undefined;
  }
}

/** One process. It takes a task before it is ready for it: the channel keeps what it is sent. */
class Worker {
  readonly #process: ChildProcess;
  /** What it has said on stderr, the beginning: of one that ends, the reason. */
  #stderr = '';
  #ended: string | undefined;
  #answer: ((answer: WorkerAnswer) => void) | undefined;
  #task: WorkerTask | undefined;

  constructor(bug: string | null) {
    this.#process = fork(WORKER_FILE, bug === null ? [] : [bug], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#process.stderr?.on('data', (text: Buffer) => {
      this.#stderr = `${this.#stderr}${text.toString()}`.slice(0, STDERR_CHARS_MAX);
    });
    this.#process.on('message', (answer: WorkerAnswer) => {
      this.#end(answer);
    });
    // `close` rather than `exit`: then all that it said has been read.
    this.#process.on('close', (code, signal) => {
      this.#die(signal ?? String(code));
    });
    this.#process.on('error', (error) => {
      this.#die(error.message);
    });
  }

  get alive(): boolean {
    return this.#ended === undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** One at a time. */
  ask(task: WorkerTask): Promise<WorkerAnswer> {
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.#task = task;
      if (this.#ended !== undefined) this.#die(this.#ended);
      // A channel that breaks here is a process that ends: `close` tells why.
      else this.#process.send(task, () => undefined);
    });
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #die(how: string): void {
    this.#ended = how;
    if (this.#task === undefined) return;
    const message = `the worker process ended with ${how}: ${this.#stderr}`.trim();
    this.#end({ id: this.#task.id, type: 'error', message });
  }

  #end(answer: WorkerAnswer): void {
    const answered = this.#answer;
    this.#answer = undefined;
    this.#task = undefined;
    answered?.(answer);
  }
}
