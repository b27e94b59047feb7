/** A store that cannot be read, which is something else than a value that is damaged. */
import { describe, expect, it } from 'vitest';
import { TrefoilError } from '../../src/core/errors.js';
import { STORAGE_RELAPSE_MS, STORAGE_RETRY_MS } from '../../src/core/limits.js';
import { ANSWER, bytes, QueueRig, textOf } from '../support/queue-rig.js';

/** Two replicas, a value of the first, and a turn of which one step writes it anew and a later one meets a read that fails. */
async function withFailedRead(reads: number): Promise<QueueRig> {
  const rig = await QueueRig.start(2);
  await rig.turn(0, (_turn, effects) => effects.put('a', bytes('1')));
  await rig.run(50);
  // On its way to the disk meanwhile, so that what the turn writes waits for it.
  rig.disk.setTimes({ fsyncMs: [10, 11] });
  await rig.turn(1, (_turn, effects) => {
    effects.put('c', bytes('1'));
    effects.reply(8, ANSWER);
  });
  rig.log.length = 0;
  rig.disk.failReads(reads);
  rig.step(1, (_turn, effects) => effects.reply(1, ANSWER));
  rig.step(0, (_turn, effects) => {
    effects.put('a', bytes('2'));
    effects.reply(2, ANSWER);
  });
  rig.step(0, (turn, effects) => {
    effects.reply(3, ANSWER);
    effects.whenTurnEnds();
    turn.read('b');
  });
  rig.step(1, (_turn, effects) => effects.reply(4, ANSWER));
  await rig.run(50);
  return rig;
}

describe('a read that fails in a step', () => {
  it('ends what is under way; nothing of that step leaves or is written, and nothing is stepped after it', async () => {
    const rig = await withFailedRead(1);
    expect(rig.log).toEqual(['reply 1', 'failed', '0 open', '1 open', 'outputs', 'outputs']);
    expect(rig.queue.refusesRequests).toBe('NodeReadOnly');
    expect(rig.queue.writesRefused).toBe('NodeReadOnly');
    rig.step(1, (_turn, effects) => effects.reply(5, ANSWER));
    await rig.run(50);
    expect(rig.log).not.toContain('reply 5');
    expect(rig.queue.idle).toBe(true);
    expect(rig.disk.peek('g/test/0/a')).toEqual(bytes('1'));
    expect(rig.counters.all()).toMatchObject({ reads_failed: 1 });
  });

  it('is over when the store was opened anew', async () => {
    const rig = await withFailedRead(1);
    await rig.run(STORAGE_RETRY_MS + 100);
    expect(rig.queue.refusesRequests).toBeNull();
    let read: string | undefined;
    await rig.turn(0, (turn, effects) => {
      read = textOf(turn, 'a');
      effects.put('c', bytes('3'));
      effects.reply(6, ANSWER);
    });
    await rig.run(50);
    expect(read).toBe('1');
    expect(rig.log).toContain('reply 6');
    expect(rig.log.filter((line) => line === 'failed')).toHaveLength(3);
  });

  it('keeps everything refused for as long as replicas cannot be opened, with one attempt a second', async () => {
    const rig = await withFailedRead(1_000);
    rig.onOpen = (_of, turn) => turn.read('a');
    await rig.run(10 * STORAGE_RETRY_MS);
    expect(rig.queue.refusesRequests).toBe('NodeReadOnly');
    expect(rig.world.logLines.filter(({ message }) => message === 'the storage still fails')).toHaveLength(
      10,
    );
    rig.disk.failReads(0);
    await rig.run(STORAGE_RETRY_MS + 100);
    expect(rig.queue.refusesRequests).toBeNull();
  });

  it('while the store is tried already does not have it tried twice', async () => {
    const rig = await withFailedRead(1);
    rig.disk.setTimes({ fsyncMs: [500, 501] });
    await rig.run(STORAGE_RETRY_MS + 100);
    expect(rig.queue.readOnly).toBe(true);
    rig.disk.failReads(1);
    await rig.turn(0, (turn) => turn.read('b'));
    await rig.run(5 * STORAGE_RETRY_MS);
    expect(rig.counters.all()).toMatchObject({ reads_failed: 2 });
    expect(
      rig.world.logLines.filter(({ message }) => message.startsWith('the storage answers')),
    ).toHaveLength(1);
  });

  it('where replicas are opened anew for a batch that failed, pauses them too', async () => {
    const rig = await QueueRig.start(1, (_of, turn) => turn.read('a'));
    rig.disk.failWrites('StorageFailed');
    rig.disk.failReads(1);
    rig.step(0, (_turn, effects) => effects.put('a', bytes('1')));
    await rig.run(50);
    expect(rig.queue.refusesRequests).toBe('NodeReadOnly');
    await rig.run(STORAGE_RETRY_MS + 100);
    expect(rig.queue.refusesRequests).toBeNull();
    expect(rig.queue.readOnly).toBe(false);
  });

  it('again and again, soon after the store was opened anew, is tried more and more rarely', async () => {
    const rig = await QueueRig.start(1);
    const failedMs: number[] = [];
    for (let round = 0; round < 4; round++) {
      await rig.world.simulation.runUntil(() => !rig.queue.readOnly);
      failedMs.push(Math.round(rig.world.simulation.nowMs() / 1_000));
      rig.disk.failReads(1);
      await rig.turn(0, (turn) => turn.read('b'));
      await rig.run(10);
    }
    expect(failedMs.map((at) => at - (failedMs[0] ?? 0))).toEqual([0, 1, 3, 7]);
    // A batch that fails is another matter.
    await rig.world.simulation.runUntil(() => !rig.queue.readOnly);
    rig.disk.failWrites('StorageFailed');
    await rig.turn(0, (_turn, effects) => effects.put('c', bytes('4')));
    await rig.world.simulation.runUntil(() => rig.queue.readOnly);
    await rig.run(STORAGE_RETRY_MS + 100);
    expect(rig.queue.readOnly).toBe(false);
    await rig.run(10_000 + STORAGE_RELAPSE_MS);
    rig.disk.failReads(1);
    await rig.turn(0, (turn) => turn.read('b'));
    await rig.run(STORAGE_RETRY_MS + 100);
    expect(rig.queue.refusesRequests).toBeNull();
  });

  it('in a scan is damage of that replica alone where it comes again', async () => {
    const rig = await QueueRig.start(2);
    const scans: boolean[] = [];
    rig.onEvent = (_of, event) => {
      if (event.type === 'scanned') scans.push(event.damaged);
    };
    const fail = async (of: number): Promise<void> => {
      rig.storage.scan = () => Promise.reject(new TrefoilError('StorageFailed', 'a block cannot be read'));
      await rig.turn(of, (_turn, effects) => effects.scan('s', { gte: '', lt: '~' }, 10));
      await rig.run(20);
    };
    await fail(0);
    expect([scans, rig.queue.refusesRequests]).toEqual([[], 'NodeReadOnly']);
    await rig.run(STORAGE_RETRY_MS + 100);
    await fail(0);
    expect([scans, rig.queue.refusesRequests]).toEqual([[true], null]);
    await fail(1);
    expect([scans, rig.queue.refusesRequests]).toEqual([[true], 'NodeReadOnly']);
  });
});
