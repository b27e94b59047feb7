/**
 * Makes a fault happen to a simulated cluster, now, and says how to end it. Each fault takes back exactly
 * what it did: faults overlap as the seed drew them and end in any order, of those on one thing the worst
 * holds, skews of a clock add up, and a node starts again when the last fault that keeps it down has ended.
 *
 * When a fault begins and ends is for the caller to say; `atMs` and `forMs` are not looked at here.
 */
import { unreachable } from '../../src/core/invariant.js';
import type { Cancel } from '../../src/runtime/runtime.js';
import type { SimulatedCluster } from '../../src/simulation/cluster.js';
import type { Way } from '../../src/simulation/conditions.js';
import { storedKeys } from '../../src/simulation/copies.js';
import type { CrashOptions } from '../../src/simulation/world.js';
import { nodesOf, type FaultKind } from './fault.js';
import { partitionWays } from './partition-ways.js';

/**
 * Ends a fault; a second call does nothing. Resolves when what it ended is repaired, for which the simulation must run: a node
 * that it took down is up again, unless another fault keeps it down.
 */
export type EndFault = () => Promise<void>;

/** Begins a fault. One that has no duration is over when this returns; its end does nothing. */
export function beginFault(cluster: SimulatedCluster, fault: FaultKind): EndFault {
  const entry = cluster.world.trace?.fault({
    name: fault.fault,
    nodes: nodesOf(fault),
    detail: describeFault(fault),
    beganMs: cluster.simulation.nowMs(),
    endedMs: isInstant(fault) ? cluster.simulation.nowMs() : null,
  });
  const end = begin(cluster, fault);
  let ending: Promise<void> | undefined;
  return () => {
    if (ending !== undefined) return ending;
    if (entry !== undefined) entry.endedMs ??= cluster.simulation.nowMs();
    ending = Promise.resolve(end());
    return ending;
  };
}

/** Whether a fault is over as soon as it began: only its consequences last. */
export function isInstant({ fault }: FaultKind): boolean {
  return fault === 'reset' || fault === 'rotten-record';
}

/** One line for people. */
export function describeFault(fault: FaultKind): string {
  const details = Object.entries(fault)
    .filter(([name]) => name !== 'fault' && name !== 'atMs' && name !== 'forMs')
    .map(([name, value]) => `${name} ${Array.isArray(value) ? value.join('..') : String(value)}`);
  return [fault.fault, ...details].join(' ');
}

function begin(cluster: SimulatedCluster, fault: FaultKind): () => void | Promise<void> {
  const { world, names } = cluster;
  const { network } = world;
  const everywhere = (): boolean => true;
  switch (fault.fault) {
    // --- network ---
    case 'partition':
      return network.obstruct(partitionWays(fault.shape, fault.order));
    case 'slow-link':
      return network.impose({ latencyMs: fault.latencyMs }, from(cluster, fault));
    case 'narrow':
      return network.impose({ bytesPerMs: fault.bytesPerMs }, from(cluster, fault));
    case 'lossy':
      // Half of what is lost takes its connection with it, as with TCP; half vanishes from one that lives on.
      return network.impose({ lossRate: fault.rate / 2, dropRate: fault.rate / 2 }, everywhere);
    case 'duplicating':
      return network.impose({ duplicateRate: fault.rate }, everywhere);
    case 'reordering':
      return network.impose({ reorderRate: fault.rate }, everywhere);
    case 'corrupting':
      return network.impose({ corruptionRate: fault.rate }, everywhere);
    case 'clog': {
      const way: Way = [fault.from, fault.to];
      return network.obstruct([way], 'clogged');
    }
    case 'reset':
      network.reset(fault.node);
      return nothing;

    // --- node ---
    case 'crash': {
      const { powerOff, unsynced } = fault;
      return takeDown(cluster, [fault.node], { powerOff, unsynced });
    }
    case 'power-cut':
      return takeDown(cluster, names, { powerOff: true, unsynced: 'lost' });
    case 'restart':
      return stopInOrder(cluster, fault.node);
    case 'pause':
      return world.pause(fault.node);
    case 'slow-cpu':
      return world.slowCpu(fault.node, fault.eventMs);

    // --- disk ---
    case 'slow-disk':
      return world.disk(fault.node).impose({ times: { fsyncMs: fault.fsyncMs } });
    case 'full-disk':
      return world.disk(fault.node).impose({ full: true });
    case 'failing-disk':
      return world.disk(fault.node).impose({ failing: 'StorageFailed' });
    case 'flipping-reads':
      return world.disk(fault.node).impose({ flipRate: fault.rate });
    case 'rotten-record':
      rot(cluster, fault.node, fault.pick);
      return nothing;
    case 'lost-disk': {
      const end = takeDown(cluster, [fault.node], { powerOff: false });
      world.disk(fault.node).wipe();
      return end;
    }
    case 'restored-disk':
      return restoreLater(cluster, fault.node);

    // --- clock ---
    case 'clock-offset':
      return world.skewClock(fault.node, { offsetMs: fault.offsetMs });
    case 'clock-drift':
      return world.skewClock(fault.node, { driftMsPerSecond: fault.msPerSecond });
    case 'clock-jumps':
      return jumpToAndFro(cluster, fault.node, fault.byMs, fault.everyMs);
    default:
      return unreachable(fault);
  }
}

/** The ways from one node to another, or to all other nodes. */
function from(
  cluster: SimulatedCluster,
  fault: { readonly from: string; readonly to?: string },
): (a: string, b: string) => boolean {
  const others = new Set(fault.to === undefined ? cluster.names : [fault.to]);
  return (a, b) => a === fault.from && others.has(b);
}

function takeDown(cluster: SimulatedCluster, nodes: readonly string[], options: CrashOptions): EndFault {
  const releases = nodes.map((node) => cluster.keepDown(node));
  for (const node of nodes) cluster.crash(node, options);
  return async () => {
    for (const release of releases) release();
    await Promise.all(nodes.map((node) => cluster.restart(node)));
  };
}

function stopInOrder(cluster: SimulatedCluster, node: string): EndFault {
  const release = cluster.keepDown(node);
  // A stop that fails leaves the node down as well: that is all that is asked of it here.
  const stopped = cluster.running(node) ? cluster.stop(node).catch(nothing) : Promise.resolve();
  return async () => {
    await stopped;
    release();
    await cluster.restart(node);
  };
}

/** Nothing happens to the node until the end: then it stops at once, and what it has written since is gone. */
function restoreLater(cluster: SimulatedCluster, node: string): EndFault {
  const disk = cluster.world.disk(node);
  const copy = disk.image();
  return async () => {
    cluster.crash(node);
    disk.restore(copy);
    await cluster.restart(node);
  };
}

function rot(cluster: SimulatedCluster, node: string, pick: number): void {
  const disk = cluster.world.disk(node);
  const records = cluster.map.namespaces.flatMap((entry) =>
    Array.from({ length: entry.partitions }, (_, partition) => storedKeys(entry, partition, disk)).flat(),
  );
  const record = records[Math.floor(pick * records.length)];
  if (record !== undefined) disk.flipByte(record);
}

/** Forward by `byMs`, back to the truth, back by `byMs`, forward to the truth, and so on. */
function jumpToAndFro(cluster: SimulatedCluster, node: string, byMs: number, everyMs: number): Cancel {
  const { world, simulation } = cluster;
  const offsetsMs = [byMs, 0, -byMs, 0];
  let jumps = 0;
  let takeBack: Cancel = nothing;
  let cancel: Cancel = nothing;
  const jump = (): void => {
    takeBack();
    takeBack = world.skewClock(node, { offsetMs: offsetsMs[jumps++ % offsetsMs.length] ?? 0 });
    cancel = simulation.schedule(Math.max(1, everyMs), `jump ${node}`, jump);
  };
  jump();
  return () => {
    cancel();
    takeBack();
  };
}

function nothing(): void {}
