/** The workloads by name; `workloads.ts` has what they do. Apart, so that a schema need not load the SDK. */
export const WORKLOAD_NAMES = [
  'siblings',
  'register',
  'counter',
  'set',
  'list-append',
  'bank',
  'photos',
] as const;

export type WorkloadName = (typeof WORKLOAD_NAMES)[number];
