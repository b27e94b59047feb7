/**
 * Planted bugs: mutations of the real code that a hunt must catch. A laboratory that finds nothing is
 * indistinguishable from one that cannot find anything, so it is shown known bugs.
 *
 * A bug is a change of text in a compiled module, made as it is loaded into a worker process of the hunt, and in no
 * other. Rejected: flags in the code (`if (planted('...'))`). They would stand in production, on the hot path, between
 * the reader and the algorithm; and a mutation that is not in the code cannot be left on.
 */
import { invariant } from '../../src/core/invariant.js';

export interface PlantedBug {
  readonly name: string;
  readonly strategy: 'leaderless' | 'leader-follower';
  /** One line: what it does wrong, and what that costs. */
  readonly summary: string;
  /** The module, relative to the project, as TypeScript has it: `src/replication/leaderless/x.ts`. */
  readonly file: string;
  /** Each text stands exactly once in the compiled module, and is replaced. White space counts as one blank. */
  readonly edits: readonly (readonly [find: string, replace: string])[];
  /** The experiments that must find it, any of them. */
  readonly experiments: readonly string[];
  /** Seeds, of each of these experiments, within which it is caught. */
  readonly seedsMax: number;
}

/** The mutated source. Throws an invariant where an edit does not fit exactly once: the code has moved on. */
export function plant(bug: PlantedBug, source: string): string {
  return bug.edits.reduce((text, [find, replace]) => {
    const pattern = new RegExp(find.trim().split(/\s+/).map(escaped).join('\\s+'), 'g');
    const places = [...text.matchAll(pattern)].length;
    invariant(
      places === 1,
      `planted bug ${bug.name}: "${find}" stands ${String(places)} times in ${bug.file}`,
    );
    return text.replace(pattern, () => replace);
  }, source);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
