/** `trefoil photos ...`: photographs in the cluster, their metadata and what they look like. */
import type { CommandModule } from 'yargs';
import { photosImportCommand } from './photos-import-command.js';
import { photosListCommand } from './photos-list-command.js';
import { photosShowCommand } from './photos-show-command.js';
import { photosSimilarCommand } from './photos-similar-command.js';

export const photosCommand: CommandModule = {
  command: 'photos',
  describe: 'import photos, list them, find similar ones',
  builder: (yargs) =>
    yargs
      .command(photosImportCommand)
      .command(photosListCommand)
      .command(photosShowCommand)
      .command(photosSimilarCommand)
      .demandCommand(1, 'name what to do: import, list, show or similar'),
  handler: () => {},
};
