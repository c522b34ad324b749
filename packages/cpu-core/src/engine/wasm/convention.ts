/** What the functions of the generated module share: addressing models, local variables, functions to call. */

/** Which addressing a set of handlers is for. */
export type Model = 'flat32' | 'flat64' | 'general';

/** Indices of the functions that handlers call. */
export interface Functions {
  readonly abort: number;
  readonly slowPath: number;
  readonly flags: number;
  readonly carry: number;
  readonly follow: number;
  readonly mulHigh: number;
  /** Notes an indirect jump; only where there is a translator that looks. */
  readonly logJump: number | undefined;
  /** Linear address of an access in a segment, or -1 where it is not simply allowed. */
  readonly segment: number;
}

/** Local variables that every handler knows. */
export const LOCAL_STATE = 0;
export const LOCAL_RECORD = 1;
export const LOCAL_BLOCK = 2;
export const LOCAL_TLB = 3;
/** First local of the 64-bit pool. */
export const LOCAL_POOL64 = 4;
export const POOL64 = 64;
/** First local of the 32-bit pool. */
export const LOCAL_POOL32: number = LOCAL_POOL64 + POOL64;
export const POOL32 = 40;
/** First local of the pool of vectors. */
export const LOCAL_POOL128: number = LOCAL_POOL32 + POOL32;
export const POOL128 = 12;
