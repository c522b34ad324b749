/**
 * Lazy status flags, evaluated in TypeScript. The wasm tiers evaluate the same cases with generated code.
 * ST_CC_OP holds CC_* and perhaps CC_CF_APART and CC_OF_APART, | log2(operand bytes) << 8; ST_CC_RES and ST_CC_SRC hold
 * the operands shifted to the top of 64 bits (but CF in bit 0 of ST_CC_SRC for CC_INC and CC_DEC, RFLAGS bits there for
 * CC_GIVEN).
 */
import { RFLAGS_AF, RFLAGS_CF, RFLAGS_OF, RFLAGS_PF, RFLAGS_SF, RFLAGS_ZF } from '@smm/x86-defs';
import {
  CC_ADC,
  CC_ADD,
  CC_CF_APART,
  CC_DEC,
  CC_EAGER,
  CC_GIVEN,
  CC_INC,
  CC_KIND,
  CC_LOGIC,
  CC_OF_APART,
  CC_SBB,
  CC_SUB,
} from './layout.ts';

/** The six status flags. */
export const STATUS_FLAGS: number = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF;

/** PF of a byte: RFLAGS_PF if it has an even number of ones. */
export function parity(byte: number): number {
  let x = byte & 0xff;
  x ^= x >> 4;
  return (0x9669 >> (x & 0xf)) & 1 ? RFLAGS_PF : 0;
}

/**
 * Status flags of a lazy operation. The 64-bit `res` and `src` come as unsigned halves, shifted to the top: an operand
 * of up to 32 bits has its low half zero.
 */
export function evaluateFlags(
  ccOp: number,
  resLow: number,
  resHigh: number,
  srcLow: number,
  srcHigh: number,
  eflags: number,
): number {
  const apart = (ccOp & CC_CF_APART ? RFLAGS_CF : 0) | (ccOp & CC_OF_APART ? RFLAGS_OF : 0);
  return (lazyFlags(ccOp, resLow, resHigh, srcLow, srcHigh, eflags) & ~apart) | (eflags & apart);
}

/** As {@link evaluateFlags}, with nothing apart. */
function lazyFlags(
  ccOp: number,
  resLow: number,
  resHigh: number,
  srcLow: number,
  srcHigh: number,
  eflags: number,
): number {
  const kind = ccOp & CC_KIND;
  if (kind === CC_EAGER) return eflags & STATUS_FLAGS;
  const bytes = 1 << (ccOp >> 8);
  const wide = bytes === 8;
  const shift = wide ? 0 : 32 - 8 * bytes;
  /** Lowest byte of the operand. */
  const low = ((wide ? resLow : resHigh >>> shift) & 0xff) >>> 0;
  const flags = ((resLow | resHigh) === 0 ? RFLAGS_ZF : 0) | (resHigh >>> 31 ? RFLAGS_SF : 0) | parity(low);
  switch (kind) {
    case CC_LOGIC:
      return flags;
    case CC_GIVEN:
      return flags | (srcLow & (RFLAGS_CF | RFLAGS_OF | RFLAGS_AF));
    case CC_INC:
      return (
        flags |
        (srcLow & 1 ? RFLAGS_CF : 0) |
        (resHigh === 0x8000_0000 && resLow === 0 ? RFLAGS_OF : 0) |
        ((low & 0xf) === 0 ? RFLAGS_AF : 0)
      );
    case CC_DEC: {
      // The greatest positive number; below it only zeros.
      const edge = resHigh === (0x7fff_ffff >>> shift) << shift && (!wide || resLow === 0xffff_ffff);
      return (
        flags | (srcLow & 1 ? RFLAGS_CF : 0) | (edge ? RFLAGS_OF : 0) | ((low & 0xf) === 0xf ? RFLAGS_AF : 0)
      );
    }
    case CC_ADD:
    case CC_ADC:
    case CC_SUB:
    case CC_SBB:
      break;
    default:
      throw new RangeError(`flags: unknown lazy operation ${kind}`);
  }
  // The first operand: result minus (plus) the second and the carry (borrow) that came in.
  const adds = kind === CC_ADD || kind === CC_ADC;
  const carry = kind === CC_ADC || kind === CC_SBB ? 1 : 0;
  const sign = adds ? -1 : 1;
  const sumLow = resLow + sign * (srcLow + (wide ? carry : 0));
  const aLow = sumLow >>> 0;
  const over = Math.floor(sumLow / 0x1_0000_0000);
  const aHigh = (resHigh + sign * (srcHigh + (wide ? 0 : carry * 2 ** shift)) + over) >>> 0;
  const xLow = adds ? resLow : aLow;
  const xHigh = adds ? resHigh : aHigh;
  const equal = xHigh === srcHigh && xLow === srcLow;
  const below = xHigh < srcHigh || (xHigh === srcHigh && xLow < srcLow);
  const mixed = wide ? aLow ^ srcLow ^ resLow : (aHigh ^ srcHigh ^ resHigh) >>> shift;
  const signs = (adds ? ~(aHigh ^ srcHigh) : aHigh ^ srcHigh) & (aHigh ^ resHigh);
  return (
    flags |
    (below || (carry && equal) ? RFLAGS_CF : 0) |
    (mixed & 0x10 ? RFLAGS_AF : 0) |
    (signs < 0 ? RFLAGS_OF : 0)
  );
}
