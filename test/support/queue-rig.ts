/**
 * An update queue alone, on a simulated disk: its replicas do what the test scripts, and all that happens is written down.
 * A scripted step is an event like any other; what the queue itself sends goes to `onEvent`.
 */
import { TrefoilError } from '../../src/core/errors.js';
import { HybridClock } from '../../src/core/hlc.js';
import { groupId, incarnationId, namespaceName, nodeId, type GroupId } from '../../src/core/ids.js';
import { CLOCK_SKEW_MS_MAX } from '../../src/core/limits.js';
import { Counters } from '../../src/node/counters.js';
import { Minter } from '../../src/node/minter.js';
import { ReplicaSlot } from '../../src/node/replica-slot.js';
import { UpdateQueue } from '../../src/node/update-queue.js';
import type { Effects, Replica, ReplicaEvent, Turn } from '../../src/replication/strategy.js';
import type { NodeRuntime, Storage } from '../../src/runtime/runtime.js';
import type { SimulatedDisk } from '../../src/simulation/disk.js';
import { SimulatedWorld } from '../../src/simulation/world.js';
import { eventLoopTurns } from '../../chaos/event-loop.js';

export type Script = (turn: Turn, effects: Effects) => void;

const NAMESPACE = namespaceName('test');

/** The group of a number. */
export const group = (number: number): GroupId => groupId(NAMESPACE, number);

export class QueueRig {
  readonly world: SimulatedWorld;
  readonly queue: UpdateQueue;
  readonly disk: SimulatedDisk;
  readonly counters = new Counters();
  /** Every event but the scripted ones and what left, in order: `0 turn-end`, `0 open`, `reply 7`, `outputs`. */
  readonly log: string[] = [];
  onOpen: (of: number, turn: Turn, effects: Effects) => void = () => undefined;
  onEvent: (of: number, event: ReplicaEvent, turn: Turn, effects: Effects) => void = () => undefined;
  storage: Storage;
  readonly #scripts = new Map<string, Script>();

  private constructor(world: SimulatedWorld, runtime: NodeRuntime, storage: Storage) {
    this.world = world;
    this.disk = world.disk('n1');
    this.storage = storage;
    this.queue = new UpdateQueue({
      self: nodeId('n1'),
      runtime,
      storage,
      reopen: async (failed) => {
        await failed.close();
        this.storage = await runtime.openStorage('n1');
        return this.storage;
      },
      clock: new HybridClock(() => runtime.clock.wallMs(), CLOCK_SKEW_MS_MAX),
      minter: new Minter({ sync: incarnationId('n1.s'), buffered: incarnationId('n1.b') }),
      counters: this.counters,
      outputs: {
        send: (peer) => this.log.push(`send ${peer}`),
        reply: (request) => this.log.push(`reply ${request}`),
        reachable: () => true,
        flush: () => this.log.push('outputs'),
        failed: () => this.log.push('failed'),
      },
      freeBytesMin: 0,
    });
  }

  /** A queue with so many replicas, opened. */
  static async start(replicas: number, onOpen?: QueueRig['onOpen']): Promise<QueueRig> {
    const world = new SimulatedWorld({ seed: 'queue', turns: eventLoopTurns });
    const runtime = world.node('n1');
    const rig = new QueueRig(world, runtime, await runtime.openStorage('n1'));
    if (onOpen !== undefined) rig.onOpen = onOpen;
    for (let i = 0; i < replicas; i++) {
      rig.queue.add(new ReplicaSlot(group(i), 'sync', (turn, effects) => rig.#open(i, turn, effects)));
    }
    return rig;
  }

  /** Has the replica of that number do this in a step; steps given together are of one turn. */
  step(of: number, script: Script): void {
    const timer = `script ${this.#scripts.size}`;
    this.#scripts.set(timer, script);
    this.queue.enqueue(group(of), { type: 'timer', timer });
  }

  /** The same, and the turn with it, but not what it wrote. */
  async turn(of: number, script: Script): Promise<void> {
    let done = false;
    this.step(of, (turn, effects) => {
      done = true;
      script(turn, effects);
    });
    await this.world.simulation.runUntil(() => done);
  }

  run(ms: number): Promise<void> {
    return this.world.simulation.runFor(ms);
  }

  #open(of: number, turn: Turn, effects: Effects): Replica {
    this.log.push(`${of} open`);
    this.onOpen(of, turn, effects);
    return {
      step: (event, now, asked) => {
        const script = event.type === 'timer' ? this.#scripts.get(event.timer) : undefined;
        if (script !== undefined) return script(now, asked);
        this.log.push(`${of} ${event.type}`);
        this.onEvent(of, event, now, asked);
      },
      status: () => ({ group: group(of), strategy: 'scripted', gauges: {} }),
    };
  }
}

/** What a scripted replica replies. */
export const ANSWER = new TrefoilError('Timeout', 'scripted');

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A local read, as text. */
export function textOf(turn: Turn, key: string): string | undefined {
  const value = turn.read(key);
  return value === undefined || value === 'damaged' ? value : new TextDecoder().decode(value);
}
