/** What stands inside requests and responses on the wire: operations, results and errors. */
import { ERRORS, type ErrorCode } from '../core/errors.js';
import { sessionId } from '../core/ids.js';
import { bytes, count, countTo, integer, list, malformed, orNull, text, tuple } from './fields.js';
import { wireUnion, word, wordCode, wordTable, type WireTable } from './fields.js';
import {
  mapFromWire,
  mapToWire,
  node,
  readLevelFromWire,
  readLevelToWire,
  STRATEGIES,
  writeLevelFromWire,
  writeLevelToWire,
} from './map-codec.js';
import type {
  ClientOperation,
  ClientResult,
  Explanation,
  PutOfAll,
  ReadLag,
  ReplicaAnswer,
  ScanEntry,
  TypedChange,
  ValueView,
  WireError,
} from './messages.js';

const OUTCOMES = wordTable(['failed', 'unknown']);
const ANSWERS = wordTable([
  'current',
  'stale',
  'absent',
  'corrupt',
  'stored',
  'hinted',
  'waiting',
  'unreachable',
  'held',
  'refilling',
  'leads',
  'confirmed',
  'behind',
]);

const CHANGES = wordTable(['increment', 'add', 'remove']);

// Read and write levels, where null is the namespace's own.
const readLevel = (value: unknown) => orNull(readLevelFromWire, value, 'read');
const writeLevel = (value: unknown) => orNull(writeLevelFromWire, value, 'write');

const OPERATIONS: WireTable<ClientOperation> = {
  get: {
    code: 1,
    length: 5,
    toWire: (code, o) => [
      code,
      o.key,
      o.read === null ? null : readLevelToWire(o.read),
      o.atLeast,
      o.maxStalenessMs,
    ],
    fromWire: (f) => ({
      type: 'get',
      key: text(f[1], 'key'),
      read: readLevel(f[2]),
      atLeast: orNull(bytes, f[3], 'atLeast'),
      maxStalenessMs: count(f[4], 'maxStalenessMs'),
    }),
  },
  put: {
    code: 2,
    length: 11,
    toWire: (code, o) => [
      code,
      o.key,
      o.value,
      o.context,
      o.write === null ? null : writeLevelToWire(o.write),
      o.ttlMs,
      o.operation.session,
      o.operation.sequence,
      o.lowestOpen,
      o.attempt,
      o.ifVersion,
    ],
    fromWire: (f) => ({
      type: 'put',
      key: text(f[1], 'key'),
      value: orNull(bytes, f[2], 'value'),
      context: orNull(bytes, f[3], 'context'),
      write: writeLevel(f[4]),
      ttlMs: count(f[5], 'ttlMs'),
      operation: { session: sessionId(text(f[6], 'session')), sequence: count(f[7], 'sequence') },
      lowestOpen: count(f[8], 'lowestOpen'),
      attempt: count(f[9], 'attempt'),
      ifVersion: orNull(count, f[10], 'ifVersion'),
    }),
  },
  scan: {
    code: 3,
    length: 8,
    toWire: (code, o) => [
      code,
      o.partition,
      o.prefix,
      o.after,
      o.limit,
      o.read === null ? null : readLevelToWire(o.read),
      o.atLeast,
      o.maxStalenessMs,
    ],
    fromWire: (f) => ({
      type: 'scan',
      partition: countTo(0xffff_ffff, f[1], 'partition'),
      prefix: text(f[2], 'prefix'),
      after: text(f[3], 'after'),
      limit: countTo(0xffff_ffff, f[4], 'limit'),
      read: readLevel(f[5]),
      atLeast: orNull(bytes, f[6], 'atLeast'),
      maxStalenessMs: count(f[7], 'maxStalenessMs'),
    }),
  },
  status: {
    code: 4,
    length: 1,
    toWire: (code) => [code],
    fromWire: () => ({ type: 'status' }),
  },
  change: {
    code: 5,
    length: 10,
    toWire: (code, o) => [
      code,
      o.key,
      wordCode(CHANGES, o.change.kind),
      o.change.kind === 'increment' ? o.change.by : o.change.elements,
      o.context,
      o.write === null ? null : writeLevelToWire(o.write),
      o.operation.session,
      o.operation.sequence,
      o.lowestOpen,
      o.attempt,
    ],
    fromWire: (f) => ({
      type: 'change',
      key: text(f[1], 'key'),
      change: changeFromWire(f[2], f[3]),
      context: orNull(bytes, f[4], 'context'),
      write: writeLevel(f[5]),
      operation: { session: sessionId(text(f[6], 'session')), sequence: count(f[7], 'sequence') },
      lowestOpen: count(f[8], 'lowestOpen'),
      attempt: count(f[9], 'attempt'),
    }),
  },
  'put-all': {
    code: 6,
    length: 8,
    toWire: (code, o) => [
      code,
      o.partition,
      o.puts.map((p) => [p.key, p.value, p.ifVersion, p.ttlMs]),
      o.write === null ? null : writeLevelToWire(o.write),
      o.operation.session,
      o.operation.sequence,
      o.lowestOpen,
      o.attempt,
    ],
    fromWire: (f) => ({
      type: 'put-all',
      partition: countTo(0xffff_ffff, f[1], 'partition'),
      puts: list(putOfAll, f[2], 'puts'),
      write: writeLevel(f[3]),
      operation: { session: sessionId(text(f[4], 'session')), sequence: count(f[5], 'sequence') },
      lowestOpen: count(f[6], 'lowestOpen'),
      attempt: count(f[7], 'attempt'),
    }),
  },
  'open-session': {
    code: 7,
    length: 2,
    toWire: (code, o) => [code, o.partition],
    fromWire: (f) => ({ type: 'open-session', partition: countTo(0xffff_ffff, f[1], 'partition') }),
  },
};

const RESULTS: WireTable<ClientResult> = {
  'get-result': {
    code: 1,
    length: 6,
    toWire: (code, r) => [
      code,
      r.values.map(viewToWire),
      r.context,
      r.version,
      lagToWire(r.lag),
      explanationToWire(r.explain),
    ],
    fromWire: (f) => ({
      type: 'get-result',
      values: list(viewFromWire, f[1], 'values'),
      context: orNull(bytes, f[2], 'context'),
      version: count(f[3], 'version'),
      lag: orNull(lagFromWire, f[4], 'lag'),
      explain: orNull(explanationFromWire, f[5], 'explain'),
    }),
  },
  'put-result': {
    code: 2,
    length: 6,
    toWire: (code, r) => [code, r.context, r.siblings, r.version, r.replicas, explanationToWire(r.explain)],
    fromWire: (f) => ({
      type: 'put-result',
      context: bytes(f[1], 'context'),
      siblings: count(f[2], 'siblings'),
      version: count(f[3], 'version'),
      replicas: count(f[4], 'replicas'),
      explain: orNull(explanationFromWire, f[5], 'explain'),
    }),
  },
  'scan-result': {
    code: 3,
    length: 5,
    toWire: (code, r) => [
      code,
      r.entries.map((e) => [e.key, e.values.map(viewToWire), e.context, e.version]),
      r.next,
      lagToWire(r.lag),
      r.index,
    ],
    fromWire: (f) => ({
      type: 'scan-result',
      entries: list(scanEntry, f[1], 'entries'),
      next: orNull(text, f[2], 'next'),
      lag: orNull(lagFromWire, f[3], 'lag'),
      index: count(f[4], 'index'),
    }),
  },
  'session-result': {
    code: 5,
    length: 2,
    toWire: (code, r) => [code, r.session],
    fromWire: (f) => ({ type: 'session-result', session: sessionId(text(f[1], 'session')) }),
  },
  'status-result': {
    code: 4,
    length: 2,
    toWire: (code, r) => [code, r.status],
    fromWire: (f) => ({ type: 'status-result', status: text(f[1], 'status') }),
  },
};

export const OPERATION_WIRE = wireUnion<ClientOperation>('operation', OPERATIONS);
export const RESULT_WIRE = wireUnion<ClientResult>('result', RESULTS);

/** In place of a result: `[0, ...error]`. */
export const ERROR_RESULT_CODE = 0;

export function errorToWire(error: WireError): unknown[] {
  return [
    error.code,
    error.message,
    wordCode(OUTCOMES, error.outcome),
    // A difference of clock readings may have a fraction.
    Math.ceil(error.retryAfterMs),
    error.map === null ? null : mapToWire(error.map),
    error.leader,
  ];
}

export function errorFromWire(value: unknown): WireError {
  const f = tuple(6, value, 'error');
  return {
    code: errorCode(f[0]),
    message: text(f[1], 'error message'),
    outcome: word(OUTCOMES, f[2], 'error outcome'),
    retryAfterMs: count(f[3], 'error retryAfterMs'),
    map: orNull(mapFromWire, f[4], 'error map'),
    leader: orNull(node, f[5], 'error leader'),
  };
}

export function resultToWire(result: ClientResult | WireError): unknown[] {
  return 'type' in result ? RESULT_WIRE.toWire(result) : [ERROR_RESULT_CODE, errorToWire(result)];
}

export function resultFromWire(value: unknown): ClientResult | WireError {
  if (Array.isArray(value) && value[0] === ERROR_RESULT_CODE) {
    return errorFromWire(tuple(2, value, 'result')[1]);
  }
  return RESULT_WIRE.fromWire(value);
}

/** Error codes travel as their names: they are a public, growing registry, and errors are rare. */
function errorCode(value: unknown): ErrorCode {
  const name = text(value, 'error code');
  if (!Object.hasOwn(ERRORS, name)) throw malformed(`the error code ${JSON.stringify(name)} is unknown`);
  return name as ErrorCode;
}

function changeFromWire(kind: unknown, argument: unknown): TypedChange {
  const change = word(CHANGES, kind, 'change');
  if (change === 'increment') return { kind: change, by: integer(argument, 'by') };
  return { kind: change, elements: list(bytes, argument, 'elements') };
}

function viewToWire(view: ValueView): unknown[] {
  return [view.value, view.hlc, view.expiresAt];
}

function viewFromWire(value: unknown, field: string): ValueView {
  const f = tuple(3, value, field);
  return { value: bytes(f[0], 'value'), hlc: count(f[1], 'hlc'), expiresAt: count(f[2], 'expiresAt') };
}

function lagToWire(lag: ReadLag | null): unknown[] | null {
  return lag === null ? null : [lag.entries, Math.ceil(lag.ms)];
}

function lagFromWire(value: unknown, field: string): ReadLag {
  const f = tuple(2, value, field);
  return { entries: count(f[0], 'lag entries'), ms: count(f[1], 'lag ms') };
}

function putOfAll(value: unknown, field: string): PutOfAll {
  const f = tuple(4, value, field);
  return {
    key: text(f[0], 'key'),
    value: orNull(bytes, f[1], 'value'),
    ifVersion: orNull(count, f[2], 'ifVersion'),
    ttlMs: count(f[3], 'ttlMs'),
  };
}

function scanEntry(value: unknown, field: string): ScanEntry {
  const f = tuple(4, value, field);
  return {
    key: text(f[0], 'key'),
    values: list(viewFromWire, f[1], 'values'),
    context: bytes(f[2], 'context'),
    version: count(f[3], 'version'),
  };
}

function explanationToWire(e: Explanation | null): unknown[] | null {
  if (e === null) return null;
  return [
    e.coordinator,
    wordCode(STRATEGIES, e.strategy),
    e.required,
    e.replicas.map((r) => [r.node, wordCode(ANSWERS, r.answer)]),
    e.repaired,
    e.guarantee,
  ];
}

function explanationFromWire(value: unknown, field: string): Explanation {
  const f = tuple(6, value, field);
  return {
    coordinator: node(f[0], 'coordinator'),
    strategy: word(STRATEGIES, f[1], 'strategy'),
    required: text(f[2], 'required'),
    replicas: list(replicaAnswer, f[3], 'replicas'),
    repaired: list(node, f[4], 'repaired'),
    guarantee: text(f[5], 'guarantee'),
  };
}

function replicaAnswer(value: unknown, field: string): ReplicaAnswer {
  const f = tuple(2, value, field);
  return { node: node(f[0], 'replica'), answer: word(ANSWERS, f[1], 'answer') };
}
