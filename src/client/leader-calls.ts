/**
 * Reads, writes and scans of a leader-follower namespace.
 *
 * Writes and linearizable reads go to the leader, other reads to any replica. A write carries an operation id of a session that the
 * replica group itself has opened (`group-sessions.ts`): the group refuses what it does not know, so that nothing is applied twice
 * however late an attempt arrives.
 *
 * A session of the application keeps an index for each partition, and every read of the partition must have applied as much; a scan
 * that found nothing raises it like any other.
 */
import type { LeaderFollowerNamespace, ReadMode } from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import { partitionOfKey } from '../core/hash.js';
import { SESSION_REOPENS_MAX, SESSION_RESULTS_MAX } from '../core/limits.js';
import type { OperationId } from '../core/record.js';
import { decodeLeaderContext, encodeLeaderContext } from '../protocol/leader-context-codec.js';
import type { ClientOperation, GetResult, PutOfAll, PutResult, ScanResult } from '../protocol/messages.js';
import type { ReadOptions, ScanOptions } from './api.js';
import { checkAck, checkReadMode, checkStalenessMs } from './call-options.js';
import type {
  CallLimits,
  CallScope,
  Found,
  LevelOptions,
  PartitionTarget,
  PutContent,
  ScannedEntry,
} from './call-scope.js';
import { mergePartitions, type MergeOptions } from './scan.js';

export function leaderRead(
  scope: CallScope,
  entry: LeaderFollowerNamespace,
  key: string,
  limits: CallLimits & { readonly options: ReadOptions },
): Promise<GetResult> {
  const partition = partitionOfKey(key, entry.partitions);
  const { to, ...asked } = askedOf(scope, entry, partition, limits.options);
  return scope.call({ partition, to }, { type: 'get', key, ...asked }, limits, (result) => {
    const got = result as GetResult;
    observe(scope, partition, got.context);
    return got;
  });
}

export function leaderWrite(
  scope: CallScope,
  entry: LeaderFollowerNamespace,
  content: PutContent,
  limits: CallLimits & { readonly options: LevelOptions },
): Promise<PutResult> {
  const write = checkAck(limits.options, entry, content.ifVersion !== null);
  const partition = partitionOfKey(content.key, entry.partitions);
  return asOperation(scope, partition, limits, (operation, lowestOpen) => ({
    write,
    operation,
    lowestOpen,
    attempt: 0,
    ...content,
  }));
}

/** Writes several keys of one partition, all or none. */
export function leaderWriteAll(
  scope: CallScope,
  entry: LeaderFollowerNamespace,
  partition: number,
  puts: readonly PutOfAll[],
  limits: CallLimits & { readonly options: LevelOptions },
): Promise<PutResult> {
  const write = checkAck(limits.options, entry, true);
  return asOperation(scope, partition, limits, (operation, lowestOpen) => ({
    type: 'put-all',
    partition,
    puts,
    write,
    operation,
    lowestOpen,
    attempt: 0,
  }));
}

export async function* leaderScan<E>(
  scope: CallScope,
  entry: LeaderFollowerNamespace,
  prefix: string,
  merge: MergeOptions,
  options: ScanOptions,
  entryOf: (key: string, found: Found) => E,
): AsyncGenerator<E, void, undefined> {
  checkReadMode(options, entry);
  const fetch = async (partition: number, after: string, limit: number) => {
    const { to, ...asked } = askedOf(scope, entry, partition, options);
    const operation: ClientOperation = { type: 'scan', partition, prefix, after, limit, ...asked };
    const limits = { options, deadlineMs: scope.deadlineMs(options) };
    const page = await scope.call({ partition, to }, operation, limits, (r) => r as ScanResult);
    // That nothing was found is something that the session has seen, too.
    scope.session?.observeIndex(scope.name, partition, page.index);
    const { lag } = page;
    const entries = page.entries.map((e): ScannedEntry => ({ lag, ...e }));
    return { entries, next: page.next };
  };
  for await (const next of mergePartitions<ScannedEntry>(fetch, merge)) {
    yield entryOf(next.key, { explain: null, ...next });
  }
}

/** What a read asks for, and of whom. */
function askedOf(
  scope: CallScope,
  entry: LeaderFollowerNamespace,
  partition: number,
  options: ReadOptions,
): Pick<PartitionTarget, 'to'> & {
  readonly read: ReadMode | null;
  readonly atLeast: Uint8Array | null;
  readonly maxStalenessMs: number;
} {
  const read = checkReadMode(options, entry);
  const index = scope.session?.indexOf(scope.name, partition);
  return {
    to: (read ?? entry.read) === 'linearizable' ? 'leader' : 'any',
    read,
    atLeast: index === undefined ? null : encodeLeaderContext({ version: 0, index }),
    maxStalenessMs: checkStalenessMs(options, entry),
  };
}

function observe({ session, name }: CallScope, partition: number, context: Uint8Array | null): void {
  if (session === undefined || context === null) return;
  session.observeIndex(name, partition, decodeLeaderContext(context).index);
}

/**
 * Sends a write as an operation of the group's session. Where the group no longer knows that session and no attempt can have had an
 * effect, it is sent again as a new operation of a new one.
 */
async function asOperation(
  scope: CallScope,
  partition: number,
  limits: CallLimits,
  operationOf: (operation: OperationId, lowestOpen: number) => ClientOperation,
): Promise<PutResult> {
  const { groupSessions } = scope.parts;
  const { options, deadlineMs } = limits;
  for (let reopened = 0; ; reopened++) {
    let operations = groupSessions.open(scope.name, partition);
    while (operations === undefined || operations.span >= SESSION_RESULTS_MAX) {
      // The group would refuse one more: what is slow goes on in that session, and what is new begins in another one.
      if (operations !== undefined) groupSessions.leave(scope.name, partition, operations);
      operations =
        groupSessions.open(scope.name, partition) ??
        (await groupSessions.opened(scope.name, partition, deadlineMs, options.signal));
    }
    const operation = operations.open();
    try {
      const sent = operationOf(operation, operations.lowestOpen);
      return await scope.call({ partition, to: 'leader' }, sent, limits, (result) => {
        const put = result as PutResult;
        observe(scope, partition, put.context);
        return put;
      });
    } catch (error) {
      if (!(error instanceof TrefoilError) || error.code !== 'SessionExpired') throw error;
      groupSessions.leave(scope.name, partition, operations);
      if (error.outcome !== 'failed' || reopened >= SESSION_REOPENS_MAX) throw error;
    } finally {
      operations.close(operation);
    }
  }
}
