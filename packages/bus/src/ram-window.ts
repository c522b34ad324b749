/** Guest RAM as the devices see it: a window of bytes that somebody else owns. */

/**
 * A stretch of host memory that holds guest RAM and ROM. A `WebAssembly.Memory` is one, and so is
 * any typed array or DataView. Host offsets everywhere in this package count bytes from `byteOffset`.
 */
export interface RamWindow {
  /** The backing buffer; never resized or detached while in use. */
  readonly buffer: ArrayBufferLike;
  /** Where host offset 0 lies in `buffer`, bytes; default 0. */
  readonly byteOffset?: number;
  /** Size of the window in bytes; default up to the end of `buffer`. */
  readonly byteLength?: number;
}
