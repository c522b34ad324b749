/** What the functions of the generated module share: addressing models, local variables, functions to call. */

/** Which addressing a set of handlers is for. */
export type Addressing = 'flat32' | 'flat64' | 'general';

/** Indices of the functions that handlers call. */
export interface Functions {
  readonly abort: number;
  readonly slowPath: number;
  readonly flags: number;
  readonly follow: number;
  readonly mulHigh: number;
  /** Notes an indirect jump; only where there is a translator that looks. */
  readonly logJump: number | undefined;
  /** Linear address of an access in a segment, or -1 where it is not simply allowed. */
  readonly segment: number;
  /** `SETTLE`. */
  readonly settle: number;
}

/** Where handlers go, as branch depths from their own code. */
export interface Labels {
  /** LOCAL_RECORD is the host offset of a RIP of an extension: go on there, through its link or by a look-up. */
  readonly follow: number;
  /** Go on at LOCAL_RIP. */
  readonly jump: number;
  /** The evaluator is to execute the record's instruction. */
  readonly abort: number;
  /** Go on with the block in LOCAL_BLOCK. */
  readonly go: number;
  /** Leave the loop: back to TypeScript. */
  readonly exit: number;
}

/** Labels around code at depth `inner` of what {@link Labels.follow} labels directly. */
export function labelsAt(inner: number): Labels {
  return { follow: inner, jump: inner + 1, abort: inner + 2, go: inner + 3, exit: inner + 4 };
}

/** Local variables that every handler knows. */
export const LOCAL_STATE = 0;
export const LOCAL_RECORD = 1;
export const LOCAL_BLOCK = 2;
export const LOCAL_TLB = 3;
/** Target of an indirect jump on its way to {@link Labels.jump}. */
export const LOCAL_RIP = 4;
/** First local of the 64-bit pool. */
export const LOCAL_POOL64 = 5;
export const POOL64 = 64;
/** First local of the 32-bit pool. */
export const LOCAL_POOL32: number = LOCAL_POOL64 + POOL64;
export const POOL32 = 40;
/** First local of the pool of vectors. */
export const LOCAL_POOL128: number = LOCAL_POOL32 + POOL32;
export const POOL128 = 12;
