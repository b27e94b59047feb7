/**
 * A photo file as the photo store wants it: EXIF by exifreader, pixels by sharp.
 *
 * Unreadable is what sharp cannot decode to the end, and what cannot be opened: one reason each. A broken or
 * missing EXIF block is no error. Nor is what libjpeg only warns of: superfluous bytes between segments, which the
 * firmware of some cameras leaves behind, or a damaged spot in a picture that goes on after it. Browsers show such
 * files, people want to keep them; the warning is told and stays in the photo's note. sharp's own default would
 * refuse them all.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import sharp from 'sharp';
import { SAMPLE_SIDE, colourHistogram, perceptualHash, type NewPhoto } from '../photos/index.js';
import { NOTE_CHARACTERS_MAX, TITLE_CHARACTERS_MAX } from '../photos/photo-limits.js';
import { DecoderGate } from './decoder-gate.js';
import { formatBytes } from './table.js';
import { cleanText, oneLine } from './clean-text.js';
import { fileReason } from './file-reason.js';
import { readExif } from './photo-exif.js';

/** Larger files are not read: several are in memory at once. */
const PHOTO_FILE_BYTES_MAX = 256 * 1024 * 1024;

/** Hexadecimal digits of the content's SHA-256 that name a photo. Of a million photos two share 80 bits once in 10^12. */
const FINGERPRINT_DIGITS = 20;

/** A photo as its file tells it: all but whose it is. */
type FilePhoto = Omit<NewPhoto, 'user' | 'path'> & { readonly fingerprint: string };

export type PhotoReading =
  | {
      readonly type: 'read';
      readonly photo: FilePhoto;
      readonly colour: Float32Array;
      /** What the decoder found wrong with the picture that it could read all the same; also in the note. */
      readonly warning: string | null;
    }
  | { readonly type: 'unreadable'; readonly reason: string };

/** Reads a JPEG file. Never rejects for what is wrong with the file: that is `unreadable`, with the reason. */
export async function readPhoto(path: string): Promise<PhotoReading> {
  let bytes: Buffer;
  try {
    bytes = await readWhole(path);
  } catch (error) {
    return { type: 'unreadable', reason: fileReason(error) };
  }
  const reason = notJpeg(bytes);
  if (reason !== undefined) return { type: 'unreadable', reason };
  const decoded = await decode(bytes);
  if (decoded.type === 'unreadable') return decoded;
  const { width, height, rgb, warning } = decoded;
  const { camera, settings, tags, note } = readExif(bytes);
  const notes = [note, warning === null ? null : `decoder warned: ${warning}`].filter(
    (text) => text !== null,
  );
  return {
    type: 'read',
    photo: {
      bytes: bytes.length,
      width,
      height,
      camera,
      settings,
      tags,
      title: cleanText(basename(path, extname(path)), TITLE_CHARACTERS_MAX),
      perceptualHash: perceptualHash(rgb),
      note: notes.length === 0 ? null : cleanText(notes.join('; '), NOTE_CHARACTERS_MAX),
      fingerprint: createHash('sha256').update(bytes).digest('hex').slice(0, FINGERPRINT_DIGITS),
    },
    colour: colourHistogram(rgb),
    warning,
  };
}

/** Reads a regular file whole. Its size is asked first: a larger one is refused before it fills the memory. */
async function readWhole(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > PHOTO_FILE_BYTES_MAX)
      throw new Error(`${formatBytes(size)} is too large; the limit is ${formatBytes(PHOTO_FILE_BYTES_MAX)}`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** By its first bytes: other formats that sharp could decode are refused too, for their EXIF would go unread. */
function notJpeg(bytes: Buffer): string | undefined {
  if (bytes.length === 0) return 'the file is empty';
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && (bytes[2] === 0xff || bytes.length < 3)) return undefined;
  const known = OTHER_FORMATS.find(({ begins }) => begins.test(bytes.toString('latin1', 0, 16)));
  return known === undefined ? 'not a JPEG file' : `not a JPEG file but ${known.name}`;
}

const OTHER_FORMATS = [
  { name: 'a PNG', begins: /^\x89PNG\r\n/ },
  { name: 'a GIF', begins: /^GIF8/ },
  { name: 'a WebP', begins: /^RIFF[^]{4}WEBP/ },
  { name: 'a TIFF or raw photo', begins: /^(II\*|MM[^]\*)/ },
  { name: 'a HEIC or AVIF', begins: /^[^]{4}ftyp/ },
  { name: 'a web page', begins: /^\s*<(!doctype|html)/i },
] as const;

type Decoded =
  | {
      readonly type: 'decoded';
      /** As shown: after the turn that EXIF asks for. */
      readonly width: number;
      readonly height: number;
      /** `SAMPLE_SIDE` squared pixels, 3 bytes each. */
      readonly rgb: Uint8Array;
      readonly warning: string | null;
    }
  | { readonly type: 'unreadable'; readonly reason: string };

/** libvips keeps its errors per process, so there is one gate per process. */
const gate = new DecoderGate();

async function decode(bytes: Buffer): Promise<Decoded> {
  try {
    return await gate.together(() => decodeWith(bytes, 'warning', null));
  } catch {
    return gate.alone(() => decodeAgain(bytes));
  }
}

/** Learns what is wrong, and decodes in spite of warnings. */
async function decodeAgain(bytes: Buffer): Promise<Decoded> {
  try {
    return await decodeWith(bytes, 'warning', null);
  } catch (strict) {
    try {
      return await decodeWith(bytes, 'error', decoderMessage(strict));
    } catch (error) {
      return { type: 'unreadable', reason: decoderReason(error) };
    }
  }
}

async function decodeWith(
  bytes: Buffer,
  failOn: 'warning' | 'error',
  warning: string | null,
): Promise<Decoded> {
  const image = sharp(bytes, { failOn });
  const { autoOrient } = await image.metadata();
  const rgb = await image
    .autoOrient()
    .resize(SAMPLE_SIDE, SAMPLE_SIDE, { fit: 'fill' })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer();
  return { type: 'decoded', width: autoOrient.width, height: autoOrient.height, rgb, warning };
}

/** One reason, from the lines of libvips and libjpeg. */
function decoderReason(error: unknown): string {
  const message = decoderMessage(error);
  if (/premature end|end of input|file truncated/i.test(message))
    return 'truncated: the picture ends too early';
  if (/pixel limit/i.test(message)) return 'too many pixels';
  if (/unsupported image format|contains no image/i.test(message)) return 'broken: no picture in it';
  return `broken: ${message}`;
}

function decoderMessage(error: unknown): string {
  return oneLine(error instanceof Error ? error.message : String(error));
}
