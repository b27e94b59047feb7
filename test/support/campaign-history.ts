/** What the clients of a campaign did and were shown, and what of it no store that keeps its promises can have done. */
import type { Outcome } from '../../src/core/errors.js';

export interface Write {
  readonly key: string;
  /** null for a delete. */
  readonly value: string | null;
  /** The values that the writer's context had been shown. */
  readonly seen: ReadonlySet<string>;
  readonly beganMs: number;
  ackedMs: number;
  outcome: Outcome | 'ok' | 'open';
}

export interface Read {
  readonly key: string;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly values: readonly string[];
}

export class History {
  readonly writes: Write[] = [];
  readonly reads: Read[] = [];

  violations(finals: ReadonlyMap<string, readonly string[]>, freshReads: boolean): string[] {
    const found: string[] = [];
    for (const [key, shown] of finals) {
      found.push(...this.#impossible(key, shown, 'in the end'));
      for (const write of this.#acked(key)) {
        if (
          write.value !== null &&
          !shown.includes(write.value) &&
          !this.#coverable(write.value, key, Infinity)
        ) {
          found.push(`lost: ${key}=${write.value}`);
        }
        for (const value of write.seen) {
          if (shown.includes(value))
            found.push(`resurrected: ${key}=${value}, superseded by ${String(write.value)}`);
        }
      }
    }
    for (const read of this.reads) found.push(...this.#staleness(read, freshReads));
    return found;
  }

  #staleness(read: Read, freshReads: boolean): string[] {
    const at = `read at ${read.endedMs.toFixed(1)} ms`;
    const found = this.#impossible(read.key, read.values, at);
    if (!freshReads) return found;
    for (const write of this.#acked(read.key)) {
      if (write.ackedMs >= read.beganMs || write.value === null || read.values.includes(write.value))
        continue;
      if (!this.#coverable(write.value, read.key, read.endedMs))
        found.push(`stale: ${at} misses ${read.key}=${write.value}`);
    }
    return found;
  }

  #impossible(key: string, shown: readonly string[], when: string): string[] {
    const found: string[] = [];
    if (new Set(shown).size !== shown.length) found.push(`doubled: ${key} shows ${shown.join(' ')} ${when}`);
    for (const value of shown) {
      const write = this.writes.find((w) => w.key === key && w.value === value);
      if (write === undefined || write.outcome === 'failed')
        found.push(`from nowhere: ${key}=${value} ${when}`);
    }
    return found;
  }

  #acked(key: string): Write[] {
    return this.writes.filter((w) => w.key === key && w.outcome === 'ok');
  }

  /** Whether some write that had seen the value, and may have had effect by then, can have superseded it. */
  #coverable(value: string, key: string, byMs: number): boolean {
    return this.writes.some(
      (w) => w.key === key && w.seen.has(value) && w.outcome !== 'failed' && w.beganMs < byMs,
    );
  }
}
