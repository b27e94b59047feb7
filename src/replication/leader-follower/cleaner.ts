/**
 * Takes away what no generation in use holds any more: values and sessions of states that were replaced, and of transfers that
 * stopped. A page at a time, when a replica opens, when a transfer
 * begins and after it.
 */
import { SCAN_PAGE_ENTRIES_MAX } from '../../core/limits.js';
import type { Effects } from '../strategy.js';
import type { Scanned } from './opening.js';

export const CLEAN = 'clean';

/** `d/<generation>/...` and `s/<generation>/...`. */
const GENERATION = /^[ds]\/(\d+)\//;

interface KeyRange {
  readonly gte?: string;
  readonly gt?: string;
  readonly lt: string;
}

export class Cleaner {
  #inUse: readonly number[] = [];
  #ranges: KeyRange[] = [];

  /** `inUse`: the generations that stay. */
  begin(inUse: readonly number[], effects: Effects): void {
    this.#inUse = inUse;
    this.#ranges = [
      { gte: 'd/', lt: 'd0' },
      { gte: 's/', lt: 's0' },
    ];
    this.#read(effects);
  }

  scanned(event: Scanned, effects: Effects): void {
    const [range] = this.#ranges;
    const [last] = event.entries.at(-1) ?? [];
    if (range === undefined) return;
    for (const [key] of event.entries) if (!this.#isInUse(key)) effects.deleteLazily(key);
    // What cannot be read is in nobody's way. A generation in use is skipped as a whole: `0` follows the slash that ends its prefix.
    if (event.damaged || last === undefined) this.#ranges.shift();
    else if (this.#isInUse(last)) this.#ranges[0] = { gte: afterGeneration(last), lt: range.lt };
    else if (event.more) this.#ranges[0] = { gt: last, lt: range.lt };
    else this.#ranges.shift();
    this.#read(effects);
  }

  #read(effects: Effects): void {
    const [range] = this.#ranges;
    if (range !== undefined) effects.scan(CLEAN, range, SCAN_PAGE_ENTRIES_MAX);
  }

  #isInUse(key: string): boolean {
    return this.#inUse.includes(Number(GENERATION.exec(key)?.[1]));
  }
}

function afterGeneration(key: string): string {
  return `${(GENERATION.exec(key)?.[0] ?? key).slice(0, -1)}0`;
}
