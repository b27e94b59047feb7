import { describe, expect, test } from 'vitest';
import { latest, runUpdate, type UpdateSteps } from '../../src/client/update.js';
import { TrefoilError } from '../../src/core/errors.js';
import { UPDATE_ROUNDS_MAX } from '../../src/core/limits.js';
import type { GetResult, PutResult, ValueView } from '../../src/protocol/messages.js';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

interface Stored extends ValueView {
  readonly dot: number;
}

/** One key under policy `siblings`: a context is the list of dots it has seen. */
class Key {
  siblings: Stored[] = [];
  dots = 0;
  readonly reads: (string | null)[] = [];

  put(value: string | null, context: Uint8Array | null): PutResult {
    const seen = context === null ? [] : text(context).split(',').map(Number);
    this.siblings = this.siblings.filter((s) => !seen.includes(s.dot));
    const dot = ++this.dots;
    if (value !== null) this.siblings.push({ value: Buffer.from(value), hlc: dot, expiresAt: 0, dot });
    const context2 = Buffer.from([...seen, dot].join(','));
    return {
      type: 'put-result',
      context: context2,
      siblings: this.siblings.length,
      version: 0,
      replicas: 0,
      explain: null,
    };
  }

  get(): GetResult {
    const seen = Array.from({ length: this.dots }, (_, i) => i + 1).join(',');
    const context = this.dots === 0 ? null : Buffer.from(seen);
    return { type: 'get-result', values: this.siblings, context, version: 0, lag: null, explain: null };
  }

  values(): string[] {
    return this.siblings.map((s) => text(s.value)).sort();
  }
}

/** An update that appends `item` to a comma list; `between` is called between its read and its write. */
function append(key: Key, item: string, between: (round: number) => void = () => {}): UpdateSteps {
  let round = 0;
  return {
    key: 'k',
    repeats: true,
    read: async (atLeast) => {
      key.reads.push(atLeast === null ? null : text(atLeast));
      return key.get();
    },
    // The naive change, as most are written: it looks at `current` only.
    change: (current) => Buffer.from(current === null ? item : `${text(current.value)},${item}`),
    write: async (value, context) => {
      between(round++);
      return key.put(value === null ? null : text(value), context);
    },
    pause: async () => {},
  };
}

describe('update', () => {
  test('without a rival: one read, one write, which supersedes what was read', async () => {
    const key = new Key();
    key.put('a', null);
    const end = await runUpdate(append(key, 'b'));
    expect(end.type).toBe('written');
    expect(key.values()).toEqual(['a,b']);
    expect(key.reads).toEqual([null]);
  });

  test('a naive change loses nothing to one rival, and applies once', async () => {
    const key = new Key();
    key.put('a', null);
    const rival = (round: number): void => {
      if (round === 0) key.put('a,rival', Buffer.from('1'));
    };
    await runUpdate(append(key, 'mine', rival));
    expect(key.values()).toEqual(['a,rival,mine']);
    // The second read must have seen the first attempt.
    expect(key.reads).toEqual([null, '1,3']);
  });

  test('a blind rival does not make the update forget what it had replaced', async () => {
    const key = new Key();
    key.put('a', null);
    const shown: string[][] = [];
    const steps = append(key, 'mine', (round) => {
      if (round === 0) key.put('blind', null);
    });
    await runUpdate({
      ...steps,
      change: (current, values) => {
        shown.push(values.map((v) => text(v.value)));
        return steps.change(current, values);
      },
    });
    expect(shown).toEqual([['a'], ['a', 'blind']]);
    expect(key.values()).toEqual(['blind,mine']);
  });

  test('is done when a rival that had read our attempt superseded it', async () => {
    const key = new Key();
    key.put('a', null);
    const steps = append(key, 'mine', (round) => {
      if (round === 0) key.put('a,rival', Buffer.from('1'));
    });
    const end = await runUpdate({
      ...steps,
      pause: async () => {
        key.put('merged', key.get().context);
      },
    });
    expect(end).toMatchObject({ type: 'found' });
    expect(key.values()).toEqual(['merged']);
    expect(key.dots).toBe(4);
  });

  test('two updates that do not meet again both have their effect once', async () => {
    const key = new Key();
    key.put('0', null);
    const second = append(key, 'b');

    const first = append(key, 'a');
    const early = await second.read(null);
    await runUpdate(first);
    // `second` had read before `first` wrote.
    let stale: GetResult | undefined = early;
    await runUpdate({
      ...second,
      read: async (atLeast) => {
        const read = stale ?? (await second.read(atLeast));
        stale = undefined;
        return read;
      },
    });
    expect(key.values()).toEqual(['0,a,b']);
  });

  test('ends in UpdateConflict, of unknown outcome, when a rival comes every time', async () => {
    const key = new Key();
    let rivals = 0;
    const steps = append(key, 'mine', () => key.put(`rival ${rivals++}`, null));
    await expect(runUpdate(steps)).rejects.toMatchObject({ code: 'UpdateConflict', outcome: 'unknown' });
    expect(rivals).toBe(UPDATE_ROUNDS_MAX);
    expect(key.values().some((value) => value.endsWith('mine'))).toBe(true);
  });

  test('an error after an attempt was written says that the outcome is unknown', async () => {
    const key = new Key();
    const steps = append(key, 'mine', () => key.put('rival', null));
    let reads = 0;
    const read: UpdateSteps['read'] = async (atLeast) => {
      if (reads++ > 0) throw new TrefoilError('DeadlineExceeded', 'x');
      return steps.read(atLeast);
    };
    await expect(runUpdate({ ...steps, read })).rejects.toMatchObject({
      code: 'DeadlineExceeded',
      outcome: 'unknown',
    });
  });

  test('under lww: one round, whatever the answer counts', async () => {
    const key = new Key();
    const steps = append(key, 'mine', () => key.put('rival', null));
    const end = await runUpdate({ ...steps, repeats: false });
    expect(end.type).toBe('written');
    expect(key.reads).toHaveLength(1);
  });

  test('deletes when the change gives nothing, and leaves an absent key alone', async () => {
    const key = new Key();
    const none = { ...append(key, 'x'), change: () => null };
    expect((await runUpdate(none)).type).toBe('found');
    expect(key.dots).toBe(0);
    key.put('a', null);
    expect((await runUpdate(none)).type).toBe('written');
    expect(key.values()).toEqual([]);
  });
});

test('the value written last is the one of the highest time', () => {
  const view = (hlc: number): ValueView => ({ value: Buffer.from(''), hlc, expiresAt: 0 });
  const [low, high] = [view(1), view(9)];
  expect(latest([])).toBeNull();
  expect(latest([high, low])).toBe(high);
});
