/** What a turn of the update queue is: lazy writes in it, its end, and what happens to both when the storage fails. */
import { describe, expect, it } from 'vitest';
import { LAZY_WRITES_MS_MAX, STORAGE_RETRY_MS, TURN_EVENTS_MAX } from '../../src/core/limits.js';
import type { WriteMark } from '../../src/replication/strategy.js';
import { ANSWER, bytes, group, QueueRig, textOf } from '../support/queue-rig.js';

describe('the end of a turn', () => {
  it('comes once for each replica that asked, in that order, after every event and before the outputs', async () => {
    const rig = await QueueRig.start(4);
    for (const of of [2, 0, 2, 3, 0]) {
      rig.step(of, (_turn, effects) => {
        rig.log.push(`${of} script`);
        if (of !== 3) effects.whenTurnEnds();
      });
    }
    await rig.run(50);
    expect(rig.log.slice(4)).toEqual([
      ...[2, 0, 2, 3, 0].map((of) => `${of} script`),
      '2 turn-end',
      '0 turn-end',
      'outputs',
    ]);
  });

  it('writes into the batch of its turn', async () => {
    const rig = await QueueRig.start(1);
    rig.onEvent = (_of, event, _turn, effects) => {
      if (event.type !== 'turn-end') return;
      effects.put('b', bytes('2'));
      effects.reply(1, ANSWER);
    };
    rig.disk.holdSync();
    rig.step(0, (_turn, effects) => {
      effects.put('a', bytes('1'));
      effects.whenTurnEnds();
    });
    await rig.run(50);
    expect(rig.log).not.toContain('reply 1');
    rig.disk.releaseSync();
    await rig.run(50);
    expect(rig.log).toContain('reply 1');
    expect(rig.disk.keys({ gte: 'g/', lt: 'g0' })).toEqual(['g/test/0/a', 'g/test/0/b']);
    // One batch, or the other would have had an fsync of its own.
    expect(rig.queue.pipeline.isWritten(1)).toBe(true);
    expect(rig.queue.pipeline.isWritten(2)).toBe(false);
  });

  it('asked for at its end is that of the next turn, which comes by itself', async () => {
    const rig = await QueueRig.start(1);
    let left = 3;
    rig.onEvent = (_of, event, _turn, effects) => {
      if (event.type === 'turn-end' && --left > 0) effects.whenTurnEnds();
    };
    rig.step(0, (_turn, effects) => effects.whenTurnEnds());
    expect(rig.queue.idle).toBe(false);
    await rig.run(50);
    expect(rig.log.slice(1)).toEqual([
      '0 turn-end',
      'outputs',
      '0 turn-end',
      'outputs',
      '0 turn-end',
      'outputs',
    ]);
    expect(rig.queue.idle).toBe(true);
  });

  it('asked for while a replica is opened is that of the first turn', async () => {
    const rig = await QueueRig.start(2, (of, _turn, effects) => {
      if (of === 1) effects.whenTurnEnds();
    });
    expect(rig.queue.idle).toBe(false);
    await rig.run(50);
    expect(rig.log).toEqual(['0 open', '1 open', '1 turn-end', 'outputs']);
  });

  it('is that of what one turn takes, where more has arrived', async () => {
    const rig = await QueueRig.start(1);
    for (let i = 0; i <= TURN_EVENTS_MAX; i++) rig.step(0, (_turn, effects) => effects.whenTurnEnds());
    await rig.run(50);
    expect(rig.log.filter((line) => line === '0 turn-end')).toHaveLength(2);
  });

  it('does not come to a replica that was opened anew meanwhile', async () => {
    const rig = await QueueRig.start(1);
    let ends = 0;
    let goOn = (): void => undefined;
    rig.onEvent = (_of, event, _turn, effects) => {
      if (event.type !== 'turn-end') return;
      // It stands still until its batch has failed too. What it asks for then is behind that failure.
      if (++ends === 1) goOn = rig.world.pause('n1');
      effects.whenTurnEnds();
    };
    rig.disk.failWrites('StorageFailed');
    rig.step(0, (_turn, effects) => {
      effects.whenTurnEnds();
      effects.put('a', bytes('1'));
    });
    await rig.run(50);
    goOn();
    await rig.run(50);
    expect(rig.log).toEqual([
      ...['0 open', '0 turn-end', 'outputs', '0 turn-end', 'outputs'],
      ...['failed', '0 open', 'outputs', 'outputs'],
    ]);
  });

  it('does not come after a stop', async () => {
    const rig = await QueueRig.start(1, (_of, _turn, effects) => effects.whenTurnEnds());
    rig.queue.stop();
    expect(rig.queue.idle).toBe(true);
    await rig.run(50);
    expect(rig.log).toEqual(['0 open']);
  });
});

describe('lazy writes of a step', () => {
  it('keep none of its outputs, nor those of steps that read them', async () => {
    const rig = await QueueRig.start(1);
    await rig.turn(0, (_turn, effects) => {
      effects.putLazily('a', bytes('1'));
      effects.deleteLazily('b');
      effects.whenDurable(1);
      effects.reply(1, ANSWER);
      expect(effects.mark()).toBe(0);
    });
    await rig.turn(0, (turn, effects) => {
      expect(textOf(turn, 'a')).toBe('1');
      expect(turn.read('b')).toBeUndefined();
      effects.reply(2, ANSWER);
    });
    expect(rig.log.filter((line) => line !== 'outputs')).toEqual([
      '0 open',
      'reply 1',
      '0 durable',
      'reply 2',
    ]);
    expect(rig.disk.peek('g/test/0/a')).toBeUndefined();
    await rig.run(LAZY_WRITES_MS_MAX + 10);
    expect(rig.disk.peek('g/test/0/a')).toEqual(bytes('1'));
    expect(rig.queue.idle).toBe(true);
  });

  it('do not hold back a durable event for eager writes of the same step, nor let it come early', async () => {
    const rig = await QueueRig.start(1);
    let mark: WriteMark = 0;
    rig.disk.holdSync();
    await rig.turn(0, (_turn, effects) => {
      effects.put('a', bytes('1'));
      effects.putLazily('a', bytes('2'));
      effects.whenDurable(1);
      mark = effects.mark();
    });
    await rig.run(50);
    expect(mark).toBe(1);
    expect(rig.log).not.toContain('0 durable');
    rig.disk.releaseSync();
    await rig.run(50);
    expect(rig.log).toContain('0 durable');
    expect(rig.disk.peek('g/test/0/a')).toEqual(bytes('2'));
  });

  it('are written at once for an orderly stop', async () => {
    const rig = await QueueRig.start(1);
    await rig.turn(0, (_turn, effects) => effects.putLazily('a', bytes('1')));
    await rig.run(10);
    expect(rig.queue.idle).toBe(false);
    rig.queue.hurry();
    await rig.run(10);
    expect(rig.queue.idle).toBe(true);
    expect(rig.disk.peek('g/test/0/a')).toEqual(bytes('1'));
  });

  it('are gone with the batch that failed, for the replica that is opened anew', async () => {
    const rig = await QueueRig.start(1);
    const seen: (string | undefined)[] = [];
    rig.disk.failWrites('StorageFailed');
    rig.step(0, (_turn, effects) => {
      effects.putLazily('a', bytes('1'));
      effects.put('b', bytes('2'));
    });
    rig.onOpen = (_of, turn) => seen.push(textOf(turn, 'a'), textOf(turn, 'b'));
    await rig.world.simulation.runUntil(() => seen.length > 0);
    expect(seen).toEqual([undefined, undefined]);
  });

  it('while the storage has failed silence their replica, and no other, until it is opened anew', async () => {
    const rig = await QueueRig.start(2);
    rig.disk.failWrites('StorageFailed');
    rig.step(0, (_turn, effects) => effects.put('a', bytes('1')));
    await rig.world.simulation.runUntil(() => rig.queue.readOnly);
    await rig.turn(0, (turn, effects) => {
      expect(turn.writesRefused).toBe('NodeReadOnly');
      effects.reply(1, ANSWER);
      effects.putLazily('a', bytes('2'));
    });
    await rig.turn(0, (turn, effects) => {
      expect(turn.read('a')).toBeUndefined();
      effects.reply(2, ANSWER);
      effects.sendEarly(group(1) as never, {} as never);
    });
    await rig.turn(1, (_turn, effects) => {
      // An eager write that goes nowhere voids its own step alone.
      effects.put('a', bytes('3'));
      effects.reply(3, ANSWER);
    });
    await rig.turn(1, (_turn, effects) => effects.reply(4, ANSWER));
    const replies = (): string[] => rig.log.filter((line) => /^(reply|send)/.test(line));
    expect(replies()).toEqual(['reply 4']);
    await rig.run(STORAGE_RETRY_MS + 100);
    expect(rig.queue.readOnly).toBe(false);
    await rig.turn(0, (_turn, effects) => effects.reply(5, ANSWER));
    expect(replies()).toEqual(['reply 4', 'reply 5']);
  });
});
