/** The world's faults one by one: each does what it says, and ends. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { NodeRuntime, Storage } from '../../src/runtime/runtime.js';
import { LINK_CONDITIONS_DEFAULT, type LinkConditions } from '../../src/simulation/conditions.js';
import { SimulatedWorld } from '../../src/simulation/world.js';
import { Peer } from '../contract/network-contract.js';
import { eventLoopTurns } from '../../chaos/event-loop.js';

const ADDRESS = { host: 'anything', port: 7000 };
const everywhere = (): boolean => true;
const ALL = { gte: '', lt: '~' };

describe('faults of the network', () => {
  let world: SimulatedWorld;
  let a: NodeRuntime;
  let client: Peer;
  let server: Peer;

  beforeEach(async () => {
    world = new SimulatedWorld({ seed: 1, turns: eventLoopTurns });
    a = world.node('a');
    const accepted: Peer[] = [];
    await world.node('b').network.listen(ADDRESS, (connection) => {
      const peer = new Peer();
      peer.connection = connection;
      accepted.push(peer);
      return peer;
    });
    client = new Peer();
    client.connection = a.network.connect(ADDRESS, client);
    await world.simulation.runUntil(() => client.opens === 1);
    server = accepted[0] as Peer;
  });

  const send = (count: number): void => {
    for (let i = 0; i < count; i++) client.connection.send(Uint8Array.of(i, 0, 0, 0));
  };
  const arrived = (): number[] => server.frames.map((bytes) => bytes[0] as number);
  const inOrder = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

  it('drops frames from a connection that lives on', async () => {
    const end = world.network.impose({ dropRate: 0.3 }, everywhere);
    send(100);
    await world.simulation.runFor(5_000);
    expect(arrived().length).toBeGreaterThan(50);
    expect(arrived().length).toBeLessThan(90);
    expect(arrived()).toEqual([...arrived()].sort((x, y) => x - y));
    expect([client.closed, server.closed]).toEqual([false, false]);
    expect(client.connection.bufferedBytes()).toBe(0);
    end();
    server.frames.length = 0;
    send(100);
    await world.simulation.runFor(100);
    expect(arrived()).toEqual(inOrder(100));
  });

  it('delivers frames twice, each copy with bytes of its own', async () => {
    world.network.impose({ duplicateRate: 0.3 }, everywhere);
    send(100);
    await world.simulation.runFor(5_000);
    expect(new Set(arrived()).size).toBe(100);
    expect(arrived().length).toBeGreaterThan(110);
    expect(arrived().length).toBeLessThan(150);
    expect(new Set(server.frames.map((bytes) => bytes.buffer)).size).toBe(arrived().length);
  });

  it('lets frames be overtaken, and loses none', async () => {
    world.network.impose({ reorderRate: 0.2 }, everywhere);
    send(100);
    await world.simulation.runFor(5_000);
    expect(arrived()).not.toEqual(inOrder(100));
    expect([...arrived()].sort((x, y) => x - y)).toEqual(inOrder(100));
    expect(client.connection.bufferedBytes()).toBe(0);
  });

  it('holds a late frame back while the way is blocked', async () => {
    world.network.impose({ reorderRate: 1 }, everywhere);
    send(1);
    const end = world.network.obstruct([['a', 'b']]);
    await world.simulation.runFor(5_000);
    expect(arrived()).toEqual([]);
    end();
    await world.simulation.runFor(100);
    expect(arrived()).toEqual([0]);
  });

  it('has a long tail, in order', async () => {
    world.network.impose({ tailRate: 0.05, tailMs: [500, 500] }, everywhere);
    const beganMs = world.simulation.nowMs();
    const waits: number[] = [];
    for (let i = 0; i < 100; i++) {
      const sentMs = world.simulation.nowMs();
      send(1);
      await world.simulation.runUntil(() => server.frames.length === i + 1);
      waits.push(world.simulation.nowMs() - sentMs);
    }
    const long = waits.filter((ms) => ms > 400);
    expect(long.length).toBeGreaterThan(0);
    expect(long.length).toBeLessThan(20);
    expect(waits.filter((ms) => ms <= 1)).toHaveLength(100 - long.length);
    expect(world.simulation.nowMs()).toBeGreaterThan(beganMs + 500);
  });

  it('of overlapping faults the worst holds, and each ends on its own', async () => {
    const took = async (): Promise<number> => {
      const sentMs = world.simulation.nowMs();
      const before = server.frames.length;
      send(1);
      await world.simulation.runUntil(() => server.frames.length > before);
      return Math.round(world.simulation.nowMs() - sentMs);
    };
    const endFirst = world.network.impose({ latencyMs: [100, 100] }, (from) => from === 'a');
    const endSecond = world.network.impose({ latencyMs: [300, 300] }, everywhere);
    expect(await took()).toBe(300);
    endSecond();
    expect(await took()).toBe(100);
    const endThird = world.network.impose({ latencyMs: [50, 50] }, everywhere);
    endFirst();
    expect(await took()).toBe(50);
    endThird();
    expect(await took()).toBeLessThanOrEqual(1);
  });

  it('two partitions on one way: it is free when both have ended', async () => {
    const ends = [world.network.obstruct([['a', 'b']]), world.network.obstruct([['a', 'b']])];
    send(1);
    ends[0]?.();
    ends[0]?.();
    await world.simulation.runFor(1_000);
    expect(arrived()).toEqual([]);
    ends[1]?.();
    await world.simulation.runFor(10);
    expect(arrived()).toEqual([0]);
  });

  it('a clogged way delivers what its sender has long given up, a blocked one does not', async () => {
    const end = world.network.obstruct([['a', 'b']], 'clogged');
    send(5);
    await world.simulation.runFor(1_000);
    client.connection.destroy('given up');
    await world.simulation.runFor(1_000);
    expect([arrived(), server.closed]).toEqual([[], false]);
    end();
    await world.simulation.runFor(10);
    expect(arrived()).toEqual(inOrder(5));
    expect(server.closed).toBe(true);
  });

  it('resets every connection of a process', async () => {
    world.network.reset('b');
    await world.simulation.runFor(1);
    expect([client.closed, server.closed]).toEqual([true, true]);
    const again = new Peer();
    again.connection = a.network.connect(ADDRESS, again);
    await world.simulation.runFor(100);
    expect(again.opens).toBe(1);
  });

  it('corrupts one bit, and only of the frames that it names', async () => {
    world.network.impose({ corruptionRate: 1 }, (from) => from === 'a');
    client.connection.send(new Uint8Array(64));
    server.connection.send(new Uint8Array(64));
    await world.simulation.runFor(10);
    const ones = (bytes: Uint8Array | undefined): number =>
      [...(bytes ?? [])].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
    expect([ones(server.frames[0]), ones(client.frames[0])]).toEqual([1, 0]);
  });

  it.each<keyof LinkConditions>(['dropRate', 'duplicateRate', 'reorderRate', 'tailRate', 'corruptionRate'])(
    'a change of %s moves the latencies of no other frame',
    async (rate) => {
      const arrivals = async (change: Partial<LinkConditions>): Promise<number[]> => {
        const other = new SimulatedWorld({
          seed: 7,
          turns: eventLoopTurns,
          conditions: { latencyMs: [1, 1000] },
        });
        const peer = new Peer();
        const atMs: number[] = [];
        await other.node('b').network.listen(ADDRESS, () => ({
          onFrame: (bytes) => (atMs[new DataView(bytes.buffer).getUint16(2)] = other.simulation.nowMs()),
          onClose: () => undefined,
        }));
        peer.connection = other.node('a').network.connect(ADDRESS, peer);
        await other.simulation.runUntil(() => peer.opens === 1);
        for (let i = 0; i < 30; i++) {
          // The fault is on for some frames in the middle.
          const end = other.network.impose(i >= 10 && i < 20 ? change : {}, everywhere);
          const bytes = new Uint8Array(4);
          new DataView(bytes.buffer).setUint16(2, i);
          if (rate !== 'corruptionRate' || i < 10 || i >= 20) peer.connection.send(bytes);
          else peer.connection.send(new Uint8Array([0, 0, 0xff, 0]));
          end();
          await other.simulation.runFor(3_000);
        }
        return [...atMs.slice(0, 10), ...atMs.slice(20, 30)];
      };
      expect(await arrivals({ [rate]: 0.7 })).toEqual(await arrivals({}));
    },
  );

  it('has no faults by default', () => {
    expect(
      Object.entries(LINK_CONDITIONS_DEFAULT).filter(([name, v]) => /Rate$/.test(name) && v !== 0),
    ).toEqual([]);
  });
});

describe('faults of a process', () => {
  let world: SimulatedWorld;
  let node: NodeRuntime;
  let happened: string[];
  const note = (what: string) => () => {
    happened.push(`${world.simulation.nowMs().toFixed(0)} ${what}`);
  };

  beforeEach(() => {
    world = new SimulatedWorld({ seed: 1, turns: eventLoopTurns, conditions: { latencyMs: [1, 1] } });
    node = world.node('a');
    happened = [];
  });

  it('a pause holds timers, frames and the disk, and then lets them happen in order', async () => {
    const storage = await node.openStorage('x');
    const peer = new Peer();
    await node.network.listen(ADDRESS, () => ({ onFrame: note('frame'), onClose: note('close') }));
    peer.connection = world.node('b').network.connect(ADDRESS, peer);
    await world.simulation.runUntil(() => peer.opens === 1);
    const beganMs = Math.round(world.simulation.nowMs());
    const resume = world.pause('a');
    node.timers.after(50, note('timer 50'));
    node.timers.after(10, note('timer 10'));
    const batch = storage.batch();
    batch.put('k', Uint8Array.of(1));
    void batch.write({ sync: true }).then(note('written'));
    await world.simulation.runFor(30);
    peer.connection.send(Uint8Array.of(1));
    await world.simulation.runFor(1_000);
    expect(happened).toEqual([]);
    expect([peer.closed, peer.connection.bufferedBytes()]).toEqual([false, 1]);
    resume();
    await world.simulation.runFor(1);
    const nowMs = beganMs + 1_030;
    expect(happened).toEqual(['written', 'timer 10', 'frame', 'timer 50'].map((what) => `${nowMs} ${what}`));
    expect(peer.connection.bufferedBytes()).toBe(0);
    node.timers.after(10, note('after'));
    await world.simulation.runFor(10);
    expect(happened).toHaveLength(5);
  });

  it('a paused process starts no write, has its timers cancelled by what ran before, and may crash', async () => {
    const resume = world.pause('a');
    const cancel = node.timers.after(20, note('cancelled'));
    node.timers.after(10, cancel);
    await world.simulation.runFor(100);
    resume();
    await world.simulation.runFor(10);
    expect(happened).toEqual([]);
    const again = world.pause('a');
    node.timers.after(10, note('of the dead'));
    await world.simulation.runFor(100);
    world.crash('a');
    again();
    await world.simulation.runFor(100);
    expect(happened).toEqual([]);
    world.node('a').timers.after(10, note('alive'));
    await world.simulation.runFor(10);
    expect(happened).toHaveLength(1);
  });

  it('a process paused twice goes on when both pauses have ended', async () => {
    const ends = [world.pause('a'), world.pause('a')];
    node.timers.soon(note('soon'));
    ends[0]?.();
    ends[0]?.();
    await world.simulation.runFor(10);
    expect(happened).toEqual([]);
    ends[1]?.();
    await world.simulation.runFor(10);
    expect(happened).toEqual(['10 soon']);
  });

  it('on a slow processor each event takes its time, and the next ones queue', async () => {
    const end = world.slowCpu('a', 40);
    for (let i = 0; i < 3; i++) node.timers.after(10, note(String(i)));
    await world.simulation.runFor(500);
    expect(happened).toEqual(['50 0', '90 1', '130 2']);
    end();
    node.timers.after(10, note('quick'));
    await world.simulation.runFor(10);
    expect(happened[3]).toBe('510 quick');
  });

  it('a pause in the middle of an event holds that one too', async () => {
    world.slowCpu('a', 40);
    node.timers.after(10, note('event'));
    await world.simulation.runFor(20);
    const resume = world.pause('a');
    await world.simulation.runFor(480);
    expect(happened).toEqual([]);
    resume();
    await world.simulation.runFor(100);
    expect(happened).toEqual(['540 event']);
  });

  it('clocks: skews add up, drift, and end', async () => {
    const trueMs = (): number => Math.floor(1_767_225_600_000 + world.simulation.nowMs());
    const error = (): number => node.clock.wallMs() - trueMs();
    const monotonicMs = node.clock.monotonicMs();
    const ends = [
      world.skewClock('a', { offsetMs: -5_000 }),
      world.skewClock('a', { driftMsPerSecond: 20 }),
      world.skewClock('a', { offsetMs: 100 }),
    ];
    expect(error()).toBe(-4_900);
    await world.simulation.runFor(10_000);
    expect(error()).toBe(-4_700);
    ends[0]?.();
    expect(error()).toBe(300);
    await world.simulation.runFor(1_000);
    expect(error()).toBe(320);
    ends[1]?.();
    ends[2]?.();
    expect(error()).toBe(0);
    expect(node.clock.monotonicMs() - monotonicMs).toBe(11_000);
    expect(world.node('b').clock.wallMs()).toBe(trueMs());
  });
});

describe('faults of a disk', () => {
  let world: SimulatedWorld;
  let storage: Storage;

  const open = async (seed: number): Promise<void> => {
    world = new SimulatedWorld({ seed, turns: eventLoopTurns });
    storage = await world.node('n').openStorage('x');
  };
  const write = (key: string, sync = true): Promise<void> => {
    const batch = storage.batch();
    batch.put(key, Buffer.from('value'));
    return batch.write({ sync });
  };
  const written = (key: string, sync = true): Promise<void> => world.simulation.settle(write(key, sync));
  beforeEach(() => open(1));

  it('slow, full and failing overlap and end', async () => {
    const disk = world.disk('n');
    const endSlow = disk.impose({ times: { fsyncMs: [500, 500] } });
    const beganMs = world.simulation.nowMs();
    await written('slow');
    expect(world.simulation.nowMs() - beganMs).toBeGreaterThan(500);
    endSlow();
    const endFull = disk.impose({ full: true });
    const endFailing = disk.impose({ failing: 'StorageFailed' });
    expect(storage.freeBytes()).toBe(0);
    await expect(written('k')).rejects.toMatchObject({ code: 'StorageFailed' });
    endFailing();
    await expect(written('k')).rejects.toMatchObject({ code: 'StorageFull' });
    endFull();
    const nowMs = world.simulation.nowMs();
    await written('k');
    expect(world.simulation.nowMs() - nowMs).toBeLessThan(3);
  });

  it('reads return a flipped bit, and the next read may be right', async () => {
    await written('k');
    const end = world.disk('n').impose({ flipRate: 0.3 });
    const read = (): string => Buffer.from(storage.get('k') ?? []).toString('latin1');
    const reads = Array.from({ length: 200 }, read);
    const wrong = reads.filter((text) => text !== 'value');
    expect(wrong.length).toBeGreaterThan(30);
    expect(wrong.length).toBeLessThan(90);
    expect(new Set(wrong).size).toBeGreaterThan(10);
    const scans: string[] = [];
    for (let i = 0; i < 50; i++) {
      const [entry] = await world.simulation.settle(storage.scan(ALL, 10, 1_000));
      scans.push(Buffer.from(entry?.[1] ?? []).toString('latin1'));
    }
    expect(scans.some((text) => text !== 'value')).toBe(true);
    end();
    expect(Array.from({ length: 100 }, read).every((text) => text === 'value')).toBe(true);
    expect(Buffer.from(world.disk('n').peek('k') ?? []).toString()).toBe('value');
  });

  it('flips move neither the times of the disk nor those of the network', async () => {
    const trace = async (flipRate: number): Promise<string> => {
      await open(5);
      await written('k');
      world.disk('n').impose({ flipRate });
      for (let i = 0; i < 20; i++) storage.get('k');
      await written('l');
      await world.simulation.settle(storage.scan(ALL, 10, 1_000));
      const peer = new Peer();
      peer.connection = world.node('c').network.connect(ADDRESS, peer);
      await world.simulation.runFor(100);
      return world.simulation.traceHash();
    };
    expect(await trace(0.5)).toBe(await trace(0));
  });

  it('torn: what was synced stays, the newest batch goes, and before it there may be holes', async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      await open(seed);
      await written('a');
      await written('b', false);
      await written('c', false);
      await written('d', false);
      world.crash('n', { unsynced: 'torn' });
      outcomes.add(world.disk('n').keys(ALL).join(''));
    }
    expect([...outcomes].sort()).toEqual(['a', 'ab', 'abc', 'ac']);
  });

  it('torn with nothing unsynced loses nothing', async () => {
    await written('b', false);
    await written('a');
    world.crash('n', { unsynced: 'torn' });
    expect(world.disk('n').keys(ALL)).toEqual(['a', 'b']);
  });
});
