/** What the `photos` commands share: the store on the real clock, their options, and photos as text. */
import { randomBytes } from 'node:crypto';
import type { Database } from '../client/api.js';
import { TrefoilError } from '../core/errors.js';
import { PhotoStore, type Camera, type Settings } from '../photos/index.js';

/** The photo store of a database, with the system's clock and randomness. */
export function openPhotoStore(db: Database): PhotoStore {
  return new PhotoStore(db, {
    now: () => Date.now(),
    newFingerprint: () => randomBytes(10).toString('hex'),
  });
}

/** Whose photos they are where nobody is named. */
export const USER_DEFAULT = 'me';

/** A yargs option that takes a whole number. Its `coerce` throws `BadRequest` outside the bounds. */
export function wholeNumberOption(
  name: string,
  describe: string,
  [least, most, byDefault]: readonly [number, number, number],
) {
  return {
    describe,
    type: 'string',
    requiresArg: true,
    default: String(byDefault),
    coerce: (text: string | number) => {
      const value = Number(text);
      if (!/^\d{1,9}$/.test(String(text)) || value < least || value > most)
        throw new TrefoilError(
          'BadRequest',
          `--${name} must be a whole number from ${least} to ${most}, not "${text}"`,
        );
      return value;
    },
  } as const;
}

/** `2008-05-30 15:56:01`, or `undated`. */
export function timeText(ms: number | null): string {
  return ms === null ? 'undated' : new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}

/** The model, after the make unless it begins with it; `-` where unknown. */
export function cameraText(camera: Camera | null): string {
  if (camera === null) return '-';
  const { make, model } = camera;
  const [brand = ''] = make.toLowerCase().split(' ');
  return model.toLowerCase().startsWith(brand) ? model : `${make} ${model}`.trim();
}

/** `1/200 s, f/5.6, ISO 100, 35 mm`, what is known of it; `-` where nothing is. */
export function settingsText({ exposureTimeS, fNumber, iso, focalLengthMm }: Settings): string {
  const parts = [
    ...(exposureTimeS === null ? [] : [exposureText(exposureTimeS)]),
    ...(fNumber === null ? [] : [`f/${rounded(fNumber)}`]),
    ...(iso === null ? [] : [`ISO ${rounded(iso)}`]),
    ...(focalLengthMm === null ? [] : [`${rounded(focalLengthMm)} mm`]),
  ];
  return parts.length === 0 ? '-' : parts.join(', ');
}

function exposureText(seconds: number): string {
  return seconds < 0.4 ? `1/${Math.round(1 / seconds)} s` : `${rounded(seconds)} s`;
}

function rounded(value: number): string {
  return String(Math.round(value * 10) / 10);
}
