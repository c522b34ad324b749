/**
 * Lazy status flags, evaluated in TypeScript. The wasm tiers evaluate the same cases with generated code.
 * ST_CC_OP holds CC_* | log2(operand bytes) << 8; ST_CC_RES and ST_CC_SRC hold the operands shifted to the top of 64 bits
 * (but CF in bit 0 of ST_CC_SRC for CC_INC and CC_DEC, RFLAGS bits there for CC_GIVEN).
 */
import { RFLAGS_AF, RFLAGS_CF, RFLAGS_OF, RFLAGS_PF, RFLAGS_SF, RFLAGS_ZF } from '@smm/x86-defs';
import { CC_ADC, CC_ADD, CC_DEC, CC_EAGER, CC_GIVEN, CC_INC, CC_LOGIC, CC_SBB, CC_SUB } from './layout.ts';

/** The six status flags. */
export const STATUS_FLAGS: number = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF;

/** PF of a byte: RFLAGS_PF if it has an even number of ones. */
export function parity(byte: number): number {
  let x = byte & 0xff;
  x ^= x >> 4;
  return (0x9669 >> (x & 0xf)) & 1 ? RFLAGS_PF : 0;
}

/** Status flags of a lazy operation. `res` and `src` are unsigned 64-bit, shifted to the top. */
export function evaluateFlags(ccOp: number, res: bigint, src: bigint, eflags: number): number {
  const kind = ccOp & 0xff;
  if (kind === CC_EAGER) return eflags & STATUS_FLAGS;
  const width = 8n << BigInt(ccOp >> 8);
  const shift = 64n - width;
  const mask = (1n << width) - 1n;
  const r = res >> shift;
  const sign = 1n << (width - 1n);
  const low = Number(r & 0xffn);
  let flags = (r === 0n ? RFLAGS_ZF : 0) | (r & sign ? RFLAGS_SF : 0) | parity(low);
  if (kind === CC_LOGIC) return flags;
  if (kind === CC_GIVEN) return flags | Number(src & BigInt(RFLAGS_CF | RFLAGS_OF | RFLAGS_AF));
  if (kind === CC_INC || kind === CC_DEC) {
    const edge = kind === CC_INC ? sign : sign - 1n;
    const nibble = kind === CC_INC ? 0 : 0xf;
    return (
      flags |
      (src & 1n ? RFLAGS_CF : 0) |
      (r === edge ? RFLAGS_OF : 0) |
      ((low & 0xf) === nibble ? RFLAGS_AF : 0)
    );
  }
  const s = src >> shift;
  const carry = kind === CC_ADC || kind === CC_SBB ? 1n : 0n;
  if (kind === CC_ADD || kind === CC_ADC) {
    const a = (r - s - carry) & mask;
    if (carry ? r <= s : r < s) flags |= RFLAGS_CF;
    if ((a ^ s ^ r) & 0x10n) flags |= RFLAGS_AF;
    if (~(a ^ s) & (a ^ r) & sign) flags |= RFLAGS_OF;
    return flags;
  }
  if (kind === CC_SUB || kind === CC_SBB) {
    const a = (r + s + carry) & mask;
    if (carry ? a <= s : a < s) flags |= RFLAGS_CF;
    if ((a ^ s ^ r) & 0x10n) flags |= RFLAGS_AF;
    if ((a ^ s) & (a ^ r) & sign) flags |= RFLAGS_OF;
    return flags;
  }
  throw new RangeError(`flags: unknown lazy operation ${kind}`);
}
