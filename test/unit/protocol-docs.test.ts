/** `docs/protocol.md` lists every message with its code, and no message that is not there. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FRAME_MESSAGES_MAX, FRAME_NESTING_MAX, FRAME_VALUES_MAX } from '../../src/core/limits.js';
import { OPERATION_WIRE, RESULT_WIRE } from '../../src/protocol/client-codec.js';
import { MESSAGE_WIRE, PEER_WIRE } from '../../src/protocol/message-codec.js';

const page = readFileSync('docs/protocol.md', 'utf8');

/** The rows of the tables under a heading: code and name. */
function rows(heading: string): Map<string, number> {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  const found = section.matchAll(/^\| (\d+) +\| `([a-z-]+)` +\|/gm);
  return new Map([...found].map(([, code, name]) => [name as string, Number(code)]));
}

describe('docs/protocol.md', () => {
  for (const [heading, union] of [
    ['Connection messages', MESSAGE_WIRE],
    ['Requests', OPERATION_WIRE],
    ['Results', RESULT_WIRE],
    ['Replica messages', PEER_WIRE],
  ] as const) {
    it(`has all ${heading.toLowerCase()} with their codes, and no others`, () => {
      expect(Object.fromEntries(rows(heading))).toEqual(Object.fromEntries(union.codes));
    });
  }

  it('has the limits of frames as they are', () => {
    for (const limit of [FRAME_MESSAGES_MAX, FRAME_VALUES_MAX, FRAME_NESTING_MAX]) {
      const text = limit > 10_000 ? limit.toLocaleString('en') : String(limit);
      expect(page).toMatch(new RegExp(`\\| ${text} +\\|`));
    }
  });
});
