/** Bytes that are read at any place, so that a large file need not be held. */
/** A file, as its reader sees it. */
export interface ByteSource {
  /** Length in bytes. */
  readonly size: number;
  /** The `length` bytes from `offset`, or fewer if the file has become shorter. The reader does not keep them. */
  readonly read: (offset: number, length: number) => Uint8Array;
}

/** Bytes in memory. */
export function sourceOf(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** Bytes that a {@link readAhead} fetches at once. */
const BLOCK = 0x1_0000;

/** The same bytes, for reads that are small and follow each other: they are fetched in blocks. */
export function readAhead({ size, read }: ByteSource): ByteSource {
  let start = 0;
  let block: Uint8Array = new Uint8Array();
  return {
    size,
    read: (offset, length) => {
      if (length > BLOCK) return read(offset, length);
      if (offset < start || offset + length > start + block.length) {
        start = offset;
        block = read(offset, Math.min(BLOCK, size - offset)).slice();
      }
      return block.subarray(offset - start, offset - start + length);
    },
  };
}
