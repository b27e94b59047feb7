/** `trefoil photos show ID`: all that is stored of one photo, and the edits that contradict each other. */
import type { CommandModule } from 'yargs';
import type { Photo } from '../photos/index.js';
import { connectionOptions, withDatabase, type ConnectionArguments } from './connect.js';
import { cliContext, type CliContext } from './context.js';
import { EXIT, endWith } from './exit-codes.js';
import { cameraText, openPhotoStore, settingsText, timeText } from './photos-options.js';
import { formatBytes } from './table.js';
import { valueLine } from './value-text.js';

type ShowArguments = ConnectionArguments & { readonly id: string };

export const photosShowCommand: CommandModule<object, ShowArguments> = {
  command: 'show <id>',
  describe: 'print all that is stored of a photo',
  builder: (yargs) =>
    connectionOptions(yargs).positional('id', {
      describe: 'the photo id, as list prints it',
      type: 'string',
      demandOption: true,
    }),
  handler: async (argv) => {
    const context = cliContext(argv);
    const { photo, conflicts } = await withDatabase(argv, async (db) => {
      const store = openPhotoStore(db);
      return { photo: await store.get(argv.id), conflicts: await store.conflicts(argv.id) };
    });
    if (photo === undefined) endWith(EXIT.notFound);
    if (context.json) context.printJson(photo === undefined ? null : { ...photo, conflicts });
    else if (photo === undefined) context.note(`absent: ${argv.id}`);
    else printPhoto(context, photo, conflicts);
  },
};

function printPhoto(context: CliContext, photo: Photo, conflicts: readonly Photo[]): void {
  const { position } = photo.settings;
  const fields: readonly (readonly [string, string])[] = [
    ['id', photo.id],
    ['title', photo.title],
    ['tags', photo.tags.join(', ') || '-'],
    ['user', photo.user],
    ['path', photo.path],
    ['taken', timeText(photo.settings.takenAtMs)],
    ['uploaded', timeText(photo.uploadedAtMs)],
    ['size', `${photo.width}x${photo.height} pixels, ${formatBytes(photo.bytes)}`],
    ['camera', cameraText(photo.camera)],
    ['settings', settingsText(photo.settings)],
    [
      'position',
      position === null ? '-' : `${position.latitude.toFixed(6)}, ${position.longitude.toFixed(6)}`,
    ],
    ['hash', photo.perceptualHash],
    ...(photo.note === null ? [] : [['note', photo.note] as const]),
  ];
  for (const [name, text] of fields) context.print(`${name.padEnd(9)} ${valueLine(text)}`);
  if (conflicts.length === 0) return;
  context.note(`${conflicts.length} edits at the same time, shown merged; the next edit settles them:`);
  for (const { title, tags } of conflicts)
    context.note(`  title ${valueLine(title)}, tags ${valueLine(tags.join(', ') || '-')}`);
}
