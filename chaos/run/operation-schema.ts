/**
 * What the operations of each workload look like in a file, for plans that were edited by hand: an operation that its client does not know
 * would be done as another one, and one with a value of another kind fail in the middle of a run.
 */
import { z } from 'zod';
import type { WorkloadName } from '../workloads/workload-names.js';

const NOTHING = { value: z.null() };
const TEXT = { value: z.string().min(1) };
const account = z.number().int().min(0);
const key = z.string().min(1);

/** One kind of operation; those of every kind have an id, a time and a client. */
function kind<Shape extends z.ZodRawShape>(f: string, shape: Shape) {
  return z.strictObject({
    id: z.number().int().min(0),
    atMs: z.number().min(0),
    client: z.number().int().min(0),
    f: z.literal(f),
    ...shape,
  });
}

const byF = (...kinds: readonly ReturnType<typeof kind>[]) => z.discriminatedUnion('f', kinds as never);

const read = kind('read', { key, ...NOTHING });

export const OPERATION_SCHEMAS: Readonly<Record<WorkloadName, z.ZodType>> = {
  siblings: byF(
    read,
    kind('write', { key, ...TEXT, blind: z.boolean().optional() }),
    kind('delete', { key, ...NOTHING }),
    kind('update', { key, ...TEXT }),
  ),
  register: byF(read, kind('write', { key, ...TEXT })),
  'cas-register': byF(read, kind('write', { key, ...TEXT }), kind('cas', { key, ...TEXT })),
  counter: byF(read, kind('add', { key, value: z.number().int() })),
  set: byF(read, kind('add', { key, ...TEXT }), kind('remove', { key, ...TEXT })),
  'list-append': byF(
    kind('txn', {
      value: z.tuple([
        z.union([
          z.tuple([z.literal('append'), key, z.number().int()]),
          z.tuple([z.literal('r'), key, z.null()]),
        ]),
      ]),
    }),
  ),
  bank: byF(
    kind('read', NOTHING),
    kind('transfer', {
      value: z.strictObject({ from: account, to: account, amount: z.number().int().min(0) }),
    }),
  ),
  photos: byF(read, kind('add', { key, ...TEXT })),
};
