/** What a seed draws as faults, what holds of every draw, and how a fault is told. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawFaults, type DrawOptions } from '../../chaos/faults/draw-faults.js';
import {
  drawnFaultSchema,
  FAULT_NAMES,
  faultSchema,
  type DrawnFault,
} from '../../chaos/faults/fault-schema.js';
import { faultText } from '../../chaos/faults/fault-text.js';
import { nodesOf, type Fault, type FaultName } from '../../chaos/faults/fault.js';
import { SeededRandom } from '../../src/simulation/random.js';

const NODES = ['n1', 'n2', 'n3'];
const EVERY_KIND = FAULT_NAMES.map((fault) => drawnFaultSchema.parse({ fault }));

function draw(seed: number, options: Partial<DrawOptions> = {}): Fault[] {
  return drawFaults(new SeededRandom(seed), {
    nodes: NODES,
    durationMs: 60_000,
    pauseMs: [100, 400],
    kinds: EVERY_KIND,
    ...options,
  });
}

const onlyKind = (drawn: { readonly fault: FaultName } & Partial<DrawnFault>, seed = 1): Fault[] =>
  draw(seed, { kinds: [drawnFaultSchema.parse(drawn)] });

describe('drawing faults', () => {
  it('follows from the seed alone', () => {
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('draws nothing from nothing', () => {
    expect(draw(1, { kinds: [] })).toEqual([]);
  });

  it('every fault begins and ends within the phase, in order, and is one that an experiment could give', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 100, max: 30_000 }), (seed, durationMs) => {
        const faults = draw(seed, { durationMs });
        let beforeMs = 0;
        for (const fault of faults) {
          expect(fault.atMs).toBeGreaterThan(beforeMs);
          expect(fault.atMs).toBeLessThan(durationMs);
          expect(fault.atMs + fault.forMs).toBeLessThanOrEqual(durationMs + 1e-6);
          expect(faultSchema.safeParse(fault).error).toBeUndefined();
          expect(nodesOf(fault).every((node) => NODES.includes(node))).toBe(true);
          beforeMs = fault.atMs;
        }
      }),
      { numRuns: 100 },
    );
  });

  it('draws every kind, each with its own nodes', () => {
    const faults = draw(3, { durationMs: 600_000 });
    expect(new Set(faults.map(({ fault }) => fault))).toEqual(new Set(FAULT_NAMES));
    const crashed = faults.flatMap((f) => (f.fault === 'crash' ? [f.node] : []));
    expect(new Set(crashed)).toEqual(new Set(NODES));
    for (const fault of faults) if (fault.fault === 'clog') expect(fault.from).not.toBe(fault.to);
  });

  it('what takes data away hits one node only, another one with another seed', () => {
    const damaging: readonly FaultName[] = ['lost-disk', 'restored-disk', 'rotten-record', 'flipping-reads'];
    const damagedBy = (seed: number): Set<string> =>
      new Set(draw(seed).flatMap((f) => (damaging.includes(f.fault) ? nodesOf(f) : [])));
    const hit = Array.from({ length: 30 }, (_, seed) => [...damagedBy(seed)]);
    for (const nodes of hit) expect(nodes).toHaveLength(1);
    expect(new Set(hit.flat())).toEqual(new Set(NODES));
  });

  it('keeps to the bounds that it is given', () => {
    const faults = [
      ...onlyKind({ fault: 'lossy', rate: [0.2, 0.3], forMs: [10, 20] }),
      ...onlyKind({ fault: 'clock-offset', byMs: [50, 60] }),
      ...onlyKind({ fault: 'slow-cpu', eventMs: [2, 3] }),
      ...onlyKind({ fault: 'narrow', bytesPerMs: [5, 6] }),
      ...onlyKind({ fault: 'partition', shapes: ['bridge'] }),
      ...onlyKind({ fault: 'crash', powerOff: 1 }),
    ];
    for (const fault of faults) {
      if (fault.fault === 'lossy') {
        expect(fault.rate).toBeGreaterThanOrEqual(0.2);
        expect(fault.rate).toBeLessThanOrEqual(0.3);
        expect(fault.forMs).toBeLessThanOrEqual(20);
      }
      if (fault.fault === 'clock-offset')
        expect(Math.abs(Math.abs(fault.offsetMs) - 55)).toBeLessThanOrEqual(5);
      if (fault.fault === 'slow-cpu') expect(Math.abs(fault.eventMs - 2.5)).toBeLessThanOrEqual(0.5);
      if (fault.fault === 'narrow') expect(Math.abs(fault.bytesPerMs - 5.5)).toBeLessThanOrEqual(0.5);
      if (fault.fault === 'partition') expect(fault.shape).toBe('bridge');
      if (fault.fault === 'crash') expect(fault.powerOff).toBe(true);
    }
    const offsets = faults.flatMap((f) => (f.fault === 'clock-offset' ? [Math.sign(f.offsetMs)] : []));
    expect(new Set(offsets)).toEqual(new Set([-1, 1]));
  });

  it('draws a kind as often as its weight says', () => {
    const kinds = [
      drawnFaultSchema.parse({ fault: 'reset', weight: 3 }),
      drawnFaultSchema.parse({ fault: 'pause' }),
    ];
    const faults = draw(5, { kinds, durationMs: 1_000_000 });
    const resets = faults.filter(({ fault }) => fault === 'reset').length;
    expect(faults.length).toBeGreaterThan(3_000);
    expect(Math.abs(resets / faults.length - 0.75)).toBeLessThan(0.03);
  });

  it('a kind more changes when nothing happens before the first fault, and only that', () => {
    // The kinds share one draw, so an added one reshuffles what follows: seeds are of an experiment as it is.
    const more = draw(9, { kinds: [...EVERY_KIND, drawnFaultSchema.parse({ fault: 'reset' })] });
    expect(more[0]?.atMs).toBe(draw(9)[0]?.atMs);
    expect(more).not.toEqual(draw(9));
  });
});

describe('a fault as text', () => {
  it.each<[Fault, string]>([
    [{ fault: 'pause', node: 'n2', atMs: 1_234.5, forMs: 1_000 }, '1.234 s to 2.235 s: pause node n2'],
    [{ fault: 'reset', node: 'n1', atMs: 10, forMs: 0 }, '0.010 s: reset node n1'],
    [
      { fault: 'slow-link', from: 'n1', to: 'n3', latencyMs: [5, 9], atMs: 0, forMs: 500 },
      '0.000 s to 0.500 s: slow-link from n1 to n3 latencyMs 5..9',
    ],
    [{ fault: 'power-cut', atMs: 60_000, forMs: 1 }, '60.000 s to 60.001 s: power-cut'],
  ])('%o', (fault, text) => {
    expect(faultText(fault)).toBe(text);
  });
});
