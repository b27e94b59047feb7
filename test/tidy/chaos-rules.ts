/**
 * Which room of the laboratory may know which. Below, what judges knows nothing of what is judged: a checker that
 * used the database's own code would share its mistakes. Only `run` knows all, and only the program knows the laboratory.
 */
import { importsOf, resolveImport, type Import } from './import-rules.js';
import { finding, roomOf, type Rule } from './source.js';

interface Row {
  /** Folders and files that it may import, beside its own room. */
  readonly paths: readonly string[];
  /** Of which only types may be known. */
  readonly types?: readonly string[];
  readonly packages?: readonly string[];
}

/** The rooms of `chaos`, and the files right in it. */
export const CHAOS_ARROWS: Readonly<Record<string, Row>> = {
  history: { paths: ['src/core/'], packages: ['node:string_decoder'] },
  checkers: { paths: ['src/core/', 'chaos/history/'] },
  faults: { paths: ['src/core/', 'src/simulation/'], types: ['src/runtime/'], packages: ['zod'] },
  // As a user would: the SDK and what is built on it.
  workloads: {
    paths: ['src/core/', 'src/photos/', 'chaos/history/'],
    types: ['src/client/', 'src/cluster/', 'src/runtime/'],
  },
  experiments: {
    paths: [
      ...['src/core/', 'src/cluster/', 'chaos/faults/'],
      ...['chaos/workloads/workload-names.ts', 'chaos/run/check-names.ts'],
    ],
    packages: ['zod', 'yaml', 'node:fs', 'node:url'],
  },
  report: {
    paths: ['src/core/', 'src/protocol/', 'chaos/history/', 'chaos/run/failed-check.ts'],
    types: ['src/simulation/', 'chaos/run/', 'chaos/checkers/'],
  },
  bugs: { paths: ['src/core/', 'src/cluster/did-you-mean.ts'], packages: ['node:module'] },
  run: {
    paths: ['src/core/', 'src/simulation/', 'chaos/'],
    types: ['src/client/', 'src/cluster/', 'src/runtime/'],
    packages: ['zod', 'node:child_process', 'node:fs', 'node:path', 'node:perf_hooks', 'node:url'],
  },
  'event-loop.ts': { paths: [], types: ['src/simulation/'] },
};

export const chaosDirections: Rule = (sources) =>
  sources.flatMap((source) =>
    importsOf(source).flatMap((found) => {
      const complaint = complain(source.path, found);
      return complaint === null ? [] : [finding(source, found.position, complaint)];
    }),
  );

function complain(path: string, found: Import): string | null {
  const isRelative = found.specifier.startsWith('.');
  const target = isRelative ? resolveImport(path, found.specifier) : found.specifier;
  if (!path.startsWith('chaos/')) {
    const mayKnow = !path.startsWith('src/') || roomOf(path) === 'cli';
    return mayKnow || !isRelative || !target.startsWith('chaos/')
      ? null
      : `imports ${target}, the laboratory`;
  }
  const room = path.split('/')[1] ?? '';
  const row = CHAOS_ARROWS[room];
  if (row === undefined) return `is in the room chaos/${room}, which has no row in the table of arrows`;
  if (!isRelative)
    return row.packages?.includes(target) === true ? null : `chaos/${room} may not know ${target}`;
  const isIn = (places: readonly string[] = []): boolean => places.some((place) => target.startsWith(place));
  if (target.startsWith(`chaos/${room}/`) || isIn(row.paths)) return null;
  if (!isIn(row.types)) return `chaos/${room} may not import ${target}`;
  return found.typeOnly ? null : `chaos/${room} may import only types of ${target}`;
}
