/**
 * The bounds of the photo store. They stand here and not in `core/limits.ts` because this room is built on the
 * SDK alone, as a user's program would be. Beyond each of them: `BadRequest`, before anything is sent.
 */

export const USER_CHARACTERS_MAX = 64;
export const PATH_CHARACTERS_MAX = 4096;
export const TITLE_CHARACTERS_MAX = 200;
export const NOTE_CHARACTERS_MAX = 400;
export const TAG_CHARACTERS_MAX = 64;

/** Tags that one edit may leave on a photo. The merge of concurrent edits may hold more. */
export const TAGS_MAX = 64;

/** Of a camera's make, and of its model: both stand in one key, where a character may cost nine bytes. */
export const CAMERA_NAME_CHARACTERS_MAX = 48;

export const FEATURE_DIMENSIONS_MAX = 16_384;

/** Neighbours that one search may ask for: they are kept in memory. */
export const SIMILAR_LIMIT_MAX = 1000;

/** Photos in one batch of requests. */
export const PHOTOS_PER_BATCH_MAX = 128;

/** Users and cameras that one store remembers to have written, so that it does not ask for every photo. */
export const KNOWN_KEYS_MAX = 4096;
