import { describe, expect, it, vi } from 'vitest';
import { createLog, systemNodeRuntime } from '../../src/adapters/node-runtime.js';
import {
  silentLog,
  systemClientRuntime,
  systemRandom,
  systemTimers,
} from '../../src/adapters/system-runtime.js';

describe('the system runtime', () => {
  it('tells wall and monotonic time', () => {
    const { clock } = systemClientRuntime();
    const before = Date.now();
    expect(clock.wallMs()).toBeGreaterThanOrEqual(before);
    expect(clock.monotonicMs()).toBeLessThanOrEqual(clock.monotonicMs());
  });

  it('fires a timer once, never within the call, and not when it was cancelled', () => {
    vi.useFakeTimers();
    try {
      let fired = 0;
      systemTimers.after(0, () => fired++);
      const cancel = systemTimers.after(5, () => (fired += 100));
      expect(fired).toBe(0);
      cancel();
      cancel();
      vi.advanceTimersByTime(50);
      expect(fired).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it('waits for longer than setTimeout can, and can be cancelled meanwhile', () => {
    vi.useFakeTimers();
    try {
      const daysMs = 86_400_000;
      let fired = 0;
      systemTimers.after(60 * daysMs, () => fired++);
      const cancel = systemTimers.after(60 * daysMs, () => fired++);
      vi.advanceTimersByTime(59 * daysMs);
      expect(fired).toBe(0);
      cancel();
      vi.advanceTimersByTime(daysMs);
      expect(fired).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it('runs what is soon after promises that are pending', async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      systemTimers.soon(() => {
        order.push('soon');
        resolve();
      });
      void Promise.resolve().then(() => order.push('promise'));
    });
    expect(order).toEqual(['promise', 'soon']);
  });

  it('draws evenly, and identities that do not repeat', () => {
    const counts = new Array<number>(8).fill(0);
    for (let i = 0; i < 80_000; i++) {
      const at = systemRandom.integer(8);
      counts[at] = (counts[at] ?? 0) + 1;
      expect(systemRandom.float()).toBeLessThan(1);
    }
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(1_000);
    const names = Array.from({ length: 1000 }, () => systemRandom.text(16));
    expect(new Set(names).size).toBe(1000);
    for (const name of names) expect(name).toMatch(/^[0-9a-z]{16}$/);
  });

  it('logs JSON lines from its level up, and nothing for a client', () => {
    const lines: string[] = [];
    const log = createLog('warn', { name: 'n1', destination: { write: (line) => lines.push(line) } });
    log.write('info', 'not this');
    log.write('warn', 'the peer is slow', { peer: 'n2', lagMs: 7 });
    log.write('error', 'worse');
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[0] as string)).toMatchObject({
      name: 'n1',
      level: 40,
      msg: 'the peer is slow',
      peer: 'n2',
      lagMs: 7,
    });
    const runtime = systemNodeRuntime({ log });
    expect(runtime.log).toBe(log);
    expect(systemClientRuntime().log).toBe(silentLog);
  });
});
