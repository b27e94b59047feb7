/**
 * Bytes of one's own. `slice` will not do: on a Buffer, which most bytes here are, it gives a view. A Buffer, as sockets and LevelDB
 * give them: small ones share their memory's allocation with others (never a byte of it), which costs a fraction of one each.
 */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes);
}

/** Flips one bit in place; nothing where there is no such bit. */
export function flipBit(bytes: Uint8Array, bit: number): void {
  const at = bit >> 3;
  if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
}
