/**
 * Makes a process load the compiled code with one bug in it. To be called before anything of that code is imported;
 * it cannot be taken back, so each planted bug has processes of its own.
 */
import { register } from 'node:module';
import type { PlantedBug } from './planted-bug.js';

/** From `dist/chaos/bugs`, where this file runs. */
const COMPILED_ROOT = new URL('../../', import.meta.url);

export function plantBug(bug: PlantedBug): void {
  const url = compiledUrl(bug).href;
  register('./load-hook.js', import.meta.url, { data: { bug, url } });
}

/** The compiled module that a bug changes. */
export function compiledUrl(bug: PlantedBug): URL {
  return new URL(bug.file.replace(/\.ts$/, '.js'), COMPILED_ROOT);
}
