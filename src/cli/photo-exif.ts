/**
 * Camera and settings out of a JPEG's EXIF block. Cameras write what they like there: fractions of zero, dates of
 * zeros, names padded with blanks and NULs, and other programs break the block when they rewrite the file. So
 * nothing here is an error: what cannot be read is null, and a note says why there is no camera.
 */
import ExifReader from 'exifreader';
import { NO_SETTINGS, type Camera, type Position, type Settings } from '../photos/index.js';
import { CAMERA_NAME_CHARACTERS_MAX, TAGS_MAX, TAG_CHARACTERS_MAX } from '../photos/photo-limits.js';
import { cleanText } from './clean-text.js';

export interface PhotoExif {
  readonly camera: Camera | null;
  readonly settings: Settings;
  /** The keywords of the IPTC block. */
  readonly tags: readonly string[];
  /** Why there is no camera, or null. */
  readonly note: string | null;
}

type Tags = ExifReader.ExpandedTags;
type Exif = NonNullable<Tags['exif']>;

/** What the file says of how it was taken. Never throws. */
export function readExif(bytes: Uint8Array): PhotoExif {
  let tags: Tags;
  try {
    tags = ExifReader.load(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), { expanded: true });
  } catch (error) {
    const missing = error instanceof ExifReader.errors.MetadataMissingError;
    const reason = error instanceof Error ? error.message : String(error);
    return {
      camera: null,
      settings: NO_SETTINGS,
      tags: [],
      note: missing ? 'no EXIF data' : `broken EXIF data: ${reason}`,
    };
  }
  const { exif } = tags;
  if (exif === undefined)
    return { camera: null, settings: NO_SETTINGS, tags: keywords(tags), note: 'no EXIF data' };
  const camera = cameraOf(exif);
  return {
    camera,
    settings: settingsOf(exif, tags.gps),
    tags: keywords(tags),
    note: camera === null ? 'EXIF data without a camera' : null,
  };
}

function cameraOf(exif: Exif): Camera | null {
  const make = cleanText(textOf(exif.Make), CAMERA_NAME_CHARACTERS_MAX);
  const model = cleanText(textOf(exif.Model), CAMERA_NAME_CHARACTERS_MAX);
  return make === '' && model === '' ? null : { make, model };
}

function settingsOf(exif: Exif, gps: Tags['gps']): Settings {
  return {
    exposureTimeS: positive(exif.ExposureTime),
    fNumber: positive(exif.FNumber),
    iso: positive(exif.ISOSpeedRatings),
    focalLengthMm: positive(exif.FocalLength),
    takenAtMs:
      takenAt(textOf(exif.DateTimeOriginal), textOf(exif.OffsetTimeOriginal)) ??
      takenAt(textOf(exif.DateTimeDigitized), textOf(exif.OffsetTimeDigitized)),
    position: positionOf(gps),
  };
}

function positionOf(gps: Tags['gps']): Position | null {
  const { Latitude: latitude, Longitude: longitude, Altitude: altitude } = gps ?? {};
  if (latitude === undefined || !(Math.abs(latitude) <= 90)) return null;
  if (longitude === undefined || !(Math.abs(longitude) <= 180)) return null;
  return {
    latitude,
    longitude,
    altitudeM: altitude !== undefined && Number.isFinite(altitude) ? altitude : null,
  };
}

function keywords(tags: Tags): string[] {
  const found: unknown = tags.iptc?.['Keywords'];
  const list: readonly unknown[] = Array.isArray(found) ? found : [found];
  const texts = list.map((tag) => cleanText(textOf(tag), TAG_CHARACTERS_MAX)).filter((text) => text !== '');
  return [...new Set(texts)].slice(0, TAGS_MAX);
}

function textOf(tag: unknown): string {
  const description = typeof tag === 'object' && tag !== null && 'description' in tag ? tag.description : '';
  return typeof description === 'string' ? description : '';
}

/** A number above zero: as it stands, the first of several, or a fraction as a pair. */
function positive(tag: unknown): number | null {
  const value: unknown = typeof tag === 'object' && tag !== null && 'value' in tag ? tag.value : undefined;
  const [first, second]: readonly unknown[] = Array.isArray(value) ? (value as unknown[]) : [value];
  if (typeof first !== 'number') return null;
  const isPair = Array.isArray(value) && value.length === 2 && typeof second === 'number';
  const number = isPair ? first / second : first;
  return Number.isFinite(number) && number > 0 ? number : null;
}

/**
 * `2008:05:30 15:56:01` with an offset like `+02:00`, as milliseconds UTC; null for what is no date. A camera that
 * names no offset is read as if its clock were UTC: the order of one camera's photos is right, its hour may not be.
 */
function takenAt(date: string, offset: string): number | null {
  const match = /^(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)/.exec(date);
  if (match === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  const back = new Date(time);
  // `Date.UTC` carries a 31st of February into March, and takes the year 8 for 1908.
  const isDate =
    back.getUTCFullYear() === year && back.getUTCMonth() === month - 1 && back.getUTCDate() === day;
  if (!isDate || year > 9998 || hour > 23 || minute > 59 || second > 59) return null;
  return time - offsetMs(offset);
}

function offsetMs(offset: string): number {
  const match = /^([+-])(\d\d):(\d\d)/.exec(offset);
  const minutes = Number(match?.[2] ?? 0) * 60 + Number(match?.[3] ?? 0);
  return minutes > 14 * 60 ? 0 : minutes * 60_000 * (match?.[1] === '-' ? -1 : 1);
}
