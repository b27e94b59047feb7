/** The workloads, by the names that experiments use. */
import { bank } from './bank.js';
import { casRegister } from './cas-register.js';
import { counter } from './counter.js';
import { listAppend } from './list-append.js';
import { photos } from './photos.js';
import { register } from './register.js';
import { set } from './set.js';
import { siblings } from './siblings.js';
import type { WorkloadName } from './workload-names.js';
import type { Workload } from './workload.js';

export const WORKLOADS: Readonly<Record<WorkloadName, Workload>> = {
  siblings,
  register,
  'cas-register': casRegister,
  counter,
  set,
  'list-append': listAppend,
  bank,
  photos,
};
