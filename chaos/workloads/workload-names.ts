/** The workloads by name; `workloads.ts` has what they do. Apart, so that a schema need not load the SDK. */
import type { ConflictPolicy } from '../../src/core/views.js';

export const WORKLOAD_NAMES = [
  'siblings',
  'register',
  'cas-register',
  'counter',
  'set',
  'list-append',
  'bank',
  'photos',
] as const;

export type WorkloadName = (typeof WORKLOAD_NAMES)[number];

/** Policies under which the operations of a workload mean something, of its namespace; to a namespace of another policy they are errors. */
export const POLICIES_OF: Readonly<Record<WorkloadName, readonly ConflictPolicy[]>> = {
  siblings: ['siblings'],
  register: ['lww'],
  'cas-register': [],
  counter: ['counter'],
  set: ['set'],
  'list-append': ['siblings', 'lww'],
  bank: ['siblings', 'lww'],
  photos: ['siblings'],
};

/** What may run on a namespace with a leader, which holds plain values and has no conflicts. */
export const LEADER_WORKLOADS: readonly WorkloadName[] = [
  'register',
  'cas-register',
  'counter',
  'list-append',
  'bank',
  'photos',
];

/** Of these, what has conditional writes and so cannot be acknowledged by the leader alone. */
export const CONDITIONAL_WORKLOADS: readonly WorkloadName[] = [
  'cas-register',
  'counter',
  'list-append',
  'bank',
];

/** The namespaces that the photo store has, by these names. */
export const PHOTO_NAMESPACES = ['photos', 'features', 'users'] as const;
