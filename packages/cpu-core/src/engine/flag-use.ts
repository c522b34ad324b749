/** What an instruction does with the status flags, for dropping flags that nobody sees. */
import { type Insn, K_IMM } from '../insn.ts';
import { OP } from '../ops.ts';

/** Neither reads nor writes them, cannot fault. */
export const FLAGS_KEEPS = 0;
/** Sets all six without reading them, cannot fault. */
export const FLAGS_SETS = 1;
/** Anything else. */
const FLAGS_NEEDS = 2;

const SETTERS: ReadonlySet<number> = new Set([
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
]);
const SHIFTS: ReadonlySet<number> = new Set([OP.SHL, OP.SHR, OP.SAR]);
const KEEPERS: ReadonlySet<number> = new Set([
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
]);

/** Class of a register-form instruction (memory operands may fault: the caller treats them as {@link FLAGS_NEEDS}). */
export function flagUse(insn: Insn): number {
  if (SETTERS.has(insn.op)) return FLAGS_SETS;
  if (KEEPERS.has(insn.op)) return FLAGS_KEEPS;
  if (SHIFTS.has(insn.op) && insn.kind1 === K_IMM && (insn.imm & (insn.size0 === 8 ? 63 : 31)) !== 0) {
    return FLAGS_SETS;
  }
  return FLAGS_NEEDS;
}
