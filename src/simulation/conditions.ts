/**
 * How packets fare on their way from one process to another: what the network is like, what a test set for a
 * single way, and the faults that are imposed on top. Of overlapping faults the worst of each holds, and
 * each is taken back on its own.
 *
 * Loss comes in two forms. As TCP shows it: the connection turns out to be broken (`lossRate`). And beyond
 * TCP, as a broken middlebox does it to a connection that lives on: frames vanish (`dropRate`), come twice
 * (`duplicateRate`) or late behind their successors (`reorderRate`).
 */
import type { Cancel } from '../runtime/runtime.js';
import type { Range } from './random.js';

export interface LinkConditions {
  readonly latencyMs: Range;
  /** Frames that take `tailMs` longer, of all frames, and hold up those behind them: a long tail. */
  readonly tailRate: number;
  readonly tailMs: Range;
  /** Frames after which the connection turns out to be broken, of all frames. */
  readonly lossRate: number;
  /** Frames that arrive with a flipped bit, of all frames. */
  readonly corruptionRate: number;
  readonly dropRate: number;
  readonly duplicateRate: number;
  readonly reorderRate: number;
  /** How much later a frame comes that is overtaken, and the second copy of one that comes twice. */
  readonly lateMs: Range;
  /** Bandwidth of each connection; Infinity for none that matters. */
  readonly bytesPerMs: number;
}

/** Machines in one room. */
export const LINK_CONDITIONS_DEFAULT: LinkConditions = {
  latencyMs: [0.1, 1],
  tailRate: 0,
  tailMs: [50, 500],
  lossRate: 0,
  corruptionRate: 0,
  dropRate: 0,
  duplicateRate: 0,
  reorderRate: 0,
  lateMs: [0, 50],
  bytesPerMs: Infinity,
};

/** One way between two processes. */
export type Way = readonly [from: string, to: string];

/** The ways that a fault concerns. */
export type Scope = (from: string, to: string) => boolean;

/** `blocked`: nothing passes. `clogged`: the same, but what was sent is out of its sender's hands and will arrive. */
export type Obstacle = 'blocked' | 'clogged';

interface Imposed {
  readonly change: Partial<LinkConditions>;
  readonly scope: Scope;
}

export class Conditions {
  #base = LINK_CONDITIONS_DEFAULT;
  readonly #ofLink = new Map<string, LinkConditions>();
  readonly #imposed = new Set<Imposed>();
  /** Set by hand, and taken back by `heal`. */
  readonly #blocked = new Set<string>();
  readonly #obstacles = new Set<{ readonly obstacle: Obstacle; readonly ways: ReadonlySet<string> }>();
  #version = 0;

  /** Changes with every change: what was asked before is still true while it stays. */
  get version(): number {
    return this.#version;
  }

  of(from: string, to: string): LinkConditions {
    let conditions = this.#ofLink.get(nameOf(from, to)) ?? this.#base;
    for (const { change, scope } of this.#imposed) {
      if (scope(from, to)) conditions = worseOf(conditions, change);
    }
    return conditions;
  }

  set(change: Partial<LinkConditions>): void {
    this.#base = { ...this.#base, ...change };
    this.#version++;
  }

  setLink(from: string, to: string, change: Partial<LinkConditions>): void {
    const way = nameOf(from, to);
    this.#ofLink.set(way, { ...(this.#ofLink.get(way) ?? this.#base), ...change });
    this.#version++;
  }

  impose(change: Partial<LinkConditions>, scope: Scope): Cancel {
    const imposed = { change, scope };
    this.#imposed.add(imposed);
    this.#version++;
    return () => {
      this.#imposed.delete(imposed);
      this.#version++;
    };
  }

  /** Takes back every condition and obstacle. */
  clear(): void {
    this.#base = LINK_CONDITIONS_DEFAULT;
    this.#ofLink.clear();
    this.#imposed.clear();
    this.#blocked.clear();
    this.#obstacles.clear();
    this.#version++;
  }

  block(from: string, to: string): void {
    this.#blocked.add(nameOf(from, to));
  }

  /** Takes back what `block` did, everywhere or both ways between two. */
  unblock(a?: string, b?: string): void {
    if (a === undefined || b === undefined) {
      this.#blocked.clear();
    } else {
      this.#blocked.delete(nameOf(a, b));
      this.#blocked.delete(nameOf(b, a));
    }
  }

  obstruct(ways: readonly Way[], obstacle: Obstacle): Cancel {
    const imposed = { obstacle, ways: new Set(ways.map(([from, to]) => nameOf(from, to))) };
    this.#obstacles.add(imposed);
    return () => {
      this.#obstacles.delete(imposed);
    };
  }

  passes(from: string, to: string): boolean {
    if (this.#blocked.size === 0 && this.#obstacles.size === 0) return true;
    const way = nameOf(from, to);
    if (this.#blocked.has(way)) return false;
    for (const { ways } of this.#obstacles) if (ways.has(way)) return false;
    return true;
  }

  clogged(from: string, to: string): boolean {
    if (this.#obstacles.size === 0) return false;
    const way = nameOf(from, to);
    return [...this.#obstacles].some(({ obstacle, ways }) => obstacle === 'clogged' && ways.has(way));
  }
}

export function nameOf(from: string, to: string): string {
  return `${from}>${to}`;
}

function worseOf(a: LinkConditions, change: Partial<LinkConditions>): LinkConditions {
  const b = { ...LINK_CONDITIONS_DEFAULT, ...change };
  return {
    latencyMs: longer(a.latencyMs, b.latencyMs),
    tailRate: Math.max(a.tailRate, b.tailRate),
    tailMs: change.tailMs === undefined ? a.tailMs : longer(a.tailMs, b.tailMs),
    lossRate: Math.max(a.lossRate, b.lossRate),
    corruptionRate: Math.max(a.corruptionRate, b.corruptionRate),
    dropRate: Math.max(a.dropRate, b.dropRate),
    duplicateRate: Math.max(a.duplicateRate, b.duplicateRate),
    reorderRate: Math.max(a.reorderRate, b.reorderRate),
    lateMs: change.lateMs === undefined ? a.lateMs : longer(a.lateMs, b.lateMs),
    bytesPerMs: Math.min(a.bytesPerMs, b.bytesPerMs),
  };
}

function longer(a: Range, b: Range): Range {
  return a[0] + a[1] >= b[0] + b[1] ? a : b;
}
