/**
 * The names of things. Branded strings, so that a node id cannot stand where a namespace is meant;
 * they cost nothing at run time. What comes from outside is checked at the edge, then branded once.
 */

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A storage process, as the cluster config names it. */
export type NodeId = Branded<'NodeId'>;

/** A named keyspace: lower-case letters, digits and dashes, at most 64. */
export type NamespaceName = Branded<'NamespaceName'>;

/** One partition of one namespace, the unit of replication, written `namespace/partition`. */
export type GroupId = Branded<'GroupId'>;

/** The identity under which a replica mints dots; it ends where its memory of them may have a hole. */
export type IncarnationId = Branded<'IncarnationId'>;

/** One client session: the first half of an operation id. */
export type SessionId = Branded<'SessionId'>;

export const nodeId = (text: string): NodeId => text as NodeId;
export const namespaceName = (text: string): NamespaceName => text as NamespaceName;
export const incarnationId = (text: string): IncarnationId => text as IncarnationId;
export const sessionId = (text: string): SessionId => text as SessionId;

/** Names the replica group of a partition (0 <= partition < the namespace's partition count). */
export function groupId(namespace: NamespaceName, partition: number): GroupId {
  return `${namespace}/${partition}` as GroupId;
}
