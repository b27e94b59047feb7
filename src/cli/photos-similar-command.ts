/**
 * `trefoil photos similar ID`: the photos nearest by their colours. Beside each stands in how many of 64 bits its
 * perceptual hash differs: few of them say that it is the same picture in another size or quality.
 */
import type { CommandModule } from 'yargs';
import { COLOUR_HISTOGRAM, hashDistance, type Photo, type PhotoStore } from '../photos/index.js';
import { connectionOptions, withDatabase, type ConnectionArguments } from './connect.js';
import { cliContext } from './context.js';
import { EXIT, endWith } from './exit-codes.js';
import { openPhotoStore, timeText } from './photos-options.js';
import { formatCount, tableLines } from './table.js';
import { valueLine } from './value-text.js';
import { wholeNumberOption } from './whole-number-option.js';

type SimilarArguments = ConnectionArguments & {
  readonly id: string;
  readonly limit: number;
  readonly user: string | undefined;
};

interface SimilarPhoto {
  readonly distance: number;
  readonly hashBits: number;
  readonly photo: Photo;
}

const COLUMNS = [
  { title: 'DISTANCE', align: 'right' },
  { title: 'HASH BITS', align: 'right' },
  { title: 'ID' },
  { title: 'TAKEN' },
  { title: 'TITLE' },
] as const;

export const photosSimilarCommand: CommandModule<object, SimilarArguments> = {
  command: 'similar <id>',
  describe: 'list the photos that look most like one, by their colours',
  builder: (yargs) =>
    connectionOptions(yargs)
      .positional('id', { describe: 'the photo id, as list prints it', type: 'string', demandOption: true })
      .option('limit', wholeNumberOption('limit', 'photos at most', [1, 1000, 10]))
      .option('user', { describe: "only among this user's photos", type: 'string', requiresArg: true }),
  handler: async (argv) => {
    const context = cliContext(argv);
    const found = await withDatabase(argv, (db) => findSimilar(openPhotoStore(db), argv));
    if (found === undefined) {
      endWith(EXIT.notFound);
      context.note(`absent: ${argv.id}`);
      return;
    }
    if (context.json) found.similar.forEach((similar) => context.printJson(similar));
    else if (found.similar.length > 0)
      tableLines(COLUMNS, found.similar.map(similarRow)).forEach((line) => context.print(line));
    context.note(`compared with ${formatCount(found.compared)} photos`);
  },
};

/** The neighbours with their photos; undefined where there is no such photo. A photo that was deleted is left out. */
export async function findSimilar(
  store: PhotoStore,
  { id, limit, user }: { readonly id: string; readonly limit: number; readonly user?: string | undefined },
): Promise<{ similar: readonly SimilarPhoto[]; compared: number } | undefined> {
  const photo = await store.get(id);
  if (photo === undefined) return undefined;
  const { neighbours, compared } = await store.similar(id, {
    feature: COLOUR_HISTOGRAM,
    limit,
    ...(user === undefined ? {} : { user }),
  });
  const photos = await store.getAll(neighbours.map(({ photoId }) => photoId));
  const similar = neighbours.flatMap(({ distance }, i) => {
    const other = photos[i];
    if (other === undefined) return [];
    return [{ distance, hashBits: hashDistance(photo.perceptualHash, other.perceptualHash), photo: other }];
  });
  return { similar, compared };
}

function similarRow({ distance, hashBits, photo }: SimilarPhoto): readonly string[] {
  return [
    distance.toFixed(3),
    String(hashBits),
    photo.id,
    timeText(photo.settings.takenAtMs),
    valueLine(photo.title),
  ];
}
