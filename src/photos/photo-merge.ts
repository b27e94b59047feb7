/**
 * What a photo is when people edited it at the same time.
 *
 *     tags        the union: nobody's tag is lost. A tag taken off by one while another edited comes back.
 *     title       the one set last (`titleSetAtMs`), equal times: the one that sorts last
 *     the rest    the same in all, but for path and time of upload where a file was imported twice at once:
 *                 those of the earliest upload, equal times: the path that sorts first
 *
 * It depends on the set of siblings only, not on their order or on who merges: commutative, associative and
 * idempotent, so two people who resolve the same conflict apart make the same photo.
 * Rejected: taking the whole record that was written last. It would drop the title of one edit because
 * another, later one had changed the tags.
 */
import { sortedTags } from './photo-check.js';
import type { Photo } from './photo.js';

/** The one photo that the siblings stand for. */
export function mergePhotos(first: Photo, others: readonly Photo[]): Photo {
  return others.reduce(mergeTwo, { ...first, tags: sortedTags(first.tags) });
}

function mergeTwo(a: Photo, b: Photo): Photo {
  const base = uploadedFirst(a, b);
  const titled = titledLast(a, b);
  return {
    ...base,
    tags: sortedTags([...a.tags, ...b.tags]),
    title: titled.title,
    titleSetAtMs: titled.titleSetAtMs,
  };
}

function uploadedFirst(a: Photo, b: Photo): Photo {
  if (a.uploadedAtMs !== b.uploadedAtMs) return a.uploadedAtMs < b.uploadedAtMs ? a : b;
  return a.path <= b.path ? a : b;
}

function titledLast(a: Photo, b: Photo): Photo {
  if (a.titleSetAtMs !== b.titleSetAtMs) return a.titleSetAtMs > b.titleSetAtMs ? a : b;
  return a.title >= b.title ? a : b;
}
