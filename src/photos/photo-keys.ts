/**
 * How photos are laid out as keys, and the photo id that says where its photo lies.
 *
 *     namespace photos     p/{alice}/0p1xk3m9q0-5f1d0c…               one photo
 *     namespace features   f/colour/1/{alice}/0p1xk3m9q0-5f1d0c…      one vector of it
 *     namespace users      u/{alice}                                  one user
 *                          c/{alice}/NIKON/COOLPIX%20P6000            a camera this user took photos with
 *
 *     photo id             alice.0p1xk3m9q0-5f1d0c…
 *                          user  order      fingerprint
 *
 * The order is the time of taking, turned round and padded, so that keys ascend from the newest photo to the
 * oldest; photos without a time come last. All of one user's photos share the tag `{alice}`: one partition's scan
 * lists them in order. All of it follows from the file's content, so that importing a file again finds the
 * same key, without any index that would have to be kept in step with the photos.
 *
 * Rejected: order by time of upload. The same file imported twice would get two keys, and finding the first
 * takes a second index, which no atomic batch could keep in step.
 */
import { TrefoilError } from '../index.js';
import { USER_CHARACTERS_MAX } from './photo-limits.js';

/** The years 1 to 9999, as ISO 8601 and EXIF can write them. */
const TIME_MS_MIN = -62_135_596_800_000;
const TIME_MS_MAX = 253_402_300_799_999;

const ORDER_DIGITS = 10;
const UNDATED = 'z'.repeat(ORDER_DIGITS);

const USER = new RegExp(`^[A-Za-z0-9][A-Za-z0-9_-]{0,${USER_CHARACTERS_MAX - 1}}$`);
const PHOTO_ID = new RegExp(
  `^([A-Za-z0-9][A-Za-z0-9_-]{0,${USER_CHARACTERS_MAX - 1}})\\.([0-9a-z]{${ORDER_DIGITS}}-[0-9a-f]{8,40})$`,
);
const FINGERPRINT = /^[0-9a-f]{8,40}$/;

export const USERS_PREFIX = 'u/';

/** Refuses, with `BadRequest`, a user name that could not stand in a key or an id. */
export function checkUser(user: string): void {
  if (!USER.test(user)) {
    throw new TrefoilError(
      'BadRequest',
      `user ${JSON.stringify(user)}: a user name is 1 to ${USER_CHARACTERS_MAX} letters (a-z, A-Z), digits, - and _, and begins with a letter or a digit`,
    );
  }
}

/** The id of a user's photo. Throws `BadRequest` for a bad name, time or fingerprint. */
export function photoIdOf(user: string, takenAtMs: number | null, fingerprint: string): string {
  checkUser(user);
  if (!FINGERPRINT.test(fingerprint)) {
    throw new TrefoilError(
      'BadRequest',
      `fingerprint ${JSON.stringify(fingerprint)}: it is 8 to 40 lower-case hexadecimal digits`,
    );
  }
  return `${user}.${orderOf(takenAtMs)}-${fingerprint}`;
}

/** The user whose photo it is. Throws `BadRequest` where the text is no photo id. */
export function userOfPhoto(photoId: string): string {
  return partsOf(photoId).user;
}

/** The key in namespace `photos`. */
export function photoKey(photoId: string): string {
  const { user, rest } = partsOf(photoId);
  return `${photosPrefix(user)}${rest}`;
}

/** Before all photos of a user, newest first. */
export function photosPrefix(user: string): string {
  return `p/{${user}}/`;
}

/** The key in namespace `features`. */
export function featureKey(photoId: string, name: string, version: number): string {
  const { user, rest } = partsOf(photoId);
  return `${featuresPrefix(name, version, user)}${rest}`;
}

/** Before all vectors of one feature: of one user (one partition), or of everybody (all partitions). */
export function featuresPrefix(name: string, version: number, user?: string): string {
  return user === undefined ? `f/${name}/${version}/` : `f/${name}/${version}/{${user}}/`;
}

/** The photo that a key in namespace `features` belongs to, or undefined where it is none of ours. */
export function photoIdOfFeatureKey(key: string): string | undefined {
  const match = /^f\/[^/]+\/\d+\/\{([^}]+)\}\/([^/]+)$/.exec(key);
  const photoId = `${match?.[1] ?? ''}.${match?.[2] ?? ''}`;
  return PHOTO_ID.test(photoId) ? photoId : undefined;
}

export function userKey(user: string): string {
  return `${USERS_PREFIX}{${user}}`;
}

export function cameraKey(user: string, make: string, model: string): string {
  return `${camerasPrefix(user)}${encodeURIComponent(make)}/${encodeURIComponent(model)}`;
}

export function camerasPrefix(user: string): string {
  return `c/{${user}}/`;
}

function orderOf(takenAtMs: number | null): string {
  if (takenAtMs === null) return UNDATED;
  if (!Number.isSafeInteger(takenAtMs) || takenAtMs < TIME_MS_MIN || takenAtMs > TIME_MS_MAX) {
    throw new TrefoilError(
      'BadRequest',
      `takenAtMs ${takenAtMs}: it is a whole number of milliseconds in the years 1 to 9999, or null`,
    );
  }
  return (TIME_MS_MAX - takenAtMs).toString(36).padStart(ORDER_DIGITS, '0');
}

function partsOf(photoId: string): { readonly user: string; readonly rest: string } {
  const match = PHOTO_ID.exec(photoId);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new TrefoilError(
      'BadRequest',
      `${JSON.stringify(photoId)} is no photo id: it looks like alice.0p1xk3m9q0-5f1d0c2a`,
    );
  }
  return { user: match[1], rest: match[2] };
}
