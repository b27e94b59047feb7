/** The value of a `put`: an argument, a file, or standard input, never more than a value may hold. */
import { createReadStream } from 'node:fs';
import { TrefoilError } from '../core/errors.js';
import { VALUE_BYTES_MAX } from '../core/limits.js';

export interface PutInput {
  readonly value: string | undefined;
  readonly file: string | undefined;
  readonly valueJson: boolean;
}

/** The value to store. Throws `BadRequest` for no value, two values, or text that is not the JSON it claims to be. */
export async function readInput(input: PutInput): Promise<unknown> {
  if ((input.value === undefined) === (input.file === undefined))
    throw new TrefoilError('BadRequest', 'give one value: as VALUE, with --file PATH, or - for stdin');
  const fromStdin = input.value === '-' || input.file === '-';
  if (!fromStdin && input.value !== undefined)
    return input.valueJson ? parseJson(input.value, 'VALUE') : input.value;
  const bytes = await readBytes(fromStdin ? process.stdin : createReadStream(input.file ?? ''));
  if (!input.valueJson) return bytes;
  return parseJson(new TextDecoder().decode(bytes), fromStdin ? 'standard input' : (input.file ?? ''));
}

/** Parses JSON that came from `source`. Throws `BadRequest`. */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new TrefoilError('BadRequest', `${source} is not JSON: ${(error as Error).message}`);
  }
}

/** All of a stream. Throws `ValueTooLarge` beyond `bytesMax`, and `BadRequest` where it cannot be read. */
export async function readBytes(
  stream: AsyncIterable<unknown>,
  bytesMax = VALUE_BYTES_MAX,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of stream) {
      chunks.push(chunk as Uint8Array);
      length += (chunk as Uint8Array).length;
      if (length > bytesMax)
        throw new TrefoilError(
          'ValueTooLarge',
          `the input holds more than ${bytesMax} bytes, the limit${bytesMax === VALUE_BYTES_MAX ? ' of one value' : ''}`,
        );
    }
  } catch (error) {
    if (error instanceof TrefoilError) throw error;
    throw new TrefoilError('BadRequest', `cannot read the value: ${(error as Error).message}`);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
