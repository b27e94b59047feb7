/** Acts: what the album is good for, and what happens when two people edit one photo at once. */
import { TrefoilError } from '../../core/errors.js';
import { COLOUR_HISTOGRAM, photoKey, type Photo } from '../../photos/index.js';
import type { Stage } from './demo-stage.js';
import type { StoredAlbum } from './store-act.js';

const SHOWN = 4;
const TITLE_WIDTH = 34;

/** A user's photos in order, by one partition's scan, and the photos that look like one of them. */
export async function lookAtPhotos({ narrator, store }: Stage, album: StoredAlbum): Promise<void> {
  narrator.act(`${album.user}'s photos, newest first`);
  for await (const photo of store.list(album.user, { limit: SHOWN })) narrator.say(photoLine(photo));
  if (album.withFeature === undefined) return;
  const wanted = await store.get(album.withFeature);
  const startedMs = performance.now();
  const { neighbours, compared } = await store.similar(album.withFeature, {
    feature: COLOUR_HISTOGRAM,
    limit: SHOWN - 1,
  });
  const tookMs = Math.round(performance.now() - startedMs);
  narrator.line();
  narrator.say(`most like "${wanted?.title ?? ''}" by colour, of ${compared} compared in ${tookMs} ms:`);
  const photos = await store.getAll(neighbours.map(({ photoId }) => photoId));
  neighbours.forEach(({ distance }, i) => {
    const photo = photos[i];
    if (photo !== undefined) narrator.say(`${photoLine(photo)}  distance ${distance.toFixed(3)}`);
  });
}

/** Two writes that both saw the same photo, and neither the other: siblings, until someone merges them. */
export async function editAtOnce(stage: Stage, album: StoredAlbum): Promise<void> {
  const { narrator, store, db } = stage;
  const photoId = album.photoIds[0];
  if (photoId === undefined) return;
  narrator.act('Two people edit one photo at once');
  const photos = db.namespace<Photo>('photos');
  const { value: photo, context } = await photos.get(photoKey(photoId));
  if (photo === undefined || context === undefined)
    throw new TrefoilError('Internal', 'the first photo cannot be read');
  const titled = { ...photo, title: 'The one for the wall', titleSetAtMs: photo.titleSetAtMs + 1 };
  const tagged = { ...photo, tags: [...photo.tags, 'print-me'].sort() };
  await Promise.all([
    photos.put(photoKey(photoId), titled, { context }),
    photos.put(photoKey(photoId), tagged, { context }),
  ]);
  const siblings = await store.conflicts(photoId);
  narrator.figure('siblings kept', siblings.length, siblings.length === 2 ? 'good' : 'bad');
  siblings.forEach((sibling) => narrator.say(`  title "${sibling.title}", tags ${sibling.tags.join(' ')}`));
  const merged = await store.resolve(photoId);
  narrator.figure('resolved by the photo store to', 1);
  narrator.say(`  title "${merged.title}", tags ${merged.tags.join(' ')}`);
  const left = await store.conflicts(photoId);
  if (siblings.length !== 2 || left.length !== 0)
    throw new TrefoilError(
      'Internal',
      `${siblings.length} siblings before, ${left.length} after: expected 2 and none`,
    );
}

function photoLine(photo: Photo): string {
  const { takenAtMs } = photo.settings;
  const day = takenAtMs === null ? 'undated   ' : new Date(takenAtMs).toISOString().slice(0, 10);
  const title =
    photo.title.length > TITLE_WIDTH ? `${photo.title.slice(0, TITLE_WIDTH - 3)}...` : photo.title;
  return `${day}  ${title.padEnd(TITLE_WIDTH)}  ${photo.camera?.model ?? 'unknown camera'}`;
}
