/**
 * Frames: what one WebSocket message holds.
 *
 *     CRC-32 of the payload (4 bytes, big-endian) | payload: a msgpack array of messages
 *
 * WebSocket and TCP have checksums of their own; this one is end to end, past proxies, buffers and our own
 * mistakes. The encoder leaves room for it in front of the payload, so nothing is copied twice.
 *
 * `decodeFrame` is total: whatever the bytes, it returns valid messages or throws `MalformedFrame` or
 * `FrameTooLarge` (test/property/frame-fuzz.test.ts). What a message asks for is checked elsewhere.
 */
import { crc32 } from 'node:zlib';
import { TrefoilError } from '../core/errors.js';
import { FRAME_BYTES_MAX, FRAME_MESSAGES_MAX, FRAME_VALUES_MAX } from '../core/limits.js';
import { list, malformed } from './fields.js';
import { MESSAGE_WIRE } from './message-codec.js';
import type { Message } from './messages.js';
import { checkPlain, pack, unpack } from './msgpack.js';

const CRC_BYTES = 4;

/**
 * One frame of these messages, in this order. The bytes are the caller's: no later call changes them.
 * Throws `FrameTooLarge` beyond `FRAME_BYTES_MAX`, `FRAME_MESSAGES_MAX` or `FRAME_VALUES_MAX`.
 */
export function encodeFrame(messages: readonly Message[]): Uint8Array {
  return seal(messages.map(MESSAGE_WIRE.toWire));
}

/**
 * As few frames of these messages as stay near `bytesTarget`, in this order: a frame is closed before the
 * message that would take it beyond the target, so only a message that is larger itself makes a larger
 * frame. No messages, no frames. Throws `FrameTooLarge` only for a single message that no frame can hold.
 */
export function encodeFrames(messages: readonly Message[], bytesTarget: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let wires: unknown[] = [];
  let bytes = 0;
  for (const message of messages) {
    const wire = MESSAGE_WIRE.toWire(message);
    const more = estimateBytes(wire);
    if (wires.length > 0 && (bytes + more > bytesTarget || wires.length === FRAME_MESSAGES_MAX)) {
      sealInto(frames, wires);
      wires = [];
      bytes = 0;
    }
    wires.push(wire);
    bytes += more;
  }
  if (wires.length > 0) sealInto(frames, wires);
  return frames;
}

/**
 * The messages of a frame. Binary fields are views of `bytes`, which must not be changed afterwards
 * (frames belong to their receiver and are never reused); to keep a small field of a large frame for long,
 * copy it. Throws `MalformedFrame` or `FrameTooLarge`, and nothing else.
 */
export function decodeFrame(bytes: Uint8Array): Message[] {
  if (bytes.length > FRAME_BYTES_MAX) throw tooLarge(`a frame of ${bytes.length} bytes`);
  if (bytes.length <= CRC_BYTES) throw malformed(`it has ${bytes.length} bytes`);
  const frame = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (frame.readUInt32BE(0) !== crc32(frame.subarray(CRC_BYTES))) throw malformed('its CRC does not match');
  const wires = unpack(frame, CRC_BYTES);
  if (Array.isArray(wires) && wires.length > FRAME_MESSAGES_MAX) {
    throw malformed(`it holds ${wires.length} messages; the limit is ${FRAME_MESSAGES_MAX}`);
  }
  return list(MESSAGE_WIRE.fromWire, wires, 'payload');
}

function seal(wires: readonly unknown[]): Uint8Array {
  if (wires.length > FRAME_MESSAGES_MAX) throw tooLarge(`a frame of ${wires.length} messages`);
  const frame = pack(wires, CRC_BYTES);
  if (frame.length > FRAME_BYTES_MAX) throw tooLarge(`a frame of ${frame.length} bytes`);
  // A value has a byte or more, so a smaller frame cannot hold too many.
  if (frame.length > FRAME_VALUES_MAX) checkValues(frame);
  frame.writeUInt32BE(crc32(frame.subarray(CRC_BYTES)), 0);
  return frame;
}

/** Estimates can be wrong about text beyond ASCII: a frame that came out too large is made as two. */
function sealInto(frames: Uint8Array[], wires: readonly unknown[]): void {
  let frame: Uint8Array;
  try {
    frame = seal(wires);
  } catch (error) {
    if (wires.length === 1) throw error;
    const half = wires.length >> 1;
    sealInto(frames, wires.slice(0, half));
    sealInto(frames, wires.slice(half));
    return;
  }
  frames.push(frame);
}

function checkValues(frame: Uint8Array): void {
  try {
    checkPlain(frame, CRC_BYTES);
  } catch (cause) {
    throw new TrefoilError('FrameTooLarge', `a frame of more than ${FRAME_VALUES_MAX} values`, { cause });
  }
}

/** About the bytes that a value takes on the wire: exact for binary, near for the rest. */
function estimateBytes(value: unknown): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value === 'number') return 5;
  if (!Array.isArray(value)) return value instanceof Uint8Array ? value.length + 5 : 1;
  let bytes = 3;
  // By index: iterators and `instanceof` made this the dearest step of encoding small frames.
  for (let i = 0; i < value.length; i++) bytes += estimateBytes(value[i]);
  return bytes;
}

function tooLarge(what: string): TrefoilError {
  return new TrefoilError('FrameTooLarge', `${what}; the limits are in the documentation of the protocol`);
}
