/**
 * The causal context that a read hands to a client and a write hands back: opaque to the client, carried
 * by it for as long as it likes.
 *
 *     CRC-32 of the rest (4) | version (1) | CRC-32 of the key (4) | hlc
 *     | vector: count, then (incarnation, counter) each | exact dots: count, then (incarnation, counter) each
 *
 * Version vectors of different keys must never meet: a context passed with the wrong key would claim to
 * have seen writes that it has not, and so erase them. The key's checksum turns that mistake, and any
 * garbage, into `BadContext`. It guards against accidents, not against a client that forges contexts.
 */
import { crc32 } from 'node:zlib';
import { TrefoilError } from '../core/errors.js';
import { HLC_TIME_MAX } from '../core/hlc.js';
import { incarnationId } from '../core/ids.js';
import { contextBound, type CausalContext } from '../core/record.js';
import { dominates, join, type Dot, type VersionEntry } from '../core/version-vector.js';
import { asBuffer, BinaryReader, BinaryWriter, crcHolds } from './binary.js';

const CONTEXT_VERSION = 1;
const CRC_BYTES = 4;
const KEY_START = CRC_BYTES + 1;
const HLC_START = KEY_START + 4;

const body = new BinaryWriter();

/** The context of a key as bytes. The same context gives the same bytes. */
export function encodeContext(key: string, { vector, dots, hlc }: CausalContext): Uint8Array {
  body.clear();
  body.uint(hlc);
  body.uint(vector.length);
  for (const [incarnation, counter] of vector) {
    body.text(incarnation);
    body.uint(counter);
  }
  body.uint(dots.length);
  for (const { incarnation, counter } of dots) {
    body.text(incarnation);
    body.uint(counter);
  }
  const bytes = Buffer.allocUnsafe(HLC_START + body.length);
  bytes[CRC_BYTES] = CONTEXT_VERSION;
  bytes.writeUInt32BE(crc32(key), KEY_START);
  body.copy(bytes, HLC_START);
  bytes.writeUInt32BE(crc32(bytes.subarray(CRC_BYTES)), 0);
  return bytes;
}

/** What a context of `key` says. Throws `BadContext` for a context of another key and for anything else. */
export function decodeContext(key: string, bytes: Uint8Array): CausalContext {
  if (bytes.length <= HLC_START || bytes[CRC_BYTES] !== CONTEXT_VERSION || !crcHolds(bytes)) {
    throw bad('it is damaged or from another version');
  }
  if (asBuffer(bytes).readUInt32BE(KEY_START) !== crc32(key)) throw bad('it belongs to another key');
  const reader = new BinaryReader(bytes, HLC_START, bad);
  const hlc = reader.uint();
  if (hlc > HLC_TIME_MAX) throw bad('its time is beyond all clocks');
  const vector: VersionEntry[] = [];
  for (let left = reader.countOf(2); left > 0; left--) {
    const entry: VersionEntry = [incarnationId(reader.text()), reader.uint()];
    const previous = vector.at(-1);
    if (entry[1] === 0 || (previous !== undefined && previous[0] >= entry[0])) {
      throw bad('its entries are out of order');
    }
    vector.push(entry);
  }
  const dots: Dot[] = [];
  for (let left = reader.countOf(2); left > 0; left--) {
    const dot: Dot = { incarnation: incarnationId(reader.text()), counter: reader.uint() };
    if (dot.counter === 0) throw bad('it names a dot that cannot be');
    dots.push(dot);
  }
  if (reader.remaining > 0) throw bad('bytes follow it');
  return { vector, dots, hlc };
}

/**
 * The bound that a session keeps: whatever has seen both `a` and `b` dominates it. It claims whole vectors
 * where its parts may have named single dots, so it serves as `atLeast` and never as the context of a write.
 * Throws `BadContext`.
 */
export function mergeContexts(key: string, a: Uint8Array, b: Uint8Array): Uint8Array {
  const left = decodeContext(key, a);
  const right = decodeContext(key, b);
  const vector = join(contextBound(left), contextBound(right));
  return encodeContext(key, { vector, dots: [], hlc: Math.max(left.hlc, right.hlc) });
}

/** Whether `a` has seen every write of the key that `b` has. Throws `BadContext`. */
export function contextDominates(key: string, a: Uint8Array, b: Uint8Array): boolean {
  return dominates(contextBound(decodeContext(key, a)), contextBound(decodeContext(key, b)));
}

function bad(what: string): TrefoilError {
  return new TrefoilError('BadContext', `the context cannot be used: ${what}`);
}
