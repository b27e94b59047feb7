/**
 * Histories: what clients asked of a database and what they were told, in Jepsen's form.
 *
 *     event      one line of a file:  {index, time, process, type: invoke|ok|fail|info, f, value}
 *     operation  an invocation with its completion: what checkers look at
 *
 * A process has one operation open at a time. `ok`: it happened. `fail`: it certainly did not. `info`, or no
 * completion at all: nobody knows, and it may still happen at any later time.
 */

/** Keywords and symbols of EDN are texts here; keys of maps are texts; whole numbers beyond 2^53 are their digits as text. */
export type Value = null | boolean | number | string | readonly Value[] | ReadonlyMap<string, Value>;

export type EventType = 'invoke' | 'ok' | 'fail' | 'info';

export interface HistoryEvent {
  /** Position in the history, from 0. Orders events; times may tie. */
  readonly index: number;
  /** Nanoseconds since the history began; undefined where the file has none. */
  readonly time?: number;
  /** Who: a client's number, or a name such as `nemesis`. */
  readonly process: number | string;
  readonly type: EventType;
  /** What was asked: `read`, `write`, `cas`, `add`, `txn` ... */
  readonly f: string;
  readonly value: Value;
  /** The object it concerns, where the event names it apart from its value. */
  readonly key?: string;
  /** Of a write: the values that the writer's context had been shown, so that it may supersede them. */
  readonly seen?: readonly Value[];
  /** The code of the error that ended it. */
  readonly error?: Value;
}

export interface Operation {
  /** Position among the operations of its history, by invocation. */
  readonly index: number;
  readonly process: number | string;
  readonly f: string;
  /** The object it concerns; undefined where the history is about one only, or a transaction. */
  readonly key: string | undefined;
  /** The value of the invocation. */
  readonly input: Value;
  /** The value of the completion; that of the invocation where there is none. */
  readonly output: Value;
  readonly outcome: 'ok' | 'fail' | 'info';
  /** Event indexes. One operation is before another if it completed at a lower index than the other was invoked at. */
  readonly invokedAt: number;
  /** Infinity for `info`. */
  readonly completedAt: number;
  /** Nanoseconds; NaN where the history has no times, and Infinity for the completion of `info`. */
  readonly invokedNs: number;
  readonly completedNs: number;
  readonly seen?: readonly Value[];
}
