/**
 * The photo files of a folder and all folders in it, by their extension, in the order of their names as bytes, so
 * that two runs report alike. Symbolic links to files are followed, to folders are not: they may lead in a circle.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join, relative, sep } from 'node:path';
import { TrefoilError } from '../core/errors.js';
import { compareKeys } from '../core/text-order.js';
import { fileReason } from './file-reason.js';

export interface FoundFile {
  /** To open it by. */
  readonly path: string;
  /** From the folder that was searched, with `/` on every system. */
  readonly relativePath: string;
}

export interface FoundPhotos {
  readonly photos: readonly FoundFile[];
  /** Folders and links that could not be looked into. */
  readonly unreadable: readonly UnreadableFile[];
  /** Files of other kinds. */
  readonly ignored: number;
}

export interface UnreadableFile {
  readonly path: string;
  readonly reason: string;
}

const EXTENSIONS = new Set(['.jpg', '.jpeg', '.jpe', '.jfif']);

/** Looks through a folder, or takes the one file that is given. Throws `BadRequest` where there is neither. */
export async function findPhotos(root: string): Promise<FoundPhotos> {
  const isFolder = await isFolderAt(root);
  if (!isFolder)
    return { photos: [{ path: root, relativePath: basename(root) }], unreadable: [], ignored: 0 };
  const photos: FoundFile[] = [];
  const unreadable: UnreadableFile[] = [];
  let ignored = 0;
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const content = await readFolder(folder);
    folders.push(...content.folders);
    unreadable.push(...content.unreadable);
    ignored += content.ignored;
    for (const path of content.photos)
      photos.push({ path, relativePath: relative(root, path).split(sep).join('/') });
  }
  photos.sort((a, b) => compareKeys(a.relativePath, b.relativePath));
  return { photos, unreadable, ignored };
}

async function isFolderAt(path: string): Promise<boolean> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return true;
    if (found.isFile()) return false;
  } catch (cause) {
    throw new TrefoilError('BadRequest', `${path}: ${fileReason(cause)}`, { cause });
  }
  throw new TrefoilError('BadRequest', `${path}: it is neither a folder nor a file`);
}

interface FolderContent {
  readonly photos: string[];
  readonly folders: string[];
  readonly unreadable: UnreadableFile[];
  ignored: number;
}

async function readFolder(folder: string): Promise<FolderContent> {
  const content: FolderContent = { photos: [], folders: [], unreadable: [], ignored: 0 };
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) content.folders.push(path);
      else if (!EXTENSIONS.has(extname(entry.name).toLowerCase())) content.ignored++;
      // What a link leads to, if anything, shows when it is opened.
      else if (entry.isFile() || (entry.isSymbolicLink() && !(await leadsElsewhere(path))))
        content.photos.push(path);
      else content.ignored++;
    }
  } catch (error) {
    content.unreadable.push({ path: folder, reason: fileReason(error) });
  }
  return content;
}

/** Whether a link leads to something that is no file: a folder, a pipe. A broken link is for the reader to report. */
async function leadsElsewhere(link: string): Promise<boolean> {
  try {
    return !(await stat(link)).isFile();
  } catch {
    return false;
  }
}
