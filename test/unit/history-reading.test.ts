/** Histories in each format, the variants that databases' own harnesses write, and what is refused with which words. */
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../chaos/history/history.js';
import { parseHistory, readHistory, type History } from '../../chaos/history/read-history.js';
import { operationsOf } from '../../chaos/history/pairing.js';
import type { HistoryFormat } from '../../chaos/history/detect-format.js';

const read = (text: string, format: HistoryFormat | 'auto' = 'auto'): History =>
  parseHistory(text, { source: 'h', format });
const operations = (text: string): readonly Operation[] => read(text).operations;
/** `f input -> output outcome`, one an operation. */
const brief = (text: string): string[] =>
  operations(text).map(
    ({ process, f, key, input, output, outcome }) =>
      `${process} ${f}${key === undefined ? '' : `@${key}`} ${JSON.stringify(input)} ${JSON.stringify(output)} ${outcome}`,
  );
/** An invocation and its completion, as EDN, of one value. */
const value = (edn: string): unknown =>
  operations(`{:process 0 :type :invoke :f :write :value ${edn}}`)[0]?.input;
const jsonValue = (json: string): unknown =>
  operations(`{"process":0,"type":"invoke","f":"write","value":${json}}`)[0]?.input;

const WRITE_THEN_READ = ['0 write 1 1 ok', '1 read null 1 ok'];

describe('formats are told by their content', () => {
  it.each([
    [
      'edn',
      '[{:type :invoke, :f :write, :value 1, :process 0}\n {:type :ok, :f :write, :value 1, :process 0}\n {:type :invoke, :f :read, :value nil, :process 1}\n {:type :ok, :f :read, :value 1, :process 1}]',
    ],
    [
      'edn',
      '; a comment\n({:type :invoke :f :write :value 1 :process 0}{:type :ok :f :write :value 1 :process 0}\n#_{:a ignored}{:type :invoke :f :read :value nil :process 1} {:type :ok :f :read :value 1 :process 1})\n; end\n',
    ],
    [
      'edn',
      '\ufeff{:type :invoke, :f :write, :value 1, :process 0, :op-index 4}\r\n{:type :ok, :f :write, :value 1, :process 0}\r\n\r\n{:type :invoke, :f :read, :value nil, :process 1}\r\n{:type :ok, :f :read, :value 1, :process 1, :error [:none nil]}',
    ],
    [
      'edn',
      '#jepsen.history.Op{:type :invoke, :f :write, :value 1, :process 0, :time 1.5}\n#jepsen.history.Op{:type :ok, :f :write, :value 1, :process 0, :time 2.5}\n#jepsen.history.Op{:type :invoke, :f :read, :value nil, :process 1, :time 3}\n#jepsen.history.Op{:type :ok, :f :read, :value 1, :process 1, :time 4}',
    ],
    [
      'edn',
      '[{"type" :invoke "f" :write "value" 1 "process" 0} {"type" :ok "f" :write "value" 1 "process" 0} {"type" :invoke "f" :read "process" 1} {"type" :ok "f" :read "value" 1 "process" 1}]',
    ],
    [
      'json',
      '[{"type":"invoke","f":"write","value":1,"process":0},\n{"type":"ok","f":"write","value":1,"process":0},\n{"type":"invoke","f":"read","value":null,"process":1},\n{"type":"ok","f":"read","value":1,"process":1},]\n',
    ],
    [
      'json',
      '\ufeff{"type": ":invoke", "f": ":write", "value": 1, "process": 0}\r\n{"type": "ok", "f": "write", "value": 1, "process": 0}\r\n\r\n{"type": "invoke", "f": "read", "process": 1}\r\n{"type" : "ok", "f": "read", "value": 1, "process": 1}',
    ],
    [
      'json',
      '{"type":"invoke","f":"write","value":1,"process":0},\n{"type":"ok","f":"write","process":0},\n{"type":"invoke","f":"read","process":1},\n{"type":"ok","f":"read","value":1,"process":1},\n',
    ],
    [
      'jepsen-log',
      'INFO  jepsen.core - up\nINFO  jepsen.util - 0\t:invoke\t:write\t1\nINFO  jepsen.util - 0\t:ok\t:write\t1\nINFO  jepsen.util - :nemesis\t:info\t:start\t{1 "cut\nINFO  jepsen.util - 1\t:invoke\t:read\tnil\nINFO  jepsen.util - 1\t:ok\t:read\t1\n',
    ],
    [
      'jepsen-log',
      '2024-05-01 10:00:00,000{GMT}\tINFO\t[worker 0] jepsen.util: 0\t:invoke\t:write\t1\r\n0\t:ok\t:write\t1\r\n1        :invoke :read   nil\r\n1        :ok     :read   1',
    ],
  ] as const)('%s', (format, text) => {
    expect(read(text).format).toBe(format);
    expect(brief(text)).toEqual(WRITE_THEN_READ);
    expect(read(text, format).operations).toEqual(operations(text));
  });

  it('porcupine-kv, by its keys and functions', () => {
    const text =
      '{:process 0, :type :invoke, :f :append, :key "0", :value "x 0 0 y"}\n{:process 0, :type :ok, :f :append, :key "0", :value "x 0 0 y"}\n{:process 0, :type :invoke, :f :get, :key "0", :value nil}\n{:process 0, :type :ok, :f :get, :key "0", :value "x 0 0 y"}';
    expect(read(text).format).toBe('porcupine-kv');
    expect(brief(text)).toEqual(['0 append@0 "x 0 0 y" "x 0 0 y" ok', '0 get@0 null "x 0 0 y" ok']);
  });

  it.each(['', '  \n', '[]', '()', '; nothing\n'])('%j holds no events', (text) => {
    expect(read(text)).toMatchObject({ operations: [], events: 0 });
  });
});

describe('events become operations', () => {
  it('with positions that count every event, as :index does, and times', () => {
    const text =
      '[{:process :nemesis :type :info :f :kill :value nil :time 5}{:process "a" :type :invoke :f :read :value nil :time 7}{:process :nemesis :type :info :f :kill}{:process "a" :type :ok :f :read :value 3 :time 9}{:process 2 :type :invoke :f :write :value 4 :time 10}]';
    const history = read(text);
    expect(history).toMatchObject({ events: 5, nemesisEvents: 2, otherLines: 0 });
    expect(history.operations).toEqual([
      {
        index: 0,
        process: 'a',
        f: 'read',
        key: undefined,
        input: null,
        output: 3,
        outcome: 'ok',
        invokedAt: 1,
        completedAt: 3,
        invokedNs: 7,
        completedNs: 9,
      },
      {
        index: 1,
        process: 2,
        f: 'write',
        key: undefined,
        input: 4,
        output: 4,
        outcome: 'info',
        invokedAt: 4,
        completedAt: Infinity,
        invokedNs: 10,
        completedNs: Infinity,
      },
    ]);
  });

  it('of which an info stays open, its excuse is no output, and its process goes on', () => {
    expect(
      brief(
        '0\t:invoke\t:write\t1\n0\t:info\t:write\t:timed-out\n0\t:invoke\t:cas\t[1 2]\n0\t:fail\t:cas\t:timed-out\n',
      ),
    ).toEqual(['0 write 1 1 info', '0 cas [1,2] [1,2] fail']);
  });

  it('in order, where no process is named; txn, where no function is', () => {
    expect(
      brief(
        '[{:type :invoke :value [[:r 0 nil]]} {:type :ok :value [[:r 0 1]]} {:type :invoke, :value nil}]',
      ),
    ).toEqual(['0 txn [["r",0,null]] [["r",0,1]] ok', '0 txn null null info']);
  });

  it('counts lines of logs that are none', () => {
    expect(read('a\n0\t:invoke\t:read\tnil\n\nb\n')).toMatchObject({ otherLines: 2, events: 1 });
  });

  it('keeps what a writer had been shown', () => {
    expect(operations('{"process":0,"type":"invoke","f":"write","value":2,"seen":[1]}')[0]?.seen).toEqual([
      1,
    ]);
  });

  it('from events at hand, with the same complaints', () => {
    const event = { index: 0, process: 0, type: 'invoke', f: 'read', value: null } as const;
    const done = { ...event, index: 1, type: 'ok', value: 1 } as const;
    expect(operationsOf([event, done])).toMatchObject([
      { f: 'read', output: 1, outcome: 'ok', completedAt: 1 },
    ]);
    expect(() => operationsOf([event, { ...event, index: 1 }])).toThrow(
      /^event 1: process 0 invokes read while/,
    );
  });
});

describe('values', () => {
  it.each([
    ['nil', null],
    ['-12', -12],
    ['+12', 12],
    ['1.50', 1.5],
    ['1e3', 1000],
    ['12N', 12],
    ['1.5M', 1.5],
    ['0x1F', 31],
    ['2/3', '2/3'],
    ['9007199254740993', '9007199254740993'],
    ['-9007199254740993', '-9007199254740993'],
    ['900719925474099', 900719925474099],
    ['##Inf', Infinity],
    [':a/b', 'a/b'],
    ['sym', 'sym'],
    ['-', '-'],
    ['\\a', 'a'],
    ['\\newline', '\n'],
    ['\\(', '('],
    ['\\u0041', 'A'],
    ['"q\\"\\n\\u00e9 ü"', 'q"\né ü'],
    ['#{1 2}', [1, 2]],
    ['(1, 2 ,)', [1, 2]],
    ['#inst "2020"', '2020'],
    ['#object[a.b 0x1f "x"]', ['a.b', 31, 'x']],
    ['[#_1 2 #_#_3 4 5]', [2, 5]],
    [
      '{:a 1, 2 {nil false}}',
      new Map<string, unknown>([
        ['a', 1],
        ['2', new Map([['nil', false]])],
      ]),
    ],
    ['#:x{:a 1}', new Map([['x/a', 1]])],
  ])('EDN %s', (edn, expected) => {
    expect(value(edn)).toEqual(expected);
  });

  it.each([
    ['null', null],
    ['-0', 0],
    ['1.5e1', 15],
    ['9007199254740993', '9007199254740993'],
    ['"\\u00e9\\\\\\/"', 'é\\/'],
    ['[1,[2,],{}]', [1, [2], new Map()]],
    ['{"a":true}', new Map([['a', true]])],
  ])('JSON %s', (json, expected) => {
    expect(jsonValue(json)).toEqual(expected);
  });
});

describe('a key of its own for every operation', () => {
  const event = (f: string, invoked: string, ok: string): string =>
    `{:process 0 :type :invoke :f :${f} :value ${invoked}}{:process 0 :type :ok :f :${f} :value ${ok}}`;

  it.each([
    [
      'independent registers',
      event('write', '[:x 1]', '[:x 1]') + event('read', '[:x nil]', '[:x 1]'),
      ['x', 'x'],
    ],
    ['independent cas', event('cas', '[7 [1 2]]', '[7 [1 2]]'), ['7']],
    ['independent transactions', event('txn', '[7 [[:r 1 nil]]]', '[7 [[:r 1 2]]]'), ['7']],
    [
      "a cas-register's [from to]",
      event('cas', '[1 2]', '[1 2]') + event('cas', '[2 nil]', '[2 nil]'),
      [undefined, undefined],
    ],
    [
      'a plain read among pairs',
      event('write', '[1 2]', '[1 2]') + event('read', 'nil', '[1 2]'),
      [undefined, undefined],
    ],
    [
      'a read that answers without its key',
      event('add', '[0 5]', '[0 5]') + event('read', '[0 nil]', '[0 1 2]'),
      [undefined, undefined],
    ],
    ['a transaction of two', event('txn', '[[:r 1 nil] [:r 2 nil]]', '[[:r 1 1] [:r 2 2]]'), [undefined]],
    ['writes of pairs alone', event('write', '[1 2]', '[1 2]'), [undefined]],
    ['keys in the events', '{:process 0 :type :invoke :f :read :key 3 :value nil}', ['3']],
  ])('%s', (_name, text, keys) => {
    expect(operations(`[${text}]`).map(({ key }) => key)).toEqual(keys);
  });

  it('leaves the value', () => {
    expect(brief(event('write', '[:x 1]', '[:x 1]') + event('read', '[:x nil]', '[:x 1]'))).toEqual([
      '0 write@x 1 1 ok',
      '0 read@x null 1 ok',
    ]);
  });
});

describe('what cannot be read is named with its line', () => {
  const invoke = '{:process 0 :type :invoke :f :read :value nil}\n';
  it.each([
    [invoke + invoke, 'h:2: process 0 invokes read while its read of event 0 is open'],
    ['\n{:process 0 :type :ok :f :read :value nil}', 'h:2: process 0 completes (ok) what it has not invoked'],
    [
      `${invoke}{:process 0 :type :ok :f :write :value nil}`,
      'h:2: process 0 completes write, but what it has open is the read of event 0',
    ],
    [`${invoke}{:type :ok :f :read}`, 'h:2: has no process, while events before it have one'],
    [`[${invoke}`, 'h:2: expected the ] that ends the list of events, found the end of the file'],
    [`[${invoke}] 1`, 'h:2: expected nothing after the list of events, found "1"'],
    [
      `${invoke}{:process 0 :type :maybe}`,
      'h:2: expected an event with a type of invoke, ok, fail or info, found "maybe"',
    ],
    [`${invoke}{:a`, 'h:2: expected a value, found the end of the file'],
    [`${invoke}{:a}`, 'h:2: expected a value of a, found "}"'],
    [`${invoke}{:a 1x}`, 'h:2: expected a number, found "1x}"'],
    [`${invoke}{:a "b`, 'h:2: this string does not end'],
    [`${invoke}{:a \\nonsense}`, 'h:2: expected a character such as \\a or \\newline, found "\\\\nonsense}"'],
    [`${invoke}{:a ${'['.repeat(2000)}`, 'h:2: values are nested deeper than 500'],
    ['{"type":"invoke" "f":1}', 'h:1: expected , or }, found "\\"f\\":1}"'],
    [
      '[{"type":"invoke","process":0}\n{"type":"ok"}]',
      'h:2: expected , or ], found "{\\"type\\":\\"ok\\"}]"',
    ],
    ['{"type":"invoke","process":01}', 'h:1: expected a value, found "01}"'],
    ['{"type":"invoke","process":[]}', 'h:1: expected process to be a number or a name, found []'],
    ['{"type":"invoke","time":"soon"}', 'h:1: expected time to be a number of nanoseconds, found "soon"'],
    ['{"type":"invoke","value":truer}', 'h:1: expected a value, found "truer}"'],
    ['x\n0\t:invoke\t:read\n', 'h:2: expected the value, such as nil, found the end of the file'],
    [
      '# A page\nof text',
      'h:1: expected a history: EDN, JSON, lines of a Jepsen log, or the kv text of Porcupine, found "# A page"',
    ],
  ])('%j', (text, message) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'BadRequest', message }));
  });

  it('a log without operations, where a log was asked for', () => {
    expect(() => read('a\nb\n', 'jepsen-log')).toThrow(
      'h: none of its 2 lines is an operation that Jepsen logged',
    );
  });

  it('bytes that are no UTF-8', async () => {
    const bytes = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.concat([Buffer.from(invoke), Buffer.from([0x22, 0xff, 0x22])]);
    };
    await expect(readHistory(bytes(), { source: 'h', format: 'auto' })).rejects.toThrow(
      'h: expected text in UTF-8',
    );
  });
});

describe('a history that comes in pieces', () => {
  const texts = [
    '[{:process 0, :type :invoke, :f :write, :value "é\\"ü long enough to be cut"}\n#_#_1 {:a 2} {:process 0, :type :ok, :f :write, :value "é\\"ü long enough to be cut"} ; c\n {:process 1 :type :invoke :f :cas :value [-12 1.5]}]',
    '{"process":0,"type":"invoke","f":"write","value":["\\u00e9é",-12.5,{"a":null}]}\n{"process":0,"type":"ok","f":"write","value":["\\u00e9é",-12.5,{"a":null}]}\n{"process":1,"type":"invoke","f":"read"}\n',
    'INFO x\nINFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\r\nINFO  jepsen.util - 0\t:ok\t:cas\t[1 2]\r\n',
  ];
  it.each(texts)('reads the same, wherever it is cut: %#', async (text) => {
    const whole = read(text);
    const bytes = Buffer.from(text);
    for (const size of [1, 2, 3, 7, 50]) {
      const pieces = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      };
      // The format is given: telling it would wait for the whole of so short a text.
      expect(await readHistory(pieces(), { source: 'h', format: whole.format })).toEqual(whole);
    }
  });

  it.each([
    [
      '{:process 0 :type :invoke :f :read :value nil}\n',
      '{:process 0 :type :ok :f :read :value [[1 ',
      '2]]}\n',
    ],
    [
      '{"process":0,"type":"invoke","f":"read","value":null}\n',
      '{"process":0,"type":"ok","f":"read","value":[[1,',
      '2]]}\n',
    ],
  ])('counts lines, and depth, over the pieces: %s', async (invoke, begin, end) => {
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 3000; i++) {
        yield Buffer.from(invoke + begin);
        yield Buffer.from(end);
      }
      yield Buffer.from('{]');
    };
    await expect(readHistory(pieces(), { source: 'h', format: 'auto' })).rejects.toThrow(
      /^h:6001: expected .*"\]"$/,
    );
  });
});
