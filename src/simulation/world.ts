/**
 * A simulated world: machines with a clock and a disk each, a network between them, and one time for all.
 * What runs in it is the real node and the real SDK, on the runtimes that it hands out.
 *
 *   world.node('n1') ─▶ a process: its timers, its connections, its handle on the disk  (dies with a crash)
 *   world.disk('n1') ─▶ the disk under it                                              (stays)
 */
import { invariant } from '../core/invariant.js';
import type { Cancel, ClientRuntime, Clock, Log, LogLevel, NodeRuntime, Timers } from '../runtime/runtime.js';
import type { LinkConditions } from './conditions.js';
import { SimulatedDisk, type Unsynced } from './disk.js';
import { Machine, type ClockSkew } from './machine.js';
import { SimulatedNetwork } from './network.js';
import { SimulatedProcess } from './process.js';
import { Simulation, SIMULATION_START_MS, type SimulationOptions } from './scheduler.js';
import type { TraceProcess, TraceRecorder } from './trace.js';

/** Log lines that a world keeps, the latest. */
const LOG_LINES_MAX = 10_000;

export interface LogLine {
  readonly atMs: number;
  readonly name: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface WorldOptions extends SimulationOptions {
  readonly conditions?: Partial<LinkConditions>;
  /** Records what happens. Without one nothing is recorded. */
  readonly trace?: TraceRecorder;
}

export interface CrashOptions {
  /** The machine goes with the process: peers are not told, nothing answers until it is started again. */
  readonly powerOff?: boolean;
  /** What becomes of writes that no fsync covered: as the seed decides, by default. */
  readonly unsynced?: Unsynced;
}

interface Running {
  readonly process: SimulatedProcess;
  /** The disk that it opened: one that refused it must not be disturbed by its death. */
  disk: SimulatedDisk | undefined;
}

export class SimulatedWorld {
  readonly simulation: Simulation;
  readonly network: SimulatedNetwork;
  readonly trace: TraceRecorder | undefined;
  readonly #disks = new Map<string, SimulatedDisk>();
  readonly #running = new Map<string, Running>();
  readonly #machines = new Map<string, Machine>();
  readonly #starts = new Map<string, number>();
  readonly #logLines: LogLine[] = [];

  constructor(options: WorldOptions) {
    this.simulation = new Simulation(options);
    this.trace = options.trace;
    this.network = new SimulatedNetwork(this.simulation, options.conditions, options.trace);
  }

  /** The latest log lines of all processes, oldest first. */
  get logLines(): readonly LogLine[] {
    return this.#logLines;
  }

  /** The disk of a node; there is one each, and folder names do not matter. */
  disk(name: string): SimulatedDisk {
    let disk = this.#disks.get(name);
    if (disk === undefined) {
      disk = new SimulatedDisk(this.simulation, name);
      this.#disks.set(name, disk);
    }
    return disk;
  }

  /**
   * Starts a process on a machine and its disk; `options.disk` puts it on another one.
   * The one before it must have ended, by `crash` or `exit`.
   */
  node(name: string, options: { readonly disk?: SimulatedDisk } = {}): NodeRuntime {
    invariant(!this.#running.has(name), `${name} still runs: crash or exit it before it starts again`);
    const disk = options.disk ?? this.disk(name);
    const running = this.#start(name);
    const { process } = running;
    return {
      ...this.#runtime(process),
      openStorage: async () => {
        const storage = disk.open((run) => {
          process.act(run);
        });
        running.disk = disk;
        return storage;
      },
    };
  }

  /** A process without a disk, else like a node. Its name is its own. */
  client(name: string): ClientRuntime {
    invariant(!this.#running.has(name), `${name} still runs: crash or exit it before it starts again`);
    return this.#runtime(this.#start(name).process);
  }

  /** Kills a process: its timers never fire, its connections break, its writes in flight never settle. */
  crash(name: string, options: CrashOptions = {}): void {
    this.#end(name, options.powerOff === true ? 'power-off' : 'crash')?.disk?.crash(options.unsynced);
  }

  /** A process ends by itself: as a crash, but the machine keeps what was written, synced or not. */
  exit(name: string): void {
    this.#end(name, 'exit')?.disk?.exit();
  }

  /**
   * The process stands still while its machine goes on: connections stay, what arrives waits, and so do timers and
   * the disk's answers; then all of it happens, in order. Nothing where no such process runs.
   */
  pause(name: string): Cancel {
    const process = this.#running.get(name)?.process;
    if (process === undefined) return () => undefined;
    const wasPaused = process.paused;
    const resume = process.pause();
    if (!wasPaused) this.#note(name, 'pause');
    return () => {
      const stoodStill = process.paused;
      resume();
      if (stoodStill && !process.paused && process.alive) this.#note(name, 'resume');
    };
  }

  /** Runs something as an event of a process: at once, or when it gets to it; never, if there is none. */
  act(name: string, run: () => void): void {
    this.#running.get(name)?.process.act(run);
  }

  /** Every event on a machine takes `eventMs`, until it is taken back. Of several the slowest holds. */
  slowCpu(name: string, eventMs: number): Cancel {
    return this.#machine(name).slowDown(eventMs);
  }

  /** Makes a machine's wall clock wrong, until it is taken back; its monotonic clock does not notice. Skews add up. */
  skewClock(name: string, skew: ClockSkew): Cancel {
    return this.#machine(name).skewClock(skew);
  }

  /** Sets a machine's wall clock to `offsetMs` from true time, skews aside. */
  setClockOffset(name: string, offsetMs: number): void {
    this.#machine(name).setOffset(offsetMs);
  }

  /** How far a machine's wall clock is from true time. */
  clockErrorMs(name: string): number {
    return this.#machine(name).clockErrorMs;
  }

  #machine(name: string): Machine {
    let machine = this.#machines.get(name);
    if (machine === undefined) {
      machine = new Machine(this.simulation);
      this.#machines.set(name, machine);
    }
    return machine;
  }

  #start(name: string): Running {
    const process = new SimulatedProcess(this.simulation, name, this.#machine(name));
    const running: Running = { process, disk: undefined };
    this.#running.set(name, running);
    this.#note(name, 'start');
    return running;
  }

  #end(name: string, how: 'crash' | 'power-off' | 'exit'): Running | undefined {
    const running = this.#running.get(name);
    if (running === undefined) return undefined;
    running.process.end();
    this.#running.delete(name);
    this.network.crash(name, { powerOff: how === 'power-off' });
    this.#note(name, how);
    return running;
  }

  #note(name: string, what: TraceProcess['what']): void {
    this.trace?.process({ atMs: this.simulation.nowMs(), name, what });
  }

  #runtime(process: SimulatedProcess): ClientRuntime {
    const start = (this.#starts.get(process.name) ?? 0) + 1;
    this.#starts.set(process.name, start);
    return {
      clock: this.#clock(process.name),
      timers: this.#timers(process),
      random: this.simulation.random.fork(`process/${process.name}/${String(start)}`),
      network: this.network.endpoint(process.name, process),
      log: this.#log(process.name),
    };
  }

  #clock(name: string): Clock {
    const startMs = this.simulation.nowMs();
    const machine = this.#machine(name);
    return {
      wallMs: () => Math.floor(SIMULATION_START_MS + this.simulation.nowMs() + machine.clockErrorMs),
      monotonicMs: () => this.simulation.nowMs() - startMs,
    };
  }

  #timers(process: SimulatedProcess): Timers {
    const after = (ms: number, label: string, run: () => void): Cancel => {
      let over = false;
      const fire = (): void => {
        if (process.free) run();
        else
          process.act(() => {
            // It may have been cancelled by what ran before it.
            if (!over) run();
          });
      };
      const cancel = this.simulation.schedule(ms, label, fire);
      return () => {
        over = true;
        cancel();
      };
    };
    const timer = `timer ${process.name}`;
    const soon = `soon ${process.name}`;
    return {
      after: (ms, run) => after(ms, timer, run),
      soon: (run) => {
        after(0, soon, run);
      },
    };
  }

  #log(name: string): Log {
    return {
      write: (level, message, fields = {}) => {
        this.#logLines.push({ atMs: this.simulation.nowMs(), name, level, message, fields });
        if (this.#logLines.length > LOG_LINES_MAX) this.#logLines.shift();
      },
    };
  }
}
