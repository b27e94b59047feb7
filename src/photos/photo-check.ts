/** The edge check of photos: what enters the store passes here once, and is refused with the field's name. */
import { TrefoilError } from '../index.js';
import type { Camera, NewPhoto, PhotoEdit, Position, Settings } from './photo.js';
import {
  CAMERA_NAME_CHARACTERS_MAX,
  NOTE_CHARACTERS_MAX,
  PATH_CHARACTERS_MAX,
  TAGS_MAX,
  TAG_CHARACTERS_MAX,
  TITLE_CHARACTERS_MAX,
} from './photo-limits.js';

/** Throws `BadRequest` that names the first field that cannot be stored. User, time and fingerprint: see `photoIdOf`. */
export function checkPhoto(photo: NewPhoto): void {
  checkText('path', photo.path, PATH_CHARACTERS_MAX);
  checkText('title', photo.title, TITLE_CHARACTERS_MAX);
  if (photo.note !== null) checkText('note', photo.note, NOTE_CHARACTERS_MAX);
  checkTags(photo.tags);
  checkWhole('bytes', photo.bytes, 0);
  checkWhole('width', photo.width, 1);
  checkWhole('height', photo.height, 1);
  if (photo.camera !== null) checkCamera(photo.camera);
  checkSettings(photo.settings);
  if (!/^[0-9a-f]{16}$/.test(photo.perceptualHash)) refuse('perceptualHash', 'it is 16 hexadecimal digits');
}

/** Throws `BadRequest` where an edit cannot be stored. */
export function checkEdit(edit: PhotoEdit): void {
  if (edit.title !== undefined) checkText('title', edit.title, TITLE_CHARACTERS_MAX);
  if (edit.tags !== undefined) checkTags(edit.tags);
}

/** Each tag once, in code-unit order, so that equal sets are equal lists. */
export function sortedTags(tags: Iterable<string>): readonly string[] {
  return [...new Set(tags)].sort();
}

function checkTags(tags: readonly string[]): void {
  const count = new Set(tags).size;
  if (count > TAGS_MAX) refuse('tags', `${count} of them; the limit is ${TAGS_MAX}`);
  for (const tag of tags) {
    checkText('tag', tag, TAG_CHARACTERS_MAX);
    if (tag.trim() !== tag || tag === '') refuse('tag', 'it is empty or has blanks around it');
  }
}

function checkCamera(camera: Camera): void {
  checkText('camera.make', camera.make, CAMERA_NAME_CHARACTERS_MAX);
  checkText('camera.model', camera.model, CAMERA_NAME_CHARACTERS_MAX);
}

function checkSettings(settings: Settings): void {
  checkPositive('settings.exposureTimeS', settings.exposureTimeS);
  checkPositive('settings.fNumber', settings.fNumber);
  checkPositive('settings.iso', settings.iso);
  checkPositive('settings.focalLengthMm', settings.focalLengthMm);
  if (settings.position !== null) checkPosition(settings.position);
}

function checkPosition({ latitude, longitude, altitudeM }: Position): void {
  if (!(Math.abs(latitude) <= 90)) refuse('settings.position.latitude', 'it is within -90 and 90 degrees');
  if (!(Math.abs(longitude) <= 180))
    refuse('settings.position.longitude', 'it is within -180 and 180 degrees');
  if (altitudeM !== null && !Number.isFinite(altitudeM))
    refuse('settings.position.altitudeM', 'it is a number of metres, or null');
}

function checkPositive(field: string, value: number | null): void {
  if (value !== null && !(Number.isFinite(value) && value > 0))
    refuse(field, 'it is a number above zero, or null');
}

function checkWhole(field: string, value: number, min: number): void {
  if (!Number.isSafeInteger(value) || value < min) refuse(field, `it is a whole number, at least ${min}`);
}

function checkText(field: string, text: string, charactersMax: number): void {
  if (text.length > charactersMax) refuse(field, `${text.length} characters; the limit is ${charactersMax}`);
  if (/\p{Surrogate}/u.test(text)) refuse(field, 'it is not well-formed Unicode');
}

function refuse(field: string, reason: string): never {
  throw new TrefoilError('BadRequest', `photo ${field}: ${reason}`);
}
