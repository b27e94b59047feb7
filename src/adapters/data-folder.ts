/**
 * The folder around a LevelDB: what names it, and how much room it has.
 *
 * A node must notice that its data is a copy: two holders of one past would mint the same dots twice, for
 * different writes. Nothing inside the data can tell, because it was copied along. So the name is taken
 * from what a copy cannot carry over: device, inode and time of birth of a marker file. Copying the folder,
 * unpacking a backup or moving it to another disk makes a new file and so a new identity; renaming
 * the folder in place keeps it. Two things get past: an old state written over the existing files, and a whole
 * file system set back (a snapshot of a virtual machine). Both are an operator's act, and
 * `trefoil node --new-incarnation` is for them.
 */
import { mkdir, open, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { storageError } from './level-errors.js';

const MARKER = 'identity';

/** How often free space is measured anew. */
const FREE_SPACE_INTERVAL_MS = 2_000;

/** Makes the folder and its marker where they are missing; returns the identity. Rejects with `StorageFailed`. */
export async function openDataFolder(folder: string): Promise<string> {
  try {
    await mkdir(folder, { recursive: true });
    const marker = join(folder, MARKER);
    try {
      const file = await open(marker, 'wx');
      await file.writeFile('This file names the data beside it. Do not copy, edit or remove it.\n');
      await file.sync();
      await file.close();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const { dev, ino, birthtimeNs } = await stat(marker, { bigint: true });
    return `${String(dev)}:${String(ino)}:${String(birthtimeNs)}`;
  } catch (error) {
    throw storageError(error, `open ${folder}`);
  }
}

/** Gives the data another name: what it held is no longer all there. */
export async function renewIdentity(folder: string): Promise<string> {
  await rm(join(folder, MARKER), { force: true });
  return openDataFolder(folder);
}

/** The space that is left to a folder, measured now and then, because asking takes a system call off the thread. */
export class FreeSpace {
  readonly #folder: string;
  readonly #timer: NodeJS.Timeout;
  #bytes = Infinity;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#timer = setInterval(() => void this.refresh(), FREE_SPACE_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Measures once, then every two seconds until `stop`. */
  static async of(folder: string): Promise<FreeSpace> {
    const space = new FreeSpace(folder);
    await space.refresh();
    return space;
  }

  /** As last measured. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Measures now. Where that fails, the last measure stands: the writes themselves will tell. */
  async refresh(): Promise<void> {
    try {
      const { bavail, bsize } = await statfs(this.#folder);
      this.#bytes = bavail * bsize;
    } catch {
      return;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
