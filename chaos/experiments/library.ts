/** The experiments that come with Trefoil, and how a command line names one: by its name, or by a file. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { didYouMean } from '../../src/cluster/did-you-mean.js';
import { TrefoilError } from '../../src/core/errors.js';
import { parseExperiment, type Experiment } from './experiment.js';

/** From `dist/chaos/experiments`, and from the sources alike, the folder of YAML files. */
const FOLDER = folderOf(['../../../chaos/experiments/', './']);

/** Names of all experiments that come along, in order. */
export function experimentNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .toSorted();
}

/** Reads an experiment by name or path. Throws `BadRequest` where there is none, `ConfigInvalid` where it is wrong. */
export function loadExperiment(nameOrPath: string): Experiment {
  const isPath = /[/\\]|\.ya?ml$/.test(nameOrPath);
  const path = isPath ? nameOrPath : `${FOLDER}${nameOrPath}.yaml`;
  if (!existsSync(path)) {
    const what = isPath
      ? `there is no file ${nameOrPath}`
      : `there is no experiment ${nameOrPath}${didYouMean(nameOrPath, experimentNames())}`;
    throw new TrefoilError('BadRequest', `${what}; trefoil sim list names those that come along`);
  }
  return parseExperiment(readFileSync(path, 'utf8'), isPath ? nameOrPath : `${nameOrPath}.yaml`);
}

/** Every experiment that comes along. */
export function loadAllExperiments(): Experiment[] {
  return experimentNames().map(loadExperiment);
}

function folderOf(candidates: readonly string[]): string {
  const folders = candidates.map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const found = folders.find(
    (folder) => existsSync(folder) && readdirSync(folder).some((f) => f.endsWith('.yaml')),
  );
  return found ?? (folders[0] as string);
}
