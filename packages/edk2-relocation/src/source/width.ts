/** Register names by image width, so that one source gives the 32-bit and the 64-bit code. */

/** Names of the full-width registers of an image. */
export interface Width {
  /** 32 or 64. */
  readonly bits: 32 | 64;
  /** Accumulator. */
  readonly ax: string;
  /** Base. */
  readonly bx: string;
  /** Count. */
  readonly cx: string;
  /** Data. */
  readonly dx: string;
  /** Source index. */
  readonly si: string;
  /** Destination index. */
  readonly di: string;
  /** Base pointer. */
  readonly bp: string;
  /** Stack pointer. */
  readonly sp: string;
  /** Size keyword of a pointer. */
  readonly pointer: 'dword' | 'qword';
  /** Data directive of a pointer. */
  readonly data: 'dd' | 'dq';
  /** Bytes in a pointer. */
  readonly size: 4 | 8;
}

/** The names for an image of `bits`. */
export function widthOf(bits: 32 | 64): Width {
  const prefix = bits === 32 ? 'e' : 'r';
  return {
    bits,
    ax: `${prefix}ax`,
    bx: `${prefix}bx`,
    cx: `${prefix}cx`,
    dx: `${prefix}dx`,
    si: `${prefix}si`,
    di: `${prefix}di`,
    bp: `${prefix}bp`,
    sp: `${prefix}sp`,
    pointer: bits === 32 ? 'dword' : 'qword',
    data: bits === 32 ? 'dd' : 'dq',
    size: bits === 32 ? 4 : 8,
  };
}
