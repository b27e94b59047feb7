/** The core's view of the segments that are stored and sent: how they are read, checked and cut. */
import { TrefoilError } from '../../core/errors.js';
import {
  checkSegment,
  decodeCheckedSegment,
  encodeSegment,
  segmentBounds,
  segmentTerms,
  type LogEntry,
} from '../../protocol/log-codec.js';
import type { Segment, SegmentCodec, TermRun } from './raft/raft-log.js';

/** Bytes of entries in one segment of a leader's own, beyond which the turn's entries go on in another one. */
const SEGMENT_BYTES_TARGET = 512 * 1024;

/** What an entry costs beside its values, about. */
const ENTRY_BYTES = 48;

/** Entries of segments that were made or came here: each is read once. */
const entriesKnown = new WeakMap<Segment, readonly LogEntry[]>();

export const STORED_SEGMENTS: SegmentCodec = {
  /** Reads the entries, too: what cannot be applied is refused as it comes, and not met once it is committed. */
  parse(bytes: Uint8Array): Segment {
    const segment = storedSegment(bytes);
    entriesOf(segment);
    return segment;
  },
  slice(segment: Segment, first: number, last: number): Segment {
    return madeOf(entriesOf(segment).filter(({ index }) => index >= first && index <= last));
  },
};

/** A segment that was stored here, and was parsed when it came: its entries are read when they are asked for. Throws `MalformedFrame` where it is damaged. */
export function storedSegment(bytes: Uint8Array): Segment {
  if (!checkSegment(bytes)) throw new TrefoilError('MalformedFrame', 'a segment of the log is damaged');
  const { first, last } = segmentBounds(bytes);
  return { first, last, runs: segmentTerms(bytes), bytes };
}

/** The entries of a segment. */
export function entriesOf(segment: Segment): readonly LogEntry[] {
  let entries = entriesKnown.get(segment);
  if (entries === undefined) {
    entries = decodeCheckedSegment(segment.bytes);
    entriesKnown.set(segment, entries);
  }
  return entries;
}

/** Segments of these entries, in order. */
export function segmentsOf(entries: readonly LogEntry[]): Segment[] {
  const made: Segment[] = [];
  let start = 0;
  let bytes = 0;
  for (let at = 0; at < entries.length; at++) {
    bytes += ENTRY_BYTES + commandBytes((entries[at] as LogEntry).command);
    if (bytes < SEGMENT_BYTES_TARGET && at < entries.length - 1) continue;
    made.push(madeOf(entries.slice(start, at + 1)));
    start = at + 1;
    bytes = 0;
  }
  return made;
}

/** What `parse` would read of them is known: nothing was damaged between. */
function madeOf(entries: readonly LogEntry[]): Segment {
  const bytes = encodeSegment(entries);
  const first = entries[0] as LogEntry;
  const runs: TermRun[] = [[first.index, first.term]];
  for (const { index, term } of entries) if (term !== runs.at(-1)?.[1]) runs.push([index, term]);
  const segment = { first: first.index, last: first.index + entries.length - 1, runs, bytes };
  entriesKnown.set(segment, entries);
  return segment;
}

/** About what a command takes in the log. */
export function commandBytes(command: LogEntry['command']): number {
  switch (command.type) {
    case 'put':
      return command.put.key.length + (command.put.value?.length ?? 0);
    case 'put-all':
      return command.puts.reduce(
        (sum, put) => sum + ENTRY_BYTES + put.key.length + (put.value?.length ?? 0),
        0,
      );
    case 'expire':
      return command.keys.reduce((sum, key) => sum + key.length, 0);
    default:
      return 0;
  }
}
