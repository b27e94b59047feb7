/** The page of a run: what it draws of a trace, what it leaves out and says so, and that nobody's value becomes markup. */
import { Script } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { HistoryEvent } from '../../chaos/history/history.js';
import { operationsOf } from '../../chaos/history/pairing.js';
import { describeFrame } from '../../chaos/report/frame-contents.js';
import { tracePage, type TracePageInput } from '../../chaos/report/trace-page.js';
import { traceScene } from '../../chaos/report/trace-scene.js';
import type { RunResult } from '../../chaos/run/simulate.js';
import { encodeFrame } from '../../src/protocol/codec.js';
import { encodeValue } from '../../src/protocol/value-codec.js';
import { sessionId } from '../../src/core/ids.js';
import type { CarriedMessage, Trace, TraceMessage } from '../../src/simulation/trace.js';

const BEGAN_MS = 1_000;
const EVIL = '</script><img src=x onerror=alert(1)>&"\'';

const event = (index: number, rest: Partial<HistoryEvent>): HistoryEvent => ({
  index,
  time: index * 1e6,
  process: 0,
  type: 'invoke',
  f: 'write',
  value: null,
  ...rest,
});

/** Client 0 writes and times out; client 1 reads something else, which the check holds against it. */
const HISTORY: readonly HistoryEvent[] = [
  event(0, { key: 'k1', value: EVIL }),
  event(1, { process: 1, f: 'read', key: 'k1' }),
  event(2, { key: 'k1', type: 'info', value: EVIL }),
  event(3, { process: 1, f: 'read', key: 'k1', type: 'ok', value: [] }),
  event(4, { process: 2, f: 'read', key: 'k2' }),
  event(5, { process: 2, f: 'read', key: 'k2', type: 'fail' }),
];

function run(history = HISTORY): RunResult {
  const [write, read] = operationsOf(history);
  const witness = { lines: [`lost ${EVIL}: #1 read nothing`], operations: [write!, read!] };
  return {
    experiment: 'some',
    seed: 7,
    verdict: 'invalid',
    checks: [
      { name: 'served', promised: true, verdict: { validity: 'valid', reason: 'all' } },
      {
        name: 'freshness',
        promised: true,
        verdict: { validity: 'invalid', reason: `stale ${EVIL}`, witness },
      },
    ],
    traceHash: 'abcd',
    virtualMs: BEGAN_MS + 5_000,
    beganMs: BEGAN_MS,
    realMs: 1,
    operations: 3,
    outcomes: { ok: 1, fail: 1, info: 1 },
    notBegun: 0,
    faults: 1,
    counters: {},
    history,
  };
}

function message(
  from: string,
  to: string,
  carried: Partial<CarriedMessage>,
  rest: Partial<TraceMessage> = {},
): TraceMessage {
  const whole = { name: 'store', key: null, exchange: null, isAnswer: false, detail: '', ...carried };
  const sentMs = rest.sentMs ?? BEGAN_MS + 1;
  const base = {
    from,
    to,
    connection: 1,
    sentMs,
    arrivedMs: sentMs + 1,
    sizeBytes: 10,
    fate: 'whole' as const,
  };
  return { ...base, carried: [whole], ...rest };
}

const TRACE: Trace = {
  processes: [{ atMs: BEGAN_MS - 5, name: 'n1', what: 'start' }],
  messages: [
    message('c0', 'n1', { name: 'put', key: 'k1', exchange: 'request 1' }),
    message('n1', 'n2', { name: 'store', key: 'k1', exchange: 'g 4' }),
    message(
      'n2',
      'n1',
      { name: 'store-result', exchange: 'g 4', isAnswer: true },
      { arrivedMs: null, fate: 'dropped' },
    ),
    message('n1', 'n2', { name: 'compare-root' }),
    message('n1', 'n2', { name: 'ping' }, { sentMs: BEGAN_MS + 2_000 }),
  ],
  faults: [{ name: 'crash', nodes: ['n2'], detail: 'crash n2', beganMs: BEGAN_MS + 3, endedMs: null }],
  operations: [],
  dropped: { processes: 0, messages: 9, faults: 0, operations: 0 },
};

const INPUT: TracePageInput = { run: run(), trace: TRACE, nodes: ['n1', 'n2'], clients: 2, bug: null };
const scene = (limits = {}): ReturnType<typeof traceScene> =>
  traceScene(run(), TRACE, ['n1', 'n2'], 2, limits);

describe('the scene of a trace', () => {
  it('has a column for each client and node, whatever number a client goes on under', () => {
    expect(scene().columns.map(({ name }) => name)).toEqual(['c0', 'c1', 'n1', 'n2']);
    expect(scene().operations.map(({ column, process }) => [column, process])).toEqual([
      [0, '0'],
      [1, '1'],
      [0, '2'],
    ]);
  });

  it('has the nodes between two halves of many clients', () => {
    const { columns } = traceScene(run(), TRACE, ['n1', 'n2'], 9, {});
    const names = ['c0', 'c1', 'c2', 'c3', 'c4', 'n1', 'n2', 'c5', 'c6', 'c7', 'c8'];
    expect(columns.map(({ name, is }) => [name, is])).toEqual(
      names.map((name) => [name, name.startsWith('n') ? 'node' : 'client']),
    );
  });

  it('counts times from the start of the fault phase, and ends an unknown operation when its client gave up', () => {
    const { operations, messages, faults, beginMs, endMs } = scene();
    expect(operations.map(({ invokedMs, endedMs, outcome }) => [invokedMs, endedMs, outcome])).toEqual([
      [0, 2, 'info'],
      [1, 3, 'ok'],
      [4, 5, 'fail'],
    ]);
    expect(messages[0]).toMatchObject({ sentMs: 1, arrivedMs: 2 });
    expect(faults).toEqual([{ name: 'crash', detail: 'crash n2', columns: [3], beganMs: 3, endedMs: 5_000 }]);
    expect([beginMs, endMs]).toEqual([-5, 5_000]);
  });

  it('tells kinds apart, and gives an answer the key of its question', () => {
    const { messages, keys } = scene();
    expect(messages.map(({ kind }) => kind)).toEqual([
      'client',
      'replication',
      'replication',
      'anti-entropy',
      'connection',
    ]);
    expect(messages.map((one) => one.keys.map((key) => keys[key]))).toEqual([['k1'], ['k1'], ['k1'], [], []]);
    expect(messages[2]).toMatchObject({ arrivedMs: null, fate: 'dropped' });
  });

  it('marks the operations of the witness in its order', () => {
    expect(scene().operations.map(({ witness }) => witness)).toEqual([1, 2, 0]);
    expect(scene().witnessKeys.map((key) => scene().keys[key])).toEqual(['k1']);
  });

  it('keeps what is nearest to the witness, data before heartbeats, and says what it left out', () => {
    const { messages, operations, leftOut } = scene({ messagesMax: 3, operationsMax: 2 });
    expect(messages.map(({ kind }) => kind)).toEqual(['client', 'replication', 'replication']);
    expect(operations.map(({ witness }) => witness)).toEqual([1, 2]);
    expect(leftOut).toEqual([
      'operations far from the witness: 1',
      expect.stringMatching(/^messages \(heartbeats.*: 2$/),
      expect.stringMatching(/^messages before .*: 9$/),
    ]);
  });

  it('bounds the keys that it lists', () => {
    expect(scene({ keysMax: 1 })).toMatchObject({ keys: ['k1'] });
    expect(scene({ keysMax: 1 }).operations.map(({ key }) => key)).toEqual([0, 0, -1]);
  });
});

describe('the page of a trace', () => {
  it('is the same for the same run', () => {
    expect(tracePage(INPUT)).toBe(tracePage({ ...INPUT, run: run() }));
  });

  it('lets no value become markup', () => {
    const html = tracePage({ ...INPUT, bug: EVIL });
    expect(html).not.toContain('<img');
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    const data = /<script type="application\/json" id="data">(.*)<\/script>/.exec(html)?.[1] ?? '';
    expect(JSON.parse(data)).toEqual(JSON.parse(JSON.stringify(scene())));
    expect(data).toContain('onerror');
  });

  it('leads from the witness into the picture', () => {
    const html = tracePage(INPUT);
    expect(html).toContain('<a href="#op-1">#1</a>');
    expect(html.match(/class="w" href="#op-\d+"/g)).toHaveLength(2);
    expect(html).toMatch(/<option value="witness" selected>of the witness: k1</);
    expect(html).toContain('messages before the earliest that the recorder kept: 9');
  });

  it('says so where every promise held', () => {
    const held = { ...run(), verdict: 'valid' as const, checks: run().checks.slice(0, 1) };
    const html = tracePage({ ...INPUT, run: held });
    expect(html).toContain('every promise held');
    expect(html).toContain('<button type="button" id="witness" disabled>');
  });

  it('needs no network, and its script is one that can be read', () => {
    const html = tracePage(INPUT);
    expect(html.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(
      /https?:|@import|url\(|<[a-z]+[^>]*\s(src|href)="(?!#)/,
    );
    const script = /<script>([^]*?)<\/script>/.exec(html)?.[1] ?? '';
    expect(() => new Script(script)).not.toThrow();
    for (const [, id] of script.matchAll(/\$\('([a-z]+)'\)/g)) expect(html).toContain(`id="${id ?? ''}"`);
  });
});

describe('what a frame carries', () => {
  it('is told with its key and value, and how it is tied to its answer', () => {
    const operation = { session: sessionId('s'.repeat(16)), sequence: 1 };
    const put = {
      type: 'put' as const,
      key: 'k',
      value: encodeValue('v1'),
      context: null,
      ifVersion: null,
      write: null,
      ttlMs: 0,
      operation,
      lowestOpen: 1,
      attempt: 1,
    };
    const frame = encodeFrame([
      { type: 'request', id: 3, epoch: 1, budgetMs: 5, namespace: 'n', explain: false, operation: put },
      { type: 'ping', nonce: 1 },
    ]);
    expect(describeFrame(frame)).toEqual([
      { name: 'put', key: 'k', exchange: 'request 3', isAnswer: false, detail: 'v1 (attempt 2)' },
      { name: 'ping', key: null, exchange: null, isAnswer: false, detail: '' },
    ]);
  });

  it('is unreadable where it is no frame', () => {
    expect(describeFrame(new Uint8Array([1, 2, 3]))).toMatchObject([{ name: 'unreadable' }]);
  });
});
