/**
 * House style that a machine can hold: names of files, their size, the comment they open with, what they
 * export, and what must not be left in them.
 */
import ts from 'typescript';
import { eachNode, finding, isRoot, type Finding, type Rule, type Source } from './source.js';

const FILE_LINES_MAX = 500;
/** A file longer than this opens with a comment that says what it is for. */
const LINES_WITHOUT_HEADER_MAX = 40;

const KEBAB_FOLDER = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const KEBAB_FILE = /^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/;
const UTILS = /(^|[-.])utils?([-.]|$)/;

export const fileNames: Rule = (sources) =>
  sources.flatMap((source) => {
    const folders = source.path.split('/');
    const file = folders.pop() ?? '';
    if (!KEBAB_FILE.test(file) || !folders.every((f) => KEBAB_FOLDER.test(f))) {
      return [finding(source, 0, 'names are in kebab-case')];
    }
    return [...folders, file].some((n) => UTILS.test(n))
      ? [finding(source, 0, 'name it for what it does, not utils')]
      : [];
  });

export const fileSizes: Rule = (sources) =>
  sources
    .filter((source) => linesOf(source) > FILE_LINES_MAX)
    .map((source) =>
      finding(source, 0, `${linesOf(source)} lines; split it, the limit is ${FILE_LINES_MAX}`),
    );

export const fileHeaders: Rule = (sources) =>
  sources
    .filter((source) => source.path.startsWith('src/') && linesOf(source) > LINES_WITHOUT_HEADER_MAX)
    .filter((source) => !/^(#!.*\n)?\s*\/\*/.test(source.text))
    .map((source) => finding(source, 0, 'opens with a comment that says its purpose'));

function linesOf(source: Source): number {
  return source.text.split('\n').length - (source.text.endsWith('\n') ? 1 : 0);
}

export const namedExports: Rule = (sources) =>
  visitEach(sources, (node) => {
    const byModifier =
      ts.canHaveModifiers(node) &&
      ts.getModifiers(node)?.some((m) => m.kind === ts.SyntaxKind.DefaultKeyword) === true;
    const byName = ts.isExportSpecifier(node) && node.name.text === 'default';
    return ts.isExportAssignment(node) || byModifier || byName ? 'exports are named, never default' : null;
  });

/**
 * What leaves the library is a `TrefoilError` from the registry; a broken invariant is its own kind. A
 * `TypeError` is let pass: parsers throw it to themselves, and wrap what they caught.
 */
export const registeredErrors: Rule = (sources) =>
  visitEach(
    sources.filter((source) => !isRoot(source.path)),
    (node) =>
      (ts.isNewExpression(node) || ts.isCallExpression(node)) &&
      ts.isIdentifier(node.expression) &&
      node.expression.text === 'Error'
        ? "a bare Error: use TrefoilError, or invariant() for a programmer's fault"
        : null,
  );

/** `it.only` and its kin make the rest of a file pass without running. */
export const noFocusedTests: Rule = (sources) =>
  visitEach(
    sources.filter((source) => source.path.startsWith('test/')),
    (node) => {
      if (ts.isIdentifier(node) && /^f(it|describe)$/.test(node.text)) return `${node.text} runs alone`;
      if (!ts.isPropertyAccessExpression(node) || node.name.text !== 'only') return null;
      return /^(it|test|describe|suite)\b/.test(node.expression.getText())
        ? `${node.getText()} runs alone`
        : null;
    },
  );

export const nothingLeftToDo: Rule = (sources) =>
  sources.flatMap((source) =>
    commentsOf(source).flatMap(({ position, text }) => {
      const word = /\b(TODO|FIXME|XXX|HACK)\b/.exec(text);
      return word === null
        ? []
        : [finding(source, position + word.index, `${word[0]}: do it, or write an issue`)];
    }),
  );

function visitEach(sources: readonly Source[], complain: (node: ts.Node) => string | null): Finding[] {
  const findings: Finding[] = [];
  for (const source of sources) {
    eachNode(source.tree, (node) => {
      const complaint = complain(node);
      if (complaint !== null) findings.push(finding(source, node.getStart(source.tree), complaint));
    });
  }
  return findings;
}

/** Every comment, each once. Comments hang between tokens, so the walk goes down to the tokens. */
function commentsOf(source: Source): { readonly position: number; readonly text: string }[] {
  const found = new Map<number, string>();
  const collect = (ranges: readonly ts.CommentRange[] | undefined): void => {
    for (const { pos, end } of ranges ?? []) found.set(pos, source.text.slice(pos, end));
  };
  const walk = (node: ts.Node): void => {
    const children = node.getChildren(source.tree);
    if (children.length > 0) return children.forEach(walk);
    collect(ts.getLeadingCommentRanges(source.text, node.getFullStart()));
    collect(ts.getTrailingCommentRanges(source.text, node.getEnd()));
  };
  walk(source.tree);
  return [...found].map(([position, text]) => ({ position, text }));
}
