/**
 * Which room may import which (architecture, section 2). An arrow that runs back, a strategy that knows
 * another, a cycle of files, or a package in the wrong room is a finding.
 */
import { posix } from 'node:path';
import ts from 'typescript';
import { eachNode, finding, isRoot, roomOf, type Finding, type Rule, type Source } from './source.js';

interface Row {
  readonly rooms: readonly string[];
  /** Rooms of which only types may be known. */
  readonly types?: readonly string[];
}

/** The rooms that each room may import, beside itself. Roots may import everything and have no row. */
export const ARROWS: Readonly<Record<string, Row>> = {
  core: { rooms: [] },
  cluster: { rooms: ['core'] },
  protocol: { rooms: ['core', 'cluster'] },
  runtime: { rooms: ['core', 'protocol'], types: ['cluster'] },
  replication: { rooms: ['core', 'protocol', 'cluster', 'runtime'] },
  node: { rooms: ['core', 'protocol', 'cluster', 'runtime', 'replication'] },
  client: { rooms: ['core', 'protocol', 'cluster', 'runtime'] },
  adapters: { rooms: ['core', 'protocol', 'runtime'] },
  // Implements the runtime; its whole-cluster harness starts nodes and clients on it.
  simulation: { rooms: ['core', 'protocol', 'cluster', 'runtime', 'node', 'client'] },
  photos: { rooms: ['index.ts'] },
};

/** Where in `replication` a strategy may look, beside its own folder: never at another strategy. */
const REPLICATION_COMMON = ['src/replication/strategy.ts', 'src/replication/shared/'];

/** The rooms that may know a package. Roots may know all; a package without a row is for roots alone. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'xxhash-wasm': ['core'],
  msgpackr: ['protocol'],
  'node:zlib': ['protocol', 'node'],
  zod: ['cluster'],
  yaml: ['cluster'],
  ws: ['adapters'],
  'classic-level': ['adapters'],
  'abstract-level': ['adapters'],
  'memory-level': ['adapters'],
  pino: ['adapters'],
};

export interface Import {
  readonly position: number;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

export const importDirections: Rule = (sources) =>
  sources.flatMap((source) =>
    importsOf(source).flatMap((found) => {
      const complaint = complain(source.path, found);
      return complaint === null ? [] : [finding(source, found.position, complaint)];
    }),
  );

function complain(path: string, found: Import): string | null {
  const room = roomOf(path);
  if (!found.specifier.startsWith('.')) return complainOfPackage(path, found.specifier);
  const target = resolveImport(path, found.specifier);
  const targetRoom = roomOf(target);
  if (targetRoom === 'test' && room !== 'test') return `imports ${target}, which is a test`;
  if (isRoot(path)) return null;
  const row = ARROWS[room];
  if (row === undefined) return `is in the room ${room}, which has no row in the table of arrows`;
  if (room === 'replication' && targetRoom === room) return complainOfStrategy(path, target);
  if (targetRoom === room || row.rooms.includes(targetRoom)) return null;
  if (row.types?.includes(targetRoom) === true) {
    return found.typeOnly ? null : `${room} may import only types of ${targetRoom}: ${target}`;
  }
  return `${room} may not import ${targetRoom}: ${target}`;
}

function complainOfStrategy(path: string, target: string): string | null {
  const [, , folder = '', file] = path.split('/');
  const isContract = file === undefined;
  const allowed = isContract ? [] : [...REPLICATION_COMMON, `src/replication/${folder}/`];
  if (allowed.some((start) => target.startsWith(start))) return null;
  return `${isContract ? 'the contract of strategies' : folder} may not import ${target}`;
}

function complainOfPackage(path: string, specifier: string): string | null {
  if (isRoot(path)) return null;
  const room = roomOf(path);
  if (room === 'adapters' && specifier.startsWith('node:')) return null;
  const name = /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)?.[0] ?? specifier;
  return PACKAGES[name]?.includes(room) === true ? null : `${room} may not know ${specifier}`;
}

/** Files that import each other in a circle, types included: whoever reads one must read them all. */
export const noCycles: Rule = (sources) => {
  const byPath = new Map(sources.map((s) => [s.path, s]));
  const done = new Set<string>();
  const trail: string[] = [];
  const findings: Finding[] = [];
  const visit = (source: Source): void => {
    if (done.has(source.path)) return;
    const from = trail.indexOf(source.path);
    if (from >= 0) {
      findings.push(finding(source, 0, `cycle: ${[...trail.slice(from), source.path].join(' -> ')}`));
      return;
    }
    trail.push(source.path);
    for (const { specifier } of importsOf(source)) {
      const target = specifier.startsWith('.')
        ? byPath.get(resolveImport(source.path, specifier))
        : undefined;
      if (target !== undefined) visit(target);
    }
    trail.pop();
    done.add(source.path);
  };
  sources.forEach(visit);
  return findings;
};

/** The path, in the project, of a relative import. */
export function resolveImport(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts');
}

/** Static and dynamic imports, re-exports, and `import('...')` in types. */
export function importsOf(source: Source): Import[] {
  const imports: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier !== undefined && ts.isStringLiteralLike(specifier)) {
      imports.push({ position: node.getStart(source.tree), specifier: specifier.text, typeOnly });
    }
  };
  eachNode(source.tree, (node) => {
    if (ts.isImportDeclaration(node)) {
      add(node, node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    } else if (ts.isExportDeclaration(node)) {
      add(node, node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], false);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal, true);
    }
  });
  return imports;
}
