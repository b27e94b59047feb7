/**
 * The network between simulated processes. An address is whatever a config says, and belongs to who last
 * listened on it; faults name the processes. What happens to a single connection is in `link.ts`.
 *
 * Frames of a connection stay in order, so reordering, duplication and loss show as they do over TCP:
 * between connections, and as a connection that breaks with an unknown part of what was sent.
 */
import { TrefoilError } from '../core/errors.js';
import type { Address, Connection, ConnectionHandlers, Listener, Network } from '../runtime/runtime.js';
import { Link, type Process } from './link.js';
import type { LinkConditions, Path } from './pipe.js';
import type { SeededRandom } from './random.js';
import type { Simulation } from './scheduler.js';

/** Machines in one room. */
export const LINK_CONDITIONS_DEFAULT: LinkConditions = {
  latencyMs: [0.1, 1],
  lossRate: 0,
  corruptionRate: 0,
  bytesPerMs: Infinity,
};

/** How long a connect waits for an answer, as in the real adapter. */
export const CONNECT_TIMEOUT_MS = 5_000;

const FREE_PORT_FIRST = 20_000;

interface ListenerEntry {
  readonly process: Process;
  readonly onConnection: (connection: Connection) => ConnectionHandlers;
}

export class SimulatedNetwork {
  readonly #simulation: Simulation;
  #conditions = LINK_CONDITIONS_DEFAULT;
  readonly #linkConditions = new Map<string, LinkConditions>();
  readonly #randoms = new Map<string, SeededRandom>();
  readonly #processes = new Map<string, Process>();
  readonly #poweredOff = new Set<string>();
  readonly #blocked = new Set<string>();
  readonly #listeners = new Map<string, ListenerEntry>();
  /** Who last listened on an address; stays when it stops, so that faults still know whose it is. */
  readonly #owners = new Map<string, string>();
  readonly #links = new Set<Link>();
  #linkCount = 0;
  #nextPort = FREE_PORT_FIRST;

  constructor(simulation: Simulation, conditions: Partial<LinkConditions> = {}) {
    this.#simulation = simulation;
    this.setConditions(conditions);
  }

  /** The network as the process of that name sees it; a new process after a crash, exit or power cut. */
  endpoint(name: string): Network {
    let process = this.#processes.get(name);
    if (process?.alive !== true) {
      process = { name, alive: true };
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
    process.alive = false;
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
    this.#conditions = { ...this.#conditions, ...conditions };
  }

  /** Changes how packets fare one way between two processes. */
  setLink(from: string, to: string, conditions: Partial<LinkConditions>): void {
    const before = this.#linkConditions.get(way(from, to)) ?? this.#conditions;
    this.#linkConditions.set(way(from, to), { ...before, ...conditions });
  }

  /** One way only: frames stall silently, new connections time out. */
  block(from: string, to: string): void {
    this.#blocked.add(way(from, to));
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

  /** Lets everything through again, or only between these two. What stalled goes on. */
  heal(a?: string, b?: string): void {
    if (a === undefined || b === undefined) {
      this.#blocked.clear();
    } else {
      this.#blocked.delete(way(a, b));
      this.#blocked.delete(way(b, a));
    }
    this.#resume();
  }

  /** Heals, and takes back every condition but those of a quiet room. */
  calm(): void {
    this.#conditions = LINK_CONDITIONS_DEFAULT;
    this.#linkConditions.clear();
    this.heal();
  }

  /** The connections between two processes go silent without a word to either; new ones work. */
  halfOpen(a: string, b: string): void {
    for (const link of this.#links) if (link.joins(a, b)) link.abandon();
  }

  /** The connections between two processes break at once, and both are told. */
  breakConnections(a: string, b: string): void {
    for (const link of [...this.#links]) if (link.joins(a, b)) link.lose();
  }

  // --- For endpoints -------------------------------------------------------------------------------

  async #listen(
    process: Process,
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

  #connect(process: Process, address: Address, handlers: ConnectionHandlers): Connection {
    const text = textOf(address);
    // Whose address it is may be known only once somebody listens there, which may be while we connect.
    let server: string | undefined;
    const there = (): string => server ?? this.#owners.get(text) ?? address.host;
    const here = (): string => process.name;
    const link: Link = new Link(
      {
        simulation: this.#simulation,
        label: `#${String(++this.#linkCount)}`,
        there: this.#path(here, there),
        back: this.#path(there, here),
        onConnect: () => {
          server = this.#listeners.get(text)?.process.name;
          return this.#accept(link, text, process.name);
        },
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
    const conditions = (): LinkConditions => this.#linkConditions.get(way(from(), to())) ?? this.#conditions;
    const randomOf = (): SeededRandom => this.#randomOf(way(from(), to()));
    return {
      get from() {
        return from();
      },
      get to() {
        return to();
      },
      get random() {
        return randomOf();
      },
      conditions,
      passes: () =>
        from() === to() ||
        !(this.#blocked.has(way(from(), to())) || this.#poweredOff.has(from()) || this.#poweredOff.has(to())),
    };
  }

  #randomOf(direction: string): SeededRandom {
    let random = this.#randoms.get(direction);
    if (random === undefined) {
      random = this.#simulation.random.fork(`network/${direction}`);
      this.#randoms.set(direction, random);
    }
    return random;
  }

  #resume(): void {
    for (const link of this.#links) link.resume();
  }
}

function way(from: string, to: string): string {
  return `${from}>${to}`;
}

function textOf(address: Address): string {
  return `${address.host}:${String(address.port)}`;
}
