/** Bytes of one's own. `slice` will not do: on a Buffer, which most bytes here are, it gives a view. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
