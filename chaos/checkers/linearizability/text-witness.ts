/** Says to a person why the texts that gets show have no order. Each line names operations as the history has them. */
import type { Operation } from '../../history/history.js';
import { textOf } from './kv-model.js';
import { showValue } from './model.js';
import type { TextCluster, TextContradiction } from './texts.js';
import { phrase, type Argument } from './witness.js';

/** Characters of a text that are shown from where it has no reading. */
const CONTEXT_CHARACTERS = 30;

export function argueTexts(contradiction: TextContradiction): Argument {
  switch (contradiction.kind) {
    case 'no-reading': {
      const { read, at, failed } = contradiction;
      const rest = textOf(read.output).slice(at, at + CONTEXT_CHARACTERS);
      const nothing = `from character ${at} on, ${showValue(rest)}, it is nothing that was put or appended`;
      const why =
        failed === undefined ? nothing : `what it shows at character ${at} failed: ${phrase(failed)}`;
      return {
        lines: [phrase(read), why],
        about: failed === undefined ? [read] : [failed, read],
        reason: `${phrase(read)}, which nothing that was written makes up`,
      };
    }
    case 'twice': {
      const { read, append } = contradiction;
      return {
        lines: [phrase(read), `it shows this twice: ${phrase(append)}`],
        about: [append, read],
        reason: `one append is shown twice: ${phrase(append)}`,
      };
    }
    case 'fork': {
      const { one, other } = contradiction;
      return {
        lines: [phrase(one), phrase(other), 'neither text begins with the other, and no put is between them'],
        about: [one, other],
        reason: 'two texts cannot have followed each other by appends',
      };
    }
    case 'two-places': {
      const { append, one, other } = contradiction;
      return {
        lines: [
          phrase(append),
          'it is shown behind two different beginnings:',
          `  ${phrase(one)}`,
          `  ${phrase(other)}`,
        ],
        about: [append, one, other],
        reason: `one append is shown in two places: ${phrase(append)}`,
      };
    }
    case 'out-of-time': {
      const { earlier, later, shown } = contradiction;
      return {
        lines: [
          phrase(later),
          `had completed before this began: ${phrase(earlier)}`,
          `but what gets show puts them the other way round: ${phrase(shown)}`,
        ],
        about: [...new Set([later, earlier, shown])],
        reason: `${phrase(later)}, which must come after what began later`,
      };
    }
    case 'clash': {
      const { one, other } = contradiction;
      return {
        lines: [
          ...mustPrecede(one, other),
          ...mustPrecede(other, one),
          'so neither can come first; what gets show behind one put stands together, and what none shows stands apart',
        ],
        about: [...new Set([...operationsOf(one), ...operationsOf(other)])].sort(
          (a, b) => a.invokedAt - b.invokedAt,
        ),
        reason: `${nameOf(one)} and ${nameOf(other)} must each come before the other`,
      };
    }
  }
}

function mustPrecede(one: TextCluster, other: TextCluster): string[] {
  const before = one.firstCompleted === undefined ? 'it was there at first' : phrase(one.firstCompleted);
  const after = other.lastInvoked === undefined ? [] : [`  ${phrase(other.lastInvoked)}`];
  return [`${nameOf(one)} comes before the last of ${nameOf(other)}:`, `  ${before}`, ...after];
}

function operationsOf({ write, firstCompleted, lastInvoked }: TextCluster): Operation[] {
  return [write, firstCompleted, lastInvoked].filter((operation) => operation !== undefined);
}

function nameOf({ write, unseen }: TextCluster): string {
  if (write === undefined) return 'what was there at first';
  return unseen
    ? `the append of ${showValue(write.input)}, which no get shows`
    : `the put of ${showValue(write.input)}`;
}
