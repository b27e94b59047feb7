/**
 * What an experiment file may say of a fault, checked: the schedule that it gives, and what a seed may draw.
 * `fault.ts` has the meaning of each field.
 */
import { z } from 'zod';
import { PARTITION_SHAPES, type Fault, type FaultName } from './fault.js';

const ms = z.number().min(0).max(3_600_000);
const node = z.string().min(1);
const rate = z.number().min(0).max(1);
const range = z
  .tuple([z.number().min(0), z.number().min(0)])
  .refine(([min, max]) => min <= max, { error: 'the first of a range is the smaller one' });

const KINDS = {
  partition: { shape: z.enum(PARTITION_SHAPES), order: z.array(node).min(2) },
  'slow-link': { from: node, to: node.optional(), latencyMs: range },
  lossy: { rate },
  duplicating: { rate },
  reordering: { rate },
  corrupting: { rate },
  narrow: { from: node, to: node.optional(), bytesPerMs: z.number().positive() },
  clog: { from: node, to: node },
  reset: { node },
  crash: {
    node,
    unsynced: z.enum(['seeded', 'lost', 'torn']).default('seeded'),
    powerOff: z.boolean().default(false),
  },
  'power-cut': {},
  restart: { node },
  pause: { node },
  'slow-cpu': { node, eventMs: z.number().positive().max(1_000) },
  'slow-disk': { node, fsyncMs: range },
  'full-disk': { node },
  'failing-disk': { node },
  'flipping-reads': { node, rate },
  'rotten-record': { node, pick: rate },
  'lost-disk': { node },
  'clock-offset': { node, offsetMs: z.number() },
  'clock-drift': { node, msPerSecond: z.number().min(-999).max(1_000) },
  'clock-jumps': { node, byMs: z.number(), everyMs: z.number().min(10) },
} as const satisfies Record<FaultName, z.ZodRawShape>;

export const FAULT_NAMES = Object.keys(KINDS) as FaultName[];

const kinds = FAULT_NAMES.map((fault) =>
  z.strictObject({ fault: z.literal(fault), atMs: ms, forMs: ms.default(0), ...KINDS[fault] }),
);

export const faultSchema = z.discriminatedUnion('fault', kinds as never) as unknown as z.ZodType<Fault>;

/** One kind of fault that a seed may draw, and the bounds of what it draws. Absent bounds are those of `draw-faults.ts`. */
export const drawnFaultSchema = z.strictObject({
  fault: z.enum(FAULT_NAMES as [FaultName, ...FaultName[]]),
  /** How often, relative to the others. */
  weight: z.number().positive().default(1),
  forMs: range.optional(),
  shapes: z.array(z.enum(PARTITION_SHAPES)).min(1).optional(),
  rate: range.optional(),
  latencyMs: range.optional(),
  fsyncMs: range.optional(),
  bytesPerMs: range.optional(),
  eventMs: range.optional(),
  /** Of a clock: how far it goes, either way. */
  byMs: range.optional(),
  msPerSecond: range.optional(),
  /** Share of crashes that take the machine with them. */
  powerOff: rate.optional(),
});

export type DrawnFault = z.infer<typeof drawnFaultSchema>;
