/** What an instruction does with the status flags, for dropping flags that nobody sees. */
import { type Insn, K_IMM, K_MM } from '../insn.ts';
import { opsThat, opTable } from '../ops.ts';

/** Neither reads nor writes them, cannot fault. */
export const FLAGS_KEEPS = 0;
/** Sets all six without reading them, cannot fault. */
export const FLAGS_SETS = 1;
/** Anything else. */
const FLAGS_NEEDS = 2;

const T_SETS = 1;
const T_KEEPS = 2;
const T_SHIFT = 4;
const TRAITS = opTable(
  [T_SETS, opsThat(({ flags, mayFault }) => mayFault === false && flags === 'sets')],
  [T_KEEPS, opsThat(({ flags, mayFault }) => mayFault === false && flags === 'keeps')],
  [T_SHIFT, opsThat(({ flags, mayFault }) => mayFault === false && flags === 'sets unless count 0')],
);

/** Class of a register-form instruction (memory operands may fault: the caller treats them as {@link FLAGS_NEEDS}). */
export function flagUse(insn: Insn): number {
  const traits = TRAITS[insn.op]!;
  if (insn.kind0 === K_MM || insn.kind1 === K_MM) return FLAGS_NEEDS; // #MF
  if (traits & T_SETS) return FLAGS_SETS;
  if (traits & T_KEEPS) return FLAGS_KEEPS;
  if (traits & T_SHIFT && insn.kind1 === K_IMM && (insn.imm & (insn.size0 === 8 ? 63 : 31)) !== 0) {
    return FLAGS_SETS;
  }
  return FLAGS_NEEDS;
}
