/**
 * Operand codes in the notation of the SDM's opcode map (Intel SDM volume 2, "Opcode Map", "Key to Abbreviations"):
 * an addressing letter and a width suffix, packed into one number each. A few codes of our own are marked.
 */

/** Addressing: ModRM r/m, a general register or memory. */
export const A_E = 1;
/** Addressing: ModRM reg, a general register. */
export const A_G = 2;
/** Addressing: ModRM r/m, memory only. */
export const A_M = 3;
/** Addressing: ModRM r/m, a general register whatever mod says. */
export const A_R = 4;
/** Addressing: low three bits of the opcode, a general register. */
export const A_Z = 5;
/** Addressing: immediate, sign-extended. */
export const A_I = 6;
/** Addressing (ours): immediate, zero-extended: counts, ports, vectors, stack adjustments. */
export const A_U = 7;
/** Addressing: relative branch displacement. */
export const A_J = 8;
/** Addressing: memory offset in the instruction, no ModRM. */
export const A_O = 9;
/** Addressing: far pointer in the instruction. */
export const A_A = 10;
/** Addressing: ModRM reg, a segment register. */
export const A_S = 11;
/** Addressing: ModRM reg, a control register. */
export const A_C = 12;
/** Addressing: ModRM reg, a debug register. */
export const A_D = 13;
/** Addressing: ModRM reg, an XMM register. */
export const A_V = 14;
/** Addressing: ModRM r/m, an XMM register or memory. */
export const A_W = 15;
/** Addressing: ModRM reg, an MMX register. */
export const A_P = 16;
/** Addressing: ModRM r/m, an MMX register or memory. */
export const A_Q = 17;
/** Addressing (ours): the accumulator. */
export const A_ACC = 18;
/** Addressing (ours): CL. */
export const A_CL = 19;
/** Addressing (ours): DX. */
export const A_DX = 20;
/** Addressing (ours): the constant 1. */
export const A_ONE = 21;
/** Addressing (ours): segment register named by opcode bits 5..3. */
export const A_OPSREG = 22;
/** Addressing (ours): memory of a width we do not model if ModRM says memory, else no operand at all. */
export const A_ANY = 23;
/** Addressing (ours): as E, but memory is always 16 bits wide. */
export const A_EMW = 24;
/** Addressing (ours): second immediate byte (ENTER). */
export const A_I2 = 25;
/** Addressing (ours): ModRM r/m, an x87 stack register. */
export const A_ST = 26;
/** Addressing (ours): top of the x87 stack. */
export const A_ST0 = 27;

/** Width: none or not modelled. */
const W_NONE = 0;
/** Width: effective operand size. */
export const W_V = 1;
/** Width: effective operand size, at most 4. */
export const W_Z = 2;
/** Width: 8 with REX.W, else 4. */
export const W_Y = 3;
/** Width: selector and offset of the effective operand size. */
export const W_P = 4;
/** Width: pseudo-descriptor (2 + 4, or 2 + 8 in 64-bit mode). */
export const W_S = 5;
/** Width (ours): 8 in 64-bit mode, else 4. */
export const W_N = 6;
/** Width: pair of the effective operand size (BOUND). */
export const W_A = 7;
/** Width: 10 bytes (x87). */
export const W_T = 8;
/** First of the fixed widths: 1, 2, 4, 8, 16 bytes are `W_B + log2`. */
export const W_B = 9;

const ADDRESSING: Readonly<Record<string, number>> = {
  E: A_E,
  G: A_G,
  M: A_M,
  R: A_R,
  Z: A_Z,
  I: A_I,
  U: A_U,
  J: A_J,
  O: A_O,
  A: A_A,
  S: A_S,
  C: A_C,
  D: A_D,
  V: A_V,
  W: A_W,
  P: A_P,
  Q: A_Q,
};

const WIDTH: Readonly<Record<string, number>> = {
  '': W_NONE,
  v: W_V,
  z: W_Z,
  y: W_Y,
  p: W_P,
  s: W_S,
  n: W_N,
  a: W_A,
  t: W_T,
  b: W_B,
  w: W_B + 1,
  d: W_B + 2,
  q: W_B + 3,
  x: W_B + 4,
};

/** Codes that are not letter plus suffix. */
const WHOLE: Readonly<Record<string, number>> = {
  AL: A_ACC | (W_B << 8),
  AX: A_ACC | ((W_B + 1) << 8),
  eAX: A_ACC | (W_Z << 8),
  rAX: A_ACC | (W_V << 8),
  CL: A_CL | (W_B << 8),
  DX: A_DX | ((W_B + 1) << 8),
  '1': A_ONE | (W_B << 8),
  sreg: A_OPSREG | ((W_B + 1) << 8),
  '?': A_ANY,
  'Ev/Mw': A_EMW | (W_V << 8),
  Ib2: A_I2 | (W_B << 8),
  STi: A_ST | (W_T << 8),
  ST: A_ST0 | (W_T << 8),
};

/** Packs one operand code: addressing in bits 7..0, width in bits 15..8. */
export function operandCode(text: string): number {
  const whole = WHOLE[text];
  if (whole !== undefined) return whole;
  const addressing = ADDRESSING[text.charAt(0)];
  const width = WIDTH[text.slice(1)];
  if (addressing === undefined || width === undefined)
    throw new Error(`operand code ${text} is not in the key`);
  return addressing | (width << 8);
}

/** True if the addressing reads the ModRM byte. */
export function needsModRm(code: number): boolean {
  const addressing = code & 0xff;
  return (
    (addressing >= A_E && addressing <= A_R) ||
    (addressing >= A_S && addressing <= A_Q) ||
    addressing === A_ANY ||
    addressing === A_ST ||
    addressing === A_EMW
  );
}
