/** The workloads, by the names that experiments use. */
import { bank } from './bank.js';
import { listAppend } from './list-append.js';
import { photos } from './photos.js';
import { register } from './register.js';
import { siblings } from './siblings.js';
import type { WorkloadName } from './workload-names.js';
import type { Workload } from './workload.js';

export const WORKLOADS: Readonly<Record<WorkloadName, Workload>> = {
  siblings,
  register,
  'list-append': listAppend,
  bank,
  photos,
};
