/**
 * How the demo tells its story: short numbered acts, figures in one column, a bar while something runs.
 *
 *     3  Two people edit one photo at once
 *        siblings                                2
 *
 * Colour and bars only on a terminal that wants them; elsewhere a long act prints a line now and then.
 */
import { SingleBar } from 'cli-progress';
import { formatCount } from '../table.js';

export interface Progress {
  add(count?: number): void;
  /** Ends the bar; the act's own figures tell how it went. */
  done(): void;
}

const INDENT = '   ';
const LABEL_WIDTH = 40;
/** Without a terminal, how far apart the lines of one progress are. */
const LINE_EVERY_MS = 5_000;

export class Narrator {
  readonly #stream: NodeJS.WriteStream;
  readonly #terminal: boolean;
  readonly #colour: boolean;
  readonly #startedMs = performance.now();
  #act = 0;
  #bar: SingleBar | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#terminal = stream.isTTY === true;
    this.#colour = this.#terminal && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
  }

  /** Seconds since the demo began. */
  get elapsedS(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  act(title: string): void {
    this.#act++;
    this.#write(`\n${this.#styled('1', `${this.#act}  ${title}`)}`);
  }

  say(text: string): void {
    this.#write(`${INDENT}${text}`);
  }

  /** A label and what was measured, in the column of figures. */
  figure(label: string, value: string | number, verdict?: 'good' | 'bad'): void {
    const text = typeof value === 'number' ? formatCount(value) : value;
    const shown = verdict === undefined ? text : this.#styled(verdict === 'good' ? '32' : '31', text);
    this.#write(`${INDENT}${label.padEnd(LABEL_WIDTH)}${shown}`);
  }

  /** A line apart from the acts. */
  line(text = ''): void {
    this.#write(text);
  }

  progress(label: string, total: number): Progress {
    return this.#terminal ? this.#barProgress(label, total) : this.#lineProgress(label, total);
  }

  /** Takes a bar off the screen that a failure left there. */
  interrupt(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #barProgress(label: string, total: number): Progress {
    const bar = new SingleBar({
      format: `${INDENT}${label.padEnd(LABEL_WIDTH)}{bar} {percentage} %  {value}/{total}`,
      barsize: 24,
      barCompleteChar: '#',
      barIncompleteChar: '.',
      hideCursor: true,
      clearOnComplete: true,
      fps: 8,
      stream: this.#stream,
    });
    bar.start(total, 0);
    this.#bar = bar;
    return {
      add: (count = 1) => bar.increment(count),
      done: () => this.interrupt(),
    };
  }

  #lineProgress(label: string, total: number): Progress {
    let count = 0;
    let toldMs = performance.now();
    return {
      add: (more = 1) => {
        count += more;
        if (performance.now() - toldMs < LINE_EVERY_MS) return;
        toldMs = performance.now();
        this.say(`${label}: ${formatCount(count)} of ${formatCount(total)}`);
      },
      done: () => undefined,
    };
  }

  #styled(code: string, text: string): string {
    return this.#colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  }

  #write(text: string): void {
    this.#stream.write(`${text}\n`);
  }
}
