import { eventLoopTurns } from '../../chaos/event-loop.js';
import { expect, test } from 'vitest';
import { KeyTurns } from '../../src/client/key-turns.js';
import { UPDATES_WAITING_PER_KEY_MAX } from '../../src/core/limits.js';
import { SimulatedWorld } from '../../src/simulation/world.js';

function setUp() {
  const world = new SimulatedWorld({ seed: 1, turns: eventLoopTurns });
  const runtime = world.client('client');
  const log: string[] = [];
  /** A task that takes 100 ms of virtual time. */
  const task = (name: string) => async (): Promise<void> => {
    log.push(`${name} begins`);
    await new Promise<void>((resolve) => void runtime.timers.after(100, resolve));
    log.push(`${name} ends`);
  };
  const turns = new KeyTurns(runtime);
  const take = (key: string, name: string, deadlineMs = 60_000, signal?: AbortSignal): Promise<void> =>
    turns.take(key, deadlineMs, signal, task(name));
  return { simulation: world.simulation, turns, take, log };
}

test('tasks of one key run one after the other, in order; those of another key do not wait', async () => {
  const { simulation, take, log } = setUp();
  const all = Promise.all([take('k', 'a'), take('k', 'b'), take('j', 'c')]);
  await simulation.settle(all);
  expect(log.indexOf('b begins')).toBeGreaterThan(log.indexOf('a ends'));
  expect(log.indexOf('c begins')).toBeLessThan(log.indexOf('a ends'));
  expect(simulation.nowMs()).toBe(200);
});

test('a task that fails gives its turn to the next', async () => {
  const { simulation, turns, take, log } = setUp();
  const failing = turns.take('k', 60_000, undefined, async () => {
    throw new RangeError('mine');
  });
  const next = take('k', 'b');
  await expect(failing).rejects.toThrow('mine');
  await simulation.settle(next);
  expect(log).toEqual(['b begins', 'b ends']);
});

test('who waits too long, or has given up, is refused and never runs', async () => {
  const { simulation, take, log } = setUp();
  const controller = new AbortController();
  const first = take('k', 'a');
  const late = take('k', 'late', 50);
  const cancelled = take('k', 'cancelled', 60_000, controller.signal);
  controller.abort();
  const refused = Promise.allSettled([late, cancelled]);
  expect(await simulation.settle(refused)).toMatchObject([
    { reason: { code: 'DeadlineExceeded', outcome: 'failed' } },
    { reason: { code: 'Cancelled', outcome: 'failed' } },
  ]);
  expect(simulation.nowMs()).toBeLessThan(75);
  await simulation.settle(first);
  await simulation.runFor(1_000);
  expect(log).toEqual(['a begins', 'a ends']);
});

test('no more than the limit wait for one key', async () => {
  const { simulation, turns, take } = setUp();
  const first = take('k', 'a');
  const quick = (): Promise<void> => turns.take('k', 60_000, undefined, async () => {});
  const waiting = Array.from({ length: UPDATES_WAITING_PER_KEY_MAX }, quick);
  await expect(quick()).rejects.toMatchObject({ code: 'Overloaded', outcome: 'failed' });
  await simulation.settle(Promise.all([first, ...waiting]));
});
