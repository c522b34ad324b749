/** ModRM, SIB and displacement (Intel SDM volume 2, "Addressing-Mode Encoding of ModR/M and SIB Bytes"). */
import { type Insn, REG_NONE, REG_RIP } from '../insn.ts';

const SS = 2;
const DS = 3;
const BX = 3;
const SP = 4;
const BP = 5;
const SI = 6;
const DI = 7;

/** Base register of the 16-bit forms by r/m. */
const BASE_16 = Uint8Array.of(BX, BX, BP, BP, SI, DI, BP, BX);
/** Index register of the 16-bit forms by r/m. */
const INDEX_16 = Uint8Array.of(SI, DI, SI, DI, REG_NONE, REG_NONE, REG_NONE, REG_NONE);

/** Little-endian signed 32 bits; the caller knows that the bytes are there. */
export function readS32(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** Little-endian signed 16 bits. */
export function readS16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] | (bytes[at + 1] << 8)) << 16) >> 16;
}

/**
 * Decodes the memory form of a ModRM byte into `out` (`base`, `index`, `scale`, `disp`, `dispHigh`, and the default
 * `segment`).
 *
 * @param at Position after the ModRM byte.
 * @param limit Position that may not be read any more.
 * @returns The position after the displacement, or -1 when bytes are missing.
 */
export function decodeMemory(
  bytes: Uint8Array,
  at: number,
  limit: number,
  modRm: number,
  rex: number,
  out: Insn,
): number {
  const mod = modRm >> 6;
  const rm = modRm & 7;
  let dispSize = mod === 1 ? 1 : 0;
  let base: number;
  let index = REG_NONE;
  if (out.addressSize === 2) {
    base = BASE_16[rm];
    index = INDEX_16[rm];
    if (mod === 2) dispSize = 2;
    else if (mod === 0 && rm === 6) {
      base = REG_NONE;
      dispSize = 2;
    }
    out.segment = base === BP ? SS : DS;
  } else {
    if (mod === 2) dispSize = 4;
    if (rm === 4) {
      if (at >= limit) return -1;
      const sib = bytes[at++];
      base = sib & 7;
      index = ((sib >> 3) & 7) | ((rex & 2) << 2);
      if (index === SP) index = REG_NONE;
      else out.scale = sib >> 6;
      if (base === BP && mod === 0) {
        base = REG_NONE;
        dispSize = 4;
      } else base |= (rex & 1) << 3;
    } else if (rm === BP && mod === 0) {
      base = out.codeSize === 64 ? REG_RIP : REG_NONE;
      dispSize = 4;
    } else base = rm | ((rex & 1) << 3);
    // Only RSP and RBP imply SS; R12 and R13 share their ModRM encodings but not their segment.
    out.segment = base === SP || base === BP ? SS : DS;
  }
  out.base = base;
  out.index = index;
  if (dispSize === 0) return at;
  if (at + dispSize > limit) return -1;
  const disp =
    dispSize === 1 ? (bytes[at] << 24) >> 24 : dispSize === 2 ? readS16(bytes, at) : readS32(bytes, at);
  out.disp = disp;
  out.dispHigh = disp >> 31;
  return at + dispSize;
}
