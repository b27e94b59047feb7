/** `trefoil photos list`: a user's photos, the one taken last first; a table, or with `--json` one line each. */
import type { CommandModule } from 'yargs';
import type { Photo } from '../photos/index.js';
import { connectionOptions, withDatabase, type ConnectionArguments } from './connect.js';
import { cliContext } from './context.js';
import { USER_DEFAULT, cameraText, openPhotoStore, timeText } from './photos-options.js';
import { tableLines } from './table.js';
import { valueLine } from './value-text.js';
import { wholeNumberOption } from './whole-number-option.js';

type ListArguments = ConnectionArguments & {
  readonly user: string;
  readonly limit: number;
  readonly after: string | undefined;
};

const COLUMNS = [
  { title: 'ID' },
  { title: 'TAKEN' },
  { title: 'PIXELS', align: 'right' },
  { title: 'CAMERA' },
  { title: 'TITLE' },
  { title: 'TAGS' },
] as const;

export const photosListCommand: CommandModule<object, ListArguments> = {
  command: 'list',
  describe: "list a user's photos, newest first",
  builder: (yargs) =>
    connectionOptions(yargs)
      .option('user', { describe: 'whose photos', type: 'string', requiresArg: true, default: USER_DEFAULT })
      .option('limit', wholeNumberOption('limit', 'photos at most', [1, 100_000, 100]))
      .option('after', { describe: 'go on after this photo id', type: 'string', requiresArg: true }),
  handler: async (argv) => {
    const context = cliContext(argv);
    const photos = await withDatabase(argv, async (db) => {
      const { after, limit } = argv;
      const found: Photo[] = [];
      // One more than is shown tells whether there are more.
      const list = openPhotoStore(db).list(argv.user, {
        limit: limit + 1,
        ...(after === undefined ? {} : { after }),
      });
      for await (const photo of list) found.push(photo);
      return found;
    });
    const shown = photos.slice(0, argv.limit);
    if (context.json) shown.forEach((photo) => context.printJson(photo));
    else if (shown.length === 0) context.note(`${valueLine(argv.user)} has no photos`);
    else tableLines(COLUMNS, shown.map(photoRow)).forEach((line) => context.print(line));
    const last = shown.at(-1);
    if (photos.length > shown.length && last !== undefined)
      context.note(`there are more: --after ${last.id}`);
  },
};

function photoRow(photo: Photo): readonly string[] {
  return [
    photo.id,
    timeText(photo.settings.takenAtMs),
    `${photo.width}x${photo.height}`,
    valueLine(cameraText(photo.camera)),
    valueLine(photo.title),
    valueLine(photo.tags.join(', ')),
  ];
}
