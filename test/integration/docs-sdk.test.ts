/**
 * The SDK's examples are programs: each TypeScript block of a page that imports `trefoil` is checked by the compiler, as
 * strictly as this project is, and run against three real nodes, those about leaders against three others. They stand in a stand-in for a clone, so
 * `from 'trefoil'` is left as it is written.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterCommand, makeClone, type Clone } from '../support/clone.js';
import { blocksOf, type Block } from '../support/page.js';

const PAGES = ['README.md', 'docs/sdk.md', 'docs/photos.md'];

const isProgram = ({ language, code }: Block): boolean =>
  (language === 'ts' || language === 'js') && /from 'trefoil/.test(code);
const programs = PAGES.flatMap(blocksOf).filter(isProgram);
const titleOf = ({ page, line }: Block): string => `${page}:${line}`;
const fileOf = (block: Block): string => `${titleOf(block).replaceAll(/\W/g, '-')}.mts`;

const OPTIONS: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noImplicitReturns: true,
  noUnusedLocals: true,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts'],
  types: ['node'],
  skipLibCheck: true,
  noEmit: true,
};

/** What the compiler has to say of files in the clone. */
function complaints(clone: Clone, files: readonly string[]): string[] {
  const names = files.map((file) => join(clone.folder, file));
  const options = { ...OPTIONS, typeRoots: [join(clone.folder, 'node_modules', '@types')] };
  return ts.getPreEmitDiagnostics(ts.createProgram(names, options)).map((found) => {
    const text = ts.flattenDiagnosticMessageText(found.messageText, '\n');
    return found.file === undefined || found.start === undefined
      ? text
      : `${found.file.fileName}:${found.file.getLineAndCharacterOfPosition(found.start).line + 1} ${text}`;
  });
}

let clone: Clone;

beforeAll(async () => {
  clone = await makeClone('docs');
  for (const block of programs) {
    const source = clone.withPorts(block.code);
    const compilerOptions = { ...OPTIONS, noEmit: false };
    // The name says that it is a module.
    const { outputText } = ts.transpileModule(source, { compilerOptions, fileName: fileOf(block) });
    writeFileSync(join(clone.folder, fileOf(block)), source);
    writeFileSync(join(clone.folder, fileOf(block).replace('.mts', '.mjs')), outputText);
  }
  expect(await clusterCommand(clone, 'up')).toMatchObject({ code: 0 });
  expect(await clusterCommand(clone, 'up', 'leader-follower-3')).toMatchObject({ code: 0 });
});

afterAll(() => clone.remove());

describe('the pages', () => {
  it('have programs', () => {
    for (const page of PAGES) expect(programs.map((block) => block.page)).toContain(page);
    const notRun = blocksOf('docs/sdk.md').filter((block) => block.language === 'ts' && !isProgram(block));
    expect(notRun.map(titleOf)).toEqual([]);
  });

  it('have programs that the compiler accepts', () => {
    const typed = programs.filter(({ language }) => language === 'ts');
    expect(complaints(clone, typed.map(fileOf))).toEqual([]);
  });

  it('would be told of one that it does not', () => {
    const bad =
      "import { connect } from 'trefoil';\nconst db = await connect({ seed: [] });\nawait db.close();\n";
    writeFileSync(join(clone.folder, 'bad.mts'), bad);
    expect(complaints(clone, ['bad.mts']).join('\n')).toMatch(/bad\.mts:2 .*'seed' does not exist/s);
  });

  it.each(programs.map((block) => [titleOf(block), block] as const))('%s runs', async (_title, block) => {
    const ran = await clone.run(process.execPath, [fileOf(block).replace('.mts', '.mjs')]);
    expect(ran.code, ran.output).toBe(0);
    expect(ran.output).not.toMatch(/Error|undefined/);
  });
});
