/**
 * Reads, writes and scans of a leaderless namespace: levels, operation ids, and the contexts that a session keeps by key.
 *
 * A session is asked what a read must have seen and told what came back; nothing else knows it.
 */
import { quorumSize, type LeaderlessNamespace, type QuorumLevel } from '../cluster/cluster-map.js';
import { partitionOfKey } from '../core/hash.js';
import { mergeContexts } from '../protocol/context-codec.js';
import type { ClientOperation, GetResult, PutResult, ScanResult } from '../protocol/messages.js';
import type { ReadOptions, ScanOptions } from './api.js';
import { checkReadQuorum, checkWriteQuorum, raiseLevel } from './call-options.js';
import type {
  CallLimits,
  CallScope,
  ChangeContent,
  Found,
  LevelOptions,
  PutContent,
  ScannedEntry,
} from './call-scope.js';
import { mergePartitions, type MergeOptions } from './scan.js';
import { scanInSession } from './session-scan.js';

export function leaderlessRead(
  scope: CallScope,
  entry: LeaderlessNamespace,
  key: string,
  limits: CallLimits & { readonly options: ReadOptions },
  atLeast: Uint8Array | null,
): Promise<GetResult> {
  const { session, name } = scope;
  const seen = session?.contextOf(name, key);
  const operation: ClientOperation = {
    type: 'get',
    key,
    read: readLevel(entry, limits.options, session?.readsNeeded(entry, key) ?? 1),
    atLeast:
      atLeast === null ? (seen ?? null) : seen === undefined ? atLeast : mergeContexts(key, seen, atLeast),
    maxStalenessMs: 0,
  };
  const to = { partition: partitionOfKey(key, entry.partitions), to: 'first' } as const;
  return scope.call(to, operation, limits, (result) => {
    const got = result as GetResult;
    if (got.context !== null) session?.observe(name, key, got.context, got.values.length > 0);
    return got;
  });
}

/** `live` says by the answer whether the key has a value after the write. */
export async function leaderlessWrite(
  scope: CallScope,
  entry: LeaderlessNamespace,
  content: PutContent | ChangeContent,
  limits: CallLimits & { readonly options: LevelOptions },
  live: (result: PutResult) => boolean,
): Promise<PutResult> {
  const { name, session, parts } = scope;
  const { operations } = parts;
  const { key } = content;
  const write = checkWriteQuorum(limits.options, entry);
  const operation = operations.open();
  const { lowestOpen } = operations;
  const to = { partition: partitionOfKey(key, entry.partitions), to: 'first' } as const;
  try {
    return await scope.call(
      to,
      { write, operation, lowestOpen, attempt: 0, ...content },
      limits,
      (result) => {
        const put = result as PutResult;
        const replicas = quorumSize(write ?? entry.write, entry.replicas);
        session?.wrote(name, key, put.context, replicas, live(put));
        return put;
      },
    );
  } finally {
    operations.close(operation);
  }
}

export async function* leaderlessScan<E>(
  scope: CallScope,
  entry: LeaderlessNamespace,
  prefix: string,
  merge: MergeOptions,
  options: ScanOptions,
  entryOf: (key: string, found: Found) => E,
): AsyncGenerator<E, void, undefined> {
  const { session, name } = scope;
  const read = readLevel(entry, options, session?.scanReadsNeeded(entry) ?? 1);
  const fetch = (partition: number, after: string, limit: number): Promise<ScanResult> => {
    const page = { type: 'scan', partition, prefix, after, limit } as const;
    const operation: ClientOperation = { read, atLeast: null, maxStalenessMs: 0, ...page };
    const limits = { options, deadlineMs: scope.deadlineMs(options) };
    return scope.call({ partition, to: 'first' }, operation, limits, (r) => r as ScanResult);
  };
  const readLive = async (key: string): Promise<E | undefined> => {
    const limits = { options, deadlineMs: scope.deadlineMs(options) };
    const found = await leaderlessRead(scope, entry, key, limits, null);
    return found.values.length > 0 ? entryOf(key, found) : undefined;
  };
  yield* scanInSession(mergePartitions(fetch, merge), {
    known: session?.valuesSeen(name, prefix, merge.after) ?? [],
    limit: merge.limit,
    // Read again where the scan's answer is older than the session.
    take: async (next: Omit<ScannedEntry, 'lag'>) => {
      if (session?.satisfiedBy(name, next.key, next.context) === false) return readLive(next.key);
      session?.observe(name, next.key, next.context);
      return entryOf(next.key, { lag: null, explain: null, ...next });
    },
    read: readLive,
  });
}

function readLevel(entry: LeaderlessNamespace, options: ReadOptions, needed: number): QuorumLevel | null {
  return raiseLevel(checkReadQuorum(options, entry), entry.read, needed, entry.replicas);
}
