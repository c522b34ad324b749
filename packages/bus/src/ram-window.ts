/** Guest RAM as the devices see it: a window of bytes that somebody else owns. */

/**
 * A stretch of host memory that holds guest RAM and ROM. Any typed array or DataView is one; so is a part of a WebAssembly memory.
 * Host offsets everywhere in this package count bytes from `byteOffset`.
 */
export interface RamWindow {
  /** The backing buffer; never resized or detached while in use. */
  readonly buffer: ArrayBufferLike;
  /** Where host offset 0 lies in `buffer`, bytes. */
  readonly byteOffset: number;
  /** Size of the window in bytes. */
  readonly byteLength: number;
}
