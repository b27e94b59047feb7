/** Bytes of one's own. `slice` will not do: on a Buffer, which most bytes here are, it gives a view. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** Flips one bit in place; nothing where there is no such bit. */
export function flipBit(bytes: Uint8Array, bit: number): void {
  const at = bit >> 3;
  if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
}
