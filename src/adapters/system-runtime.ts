/**
 * The real world as a Runtime: this process's clock, timers and randomness, and WebSockets. Everything here is
 * stateless but what it opens, so any number of runtimes may be made.
 */
import { randomFillSync } from 'node:crypto';
import { invariant } from '../core/invariant.js';
import type { Cancel, ClientRuntime, Clock, Log, Random, Timers } from '../runtime/runtime.js';
import { createWsNetwork } from './ws-network.js';

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** Beyond it, setTimeout fires at once. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

export const systemTimers: Timers = {
  after: (ms, run) => {
    let cancel: Cancel = () => undefined;
    const wait = (leftMs: number): void => {
      const nowMs = Math.min(leftMs, TIMEOUT_MS_MAX);
      const timer = setTimeout(() => {
        if (leftMs > nowMs) wait(leftMs - nowMs);
        else run();
      }, nowMs);
      cancel = () => {
        clearTimeout(timer);
      };
    };
    wait(ms);
    return () => {
      cancel();
    };
  },
  soon: (run) => {
    setImmediate(run);
  },
};

const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyz';

/** Words of randomness fetched at a time: one call for each would cost more than all else. */
const POOL_WORDS = 256;

/** The system's own randomness: identities made from it must never meet those of another machine. */
class SystemRandom implements Random {
  readonly #pool = new Uint32Array(POOL_WORDS);
  #next = POOL_WORDS;

  float(): number {
    return (this.#word() * 0x200000 + (this.#word() >>> 11)) / 2 ** 53;
  }

  integer(bound: number): number {
    invariant(bound >= 1 && bound <= 2 ** 32, 'a bound is between 1 and 2^32');
    return Math.floor(this.float() * bound);
  }

  text(length: number): string {
    let text = '';
    while (text.length < length) text += LETTERS[this.integer(LETTERS.length)];
    return text;
  }

  #word(): number {
    if (this.#next === POOL_WORDS) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    return this.#pool[this.#next++] as number;
  }
}

export const systemRandom: Random = new SystemRandom();

/** Says nothing. */
export const silentLog: Log = { write: () => undefined };

/** What the SDK runs on in a Node.js process. Logs nothing unless it is given a log. */
export function systemClientRuntime(options: { readonly log?: Log } = {}): ClientRuntime {
  return {
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    network: createWsNetwork(),
    log: options.log ?? silentLog,
  };
}
