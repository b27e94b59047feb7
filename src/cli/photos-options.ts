/** What the `photos` commands share: the store on the real clock, their options, and photos as text. */
import { randomBytes } from 'node:crypto';
import type { Database } from '../client/api.js';
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
