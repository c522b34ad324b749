/** Compression of trace.dat version 7, which this package leaves to its user. */

/** One algorithm. */
export interface TraceCodec {
  /** Its name in the file: `zstd` or `zlib`. */
  readonly name: string;
  /** Its version, which the file keeps for people to read. */
  readonly version: string;
  /** Compresses a piece. */
  readonly compress: (data: Uint8Array) => Uint8Array;
  /** Decompresses a piece to `size` bytes; throws if it is damaged. */
  readonly decompress: (data: Uint8Array, size: number) => Uint8Array;
}
