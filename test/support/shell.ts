/** One shell that stays, as a newcomer's terminal does: an alias of one command is there for the next. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Clone, Ran } from './clone.js';

/** No command of a page takes longer. */
const COMMAND_MS_MAX = 60_000;

export class Shell {
  readonly #child: ChildProcess;
  #output = '';
  #onOutput: () => void = () => undefined;

  constructor(clone: Clone) {
    this.#child = spawn('bash', ['--noprofile', '--norc'], {
      cwd: clone.folder,
      env: clone.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const keep = (text: string): void => {
      this.#output += text;
      this.#onOutput();
    };
    this.#child.stdout?.setEncoding('utf8').on('data', keep);
    this.#child.stderr?.setEncoding('utf8').on('data', keep);
    // A terminal expands aliases; a shell that reads from a pipe has to be told.
    this.#child.stdin?.write('shopt -s expand_aliases\n');
  }

  /** Runs one line, and resolves with what it printed and its exit code. */
  run(line: string): Promise<Ran> {
    this.#output = '';
    const done = /\n<exit (\d+)>\n/;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#child.kill('SIGKILL');
        reject(new Error(`${line} took longer than ${COMMAND_MS_MAX} ms and printed ${this.#output}`));
      }, COMMAND_MS_MAX);
      this.#onOutput = () => {
        const match = done.exec(this.#output);
        if (match === null) return;
        clearTimeout(timer);
        resolve({ code: Number(match[1]), output: this.#output.replace(done, '') });
      };
      this.#child.stdin?.write(`{ ${line}\n} 2>&1 </dev/null; printf '\\n<exit %d>\\n' $?\n`);
    });
  }

  close(): void {
    this.#child.stdin?.end();
    this.#child.kill('SIGKILL');
  }
}
