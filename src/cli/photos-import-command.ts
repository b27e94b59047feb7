/**
 * `trefoil photos import DIR`: a progress bar on stderr while it runs, where stderr is a terminal and nobody asked
 * for JSON; then a line per file that could not be read, and a summary. Exit code 0 when every photo file was
 * read, 3 when some were not.
 */
import cliProgress from 'cli-progress';
import type { CommandModule } from 'yargs';
import { connectionOptions, withDatabase, type ConnectionArguments } from './connect.js';
import { cliContext, type CliContext } from './context.js';
import { EXIT, endWith } from './exit-codes.js';
import { failureJson } from './failure.js';
import type { ImportReport } from './photos-import.js';
import { USER_DEFAULT, openPhotoStore } from './photos-options.js';
import { formatCount } from './table.js';
import { valueLine } from './value-text.js';
import { wholeNumberOption } from './whole-number-option.js';

type ImportArguments = ConnectionArguments & {
  readonly dir: string;
  readonly user: string;
  readonly concurrency: number;
};

export const photosImportCommand: CommandModule<object, ImportArguments> = {
  command: 'import <dir>',
  describe: 'store the JPEG photos of a folder and of the folders in it',
  builder: (yargs) =>
    connectionOptions(yargs)
      .positional('dir', { describe: 'a folder, or one file', type: 'string', demandOption: true })
      .option('user', {
        describe: 'whose photos they are',
        type: 'string',
        requiresArg: true,
        default: USER_DEFAULT,
      })
      .option('concurrency', wholeNumberOption('concurrency', 'files read and stored at once', [1, 64, 4]))
      .epilogue(
        'Exit code 3: some files could not be read; all others are stored. Importing again adds nothing twice.',
      ),
  handler: async (argv) => {
    const context = cliContext(argv);
    const report = await withDatabase(argv, async (db) => {
      // Loaded here because it brings the image decoder, which no other command should have to wait for.
      const { importPhotos } = await import('./photos-import.js');
      const bar = progressBar(context);
      try {
        return await importPhotos(openPhotoStore(db), argv.dir, {
          user: argv.user,
          concurrency: argv.concurrency,
          onProgress: (done, total) => bar.show(done, total),
        });
      } finally {
        bar.end();
      }
    });
    reportImport(context, argv.user, report);
    if (report.stopped !== undefined) throw report.stopped;
    if (report.unreadable.length > 0) endWith(EXIT.partial);
  },
};

/** What became of an import, for a person or a machine. */
export function reportImport(context: CliContext, user: string, report: ImportReport): void {
  const { stopped, ...counts } = report;
  if (context.json) {
    context.printJson({
      user,
      ...counts,
      ...(stopped === undefined ? {} : { stopped: failureJson(stopped) }),
    });
    return;
  }
  for (const { path, reason } of report.unreadable)
    context.print(`unreadable: ${valueLine(path)}: ${valueLine(reason)}`);
  for (const { path, warning } of report.warnings)
    context.print(`damaged, stored all the same: ${valueLine(path)}: ${valueLine(warning)}`);
  context.print(summaryLine(user, report));
  if (report.withoutCamera > 0)
    context.print(
      `${formatCount(report.withoutCamera)} of the imported name no camera; photos show ID says why`,
    );
  if (stopped !== undefined) context.note('the import stopped early; run it again, it skips what is stored');
}

function summaryLine(
  user: string,
  { found, imported, alreadyThere, unreadable, ignored }: ImportReport,
): string {
  const parts = [
    `${formatCount(imported)} imported for ${user}`,
    `${formatCount(alreadyThere)} already there`,
    `${formatCount(unreadable.length)} unreadable`,
    ...(ignored > 0 ? [`${formatCount(ignored)} other files ignored`] : []),
  ];
  return `${formatCount(found)} photo files: ${parts.join(', ')}`;
}

interface ProgressBar {
  show(done: number, total: number): void;
  end(): void;
}

function progressBar(context: CliContext): ProgressBar {
  if (context.json || !process.stderr.isTTY) return { show: () => {}, end: () => {} };
  const bar = new cliProgress.SingleBar(
    { format: 'importing {bar} {value}/{total} photos, {eta_formatted} left', stream: process.stderr },
    cliProgress.Presets.shades_classic,
  );
  let isStarted = false;
  return {
    show: (done, total) => {
      if (isStarted) bar.update(done);
      else bar.start(total, done);
      isStarted = true;
    },
    end: () => {
      if (isStarted) bar.stop();
    },
  };
}
