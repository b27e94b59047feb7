/** A YAML text as plain data, that still knows on which line each part of it stands: for people who wrote it. */
import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from 'yaml';

/** Of aliases in a file: beyond it, it is not an experiment but a bomb. */
const ALIASES_MAX = 100;

export type Path = readonly (string | number)[];

export interface YamlLines {
  /** Undefined where the text is no YAML. */
  readonly value: unknown;
  /** What is wrong with the text itself. */
  readonly problems: readonly { readonly line: number; readonly reason: string }[];
  /** The line, from 1, of a part; of the nearest part around it where it is absent. */
  readonly lineOf: (path: Path) => number;
}

/** Never throws. */
export function readYaml(text: string): YamlLines {
  const lines = new LineCounter();
  const broken = (line: number, reason: string): YamlLines => ({
    value: undefined,
    problems: [{ line, reason }],
    lineOf: () => line,
  });
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
    const [error] = [...document.errors, ...document.warnings];
    if (error !== undefined) return broken(lines.linePos(error.pos[0]).line, error.message);
    const value: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    return { value, problems: [], lineOf: (path) => lineOf(document, lines, path) };
  } catch (error) {
    // Too many aliases, or nested so deep that the parser's stack ends.
    return broken(1, `cannot be read as YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function lineOf(document: Document, lines: LineCounter, path: Path): number {
  for (let depth = path.length; depth > 0; depth--) {
    const place = path.slice(0, depth);
    const around = depth === 1 ? document.contents : document.getIn(place.slice(0, -1), true);
    // A field stands where its name does: what it holds may begin on the next line.
    const pair = isMap(around)
      ? around.items.find(({ key }) => isScalar(key) && String(key.value) === String(place.at(-1)))
      : undefined;
    const node = pair?.key ?? document.getIn(place, true);
    if (isNode(node) && node.range != null) return lines.linePos(node.range[0]).line;
  }
  return document.contents?.range == null ? 1 : lines.linePos(document.contents.range[0]).line;
}
