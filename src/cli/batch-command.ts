/**
 * `trefoil batch`: puts and deletes from standard input, one JSON object a line, together.
 *
 *     {"put":"{order/7}/item/1","value":{"n":2},"ifAbsent":true}
 *     {"delete":"{order/7}/draft","ifVersion":41}
 */
import type { CommandModule } from 'yargs';
import type { BatchOperation, BatchResult, Written } from '../client/api.js';
import { TrefoilError } from '../core/errors.js';
import { withDatabase } from './connect.js';
import { cliContext, type CliContext } from './context.js';
import {
  callOptions,
  dataOptions,
  writeOption,
  type DataArguments,
  type WriteArguments,
} from './data-options.js';
import { degradedNote, explainForNote, replicasWanted } from './degraded-note.js';
import { EXIT, endWith } from './exit-codes.js';
import { failureJson } from './failure.js';
import { writtenLine } from './put-command.js';
import { parseJson, readBytes } from './read-input.js';

type BatchArguments = DataArguments & Pick<WriteArguments, 'write' | 'ack'> & { readonly atomic: boolean };

/** Bytes of standard input, and lines of it: more are a load, and want a program. */
const INPUT_BYTES_MAX = 16 * 1024 * 1024;
const LINES_MAX = 10_000;

const FIELDS_OF_PUT = ['put', 'value', 'ttlMs', 'ifVersion', 'ifAbsent'];
const FIELDS_OF_DELETE = ['delete', 'ifVersion', 'ifAbsent'];

export const batchCommand: CommandModule<object, BatchArguments> = {
  command: 'batch',
  describe: 'put and delete what standard input says, one JSON object a line',
  builder: (yargs) =>
    writeOption(dataOptions(yargs)).option('atomic', {
      describe:
        'with a leader: all of them or none; give their keys a common {tag}, which puts them into one partition',
      type: 'boolean',
      default: false,
    }).epilogue(`Lines:
  {"put":KEY,"value":JSON,"ttlMs":N}
  {"delete":KEY}
With a leader either may have "ifVersion":N or "ifAbsent":true.
Without --atomic each stands for itself; exit code 3: some of them failed.`),
  handler: async (argv) => {
    const context = cliContext(argv);
    const text = new TextDecoder().decode(await readBytes(process.stdin, INPUT_BYTES_MAX));
    const operations = batchOperations(text);
    const { results, wanted } = await withDatabase(argv, async (db) => {
      const wanted = replicasWanted(db.map, argv);
      const options = { ...explainForNote(wanted, argv.json), ...callOptions('', argv), atomic: argv.atomic };
      return { wanted, results: await db.namespace(argv.namespace).batch(operations, options) };
    });
    results.forEach((result) => printResult(context, result));
    const degraded = degradedNote(wanted, results.flatMap(writtenOf));
    if (degraded !== undefined && !context.json) context.note(degraded);
    const failed = results.flatMap((result) => (result.type === 'error' ? [result.error] : []));
    if (failed.length === 0) return;
    if (failed.some(({ outcome }) => outcome === 'unknown')) endWith(EXIT.unknown);
    else endWith(failed.length < results.length ? EXIT.partial : EXIT.failed);
  },
};

/** The operations of some lines; empty ones are left out. Throws `BadRequest`, naming the line. */
export function batchOperations(text: string): BatchOperation<unknown>[] {
  const lines = text.split('\n');
  const operations = lines.flatMap((line, i) =>
    line.trim() === '' ? [] : [operationOf(parseJson(line, `line ${i + 1}`), i + 1)],
  );
  if (operations.length > 0 && operations.length <= LINES_MAX) return operations;
  const what = operations.length === 0 ? 'holds no operation' : `holds more than ${LINES_MAX} operations`;
  throw new TrefoilError('BadRequest', `standard input ${what}: give one JSON object a line`);
}

function operationOf(parsed: unknown, line: number): BatchOperation<unknown> {
  const fields = new Map(typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : []);
  const type = fields.has('put') ? 'put' : 'delete';
  const key: unknown = fields.get(type);
  if (typeof key !== 'string' || (type === 'put') !== fields.has('value')) {
    throw bad(line, 'must be {"put":KEY,"value":...} or {"delete":KEY}');
  }
  const known = type === 'put' ? FIELDS_OF_PUT : FIELDS_OF_DELETE;
  const strange = [...fields.keys()].find((name) => !known.includes(name));
  if (strange !== undefined) throw bad(line, `has ${JSON.stringify(strange)}; known are ${known.join(', ')}`);
  const number = (name: 'ttlMs' | 'ifVersion'): object => {
    const value: unknown = fields.get(name);
    if (value === undefined) return {};
    if (typeof value === 'number') return { [name]: value };
    throw bad(
      line,
      `has ${name === 'ttlMs' ? 'a' : 'an'} ${name} that is no number: ${JSON.stringify(value)}`,
    );
  };
  const ifAbsent: unknown = fields.get('ifAbsent') ?? false;
  if (typeof ifAbsent !== 'boolean')
    throw bad(line, `has an ifAbsent that is neither true nor false: ${JSON.stringify(ifAbsent)}`);
  const condition = { ...number('ifVersion'), ...(ifAbsent ? { ifAbsent } : {}) };
  return type === 'put'
    ? { type, key, value: fields.get('value'), ...number('ttlMs'), ...condition }
    : { type, key, ...condition };
}

function bad(line: number, what: string): TrefoilError {
  return new TrefoilError('BadRequest', `line ${line} ${what}`);
}

function printResult(context: CliContext, result: BatchResult<unknown>): void {
  if (result.type === 'get') return;
  if (result.type === 'error') {
    const { key, error } = result;
    if (context.json) context.printJson({ key, ...failureJson(error) });
    else context.print(`failed ${key}: ${error.code}: ${error.message}`);
    return;
  }
  const verb = result.type === 'put' ? 'stored' : 'deleted';
  if (context.json) context.printJson(resultJson(verb, result.written));
  else context.print(writtenLine(verb, result.written));
}

/** A write of a batch as `--json` prints it. */
export function resultJson(
  result: 'stored' | 'deleted',
  { key, siblings, version, replicas }: Written,
): Record<string, unknown> {
  return {
    key,
    result,
    siblings,
    ...(version === undefined ? {} : { version }),
    ...(replicas === undefined ? {} : { replicas }),
  };
}

function writtenOf(result: BatchResult<unknown>): Written[] {
  return result.type === 'put' || result.type === 'delete' ? [result.written] : [];
}
