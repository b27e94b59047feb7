/**
 * What an experiment file may say of a fault, checked: the schedule that it gives, and what a seed may draw.
 * `fault.ts` has the meaning of each field.
 */
import { z } from 'zod';
import { PARTITION_SHAPES, type Fault, type FaultName } from './fault.js';

const ms = z.number().min(0).max(3_600_000);
const node = z.string().min(1);
const rate = z.number().min(0).max(1);
/** `[from, to]` within bounds. */
export function range(least: number, most: number) {
  const bound = z.number().min(least).max(most);
  return z.tuple([bound, bound]).refine(([min, max]) => min <= max, {
    error: 'the first of a range is the smaller one',
  });
}

const latencies = range(0, 3_600_000);

const KINDS = {
  partition: {
    shape: z.enum(PARTITION_SHAPES),
    order: z
      .array(node)
      .min(2)
      .refine((order) => new Set(order).size === order.length, { error: 'a node is named twice' }),
  },
  'slow-link': { from: node, to: node.optional(), latencyMs: latencies },
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
  'slow-disk': { node, fsyncMs: latencies },
  'full-disk': { node },
  'failing-disk': { node },
  'flipping-reads': { node, rate },
  'rotten-record': { node, pick: rate },
  'lost-disk': { node },
  'restored-disk': { node },
  'clock-offset': { node, offsetMs: z.number() },
  'clock-drift': { node, msPerSecond: z.number().min(-999).max(1_000) },
  'clock-jumps': { node, byMs: z.number(), everyMs: z.number().min(10) },
} as const satisfies Record<FaultName, z.ZodRawShape>;

export const FAULT_NAMES = Object.keys(KINDS) as FaultName[];

/** Faults that do something in no time at all: the others would do nothing, so they say how long. */
const SUDDEN: readonly FaultName[] = ['crash', 'power-cut', 'restart', 'lost-disk', 'reset', 'rotten-record'];

const kinds = FAULT_NAMES.map((fault) =>
  z.strictObject({
    fault: z.literal(fault),
    atMs: ms,
    forMs: SUDDEN.includes(fault) ? ms.default(0) : ms,
    ...KINDS[fault],
  }),
);

export const faultSchema = z.discriminatedUnion('fault', kinds as never) as unknown as z.ZodType<Fault>;

/** Bounds of what a seed draws, each for the kinds of fault that draw it. */
const BOUNDS = {
  shapes: ['partition'],
  rate: ['lossy', 'duplicating', 'reordering', 'corrupting', 'flipping-reads'],
  latencyMs: ['slow-link'],
  fsyncMs: ['slow-disk'],
  bytesPerMs: ['narrow'],
  eventMs: ['slow-cpu'],
  byMs: ['clock-offset', 'clock-jumps'],
  msPerSecond: ['clock-drift'],
  powerOff: ['crash'],
} as const satisfies Readonly<Record<string, readonly FaultName[]>>;

/**
 * One kind of fault that a seed may draw, and the bounds of what it draws. Absent bounds are those of
 * `draw-faults.ts`; one that its kind does not draw is refused.
 */
export const drawnFaultSchema = z
  .strictObject({
    fault: z.enum(FAULT_NAMES as [FaultName, ...FaultName[]]),
    /** How often, relative to the others. */
    weight: z.number().positive().max(1_000_000).default(1),
    forMs: latencies.optional(),
    shapes: z.array(z.enum(PARTITION_SHAPES)).min(1).optional(),
    rate: range(0, 1).optional(),
    latencyMs: latencies.optional(),
    fsyncMs: latencies.optional(),
    bytesPerMs: range(0.001, 1_000_000).optional(),
    eventMs: range(0.001, 1_000).optional(),
    /** Of a clock: how far it goes, either way. */
    byMs: range(0, 315_360_000_000).optional(),
    msPerSecond: range(0, 999).optional(),
    /** Share of crashes that take the machine with them. */
    powerOff: rate.optional(),
  })
  .superRefine((drawn, context) => {
    for (const [bound, kinds] of Object.entries(BOUNDS)) {
      if (drawn[bound as keyof typeof BOUNDS] === undefined || kinds.some((kind) => kind === drawn.fault)) {
        continue;
      }
      context.addIssue({ code: 'custom', path: [bound], message: `a fault ${drawn.fault} has no ${bound}` });
    }
  });

export type DrawnFault = z.infer<typeof drawnFaultSchema>;
