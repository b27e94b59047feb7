import { describe, expect, it } from 'vitest';
import type { Sample } from '../../bench/experiment.js';
import { cpuTicks } from '../../bench/process-usage.js';
import { median, summarize, table } from '../../bench/report.js';
import { photoKey, photoValue, VALUE_BYTES } from '../../bench/workload.js';

function sample(
  subject: string,
  run: number,
  operations: number,
  errors: Record<string, number> = {},
): Sample {
  return {
    subject,
    scenario: { workload: 'write', clients: 64 },
    run,
    load: { operations, seconds: 2, p50Ms: run, p99Ms: 10 * run, maxMs: 100 * run, errors },
    serverCpuSeconds: 3,
    clientCpuSeconds: 1,
    serverPeakBytes: 100 * 2 ** 20,
  };
}

describe('the report of a bench', () => {
  const samples = [
    sample('store', 1, 600, { Overloaded: 2 }),
    sample('yardstick', 1, 1000),
    sample('yardstick', 2, 1000),
    sample('store', 2, 900),
    sample('store', 3, 700, { Overloaded: 1 }),
    sample('yardstick', 3, 2000),
  ];

  it('takes medians over the runs and divides by the yardstick', () => {
    const [store, yardstick] = summarize(samples, 'yardstick');
    expect(store).toMatchObject({ subject: 'store', operationsPerSecond: 350, p50Ms: 2, p99Ms: 20 });
    expect(store?.ratio).toBeCloseTo(0.7);
    expect(store?.ratioRange).toEqual([0.35, 0.9]);
    expect(yardstick).toMatchObject({ operationsPerSecond: 500, ratio: null, ratioRange: null });
  });

  it('adds up errors, and CPU of servers and client for each operation', () => {
    const [store] = summarize(samples, 'yardstick');
    expect(store?.errors).toEqual({ Overloaded: 3 });
    expect(store?.cpuUsPerOperation).toBeCloseTo(4e6 / 700);
  });

  it('says that something was not measured rather than leave it out of a median', () => {
    const blind = samples.map((s) => (s.run === 2 ? { ...s, serverPeakBytes: undefined } : s));
    expect(summarize(blind, 'yardstick')[0]?.serverPeakBytes).toBeNull();
  });

  it('has a row for each subject, and a ratio only where there is something to divide by', () => {
    const lines = table(summarize(samples, 'yardstick')).split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(/^write, 64 clients {2}store +350 +0\.70 +0\.35-0\.90 .*Overloaded: 3$/);
    expect(table(summarize(samples.slice(0, 1), 'yardstick')).split('\n')[1]).not.toMatch(/NaN/);
  });

  it('knows the median of even and odd counts', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, null]);
  });
});

describe('what a bench measures with', () => {
  it('reads CPU ticks past a process name with spaces and brackets', () => {
    expect(cpuTicks('77 (a ) b) S 1 77 77 0 -1 4194304 100 0 0 0 250 17 0 0 20 0 1 0')).toBe(267);
  });

  it('makes photo records of exactly 200 bytes, under different keys', () => {
    expect(new Set(Array.from({ length: 1000 }, (_, i) => photoValue(i).length))).toEqual(
      new Set([VALUE_BYTES]),
    );
    expect(new Set(Array.from({ length: 5000 }, (_, i) => photoKey(i))).size).toBe(5000);
  });
});
