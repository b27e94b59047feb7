/**
 * A simulated world: machines with a clock and a disk each, a network between them, and one time for all.
 * What runs in it is the real node and the real SDK, on the runtimes that it hands out.
 *
 *   world.node('n1') ─▶ a process: its timers, its connections, its handle on the disk  (dies with a crash)
 *   world.disk('n1') ─▶ the disk under it                                              (stays)
 */
import { invariant } from '../core/invariant.js';
import type { Cancel, ClientRuntime, Clock, Log, LogLevel, NodeRuntime, Timers } from '../runtime/runtime.js';
import { SimulatedDisk } from './disk.js';
import type { Process } from './link.js';
import { SimulatedNetwork } from './network.js';
import type { LinkConditions } from './pipe.js';
import { Simulation, SIMULATION_START_MS, type SimulationOptions } from './scheduler.js';

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
}

export interface CrashOptions {
  /** The machine goes with the process: peers are not told, nothing answers until it is started again. */
  readonly powerOff?: boolean;
  /** What becomes of writes that no fsync covered: as the seed decides (the default), or none survives. */
  readonly unsynced?: 'seeded' | 'lost';
}

interface RunningProcess extends Process {
  /** The disk that it opened: one that refused it must not be disturbed by its death. */
  disk: SimulatedDisk | undefined;
}

export class SimulatedWorld {
  readonly simulation: Simulation;
  readonly network: SimulatedNetwork;
  readonly #disks = new Map<string, SimulatedDisk>();
  readonly #processes = new Map<string, RunningProcess>();
  readonly #clockOffsetsMs = new Map<string, number>();
  readonly #starts = new Map<string, number>();
  readonly #logLines: LogLine[] = [];

  constructor(options: WorldOptions) {
    this.simulation = new Simulation(options);
    this.network = new SimulatedNetwork(this.simulation, options.conditions);
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
    invariant(!this.#processes.has(name), `${name} still runs: crash or exit it before it starts again`);
    const disk = options.disk ?? this.disk(name);
    const process = this.#start(name);
    return {
      ...this.#runtime(process),
      openStorage: async () => {
        const storage = disk.open();
        process.disk = disk;
        return storage;
      },
    };
  }

  /** A process without a disk, else like a node. Its name is its own. */
  client(name: string): ClientRuntime {
    invariant(!this.#processes.has(name), `${name} still runs: crash or exit it before it starts again`);
    return this.#runtime(this.#start(name));
  }

  /** Kills a process: its timers never fire, its connections break, its writes in flight never settle. */
  crash(name: string, options: CrashOptions = {}): void {
    this.#end(name, options.powerOff === true)?.disk?.crash(options.unsynced);
  }

  /** A process ends by itself: as a crash, but the machine keeps what was written, synced or not. */
  exit(name: string): void {
    this.#end(name, false)?.disk?.exit();
  }

  /** Moves a machine's wall clock to `offsetMs` from true time; its monotonic clock does not notice. */
  setClockOffset(name: string, offsetMs: number): void {
    this.#clockOffsetsMs.set(name, offsetMs);
  }

  #start(name: string): RunningProcess {
    const process: RunningProcess = { name, alive: true, disk: undefined };
    this.#processes.set(name, process);
    return process;
  }

  #end(name: string, powerOff: boolean): RunningProcess | undefined {
    const process = this.#processes.get(name);
    if (process === undefined) return undefined;
    process.alive = false;
    this.#processes.delete(name);
    this.network.crash(name, { powerOff });
    return process;
  }

  #runtime(process: Process): ClientRuntime {
    const start = (this.#starts.get(process.name) ?? 0) + 1;
    this.#starts.set(process.name, start);
    return {
      clock: this.#clock(process.name),
      timers: this.#timers(process),
      random: this.simulation.random.fork(`process/${process.name}/${String(start)}`),
      network: this.network.endpoint(process.name),
      log: this.#log(process.name),
    };
  }

  #clock(name: string): Clock {
    const startMs = this.simulation.nowMs();
    return {
      wallMs: () =>
        Math.floor(SIMULATION_START_MS + this.simulation.nowMs() + (this.#clockOffsetsMs.get(name) ?? 0)),
      monotonicMs: () => this.simulation.nowMs() - startMs,
    };
  }

  #timers(process: Process): Timers {
    const after = (ms: number, label: string, run: () => void): Cancel =>
      this.simulation.schedule(ms, `${label} ${process.name}`, () => {
        if (process.alive) run();
      });
    return {
      after: (ms, run) => after(ms, 'timer', run),
      soon: (run) => {
        after(0, 'soon', run);
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
