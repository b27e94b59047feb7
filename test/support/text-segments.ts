/** Segments of entries that are an index, a term and a text: the least that Raft's core needs of an encoding. */
import type { Segment, SegmentCodec, TermRun } from '../../src/replication/leader-follower/raft/raft-log.js';

export interface TextEntry {
  readonly index: number;
  readonly term: number;
  readonly text: string;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Entries that follow one another, at least one. */
export function segmentOf(entries: readonly TextEntry[]): Segment {
  const lines = entries.map(({ index, term, text }) => `${index} ${term} ${text}`);
  return { ...bounds(entries), bytes: encoder.encode(lines.join('\n')) };
}

export function entriesOf({ bytes }: { readonly bytes: Uint8Array }): TextEntry[] {
  return decoder
    .decode(bytes)
    .split('\n')
    .map((line) => {
      const [index, term, ...text] = line.split(' ');
      return { index: Number(index), term: Number(term), text: text.join(' ') };
    });
}

export const TEXT_SEGMENTS: SegmentCodec = {
  parse: (bytes) => ({ ...bounds(entriesOf({ bytes })), bytes }),
  slice: (segment, first, last) =>
    segmentOf(entriesOf(segment).filter(({ index }) => index >= first && index <= last)),
};

function bounds(entries: readonly TextEntry[]): Omit<Segment, 'bytes'> {
  const runs: TermRun[] = [];
  for (const { index, term } of entries) if (runs.at(-1)?.[1] !== term) runs.push([index, term]);
  const [first] = entries;
  const last = entries.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('a segment has entries');
  return { first: first.index, last: last.index, runs };
}
