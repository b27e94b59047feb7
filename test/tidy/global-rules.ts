/**
 * The world comes in through the Runtime alone: one clock, timer, random number or locale taken from the
 * platform elsewhere, and no seed replays any more. A local variable that happens to be called `process`
 * is not the world, so names are looked up in their scopes.
 */
import ts from 'typescript';
import { eachNode, finding, isRoot, roomOf, type Finding, type Rule, type Source } from './source.js';

/** `queueMicrotask` and `structuredClone` stay allowed: like `await`, they depend on nothing outside. */
const WORLD = new Set([
  ...['Date', 'performance', 'Intl', 'process', 'crypto', 'fetch', 'WebSocket', 'Worker'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'globalThis', 'global', 'require'],
  // When these act is up to the garbage collector.
  ...['WeakRef', 'FinalizationRegistry'],
]);

/** Members that belong to the world, of objects that otherwise do not. */
const WORLDLY_MEMBERS: readonly (readonly [object: string, member: string])[] = [
  ['Math', 'random'],
  ['AbortSignal', 'timeout'],
];

/** Methods whose result depends on the machine's locale, whatever they are called on. */
const LOCALE_METHOD = /^(localeCompare|toLocale[A-Z]\w*)$/;

/** Of the laboratory, what happens inside a simulation or judges it: the same seed must give the same there too. */
const REPLAYED = [
  ...['history', 'checkers', 'faults', 'workloads'].map((room) => `chaos/${room}/`),
  ...['plan', 'recorder', 'checks', 'shrink', 'failure-file'].map((file) => `chaos/run/${file}.ts`),
];

function isReplayed(path: string): boolean {
  return REPLAYED.some((start) => path.startsWith(start));
}

export const noWorldlyGlobals: Rule = (sources) =>
  sources
    .filter(({ path }) => isReplayed(path) || (!isRoot(path) && roomOf(path) !== 'adapters'))
    .flatMap((source) => scan(source, worldly));

/** Programs print; a library writes to the log that it was given. */
export const noConsole: Rule = (sources) =>
  sources
    .filter((source) => source.path.startsWith('src/') && roomOf(source.path) !== 'cli')
    .flatMap((source) =>
      scan(source, (node) => (isGlobal(node, 'console') ? 'console: write to the Log of the Runtime' : null)),
    );

function scan(source: Source, complain: (node: ts.Node) => string | null): Finding[] {
  const findings: Finding[] = [];
  eachNode(source.tree, (node) => {
    const complaint = complain(node);
    if (complaint !== null) findings.push(finding(source, node.getStart(source.tree), complaint));
  });
  return findings;
}

function worldly(node: ts.Node): string | null {
  if (ts.isPropertyAccessExpression(node)) {
    const member = node.name.text;
    if (LOCALE_METHOD.test(member)) return `.${member}() depends on the machine's locale`;
    for (const [object, banned] of WORLDLY_MEMBERS) {
      if (member === banned && isGlobal(node.expression, object))
        return `${object}.${banned}: use the Runtime`;
    }
    return null;
  }
  // Taken apart in another way, `const { random } = Math` or `Math['random']`, it cannot be told what is used.
  for (const [object] of WORLDLY_MEMBERS) {
    if (isGlobal(node, object) && !ts.isPropertyAccessExpression(node.parent) && !isTested(node)) {
      return `${object} may be used only as ${object}.member`;
    }
  }
  return ts.isIdentifier(node) && WORLD.has(node.text) && isGlobal(node, node.text)
    ? `${node.text}: use the Runtime`
    : null;
}

/** `x instanceof AbortSignal` takes nothing out of it. */
function isTested(node: ts.Node): boolean {
  return (
    ts.isBinaryExpression(node.parent) && node.parent.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword
  );
}

/** Whether a node is a value taken from the global name, not a declaration, a member's name, or a type. */
function isGlobal(node: ts.Node, name: string): boolean {
  return ts.isIdentifier(node) && node.text === name && isValueReference(node) && !isDeclaredAround(node);
}

function isValueReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPartOfTypeNode(node) || ts.isTypeElement(parent) || ts.isTypeQueryNode(parent)) return false;
  if (ts.isTypeParameterDeclaration(parent) || ts.isTypeAliasDeclaration(parent)) return false;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  if (ts.isImportSpecifier(parent) || ts.isImportClause(parent) || ts.isNamespaceImport(parent)) return false;
  if (ts.isExportSpecifier(parent)) return parent.propertyName === undefined || parent.propertyName === node;
  const declared = (parent as { readonly name?: ts.Node }).name === node;
  return !declared || ts.isComputedPropertyName(parent);
}

function isDeclaredAround(node: ts.Identifier): boolean {
  for (let scope: ts.Node | undefined = node.parent; scope !== undefined; scope = scope.parent) {
    if (declarationsOf(scope).some((name) => declares(name, node.text))) return true;
  }
  return false;
}

function declares(name: ts.BindingName, text: string): boolean {
  if (ts.isIdentifier(name)) return name.text === text;
  return name.elements.some((e) => ts.isBindingElement(e) && declares(e.name, text));
}

/** The names that a scope itself declares. */
function declarationsOf(scope: ts.Node): ts.BindingName[] {
  if (ts.isFunctionLike(scope)) return scope.parameters.map((p) => p.name);
  if (ts.isCatchClause(scope)) return scope.variableDeclaration ? [scope.variableDeclaration.name] : [];
  if (ts.isForStatement(scope) || ts.isForOfStatement(scope) || ts.isForInStatement(scope)) {
    const { initializer } = scope;
    return initializer && ts.isVariableDeclarationList(initializer)
      ? initializer.declarations.map((d) => d.name)
      : [];
  }
  if (ts.isCaseBlock(scope)) return scope.clauses.flatMap((c) => c.statements.flatMap(declaredBy));
  if (ts.isBlock(scope) || ts.isSourceFile(scope)) return scope.statements.flatMap(declaredBy);
  return [];
}

function declaredBy(statement: ts.Statement): ts.BindingName[] {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map((d) => d.name);
  if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
    return statement.name ? [statement.name] : [];
  }
  if (ts.isImportDeclaration(statement)) return importedNames(statement);
  return [];
}

/** An import of the world's own modules is no cover: `import { performance } from 'node:perf_hooks'`. */
function importedNames(statement: ts.ImportDeclaration): ts.BindingName[] {
  const from = ts.isStringLiteral(statement.moduleSpecifier) ? statement.moduleSpecifier.text : '';
  const clause = statement.importClause;
  if (clause === undefined || from.startsWith('node:')) return [];
  const bindings = clause.namedBindings;
  const named =
    bindings === undefined
      ? []
      : ts.isNamedImports(bindings)
        ? bindings.elements.map((e) => e.name)
        : [bindings.name];
  return clause.name ? [clause.name, ...named] : named;
}
