/**
 * Worker processes of a hunt: as many as there are to be runs at once, each with one task at a time. Processes rather than
 * threads, so that a run that takes the process with it is an answer too, and a planted bug stays where it is.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { WorkerAnswer, WorkerTask, WorkerWork } from './worker-messages.js';

/** Of what a worker says on stderr. */
const STDERR_CHARS_MAX = 2_000;

const WORKER_FILE = fileURLToPath(new URL('./worker.js', import.meta.url));

export class WorkerPool {
  readonly #bug: string | null;
  readonly #jobs: number;
  readonly #workers = new Set<ChildProcess>();
  readonly #idle: ChildProcess[] = [];
  /** Those who wait for a worker. */
  readonly #waiting: (() => void)[] = [];
  /** What each worker has said on stderr, its beginning: of one that ends, the reason. */
  readonly #stderr = new WeakMap<ChildProcess, string>();
  #nextId = 0;

  constructor(jobs: number, bug: string | null) {
    this.#jobs = jobs;
    this.#bug = bug;
  }

  /** Does it as soon as a worker is free. Never rejects: a worker that died is an `error`. */
  async do(work: WorkerWork): Promise<WorkerAnswer> {
    const task: WorkerTask = { ...work, id: this.#nextId++ };
    const worker = await this.#takeWorker();
    const answer = await ask(worker, task, () => this.#stderr.get(worker) ?? '');
    if (worker.connected) this.#idle.push(worker);
    else this.#workers.delete(worker);
    this.#waiting.shift()?.();
    return answer;
  }

  /** Ends every worker. What they were doing is answered as an `error`. */
  close(): void {
    for (const worker of this.#workers) worker.kill('SIGKILL');
  }

  async #takeWorker(): Promise<ChildProcess> {
    for (;;) {
      const worker = this.#idle.pop();
      if (worker !== undefined) return worker;
      if (this.#workers.size < this.#jobs) return this.#start();
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async #start(): Promise<ChildProcess> {
    const worker = fork(WORKER_FILE, this.#bug === null ? [] : [this.#bug], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#workers.add(worker);
    worker.stderr?.on('data', (text: Buffer) => {
      const kept = `${this.#stderr.get(worker) ?? ''}${text.toString()}`;
      this.#stderr.set(worker, kept.slice(0, STDERR_CHARS_MAX));
    });
    await Promise.race([once(worker, 'message'), once(worker, 'exit')]);
    return worker;
  }
}

function ask(worker: ChildProcess, task: WorkerTask, stderr: () => string): Promise<WorkerAnswer> {
  return new Promise((resolve) => {
    const end = (answer: WorkerAnswer): void => {
      worker.off('message', end);
      worker.off('exit', died);
      resolve(answer);
    };
    const died = (): void => {
      const how = worker.signalCode ?? String(worker.exitCode);
      end({
        id: task.id,
        type: 'error',
        message: `the worker process ended with ${how}: ${stderr()}`.trim(),
      });
    };
    if (!worker.connected) {
      died();
      return;
    }
    worker.on('message', end);
    worker.on('exit', died);
    worker.send(task);
  });
}
