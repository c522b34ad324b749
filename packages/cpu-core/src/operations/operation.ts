/**
 * What one row of the operation tables says. Names, decoder, tiers, flag analysis and feature checks derive from these
 * rows.
 */
import type { SemanticsName } from '../semantics/semantics.ts';
import type { HelperName } from '../system/helpers.ts';

/**
 * Where an operation is in the opcode maps. An encoding reads like a line of the SDM's opcode map:
 *
 * 1. Where: hexadecimal opcode bytes, then any of `+` (eight opcodes, register in the low bits), `cc` (sixteen opcodes,
 *    condition in the low bits), `/n` (ModRM reg), `m` or `r` (memory or register form only), `(C1)` (whole ModRM
 *    byte).
 * 2. Operands: comma-separated codes of `decode/operand-codes.ts`.
 * 3. Attributes, space-separated: `np` `66` `F3` `F2` mandatory prefix (several: any of them; none: prefixes do not
 *    select); `lock` LOCK is legal on a memory destination; `i64` invalid in 64-bit mode; `o64` only in 64-bit mode;
 *    `d64` operand size defaults to 64 bits in 64-bit mode; `f64` it is always 64 bits there; `b` `os` `z` what
 *    `Insn.size` is (byte, operand size, operand size up to 4) where operand 0 does not tell; `no66` undefined with a
 *    66 prefix; `modrm` has a ModRM byte although no operand needs it; `vex` is the first byte of a VEX, EVEX or XOP
 *    prefix.
 * 4. Feature: what the CPU model must have, by QEMU's names of CPUID features: `|` between choices, `+` between what is
 *    needed together; `family6` is a processor of family 6 or later, `never` none. Without it the encoding is
 *    undefined, or what {@link Operation.without} says.
 * 5. Alternative: the operation, operands and feature (if another) that REX.W (with attribute `rexb`: REX.B) selects.
 */
export type Encoding = readonly [
  where: string,
  operands?: string,
  attributes?: string,
  feature?: string,
  alternative?: readonly [op: string, operands: string, feature?: string],
];

/** What single parts of the model ask about an operation. */
export type Trait =
  /** Does nothing, whatever its operands. */
  | 'idle'
  /** The operand size means nothing to it. */
  | 'sizeless'
  /** Has a condition code. */
  | 'condition'
  /** Counts in CX, ECX or RCX by address size. */
  | 'counts'
  /** Its register operand may move the memory operand. */
  | 'bitTest'
  /** Works on vector registers: needs the operating system's leave (MODE_SSE). */
  | 'vector';

/** One operation: all that the model knows of it beside what it computes. */
export interface Operation {
  /** Its encodings, none where it is only another's alternative. */
  readonly at: readonly Encoding[];
  /** Its description in `semantics/`, which all tiers share. */
  readonly does?: SemanticsName;
  /** Its helper in `system/`; beside `does`, the one for what the description leaves out. */
  readonly helper?: HelperName;
  /**
   * The status flags: neither read nor written; all six written without being read; the same unless an immediate count
   * is 0. Absent: anything else.
   */
  readonly flags?: 'keeps' | 'sets' | 'sets unless count 0';
  /**
   * False: its register form raises no fault once MODE_SSE holds where it has trait `vector`. Flags before one that may
   * fault are seen.
   */
  readonly mayFault?: false;
  /**
   * It ends a decoded block: a control transfer, or what may change the mode, the memory map, the interrupt state or a
   * device. The next instruction is looked up anew.
   */
  readonly ends?: true;
  /** What a processor without the feature does instead of #UD: the operation of the same opcode without its prefix. */
  readonly without?: string;
  readonly traits?: readonly Trait[];
}

/** A table of operations by name. The names become the type `OpName`. */
export function operations<N extends string>(rows: Record<N, Operation>): Readonly<Record<N, Operation>> {
  return rows;
}

/** Neither reads nor writes status flags, cannot fault in registers. */
export const KEEPS = { flags: 'keeps', mayFault: false } as const;
/** Sets all status flags without reading them, cannot fault in registers. */
export const SETS = { flags: 'sets', mayFault: false } as const;
