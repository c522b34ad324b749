/** What an instruction does with the status flags, for dropping flags that nobody sees. */
import { type Insn, K_IMM } from '../insn.ts';
import { OP, opTable } from '../ops.ts';
import { VECTOR_OPS } from '../semantics/vector.ts';

/** Neither reads nor writes them, cannot fault. */
export const FLAGS_KEEPS = 0;
/** Sets all six without reading them, cannot fault. */
export const FLAGS_SETS = 1;
/** Anything else. */
const FLAGS_NEEDS = 2;

const SETTERS: readonly number[] = [
  OP.ADD,
  OP.OR,
  OP.AND,
  OP.SUB,
  OP.XOR,
  OP.CMP,
  OP.TEST,
  OP.NEG,
  OP.IMUL,
  OP.MUL,
  OP.IMUL1,
];
const SHIFTS: readonly number[] = [OP.SHL, OP.SHR, OP.SAR];
const KEEPERS: readonly number[] = [
  OP.MOV,
  OP.MOVZX,
  OP.MOVSX,
  OP.LEA,
  OP.XCHG,
  OP.NOT,
  OP.BSWAP,
  OP.CBW,
  OP.CWD,
  OP.NOP,
  OP.PREFETCH,
  OP.LFENCE,
  OP.MFENCE,
  OP.SFENCE,
  OP.CLD,
  OP.STD,
  ...VECTOR_OPS,
];

const T_SETS = 1;
const T_KEEPS = 2;
const T_SHIFT = 4;
const TRAITS = opTable([T_SETS, SETTERS], [T_KEEPS, KEEPERS], [T_SHIFT, SHIFTS]);

/** Class of a register-form instruction (memory operands may fault: the caller treats them as {@link FLAGS_NEEDS}). */
export function flagUse(insn: Insn): number {
  const traits = TRAITS[insn.op]!;
  if (traits & T_SETS) return FLAGS_SETS;
  if (traits & T_KEEPS) return FLAGS_KEEPS;
  if (traits & T_SHIFT && insn.kind1 === K_IMM && (insn.imm & (insn.size0 === 8 ? 63 : 31)) !== 0) {
    return FLAGS_SETS;
  }
  return FLAGS_NEEDS;
}
