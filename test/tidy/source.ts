/**
 * The project's sources as syntax trees. Everything the tidy test says it says of the tree, so that a word
 * in a comment or a string never counts as code.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export interface Source {
  /** Relative to the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly what: string;
}

export type Rule = (sources: readonly Source[]) => Finding[];

const SOURCE_FOLDERS = ['src', 'chaos', 'bench', 'test'] as const;

export function parseSource(path: string, text: string): Source {
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true) };
}

/** Every TypeScript file of the project's own folders. */
export function readSources(root: string): Source[] {
  const sources: Source[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (/\.[cm]?tsx?$/.test(entry.name)) {
        sources.push(parseSource(path, readFileSync(join(root, path), 'utf8')));
      }
    }
  };
  const present = new Set(readdirSync(root));
  for (const folder of SOURCE_FOLDERS) if (present.has(folder)) walk(folder);
  return sources;
}

export function finding(source: Source, position: number, what: string): Finding {
  return { path: source.path, line: source.tree.getLineAndCharacterOfPosition(position).line + 1, what };
}

/** Calls `visit` with every node of the tree, parents first. */
export function eachNode(tree: ts.Node, visit: (node: ts.Node) => void): void {
  visit(tree);
  ts.forEachChild(tree, (child) => eachNode(child, visit));
}

/** The room of a file: the folder under `src`, the file itself right under `src`, else the top folder. */
export function roomOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return top === 'src' ? second : top;
}

/** Which may see everything, and touch the real world. */
export function isRoot(path: string): boolean {
  return ['index.ts', 'cli', 'chaos', 'bench', 'test'].includes(roomOf(path));
}
