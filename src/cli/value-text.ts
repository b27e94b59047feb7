/**
 * Values as text. The store holds what msgpack can say: text, numbers, objects, bytes. For a person one
 * value is one line; for a machine it is JSON, where bytes become `{ "$base64": "..." }` because JSON has none.
 */

/** One value on one line, for a person. Text stands as it is unless it would break the line. */
export function valueLine(value: unknown): string {
  if (typeof value === 'string') return breaksLine(value) ? JSON.stringify(value) : value;
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  return JSON.stringify(jsonValue(value)) ?? 'undefined';
}

/** The value as JSON can say it. */
export function jsonValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $base64: Buffer.from(value).toString('base64') };
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return Array.from(value as unknown as ArrayLike<number>);
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([k, v]) => [String(k), jsonValue(v)] as const));
  if (value instanceof Set || Array.isArray(value)) return Array.from(value as Iterable<unknown>, jsonValue);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, jsonValue(v)] as const));
  return value;
}

function breaksLine(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are what must not reach a terminal
  return /[\u0000-\u001f\u007f]/.test(text);
}
