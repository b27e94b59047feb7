/** The process that makes the load, as its parent sees it: orders go in, each one's reports are awaited in turn. */
import type { ChildProcess } from 'node:child_process';
import type { LoadOrder, LoadReport, ProcessMeasure, Scenario } from './load-messages.js';
import type { ClientTarget } from './clients.js';
import { endOf, forkProgram } from './processes.js';

/** Silence after which the load is taken for stuck. */
const REPORT_MS_MAX = 120_000;

export interface ScenarioTiming {
  readonly warmUpMs: number;
  readonly measuredMs: number;
  readonly seed: number;
}

export class LoadProcess {
  readonly #child: ChildProcess;
  /** The next index of a photo that is new to the subject. */
  #nextNew = 0;

  constructor(cpuProfileDir?: string) {
    this.#child = forkProgram('load.js', cpuProfileDir);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Connects and stores its part of the photos to read: `from` to `to` - 1. New photos are numbered from `firstNew` on. */
  async open(
    target: ClientTarget,
    { records, from, to, firstNew }: { records: number; from: number; to: number; firstNew: number },
  ): Promise<void> {
    this.#nextNew = firstNew;
    this.#order({ type: 'open', target, records, from, to });
    await this.#report('opened');
  }

  /** Runs one scenario; `onWindow` is called as the measured window opens and again as it closes. */
  async run(scenario: Scenario, timing: ScenarioTiming, onWindow: () => void): Promise<ProcessMeasure> {
    this.#order({ type: 'run', scenario, firstNew: this.#nextNew, ...timing });
    await this.#report('measuring');
    onWindow();
    const { measure } = await this.#report('measured');
    onWindow();
    this.#nextNew = (await this.#report('rested')).nextNew;
    return measure;
  }

  /** Stores new photos, `atOnce` at a time. Rejects where one cannot be stored. */
  async fill(count: number, atOnce: number): Promise<void> {
    const from = this.#nextNew;
    this.#nextNew += count;
    this.#order({ type: 'fill', from, to: this.#nextNew, atOnce });
    await this.#report('filled', Infinity);
  }

  /** Stores new photos at a steady rate until what it returns is called, which resolves to what was measured. */
  async pace(perSecond: number): Promise<() => Promise<ProcessMeasure>> {
    this.#order({ type: 'pace', perSecond, firstNew: this.#nextNew });
    await this.#report('pacing');
    return async () => {
      this.#order({ type: 'end-pace' });
      const { measure } = await this.#report('measured');
      this.#nextNew = (await this.#report('rested')).nextNew;
      return measure;
    };
  }

  /** Ends the process; resolves when it is gone. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#order({ type: 'close' });
    await endOf(this.#child);
  }

  #order(order: LoadOrder): void {
    this.#child.send(order);
  }

  #report<T extends LoadReport['type']>(
    type: T,
    msMax = REPORT_MS_MAX,
  ): Promise<Extract<LoadReport, { readonly type: T }>> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#child.off('message', onMessage).off('exit', onExit);
      };
      const onMessage = (report: LoadReport): void => {
        settle();
        if (report.type === type) resolve(report as Extract<LoadReport, { readonly type: T }>);
        else reject(new Error(report.type === 'failed' ? report.reason : `unexpected: ${report.type}`));
      };
      const onExit = (): void => {
        settle();
        reject(new Error('the load process ended'));
      };
      const timer =
        msMax === Infinity
          ? undefined
          : setTimeout(() => {
              settle();
              reject(new Error(`the load did not report "${type}" within ${msMax} ms`));
            }, msMax);
      this.#child.on('message', onMessage).on('exit', onExit);
    });
  }
}
