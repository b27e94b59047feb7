/** The version of Trefoil that runs, as its package says. */
import { readFileSync } from 'node:fs';

const packageFile = new URL('../../../package.json', import.meta.url);

export const TREFOIL_VERSION = (JSON.parse(readFileSync(packageFile, 'utf8')) as { readonly version: string })
  .version;
