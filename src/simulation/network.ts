/**
 * The network between simulated processes. An address is whatever a config says, and belongs to who last
 * listened on it; faults name the processes. What happens to a single connection is in `link.ts`.
 *
 * Frames of a connection stay in order, so reordering, duplication and loss show as they do over TCP:
 * between connections, and as a connection that breaks with an unknown part of what was sent. What goes beyond
 * TCP are faults of their own (`conditions.ts`).
 */
import { TrefoilError } from '../core/errors.js';
import type {
  Address,
  Cancel,
  Connection,
  ConnectionHandlers,
  Listener,
  Network,
} from '../runtime/runtime.js';
import {
  Conditions,
  nameOf,
  type LinkConditions,
  type Obstacle,
  type Scope,
  type Way,
} from './conditions.js';
import { Link } from './link.js';
import type { Path } from './pipe.js';
import { SimulatedProcess } from './process.js';
import type { SeededRandom } from './random.js';
import type { Simulation } from './scheduler.js';
import type { TraceRecorder } from './trace.js';

/** How long a connect waits for an answer, as in the real adapter. */
export const CONNECT_TIMEOUT_MS = 5_000;

const FREE_PORT_FIRST = 20_000;

interface ListenerEntry {
  readonly process: SimulatedProcess;
  readonly onConnection: (connection: Connection) => ConnectionHandlers;
}

export class SimulatedNetwork {
  readonly #simulation: Simulation;
  readonly #trace: TraceRecorder | undefined;
  readonly #conditions = new Conditions();
  readonly #randoms = new Map<string, SeededRandom>();
  readonly #processes = new Map<string, SimulatedProcess>();
  readonly #poweredOff = new Set<string>();
  readonly #listeners = new Map<string, ListenerEntry>();
  /** Who last listened on an address; stays when it stops, so that faults still know whose it is. */
  readonly #owners = new Map<string, string>();
  readonly #links = new Set<Link>();
  #linkCount = 0;
  #nextPort = FREE_PORT_FIRST;

  constructor(simulation: Simulation, conditions: Partial<LinkConditions> = {}, trace?: TraceRecorder) {
    this.#simulation = simulation;
    this.#trace = trace;
    this.setConditions(conditions);
  }

  /** The network as a process sees it; without one, as the living process of that name does, or a new one. */
  endpoint(name: string, started?: SimulatedProcess): Network {
    let process = this.#processes.get(name);
    if (process?.alive !== true || (started !== undefined && started !== process)) {
      process = started ?? new SimulatedProcess(this.#simulation, name);
      this.#processes.set(name, process);
      this.#poweredOff.delete(name);
      this.#resume();
    }
    const owner = process;
    return {
      // What still runs of a dead process reaches nobody.
      listen: (address, onConnection) =>
        owner.alive ? this.#listen(owner, address, onConnection) : new Promise(() => undefined),
      connect: (address, handlers) => this.#connect(owner, address, handlers),
    };
  }

  /**
   * The process ends. Its peers lose their connections after what it had sent; with `powerOff` they hear
   * nothing, until what they send reaches a machine that is on again and knows nothing of them.
   */
  crash(name: string, options: { readonly powerOff?: boolean } = {}): void {
    const process = this.#processes.get(name);
    if (process === undefined) return;
    process.end();
    if (options.powerOff === true) this.#poweredOff.add(name);
    for (const [address, listener] of this.#listeners) {
      if (listener.process === process) this.#listeners.delete(address);
    }
    for (const link of this.#links) {
      for (const end of [link.client, link.server]) {
        if (end?.process !== process || end.closed) continue;
        if (options.powerOff === true) link.pipeFrom(end).clear();
        else link.pipeFrom(end).send({ kind: 'end', reason: 'connection lost' });
        end.die(options.powerOff === true);
      }
    }
  }

  // --- Faults --------------------------------------------------------------------------------------

  /** Changes how all packets fare from now on, except on links that were set themselves. */
  setConditions(conditions: Partial<LinkConditions>): void {
    this.#conditions.set(conditions);
  }

  /** Changes how packets fare one way between two processes. */
  setLink(from: string, to: string, conditions: Partial<LinkConditions>): void {
    this.#conditions.setLink(from, to, conditions);
  }

  /** Makes packets fare worse on the ways in `scope` until it is taken back; other faults stay as they are. */
  impose(conditions: Partial<LinkConditions>, scope: Scope): Cancel {
    return this.#conditions.impose(conditions, scope);
  }

  /** Lets nothing pass on these ways until it is taken back; then what stalled goes on, in order. */
  obstruct(ways: readonly Way[], obstacle: Obstacle = 'blocked'): Cancel {
    const remove = this.#conditions.obstruct(ways, obstacle);
    return () => {
      remove();
      this.#resume();
    };
  }

  /** One way only: frames stall silently, new connections time out. */
  block(from: string, to: string): void {
    this.#conditions.block(from, to);
  }

  /** Blocks both ways between each of the one and each of the other. */
  partition(these: string | readonly string[], those: string | readonly string[]): void {
    for (const a of [these].flat()) {
      for (const b of [those].flat()) {
        this.block(a, b);
        this.block(b, a);
      }
    }
  }

  /** Takes back what was blocked, everywhere or between these two. What stalled goes on. */
  heal(a?: string, b?: string): void {
    this.#conditions.unblock(a, b);
    this.#resume();
  }

  /** Takes back every fault of the network: what is left is a quiet room. */
  calm(): void {
    this.#conditions.clear();
    this.#resume();
  }

  /** The connections between two processes go silent without a word to either; new ones work. */
  halfOpen(a: string, b: string): void {
    for (const link of this.#links) if (link.joins(a, b)) link.abandon();
  }

  /** The connections between two processes break at once, and both are told. */
  breakConnections(a: string, b: string): void {
    for (const link of [...this.#links]) if (link.joins(a, b)) link.lose();
  }

  /** Every connection of a process breaks at once, and both sides are told. */
  reset(name: string): void {
    for (const link of [...this.#links]) if (link.touches(name)) link.lose();
  }

  // --- For endpoints -------------------------------------------------------------------------------

  async #listen(
    process: SimulatedProcess,
    wanted: Address,
    onConnection: (connection: Connection) => ConnectionHandlers,
  ): Promise<Listener> {
    const address = { host: wanted.host, port: wanted.port === 0 ? this.#nextPort++ : wanted.port };
    const text = textOf(address);
    if (this.#listeners.has(text)) {
      throw new TrefoilError('PortInUse', `Something listens on ${text} already.`);
    }
    const entry = { process, onConnection };
    this.#listeners.set(text, entry);
    this.#owners.set(text, process.name);
    return {
      address,
      close: async () => {
        if (this.#listeners.get(text) === entry) this.#listeners.delete(text);
      },
    };
  }

  #connect(process: SimulatedProcess, address: Address, handlers: ConnectionHandlers): Connection {
    const text = textOf(address);
    // Whose address it is may be known only once somebody listens there, which may be while we connect.
    let server: string | undefined;
    const there = (): string => server ?? this.#owners.get(text) ?? address.host;
    const here = (): string => process.name;
    const link: Link = new Link(
      {
        simulation: this.#simulation,
        number: ++this.#linkCount,
        trace: this.#trace,
        there: this.#path(here, there),
        back: this.#path(there, here),
        onConnect: () => {
          server = this.#listeners.get(text)?.process.name;
          return this.#accept(link, text, process.name);
        },
        listening: () => this.#listeners.get(text)?.process,
        onDone: () => this.#links.delete(link),
      },
      process,
      text,
    );
    if (process.alive) {
      this.#links.add(link);
      link.client.start(handlers, CONNECT_TIMEOUT_MS);
    } else {
      link.client.die(true);
    }
    return link.client;
  }

  #accept(link: Link, address: string, from: string): boolean {
    const listener = this.#listeners.get(address);
    if (listener === undefined) return false;
    link.serve(listener.process, from).accept(listener.onConnection);
    return true;
  }

  #path(from: () => string, to: () => string): Path {
    // Asked for every frame: what depends on the names and the conditions is kept until either changes.
    let ends: Way = ['', ''];
    let version = -1;
    let random: SeededRandom;
    let faultRandom: SeededRandom;
    let conditions: LinkConditions;
    const refresh = (): void => {
      const a = from();
      const b = to();
      if (a === ends[0] && b === ends[1] && version === this.#conditions.version) return;
      ends = [a, b];
      version = this.#conditions.version;
      const way = nameOf(a, b);
      random = this.#randomOf(way);
      faultRandom = this.#randomOf(`${way}/faults`);
      conditions = this.#conditions.of(a, b);
    };
    return {
      get from() {
        return from();
      },
      get to() {
        return to();
      },
      get random() {
        refresh();
        return random;
      },
      get faultRandom() {
        refresh();
        return faultRandom;
      },
      conditions: () => {
        refresh();
        return conditions;
      },
      passes: () => {
        const a = from();
        const b = to();
        if (a === b) return true;
        return this.#conditions.passes(a, b) && !this.#poweredOff.has(a) && !this.#poweredOff.has(b);
      },
      clogged: () => this.#conditions.clogged(from(), to()),
    };
  }

  #randomOf(name: string): SeededRandom {
    let random = this.#randoms.get(name);
    if (random === undefined) {
      random = this.#simulation.random.fork(`network/${name}`);
      this.#randoms.set(name, random);
    }
    return random;
  }

  #resume(): void {
    for (const link of this.#links) link.resume();
  }
}

function textOf(address: Address): string {
  return `${address.host}:${String(address.port)}`;
}
