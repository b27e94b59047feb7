/** Clerks who write orders for prints, steadily and each under a new number, and note when and by whom each was acknowledged. */
import { setTimeout as pause } from 'node:timers/promises';
import { asTrefoilError } from '../../core/errors.js';
import type { Namespace } from '../../index.js';

export interface Order {
  readonly photoId: string;
  readonly copies: number;
}

export interface Acknowledged {
  readonly atMs: number;
  /** The node that led. */
  readonly by: string;
  /** Time since the order that was acknowledged before it. */
  readonly silenceMs: number;
}

const CLERKS = 4;
/** Between two orders of one clerk. */
const PACE_MS = 5;
/** An order outlives an election, on a busy machine too. */
const ORDER_MS_MAX = 20_000;

export class OrderDesk {
  readonly #orders: Namespace<Order>;
  readonly #photoIds: readonly string[];
  #open = true;
  #taken = 0;
  readonly #acknowledged: Acknowledged[] = [];
  /** The codes of those that were not. */
  readonly refusals: string[] = [];

  constructor(orders: Namespace<Order>, photoIds: readonly string[]) {
    this.#orders = orders;
    this.#photoIds = photoIds;
  }

  /** Resolves once the desk is closed and no order is under way; never rejects. */
  async work(): Promise<void> {
    const clerk = async (): Promise<void> => {
      while (this.#open) {
        await this.#order(++this.#taken);
        await pause(PACE_MS);
      }
    };
    await Promise.all(Array.from({ length: CLERKS }, clerk));
  }

  /** No order is begun any more. */
  close(): void {
    this.#open = false;
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  get underWay(): number {
    return this.#taken - this.acknowledged - this.refusals.length;
  }

  /** What was acknowledged by another node than this one, after a moment; in order. */
  acknowledgedWithout(node: string, sinceMs: number): Acknowledged[] {
    return this.#acknowledged.filter(({ atMs, by }) => atMs > sinceMs && by !== node);
  }

  async #order(number: number): Promise<void> {
    const order = {
      photoId: this.#photoIds[number % this.#photoIds.length] ?? '',
      copies: 1 + (number % 12),
    };
    // No number is given twice: the namespace sees to it, also where a fail-over makes the SDK ask again.
    const options = { ack: 'quorum', ifAbsent: true, explain: true, timeoutMs: ORDER_MS_MAX } as const;
    try {
      const { explain } = await this.#orders.put(orderKey(number), order, options);
      const atMs = performance.now();
      const silenceMs = atMs - (this.#acknowledged.at(-1)?.atMs ?? atMs);
      this.#acknowledged.push({ atMs, by: explain?.coordinator ?? '', silenceMs });
    } catch (error) {
      this.refusals.push(asTrefoilError(error).code);
    }
  }
}

export function orderKey(number: number): string {
  return `order/${String(number).padStart(6, '0')}`;
}
