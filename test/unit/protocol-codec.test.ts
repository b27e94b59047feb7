import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { TrefoilError } from '../../src/core/errors.js';
import { groupId, namespaceName, sessionId } from '../../src/core/ids.js';
import {
  FRAME_BYTES_MAX,
  FRAME_BYTES_TARGET,
  FRAME_MESSAGES_MAX,
  FRAME_VALUES_MAX,
} from '../../src/core/limits.js';
import { decodeFrame, encodeFrame, encodeFrames } from '../../src/protocol/codec.js';
import { PROTOCOL_VERSION, type Message } from '../../src/protocol/messages.js';
import {
  leaderFollowerMessages,
  leaderlessMessages,
  messages,
  messagesByType,
} from '../support/arbitrary-messages.js';
import { plain } from '../support/plain.js';

const group = groupId(namespaceName('photos'), 3);
const store = (sequence: number, bytes: number): Message => ({
  type: 'replica',
  group,
  message: {
    type: 'store',
    sequence,
    key: `key-${sequence}`,
    record: new Uint8Array(bytes).fill(sequence),
    asks: false,
  },
});

/** A frame around a payload that no encoder of ours would make. */
function frameOf(payload: Uint8Array | readonly number[]): Uint8Array {
  const bytes = Buffer.from(payload);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(bytes));
  return Buffer.concat([crc, bytes]);
}

const packr = new Packr({ useRecords: false, variableMapSize: true });
const frameOfValue = (value: unknown): Uint8Array => frameOf(packr.pack(value));

function errorOf(run: () => unknown): TrefoilError {
  try {
    run();
  } catch (error) {
    if (error instanceof TrefoilError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('every message', () => {
  for (const [type, arbitrary] of [
    ...Object.entries(messagesByType),
    ...Object.entries({ ...leaderlessMessages, ...leaderFollowerMessages }).map(
      ([inner, message]) =>
        [inner, message.map((m): Message => ({ type: 'replica', group, message: m }))] as const,
    ),
  ]) {
    it(`${type} comes back as it was sent`, () => {
      fc.assert(
        fc.property(arbitrary, (message) => {
          expect(plain(decodeFrame(encodeFrame([message])))).toEqual([message]);
        }),
        { numRuns: 150 },
      );
    });
  }

  it('keeps its place among the others of a frame', () => {
    fc.assert(
      fc.property(fc.array(messages, { maxLength: 12 }), (many) => {
        expect(plain(decodeFrame(encodeFrame(many)))).toEqual(many);
      }),
      { numRuns: 100 },
    );
  });

  it('keeps integers exactly, up to 2^53 - 1', () => {
    for (const nonce of [0, 2 ** 32 - 1, 2 ** 32, 1_763_706_000_000 * 1024 + 3, Number.MAX_SAFE_INTEGER]) {
      expect(plain(decodeFrame(encodeFrame([{ type: 'ping', nonce }])))).toEqual([{ type: 'ping', nonce }]);
    }
  });

  it('takes 64-bit integers of other encoders where they are exact, and refuses them beyond', () => {
    const ping = (int64: string): Uint8Array => frameOf(Buffer.from(`919204cf${int64}`, 'hex'));
    expect(plain(decodeFrame(ping('0000000100000001')))).toEqual([{ type: 'ping', nonce: 2 ** 32 + 1 }]);
    expect(errorOf(() => decodeFrame(ping('0020000000000000'))).code).toBe('MalformedFrame');
    expect(errorOf(() => decodeFrame(ping('ffffffffffffffff'))).code).toBe('MalformedFrame');
  });

  it('rounds budgets up to whole milliseconds', () => {
    const request: Message = {
      type: 'request',
      id: 1,
      epoch: 1,
      budgetMs: 12.25,
      namespace: 'photos',
      explain: false,
      operation: { type: 'status' },
    };
    expect(plain(decodeFrame(encodeFrame([request])))).toEqual([{ ...request, budgetMs: 13 }]);
  });
});

describe('golden frames: a difference here is a new PROTOCOL_VERSION', () => {
  const cases: readonly (readonly [name: string, message: Message, hex: string])[] = [
    [
      'hello',
      {
        type: 'hello',
        protocol: 3,
        cluster: 'local',
        role: 'client',
        id: 's-1',
        credentials: '',
        mapEpoch: 2,
        mapHash: '00112233aabbccdd',
      },
      '9682247991980103a56c6f63616c01a3732d31a002b030303131323233336161626263636464',
    ],
    [
      'request',
      {
        type: 'request',
        id: 7,
        epoch: 2,
        budgetMs: 5000,
        namespace: 'photos',
        explain: false,
        operation: {
          type: 'put',
          key: 'user/1',
          value: new Uint8Array([1, 2, 3]),
          context: null,
          ifVersion: null,
          write: 'quorum',
          ttlMs: 0,
          operation: { session: sessionId('s-1'), sequence: 300 },
          lowestOpen: 299,
          attempt: 0,
        },
      },
      '92eb927591970a0702cd1388a670686f746f73c29b02a6757365722f31c403010203c0fe00a3732d31cd012ccd012b00c0',
    ],
    [
      'response',
      {
        type: 'response',
        id: 7,
        result: {
          type: 'get-result',
          values: [{ value: new Uint8Array([9]), hlc: 1_763_706_000_000 * 1024, expiresAt: 0 }],
          context: new Uint8Array([4, 5]),
          version: 0,
          lag: null,
          explain: null,
        },
      },
      'e916f43691930b0796019193c40109cb4319aa511d28000000c402040500c0c0',
    ],
    [
      'store',
      {
        type: 'replica',
        group,
        message: { type: 'store', sequence: 70_000, key: 'ü', record: new Uint8Array([0xff, 0]), asks: true },
      },
      'dcbd9948919314a870686f746f732f339501ce00011170a2c3bcc402ff00c3',
    ],
  ];
  for (const [name, message, hex] of cases) {
    it(name, () => {
      expect(Buffer.from(encodeFrame([message])).toString('hex')).toBe(hex);
      expect(plain(decodeFrame(Buffer.from(hex, 'hex')))).toEqual([message]);
    });
  }
});

describe('frames', () => {
  it('are never changed by later ones', () => {
    const frames: Uint8Array[] = [];
    const copies: string[] = [];
    for (let i = 0; i < 3000; i++) {
      const frame = encodeFrame([store(i, i % 50 === 0 ? 20_000 : i % 300), { type: 'ping', nonce: i }]);
      frames.push(frame);
      copies.push(Buffer.from(frame).toString('latin1'));
    }
    frames.forEach((frame, i) => {
      expect(Buffer.from(frame).toString('latin1') === copies[i]).toBe(true);
    });
  });

  it('are read from plain byte arrays and from the middle of larger ones', () => {
    const frame = encodeFrame([store(1, 100)]);
    const larger = new Uint8Array(frame.length + 20).fill(7);
    larger.set(frame, 10);
    expect(plain(decodeFrame(larger.subarray(10, 10 + frame.length)))).toEqual([store(1, 100)]);
  });

  it('may be empty of messages, but not of bytes', () => {
    expect(plain(decodeFrame(encodeFrame([])))).toEqual([]);
    for (const bytes of [[], [0, 0, 0, 0]]) {
      expect(errorOf(() => decodeFrame(new Uint8Array(bytes))).code).toBe('MalformedFrame');
    }
  });

  it('are refused beyond their limits, on both sides', () => {
    const big = store(1, FRAME_BYTES_MAX);
    expect(errorOf(() => encodeFrame([big])).code).toBe('FrameTooLarge');
    expect(errorOf(() => decodeFrame(new Uint8Array(FRAME_BYTES_MAX + 1))).code).toBe('FrameTooLarge');
    const pings = new Array<Message>(FRAME_MESSAGES_MAX + 1).fill({ type: 'ping', nonce: 1 });
    expect(errorOf(() => encodeFrame(pings)).code).toBe('FrameTooLarge');
    expect(errorOf(() => decodeFrame(frameOfValue(pings.map(() => [4, 1])))).code).toBe('MalformedFrame');
    const leaves = new Array<number>(FRAME_VALUES_MAX).fill(1);
    const crowded: Message = {
      type: 'replica',
      group,
      message: { type: 'differing-leaves', round: 0, life: '', leaves },
    };
    expect(errorOf(() => encodeFrame([crowded])).code).toBe('FrameTooLarge');
    expect(errorOf(() => decodeFrame(frameOfValue([[20, 'g', [10, leaves]]]))).code).toBe('MalformedFrame');
  });

  it('are split near a target, in order, and only a single message is too large', () => {
    expect(encodeFrames([], 100)).toEqual([]);
    const many = Array.from({ length: 500 }, (_, i) => store(i, i % 7 === 0 ? 3000 : 40));
    const frames = encodeFrames(many, 4096);
    expect(plain(frames.flatMap((frame) => decodeFrame(frame)))).toEqual(many);
    for (const frame of frames) expect(frame.length).toBeLessThan(4096 * 1.1);
    expect(frames.length).toBeLessThan((encodeFrame(many).length / 4096) * 2);

    const oversized = [store(1, 10), store(2, 50_000), store(3, 10)];
    expect(encodeFrames(oversized, 4096).map((f) => decodeFrame(f).length)).toEqual([1, 1, 1]);
    expect(errorOf(() => encodeFrames([store(1, 10), store(2, FRAME_BYTES_MAX)], 4096)).code).toBe(
      'FrameTooLarge',
    );
    const pings = new Array<Message>(FRAME_MESSAGES_MAX * 2 + 1).fill({ type: 'ping', nonce: 1 });
    expect(encodeFrames(pings, FRAME_BYTES_TARGET).map((f) => decodeFrame(f).length)).toEqual([
      FRAME_MESSAGES_MAX,
      FRAME_MESSAGES_MAX,
      1,
    ]);
  });

  it('are made as two where text took more bytes than was thought', () => {
    // Three bytes a character: the estimate is a third of the truth, and both together exceed the maximum.
    const reason = '汉'.repeat(FRAME_BYTES_MAX / 4);
    const many: Message[] = [
      { type: 'goodbye', reason },
      { type: 'goodbye', reason },
    ];
    const frames = encodeFrames(many, FRAME_BYTES_MAX);
    expect(frames.length).toBe(2);
    expect(frames.flatMap((frame) => decodeFrame(frame)).length).toBe(2);
  });
});

describe('malformed frames', () => {
  const request = [10, 1, 1, 5000, 'photos', false, [4]];
  const get = [1, 'k', null, null, 0];
  const nested = (depth: number): unknown => (depth === 0 ? [] : [nested(depth - 1)]);
  const map = ['c', 1, 'h', [['n', 'h', 1, 'z', 1]], [], [[['n']]]];
  const bad: readonly (readonly [name: string, payload: unknown])[] = [
    ['no array', 1],
    ['a map for the array', { 0: [4, 1] }],
    ['a map as a message', [{ type: 'ping' }]],
    ['an unknown code', [[99, 1]]],
    ['a code that is no integer', [[4.5, 1]]],
    ['a code that is a text', [['4', 1]]],
    ['a code named as an array method', [['length', 1]]],
    ['no code', [[]]],
    ['a field too few', [[4]]],
    ['a field too many', [[4, 1, 2]]],
    ['a negative count', [[4, -1]]],
    ['a fraction for a count', [[4, 1.5]]],
    ['an infinite count', [[4, Infinity]]],
    ['a text for a count', [[4, '1']]],
    ['null for a text', [[6, null]]],
    ['binary for a text', [[6, Buffer.from('x')]]],
    ['a number for a flag', [[10, 1, 1, 5000, 'photos', 1, [4]]]],
    ['an operation that is none', [[...request.slice(0, 6), [9]]]],
    ['an operation with a field too many', [[...request.slice(0, 6), [...get, 1]]]],
    ['a level of 0', [[...request.slice(0, 6), [1, 'k', 0, null, 0]]]],
    ['a read level of -7', [[...request.slice(0, 6), [1, 'k', -7, null, 0]]]],
    ['a write level of -5', [[...request.slice(0, 6), [6, 0, [], -5, 's', 1, 1, 0]]]],
    ['a version below 0', [[...request.slice(0, 6), [6, 0, [['k', null, -1, 0]], null, 's', 1, 1, 0]]]],
    ['a text for binary', [[...request.slice(0, 6), [1, 'k', null, 'context', 0]]]],
    ['an unknown error code', [[3, ['NoSuchCode', '', 0, 0, null]]]],
    ['an error code from the prototype', [[3, ['toString', '', 0, 0, null]]]],
    ['an unknown outcome', [[3, ['Timeout', '', 2, 0, null, null]]]],
    ['an unknown role', [[1, PROTOCOL_VERSION, 'c', 2, 'id', '', 0, '']]],
    ['a hello without a version', [[1]]],
    ['a hello that is too short', [[1, PROTOCOL_VERSION, 'c', 0, 'id', '', 0]]],
    ['a port beyond 65535', [[2, 1, 'c', 'n', ['c', 1, 'h', [['n', 'h', 70_000, 'z', 1]], [], []]]]],
    ['a negative weight', [[2, 1, 'c', 'n', ['c', 1, 'h', [['n', 'h', 1, 'z', -1]], [], []]]]],
    ['a placement of numbers', [[2, 1, 'c', 'n', [...map.slice(0, 5), [[[1]]]]]]],
    ['a map that is too short', [[2, 1, 'c', 'n', map.slice(0, 5)]]],
    ['a root of 7 bytes', [[20, 'g', [7, Buffer.alloc(7)]]]],
    ['leaves that are no hashes', [[20, 'g', [9, [[1, Buffer.alloc(9)]]]]]],
    ['a leaf beyond 32 bits', [[20, 'g', [10, [2 ** 32]]]]],
    ['a page entry that is no pair', [[20, 'g', [6, 1, 0, [['k']], null]]]],
    ['nesting just beyond the limit', nested(12)],
    ['a date', [[4, new Date(0)]]],
    ['an extension', [[4, new Set([1])]]],
  ];
  for (const [name, payload] of bad) {
    it(name, () => {
      expect(errorOf(() => decodeFrame(frameOfValue(payload))).code).toBe('MalformedFrame');
    });
  }

  const hex: readonly (readonly [name: string, payload: string])[] = [
    ['deep nesting', '91'.repeat(100_000) + '90'],
    ['a byte after the payload', '91920401' + '00'],
    ['an array that promises more than there is', 'ddffffffff01'],
    ['an array header cut short', 'dd0000'],
    ['a text that promises more than there is', '919206db7fffffff41'],
    ['binary that promises more than there is', '919206c6ffffffff'],
    ['a number cut short', '919204cf000000'],
    ['the byte that msgpack never uses', '919204c1'],
    ['a record definition', '9192' + '04d47201' + '91a161' + '01'],
    ['an extension that moves the read position back', '9192' + '04c70462fffffff0' + 'a0a0'],
    ['a reference to something before', '9192' + '04d66900000001' + '90'],
    ['a regular expression', '919204d4780092a161a0'],
  ];
  for (const [name, payload] of hex) {
    it(name, () => {
      expect(errorOf(() => decodeFrame(frameOf(Buffer.from(payload, 'hex')))).code).toBe('MalformedFrame');
    });
  }

  it('a wrong CRC', () => {
    const frame = Buffer.from(encodeFrame([{ type: 'ping', nonce: 1 }]));
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const damaged = Buffer.from(frame);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(errorOf(() => decodeFrame(damaged)).message).toContain('CRC');
    }
  });
});

describe('a hello of another version', () => {
  it('is read as far as its version, whatever follows', () => {
    const other = PROTOCOL_VERSION + 1;
    for (const rest of [[], ['cluster'], [7, 'x', [[2]], null, 5]]) {
      expect(plain(decodeFrame(frameOfValue([[1, other, ...rest]])))).toEqual([
        expect.objectContaining({ type: 'hello', protocol: other }),
      ]);
    }
  });

  it('can be refused in a shape that does not change', () => {
    const error = {
      code: 'UnsupportedProtocol',
      message: 'we speak 1, you speak 2',
      outcome: 'failed',
      retryAfterMs: 0,
      map: null,
      leader: null,
    } as const;
    const frame = frameOfValue([[3, ['UnsupportedProtocol', 'we speak 1, you speak 2', 0, 0, null, null]]]);
    expect(plain(encodeFrame([{ type: 'refused', error }]))).toEqual(plain(frame));
  });
});

it('names the field that is wrong', () => {
  expect(errorOf(() => decodeFrame(frameOfValue([[6, 1]]))).message).toContain('reason must be a text');
});
