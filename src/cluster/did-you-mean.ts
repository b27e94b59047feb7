/** Finds the word that a person probably meant, for error messages. */

/** A word this many edits away (or a third of its length, if that is less) still counts as a slip. */
const EDITS_MAX = 3;

/** ` (did you mean X?)` with the nearest of `known`, or nothing where none is near. */
export function didYouMean(word: string, known: readonly string[]): string {
  const plain = squeeze(word);
  let best: string | undefined;
  let bestEdits = Infinity;
  for (const candidate of known) {
    const target = squeeze(candidate);
    const edits = plain.length > 64 ? Infinity : editDistance(plain, target);
    const allowed = Math.min(EDITS_MAX, Math.ceil(Math.max(plain.length, target.length) / 3));
    if (edits <= allowed && edits < bestEdits) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best === undefined ? '' : ` (did you mean ${best}?)`;
}

/** `data_dir`, `data-dir` and `DataDir` are all slips of the same word. */
function squeeze(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '');
}

/** Insertions, deletions, substitutions and swaps of neighbours (Damerau's, in its restricted form). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Infinity;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(
        Math.min(
          at(i - 1, j) + 1,
          at(i, j - 1) + 1,
          at(i - 1, j - 1) + (same ? 0 : 1),
          swapped ? at(i - 2, j - 2) + 1 : Infinity,
        ),
      );
    }
  }
  return at(a.length, b.length);
}
