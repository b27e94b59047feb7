/** Act: the album goes in. What it gives is what the later acts look at. */
import { COLOUR_HISTOGRAM, type Photo } from '../../photos/index.js';
import { formatDuration } from '../duration.js';
import { formatCount } from '../table.js';
import type { SourcePhoto } from './album-source.js';
import { chunked, forEachAtOnce, type Stage } from './demo-stage.js';

export interface StoredAlbum {
  readonly photoIds: readonly string[];
  /** The user with the most photos. */
  readonly user: string;
  /** A photo of that user, or of another one, that has a feature; undefined where none has. */
  readonly withFeature: string | undefined;
}

/** Photos per batch, and batches on their way at once. */
const CHUNK = 64;
const CHUNKS_AT_ONCE = 4;

const UNREADABLE_SHOWN = 5;

export async function storeAlbum(stage: Stage): Promise<StoredAlbum> {
  const { narrator, source, ledger } = stage;
  narrator.act(source.title);
  const progress = narrator.progress('storing', source.total);
  const startedMs = performance.now();
  const stored: { readonly photo: Photo; readonly hasFeature: boolean }[] = [];
  const unreadable: string[] = [];
  await forEachAtOnce(chunked(source.photos(), CHUNK), CHUNKS_AT_ONCE, async (chunk) => {
    unreadable.push(...chunk.flatMap((item) => ('unreadable' in item ? [item.unreadable] : [])));
    stored.push(
      ...(await storeChunk(
        stage,
        chunk.filter((item): item is SourcePhoto => !('unreadable' in item)),
      )),
    );
    progress.add(chunk.length);
  });
  progress.done();
  const tookMs = performance.now() - startedMs;
  const features = stored.filter(({ hasFeature }) => hasFeature).length;
  narrator.figure('photos stored', stored.length);
  narrator.figure('features stored', features);
  if (unreadable.length > 0) narrator.figure('files that could not be read', unreadable.length);
  unreadable.slice(0, UNREADABLE_SHOWN).forEach((file) => narrator.say(`  ${file}`));
  narrator.figure(
    'acknowledged writes',
    `${formatCount(ledger.writes)} in ${formatDuration(tookMs)}, ${formatCount((1000 * ledger.writes) / tookMs)} a second`,
  );
  narrator.say('each on the disks of two of three nodes before it was acknowledged, of the third soon after');
  const user = mostOwning(stored.map(({ photo }) => photo));
  const featured = stored.filter(({ hasFeature }) => hasFeature).map(({ photo }) => photo);
  return {
    photoIds: stored.map(({ photo }) => photo.id),
    user,
    withFeature: (featured.find((photo) => photo.user === user) ?? featured[0])?.id,
  };
}

async function storeChunk(
  { store }: Stage,
  chunk: readonly SourcePhoto[],
): Promise<{ readonly photo: Photo; readonly hasFeature: boolean }[]> {
  const results = await store.addAll(chunk.map(({ photo }) => photo));
  return Promise.all(
    results.map(async (result, i) => {
      if (result.type === 'error') throw result.error;
      const colour = chunk[i]?.colour;
      if (colour !== undefined)
        await store.putFeature(result.photo.id, COLOUR_HISTOGRAM.name, COLOUR_HISTOGRAM.version, colour);
      return { photo: result.photo, hasFeature: colour !== undefined };
    }),
  );
}

function mostOwning(photos: readonly Photo[]): string {
  const counts = new Map<string, number>();
  for (const { user } of photos) counts.set(user, (counts.get(user) ?? 0) + 1);
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return most?.[0] ?? '';
}
