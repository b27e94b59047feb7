/**
 * The SDK's public face.
 *
 *     import { connect } from 'trefoil';
 *     const db = await connect({ seeds: ['127.0.0.1:7101'] });
 */
import type { ConnectOptions, Database } from './client/api.js';

/**
 * Connects to a cluster and resolves once one of its nodes has answered. Close what it gives with `close()`.
 *
 * Rejects with a `TrefoilError`: `NoReachableNode` when no seed answers within `timeoutMs` (5 s by default),
 * `WrongCluster`, `UnsupportedProtocol` or `NotAuthorized` when every seed refuses, `BadRequest` for bad options.
 */
export async function connect(options: ConnectOptions): Promise<Database> {
  // Sockets and the client behind them are loaded by who connects, not by who needs an error class or a type.
  const [{ systemClientRuntime }, { connectWith }] = await Promise.all([
    import('./adapters/system-runtime.js'),
    import('./client/database.js'),
  ]);
  return connectWith(systemClientRuntime(), options);
}

export type {
  BatchOperation,
  BatchOptions,
  BatchResult,
  CallOptions,
  Changed,
  ChangeOptions,
  ConnectOptions,
  Context,
  Counter,
  CounterEntry,
  Database,
  ElementSet,
  Entry,
  Namespace,
  NamespaceOptions,
  ReadOptions,
  RemoveOptions,
  ScanOptions,
  Session,
  SetEntry,
  Updated,
  UpdateOptions,
  ValueCodec,
  WriteCondition,
  WriteOptions,
  Written,
} from './client/api.js';
export { bytesCodec, msgpackCodec } from './client/codec.js';
export type {
  AckLevel,
  ClusterMap,
  NamespaceEntry,
  NodeEntry,
  QuorumLevel,
  ReadMode,
} from './cluster/cluster-map.js';
export { ERRORS, TrefoilError, type ErrorCode, type Outcome } from './core/errors.js';
export type { Explanation, ReadLag, ReplicaAnswer } from './protocol/messages.js';
