/**
 * Draws a schedule of faults from a seed, whole and ahead of the run: what happens at 12 s does not depend on what
 * the cluster did before, so the shrinker can drop any of them and the rest stays as it was.
 *
 * Faults that take data away (a disk that is lost or set back, rotten records, reads that flip bits) all hit one
 * node, drawn once: a write is on W disks, and losing all of them is beyond what any setting promises.
 */
import type { Random } from '../../src/runtime/runtime.js';
import { PARTITION_SHAPES, type Fault, type FaultKind } from './fault.js';
import type { DrawnFault } from './fault-schema.js';

type Range = readonly [min: number, max: number];

export interface DrawOptions {
  readonly nodes: readonly string[];
  readonly durationMs: number;
  /** Time between the beginnings of two faults. */
  readonly pauseMs: Range;
  readonly kinds: readonly DrawnFault[];
}

/** All faults of a run by `atMs`. Each ends within the fault phase. */
export function drawFaults(random: Random, options: DrawOptions): Fault[] {
  const { nodes, durationMs, kinds } = options;
  if (kinds.length === 0) return [];
  const damaged = pickOne(random, nodes);
  const faults: Fault[] = [];
  let atMs = between(random, options.pauseMs);
  while (atMs < durationMs) {
    const kind = pickWeighted(random, kinds);
    const forMs = Math.min(durationMs - atMs, between(random, kind.forMs ?? DURATION_MS[kind.fault]));
    faults.push({ ...drawKind(random, kind, nodes, damaged), atMs, forMs });
    atMs += between(random, options.pauseMs);
  }
  return faults;
}

const DURATION_MS: Readonly<Record<FaultKind['fault'], Range>> = {
  partition: [200, 4_000],
  'slow-link': [500, 3_000],
  lossy: [500, 3_000],
  duplicating: [500, 3_000],
  reordering: [500, 3_000],
  corrupting: [500, 3_000],
  narrow: [500, 3_000],
  clog: [200, 3_000],
  reset: [0, 0],
  crash: [100, 5_000],
  'power-cut': [0, 1_000],
  restart: [100, 2_000],
  pause: [100, 3_000],
  'slow-cpu': [500, 3_000],
  'slow-disk': [500, 3_000],
  'full-disk': [500, 3_000],
  'failing-disk': [100, 1_500],
  'flipping-reads': [500, 3_000],
  'rotten-record': [0, 0],
  'lost-disk': [100, 3_000],
  'restored-disk': [500, 8_000],
  'clock-offset': [500, 10_000],
  'clock-drift': [500, 10_000],
  'clock-jumps': [500, 5_000],
};

function drawKind(random: Random, kind: DrawnFault, nodes: readonly string[], damaged: string): FaultKind {
  const order = shuffled(random, nodes);
  const [node, other] = order as [string, string];
  const within = (own: Range | undefined, usual: Range): number => between(random, own ?? usual);
  const eitherWay = (own: Range | undefined, usual: Range): number =>
    within(own, usual) * (random.float() < 0.5 ? -1 : 1);
  switch (kind.fault) {
    case 'partition':
      return { fault: 'partition', shape: pickOne(random, kind.shapes ?? PARTITION_SHAPES), order };
    case 'slow-link':
      return {
        fault: 'slow-link',
        from: node,
        ...maybeTo(random, other),
        latencyMs: kind.latencyMs ?? [1, 120],
      };
    case 'lossy':
    case 'duplicating':
    case 'reordering':
    case 'corrupting':
      return { fault: kind.fault, rate: within(kind.rate, [0.001, 0.02]) };
    case 'narrow':
      return {
        fault: 'narrow',
        from: node,
        ...maybeTo(random, other),
        bytesPerMs: within(kind.bytesPerMs, [1, 50]),
      };
    case 'clog':
      return { fault: 'clog', from: node, to: other };
    case 'crash': {
      const unsynced = pickOne(random, ['seeded', 'lost', 'torn'] as const);
      return { fault: 'crash', node, unsynced, powerOff: random.float() < (kind.powerOff ?? 0.25) };
    }
    case 'power-cut':
      return { fault: 'power-cut' };
    case 'reset':
    case 'restart':
    case 'pause':
    case 'full-disk':
    case 'failing-disk':
      return { fault: kind.fault, node };
    case 'slow-cpu':
      return { fault: 'slow-cpu', node, eventMs: within(kind.eventMs, [0.5, 5]) };
    case 'slow-disk':
      return { fault: 'slow-disk', node, fsyncMs: kind.fsyncMs ?? [20, 200] };
    case 'flipping-reads':
      return { fault: 'flipping-reads', node: damaged, rate: within(kind.rate, [0.01, 0.2]) };
    case 'rotten-record':
      return { fault: 'rotten-record', node: damaged, pick: random.float() };
    case 'lost-disk':
      return { fault: 'lost-disk', node: damaged };
    case 'restored-disk':
      return { fault: 'restored-disk', node: damaged };
    case 'clock-offset':
      return { fault: 'clock-offset', node, offsetMs: eitherWay(kind.byMs, [1, 3_600_000]) };
    case 'clock-drift':
      return { fault: 'clock-drift', node, msPerSecond: eitherWay(kind.msPerSecond, [1, 300]) };
    case 'clock-jumps':
      return { fault: 'clock-jumps', node, byMs: eitherWay(kind.byMs, [1, 60_000]), everyMs: 200 };
  }
}

/** Half of the time a link to one node, else to all. */
function maybeTo(random: Random, other: string): { readonly to?: string } {
  return random.float() < 0.5 ? { to: other } : {};
}

function between(random: Random, [min, max]: Range): number {
  return Math.round((min + random.float() * (max - min)) * 1_000) / 1_000;
}

function pickOne<T>(random: Random, from: readonly T[]): T {
  return from[random.integer(from.length)] as T;
}

function pickWeighted(random: Random, kinds: readonly DrawnFault[]): DrawnFault {
  let left = random.float() * kinds.reduce((sum, kind) => sum + kind.weight, 0);
  for (const kind of kinds) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  return kinds.at(-1) as DrawnFault;
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const left = [...items];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(random.integer(left.length), 1));
  return order;
}
