import { expect, test } from 'vitest';
import { eventLoopTurns } from '../../chaos/event-loop.js';
import { WaitingRooms, type RoomRules } from '../../src/client/waiting-rooms.js';
import { TrefoilError } from '../../src/core/errors.js';
import { SimulatedWorld } from '../../src/simulation/world.js';

function setUp(own: Partial<RoomRules> = {}) {
  const world = new SimulatedWorld({ seed: 1, turns: eventLoopTurns });
  const rules = { waitersMax: 3, what: (room: string) => `the keeper of ${room}`, ...own };
  const rooms = new WaitingRooms<string>(world.client('client'), rules);
  /** What became of everyone, in order. */
  const log: string[] = [];
  const wait = (name: string, room = 'r', deadlineMs = 60_000, signal?: AbortSignal): Promise<void> =>
    rooms.wait(room, deadlineMs, signal).then(
      (value) => void log.push(`${name} ${value}`),
      (error: unknown) => void log.push(`${name} ${(error as TrefoilError).code}`),
    );
  return { simulation: world.simulation, rooms, wait, log };
}

test('those in a room are admitted in order, one or all', async () => {
  const { simulation, rooms, wait, log } = setUp();
  const all = Promise.all([wait('a'), wait('b'), wait('c'), wait('other', 's')]);
  expect(rooms.admitFirst('r', 'one')).toBe(true);
  rooms.admitAll('r', 'all');
  expect(rooms.admitFirst('r', 'none')).toBe(false);
  rooms.admitAll('s', 'all');
  await simulation.settle(all);
  expect(log).toEqual(['a one', 'b all', 'c all', 'other all']);
});

test('a room is bounded, each for itself, and has room again once somebody has left', async () => {
  const { simulation, rooms, wait, log } = setUp();
  const controller = new AbortController();
  const all = [wait('a'), wait('b'), wait('c', 'r', 60_000, controller.signal)];
  const full = rooms.wait('r', 60_000, undefined);
  await expect(full).rejects.toMatchObject({
    code: 'Overloaded',
    outcome: 'failed',
    message: '3 calls wait already for the keeper of r',
  });
  all.push(wait('other', 's'));
  controller.abort();
  await simulation.runFor(50);
  all.push(wait('d'));
  rooms.admitAll('r', 'in');
  rooms.admitAll('s', 'in');
  await simulation.settle(Promise.all(all));
  expect(log).toEqual(['c Cancelled', 'a in', 'b in', 'd in', 'other in']);
});

test('whose time is up, or who has given up, is refused; nobody is looked after once all have gone', async () => {
  const { simulation, rooms, wait, log } = setUp();
  const controller = new AbortController();
  const late = rooms.wait('r', 30, undefined);
  const refused = expect(late).rejects.toMatchObject({
    code: 'DeadlineExceeded',
    outcome: 'failed',
    message: 'the time was up while waiting for the keeper of r',
  });
  const cancelled = wait('cancelled', 'r', 60_000, controller.signal);
  controller.abort();
  await simulation.settle(Promise.all([refused, cancelled]));
  expect(simulation.nowMs()).toBeLessThan(60);
  expect(log).toEqual(['cancelled Cancelled']);
  expect(rooms.latestDeadlineMs('r')).toBeUndefined();
});

test('the keeper refuses some, and some are left to the keeper when their time is up', async () => {
  const { simulation, rooms, wait, log } = setUp({ told: (_, deadlineMs) => deadlineMs === 100 });
  const all = Promise.all([wait('told', 'r', 100), wait('early', 'r', 50), wait('later', 'r', 500)]);
  expect(rooms.latestDeadlineMs('r')).toBe(500);
  await simulation.runFor(200);
  expect(log).toEqual(['early DeadlineExceeded']);
  rooms.refuse('r', new TrefoilError('NoLeader', 'x'), (deadlineMs) => deadlineMs <= 100);
  rooms.admitAll('r', 'in');
  await simulation.settle(all);
  expect(log).toEqual(['early DeadlineExceeded', 'told NoLeader', 'later in']);
});
