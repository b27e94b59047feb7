/** What the writers write, the readers read back: any event, in both forms. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HistoryEvent, Value } from '../../chaos/history/history.js';
import { operationsOf } from '../../chaos/history/pairing.js';
import { parseHistory } from '../../chaos/history/read-history.js';
import { ednLine, ednValue, jsonLine } from '../../chaos/history/write-history.js';

// UTF-8 has no lone surrogates; the readers know no -0, which no history tells from 0.
const text = fc.string({ unit: 'grapheme' });
const number = fc.oneof(fc.integer(), fc.double({ noDefaultInfinity: true, noNaN: true })).map((n) => n || 0);
const value = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    number,
    text,
    fc.constant('9007199254740993'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(text, tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
  ),
})).value;

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,9}$/).filter((n) => n !== 'nemesis');
const event = fc.record(
  {
    process: fc.oneof(fc.nat(), name),
    f: name,
    value,
    key: text,
    time: fc.nat(),
    seen: fc.array(value, { maxLength: 3 }),
    error: value,
  },
  { requiredKeys: ['process', 'f', 'value'] },
);

/** Invocations with completions, one after the other. */
const history = fc
  .array(fc.tuple(event, value, fc.constantFrom('ok', 'fail', 'info')), { minLength: 1, maxLength: 8 })
  .map((operations) =>
    operations.flatMap(([invocation, output, type], i): HistoryEvent[] => [
      { ...invocation, index: 2 * i, type: 'invoke' },
      { ...invocation, index: 2 * i + 1, type, value: output },
    ]),
  );

describe('a history reads back as it was written', () => {
  it.each([
    ['EDN', 'edn', ednLine],
    ['JSON', 'json', jsonLine],
  ] as const)('%s', (_name, format, line) => {
    fc.assert(
      fc.property(history, (events) => {
        // A key of its own keeps the readers from looking for one in the values.
        const keyed = events.map((e) => ({ key: 'k', ...e }));
        const lines = keyed.map((e) => `${line(e)}\n`).join('');
        expect(parseHistory(lines, { source: 'h', format }).operations).toEqual(operationsOf(keyed));
      }),
      { numRuns: 300 },
    );
  });

  it('of numbers that JSON cannot say only as EDN', () => {
    const event: HistoryEvent = { index: 0, process: 0, type: 'invoke', f: 'write', value: [Infinity, NaN] };
    expect(ednLine(event)).toContain('[##Inf ##NaN]');
    expect(() => jsonLine(event)).toThrow('JSON cannot say Infinity');
    expect(ednValue(-Infinity)).toBe('##-Inf');
  });

  it('with keywords where they can be', () => {
    const event: HistoryEvent = {
      index: 3,
      time: 5,
      process: 'p 1',
      type: 'ok',
      f: 'read',
      key: 'k',
      value: null,
    };
    expect(ednLine(event)).toBe(
      '{:index 3, :time 5, :process "p 1", :type :ok, :f :read, :key "k", :value nil}',
    );
    expect(jsonLine(event)).toBe(
      '{"index":3,"time":5,"process":"p 1","type":"ok","f":"read","key":"k","value":null}',
    );
  });
});

describe('a damaged history', () => {
  const log = (e: HistoryEvent): string =>
    `INFO  jepsen.util - ${e.process}\t:${e.type}\t:${e.f}\t${ednValue(e.value)}`;
  const damage = fc.array(
    fc.tuple(fc.nat(400), fc.nat(6), fc.string({ unit: 'binary-ascii', maxLength: 3 })),
    {
      minLength: 1,
      maxLength: 3,
    },
  );

  it.each([
    ['EDN', ednLine],
    ['JSON', jsonLine],
    ['a log', log],
  ] as const)('in %s is read or refused with its place, and never ends otherwise', (_name, line) => {
    fc.assert(
      fc.property(history, damage, (events, cuts) => {
        let lines = events.map((e) => `${line(e)}\n`).join('');
        for (const [at, length, put] of cuts) lines = lines.slice(0, at) + put + lines.slice(at + length);
        try {
          parseHistory(lines, { source: 'h', format: 'auto' });
        } catch (error) {
          expect(error).toMatchObject({
            code: 'BadRequest',
            message: expect.stringMatching(/^h:(\d+:)? /) as unknown,
          });
        }
      }),
      { numRuns: 500 },
    );
  });
});
