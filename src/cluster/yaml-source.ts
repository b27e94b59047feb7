/**
 * A YAML text whose every part knows its line, read only as far as the schema asks.
 *
 * The schema walks the tree with `fields` and `items`; what it does not ask for is never expanded. So an
 * alias that refers to itself, or aliases of aliases of aliases, cost nothing. (Turning the document into
 * plain objects first, then mapping schema paths back to lines, was rejected: it expands aliases, loses
 * duplicate keys, and needs a second walk that must agree with the first.)
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type ParsedNode,
} from 'yaml';

/** One thing that is wrong with a config, in words that follow `file:line: `. */
export interface Problem {
  /** 1-based. */
  readonly line: number;
  readonly reason: string;
}

export type ScalarValue = string | number | boolean | bigint | null;

interface Source {
  readonly document: Document;
  readonly lines: LineCounter;
  readonly problems: Problem[];
}

/** One node of the tree. `line` is where it is used, also when an alias brought it there. */
export class YamlNode {
  readonly line: number;
  readonly #node: unknown;
  readonly #source: Source;

  constructor(node: unknown, line: number, source: Source) {
    this.line = line;
    this.#node = isAlias(node) ? node.resolve(source.document) : node;
    this.#source = source;
    if (isAlias(node) && this.#node === undefined) {
      source.problems.push({ line, reason: `the alias *${node.source} refers to no anchor before it` });
    }
  }

  get kind(): 'mapping' | 'list' | 'scalar' {
    if (isMap(this.#node)) return 'mapping';
    return isSeq(this.#node) ? 'list' : 'scalar';
  }

  /** The value of a scalar; null for anything else, and for a key with nothing behind it. */
  get value(): ScalarValue {
    return isScalar(this.#node) ? (this.#node.value as ScalarValue) : null;
  }

  /** The entries of a list; none for anything else. */
  items(): YamlNode[] {
    if (!isSeq(this.#node)) return [];
    return this.#node.items.map((item) => new YamlNode(item, this.#lineOf(item), this.#source));
  }

  /** The fields of a mapping by key, each at the line of its key; none for anything else. A repeated key is a problem. */
  fields(): Map<string, YamlNode> {
    const fields = new Map<string, YamlNode>();
    if (!isMap(this.#node)) return fields;
    for (const { key, value } of this.#node.items) {
      const line = this.#lineOf(key);
      if (!isScalar(key)) {
        this.#source.problems.push({ line, reason: 'a key must be plain text' });
        continue;
      }
      const name = String(key.value);
      const first = fields.get(name);
      if (first === undefined) fields.set(name, new YamlNode(value, line, this.#source));
      else
        this.#source.problems.push({ line, reason: `${name} is given twice: first on line ${first.line}` });
    }
    return fields;
  }

  #lineOf(node: unknown): number {
    const offset = (node as ParsedNode | null)?.range?.[0];
    return offset === undefined ? this.line : this.#source.lines.linePos(offset).line;
  }
}

export interface YamlSource {
  /** Undefined where there is nothing to read: an empty text, or one that is not YAML. */
  readonly root: YamlNode | undefined;
  /** What the text itself has wrong; grows while the tree is walked. */
  readonly problems: Problem[];
}

/** Parses a text; never throws. */
export function parseYaml(text: string): YamlSource {
  const lines = new LineCounter();
  const problems: Problem[] = [];
  let document;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: 'error',
    });
  } catch (error) {
    // The parser recurses: a text nested thousands of levels deep ends its stack.
    problems.push({
      line: 1,
      reason: `cannot be read as YAML: ${error instanceof Error ? error.message : String(error)}`,
    });
    return { root: undefined, problems };
  }
  const broken = new Set<number>();
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const line = lines.linePos(pos[0]).line;
    // One slip makes the parser stumble on: what it first said of a line is what helps.
    if (broken.has(line)) continue;
    broken.add(line);
    problems.push({
      line,
      reason:
        code === 'MULTIPLE_DOCS'
          ? 'a second YAML document starts here: keep one per file (remove the ---)'
          : `not valid YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`,
    });
  }
  if (problems.length > 0) return { root: undefined, problems };
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    problems.push({ line: 1, reason: 'the file is empty: it must name a cluster, its nodes and namespaces' });
    return { root: undefined, problems };
  }
  const start = lines.linePos(document.contents.range[0]).line;
  return { root: new YamlNode(document.contents, start, { document, lines, problems }), problems };
}
