/** One decoded instruction: flat numeric fields, so that decoding allocates nothing. */

/** Operand kinds. The value field means: */
export const K_NONE = 0;
/** General register: byte offset into the GPR file (register * 8, AH..BH = register * 8 + 1). */
export const K_REG = 1;
/** Memory: the instruction's one memory operand (`base`, `index`, `scale`, `disp`, `segment`). */
export const K_MEM = 2;
/**
 * Immediate: `imm` and `immHigh`, sign-extended from the encoded width; zero-extended where the instruction takes an
 * unsigned number (shift counts, ports, interrupt vectors, RET and ENTER sizes, AAM and AAD bases).
 */
export const K_IMM = 3;
/** Near relative target: `imm` is the signed displacement from the next instruction. */
export const K_REL = 4;
/** Far pointer in the instruction: `imm` offset (unsigned 32 bit), `imm2` selector. */
export const K_FAR = 5;
/** Segment register: SDM number (ES CS SS DS FS GS). */
export const K_SREG = 6;
/** Control register number. */
export const K_CR = 7;
/** Debug register number. */
export const K_DR = 8;
/** XMM register number. */
export const K_XMM = 9;
/** MMX register number. */
export const K_MM = 10;
/** x87 stack register number. */
export const K_ST = 11;

/** No base or no index register. */
export const REG_NONE = 16;
/** RIP as base. */
export const REG_RIP = 17;

/** REP prefix state. */
export const REP_NONE = 0;
/** F3 (REP, REPE). */
export const REP_F3 = 1;
/** F2 (REPNE). */
export const REP_F2 = 2;

/** Modes in which the decoder works: default code size. */
export type CodeSize = 16 | 32 | 64;

/** A decoded instruction. The decoder refills one object; keep a {@link Insn.clone} if it must live. */
export class Insn {
  /** Operation, see `OP`. */
  op = 0;
  /** What a processor must have for it: an index into `ENCODING_FEATURES`, 0 for nothing. */
  feature = 0;
  /** Effective operand size in bytes: 1, 2, 4, 8 (16 for XMM). Stack operations: the width pushed or popped. */
  size = 4;
  /** Effective address size in bytes: 2, 4, 8. */
  addressSize = 4;
  /** Length in bytes, 1 to 15. */
  length = 0;
  /** With `OP.INVALID`: the instruction is longer than 15 bytes, which is #GP(0) instead of #UD. */
  tooLong = false;
  /** Code size it was decoded for. */
  codeSize: CodeSize = 32;
  /** LOCK prefix present (the decoder has already turned illegal LOCK into `OP.INVALID`). */
  lock = false;
  /** `REP_NONE`, `REP_F3` or `REP_F2`; mandatory prefixes of SSE are not reported here. */
  rep = REP_NONE;
  /** Segment of the memory operand (SDM number), override applied; also the source segment of string instructions. */
  segment = 3;
  /** Condition code 0..15 of JCC, SETCC, CMOVCC. */
  cc = 0;
  /** Operand count, 0..3. */
  operands = 0;
  /** Kind of operand 0 (the destination in Intel order). */
  kind0 = K_NONE;
  /** Kind of operand 1. */
  kind1 = K_NONE;
  /** Kind of operand 2. */
  kind2 = K_NONE;
  /** Value of operand 0, by kind. */
  val0 = 0;
  /** Value of operand 1, by kind. */
  val1 = 0;
  /** Value of operand 2, by kind. */
  val2 = 0;
  /** Width in bytes of operand 0. */
  size0 = 0;
  /** Width in bytes of operand 1. */
  size1 = 0;
  /** Width in bytes of operand 2. */
  size2 = 0;
  /** Base register 0..15, `REG_NONE` or `REG_RIP`. */
  base = REG_NONE;
  /** Index register 0..15 or `REG_NONE`. */
  index = REG_NONE;
  /** log2 of the index scale, 0..3. */
  scale = 0;
  /** Displacement, signed 32 bit; with 64-bit moffs the low half (signed), high half in `dispHigh`. */
  disp = 0;
  /** High 32 bits of the displacement, signed (sign of `disp` but for 64-bit moffs). */
  dispHigh = 0;
  /** Immediate, extended as `K_IMM` says, held as signed 32 bit (low half of a 64-bit one). */
  imm = 0;
  /** High 32 bits of the immediate (sign extension but for MOV r64,imm64). */
  immHigh = 0;
  /** Second immediate: ENTER's nesting level, far selector. */
  imm2 = 0;
  /** The bytes, `length` of them valid. */
  readonly bytes: Uint8Array = new Uint8Array(16);

  /** Fills in `bytes` from where it was decoded. */
  keepBytes(from: Uint8Array, offset: number): void {
    const { bytes } = this;
    for (let n = 0; n < this.length; n++) bytes[n] = from[offset + n]!;
  }

  /** A copy that later decoding does not touch. */
  clone(): Insn {
    const copy = Object.assign(new Insn(), this, { bytes: undefined }) as { bytes: Uint8Array };
    copy.bytes = this.bytes.slice();
    return copy as unknown as Insn;
  }
}
