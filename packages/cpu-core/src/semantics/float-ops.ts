/** Floating-point operations of SSE: what a back end has to know beside the vector ones. */

/** What is computed in each lane of two vectors. */
export type LaneOp = 'ADD' | 'SUB' | 'MUL' | 'DIV' | 'SQRT' | 'MIN' | 'MAX' | 'RCP' | 'RSQRT';

/** Bytes of a lane: single or double precision. */
export type FloatWidth = 4 | 8;

/** An operation on lanes. Of one with one operand, that is the second. */
export interface FloatOp {
  /** ADDSUB is SUB in even lanes, ADD in odd ones. */
  readonly op: LaneOp | 'ADDSUB';
  readonly width: FloatWidth;
  /** All lanes; else the lowest, the others are those of the first operand. */
  readonly packed: boolean;
}

/**
 * Conversions between vectors, by the mnemonic without CVT; T truncates. Lanes beyond the result's are 0. SS2SD and
 * SD2SS are of the lowest lane alone.
 */
export type Conversion =
  | 'DQ2PS'
  | 'DQ2PD'
  | 'PS2DQ'
  | 'TPS2DQ'
  | 'PD2DQ'
  | 'TPD2DQ'
  | 'PS2PD'
  | 'PD2PS'
  | 'SS2SD'
  | 'SD2SS';

/** What the last two letters of a mnemonic say. */
export function floatShape(name: string): { readonly width: FloatWidth; readonly packed: boolean } {
  return { width: name.endsWith('S') ? 4 : 8, packed: name.at(-2) === 'P' };
}
