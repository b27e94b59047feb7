/**
 * The options that each kind of call takes. In JavaScript a slip goes unseen otherwise, and with a write the option is its safety:
 * `put('k', 1, { ifabsent: true })` would replace whatever is there.
 *
 * The tables are held to the types of the API: an option that is missing here does not compile.
 */
import { didYouMean } from '../cluster/did-you-mean.js';
import { TrefoilError } from '../core/errors.js';
import type {
  BatchOperation,
  BatchOptions,
  CallOptions,
  ChangeOptions,
  ConnectOptions,
  NamespaceOptions,
  ReadOptions,
  RemoveOptions,
  ScanOptions,
  UpdateOptions,
  WriteOptions,
} from './api.js';

type NamesOf<Options> = Readonly<Record<keyof Options, true>>;

const CALL: NamesOf<CallOptions> = { timeoutMs: true, signal: true, explain: true };
const READ: NamesOf<ReadOptions> = { ...CALL, read: true, maxStalenessMs: true };
const LEVELS: NamesOf<Pick<WriteOptions, 'write' | 'ack'>> = { write: true, ack: true };
const CONDITION: NamesOf<Pick<WriteOptions, 'context' | 'ifVersion' | 'ifAbsent'>> = {
  context: true,
  ifVersion: true,
  ifAbsent: true,
};
const WRITE: NamesOf<WriteOptions> = { ...CALL, ...LEVELS, ...CONDITION, ttlMs: true };
const UPDATE: NamesOf<UpdateOptions> = { ...READ, ...LEVELS, ttlMs: true };
const BATCH: NamesOf<BatchOptions> = { ...UPDATE, atomic: true };
const SCAN: NamesOf<ScanOptions> = { ...READ, prefix: true, after: true, limit: true };
// Counters and sets have no `ack`; who gives one is told what to use in its place.
const CHANGE: NamesOf<ChangeOptions & Pick<WriteOptions, 'ack'>> = { ...CALL, ...LEVELS };
const REMOVE: NamesOf<RemoveOptions & Pick<WriteOptions, 'ack'>> = { ...READ, ...LEVELS, context: true };
const CONNECT: NamesOf<ConnectOptions> = { seeds: true, cluster: true, credentials: true, timeoutMs: true };
const NAMESPACE: NamesOf<NamespaceOptions<unknown>> = { codec: true };

type OperationOf<Type> = Extract<BatchOperation<unknown>, { readonly type: Type }>;

const PUT_OF_BATCH: NamesOf<OperationOf<'put'>> = {
  type: true,
  key: true,
  value: true,
  ttlMs: true,
  ...CONDITION,
};
const GET_OF_BATCH: NamesOf<OperationOf<'get'>> = { type: true, key: true };
const DELETE_OF_BATCH: NamesOf<OperationOf<'delete'>> = { type: true, key: true, ...CONDITION };

const setOf = (names: object): ReadonlySet<string> => new Set(Object.keys(names));

const KNOWN = {
  connect: setOf(CONNECT),
  namespace: setOf(NAMESPACE),
  nodeStatus: setOf(CALL),
  get: setOf(READ),
  put: setOf(WRITE),
  delete: setOf(WRITE),
  update: setOf(UPDATE),
  batch: setOf(BATCH),
  scan: setOf(SCAN),
  'a change of a counter or a set': setOf(CHANGE),
  'a removal from a counter or a set': setOf(REMOVE),
} as const;

const OPERATIONS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['get', setOf(GET_OF_BATCH)],
  ['put', setOf(PUT_OF_BATCH)],
  ['delete', setOf(DELETE_OF_BATCH)],
]);

/** Throws `BadRequest` where `options` holds what this kind of call does not take. */
export function checkOptions(kind: keyof typeof KNOWN, options: unknown): void {
  check(options, KNOWN[kind], kind);
}

/** The same for an operation of a batch, and for its type: what is no put and no get would delete. */
export function checkOperation(operation: BatchOperation<unknown>): void {
  const type: unknown = operation.type;
  const known = typeof type === 'string' ? OPERATIONS.get(type) : undefined;
  if (known !== undefined) return check(operation, known, `a ${String(type)} of a batch`);
  const near = typeof type === 'string' ? didYouMean(type, [...OPERATIONS.keys()]) : '';
  throw new TrefoilError(
    'BadRequest',
    `an operation of a batch is a get, a put or a delete, not ${String(type)}${near}`,
  );
}

function check(options: unknown, known: ReadonlySet<string>, what: string): void {
  if (typeof options !== 'object' || options === null)
    throw new TrefoilError('BadRequest', `the options of ${what} must be an object, not ${String(options)}`);
  // Cheaper than a list of the names, and it sees those that an object inherits, which count as well.
  for (const name in options) if (!known.has(name)) throw unknownOption(name, known, what);
}

function unknownOption(name: string, known: ReadonlySet<string>, what: string): TrefoilError {
  const near = didYouMean(name, [...known]);
  const takes = near === '' ? `: ${what} takes ${[...known].join(', ')}` : near;
  return new TrefoilError('BadRequest', `unknown option ${name.slice(0, 80)}${takes}`);
}
