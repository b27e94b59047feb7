/** A run's history: who did what, under which process, and what an operation that tries again leaves behind. */
import { describe, expect, it } from 'vitest';
import { HistoryRecorder } from '../../chaos/run/recorder.js';
import { operationsOf } from '../../chaos/history/pairing.js';
import type { PlannedOperation } from '../../chaos/workloads/workload.js';

const write = (client: number, value: string): PlannedOperation => ({
  id: 0,
  atMs: 0,
  client,
  f: 'write',
  key: 'k1',
  value,
});

function recorder(clients = 2): { history: HistoryRecorder; passMs: (ms: number) => void } {
  let nowMs = 0;
  const history = new HistoryRecorder(clients, () => nowMs);
  return {
    history,
    passMs: (ms) => {
      nowMs += ms;
    },
  };
}

describe('the recorder', () => {
  it('writes an invocation and its completion, in nanoseconds', () => {
    const { history, passMs } = recorder();
    passMs(1.5);
    const open = history.begin(write(1, 'a'));
    passMs(2);
    open.complete({ type: 'ok', value: 'a' });
    expect(history.events).toEqual([
      { index: 0, time: 1_500_000, process: 1, type: 'invoke', f: 'write', key: 'k1', value: 'a' },
      { index: 1, time: 3_500_000, process: 1, type: 'ok', f: 'write', key: 'k1', value: 'a' },
    ]);
  });

  it('leaves out a key that there is none of', () => {
    const { history } = recorder();
    const { key: _key, ...keyless } = write(0, 'a');
    history.begin(keyless).complete({ type: 'fail', value: 'a', error: 'Timeout' });
    expect(history.events.map((event) => Object.keys(event).includes('key'))).toEqual([false, false]);
    expect(history.events[1]?.error).toBe('Timeout');
  });

  it('a client whose outcome is unknown goes on as another process, and no two clients share one', () => {
    const { history } = recorder();
    for (let i = 0; i < 3; i++) {
      history.begin(write(0, `a${String(i)}`)).complete({ type: 'info', value: null });
      history.begin(write(1, `b${String(i)}`)).complete({ type: i === 0 ? 'info' : 'fail', value: null });
    }
    const invoked = history.events.flatMap((e) => (e.type === 'invoke' ? [[e.value, e.process]] : []));
    expect(invoked).toEqual([
      ['a0', 0],
      ['b0', 1],
      ['a1', 2],
      ['b1', 3],
      ['a2', 4],
      ['b2', 3],
    ]);
  });

  it('a process that is no client keeps its name, and costs no client its own', () => {
    const { history } = recorder();
    history.begin(write(0, 'a'), 'judge').complete({ type: 'info', value: null });
    history.begin(write(0, 'b')).complete({ type: 'ok', value: 'b' });
    expect(history.events.map(({ process }) => process)).toEqual(['judge', 'judge', 0, 0]);
  });

  it('what an operation has seen stands with its completion, the latest word of it', () => {
    const { history } = recorder();
    const open = history.begin(write(0, 'c'));
    open.seen(['a']);
    open.seen(['a', 'b']);
    open.complete({ type: 'ok', value: 'c' });
    expect(history.events[1]?.seen).toEqual(['a', 'b']);
    expect(history.events[0]).not.toHaveProperty('seen');
  });

  it('an operation that tries again is another one, of another process, and the first may have effect', () => {
    const { history, passMs } = recorder();
    const open = history.begin(write(1, 'a'));
    open.seen(['old']);
    passMs(1);
    open.again('a~1');
    open.seen(['older']);
    open.complete({ type: 'ok', value: 'a~1' });
    expect(
      history.events.map(({ process, type, value, seen, error }) => ({ process, type, value, seen, error })),
    ).toEqual([
      { process: 1, type: 'invoke', value: 'a', seen: undefined, error: undefined },
      { process: 1, type: 'info', value: 'a', seen: ['old'], error: 'tried again' },
      { process: 3, type: 'invoke', value: 'a~1', seen: undefined, error: undefined },
      { process: 3, type: 'ok', value: 'a~1', seen: ['older'], error: undefined },
    ]);
    expect(history.events.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(operationsOf(history.events).map(({ outcome }) => outcome)).toEqual(['info', 'ok']);
  });

  it('tries again as often as it likes', () => {
    const { history } = recorder();
    const open = history.begin(write(0, 'a'));
    open.again('b');
    open.again('c');
    open.complete({ type: 'info', value: 'c' });
    const operations = operationsOf(history.events);
    expect(operations.map(({ input, process }) => [input, process])).toEqual([
      ['a', 0],
      ['b', 2],
      ['c', 4],
    ]);
    history.begin(write(0, 'd'));
    expect(history.events.at(-1)?.process).toBe(6);
  });
});
