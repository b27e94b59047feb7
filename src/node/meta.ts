/** The node's own few entries in its store: JSON, so that an operator can read them with any LevelDB tool. */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeMeta(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** The value that `encodeMeta` wrote; undefined for an absent entry. */
export function decodeMeta<T>(bytes: Uint8Array | undefined): T | undefined {
  return bytes === undefined ? undefined : (JSON.parse(decoder.decode(bytes)) as T);
}
