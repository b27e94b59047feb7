/**
 * A hook of Node's module loader, run on the loader's own thread: mutates one module as it is loaded.
 * `plant-bug.ts` registers it.
 */
import type { InitializeHook, LoadHook } from 'node:module';
import { plant, type PlantedBug } from './planted-bug.js';

let planted: { readonly bug: PlantedBug; readonly url: string } | undefined;

export const initialize: InitializeHook<{ readonly bug: PlantedBug; readonly url: string }> = (data) => {
  planted = data;
};

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (planted === undefined || url !== planted.url || loaded.source === undefined) return loaded;
  const source = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
  return { ...loaded, source: plant(planted.bug, source) };
};
