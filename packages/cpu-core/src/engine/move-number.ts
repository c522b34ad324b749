/** MOV without bigints: most accesses of devices are by it, and each comes to the evaluator. */
import { type Insn, K_IMM, K_MEM, K_REG } from '../insn.ts';
import { OP } from '../ops.ts';
import type { Processor } from '../processor.ts';
import { isUser, operandAddress } from '../system/operands.ts';

/**
 * MOV of up to 4 bytes between memory and a register, or of an immediate to memory: true if that is what the
 * instruction is.
 */
export function moveNumber(cpu: Processor, insn: Insn): boolean {
  const size = insn.size0;
  if (insn.op !== OP.MOV || (size !== 4 && size !== 2 && size !== 1)) return false;
  const { state, memory } = cpu;
  if (insn.kind0 === K_MEM && (insn.kind1 === K_REG || insn.kind1 === K_IMM)) {
    const linear = operandAddress(cpu, insn, size, true);
    let value = insn.imm;
    if (insn.kind1 === K_REG) {
      if (size === 4) value = state.gpr32(insn.val1 >>> 3);
      else value = size === 2 ? state.gpr16(insn.val1 >>> 3) : state.gpr8(insn.val1);
    }
    memory.store(linear, size, size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff), isUser(cpu));
    return true;
  }
  if (insn.kind0 !== K_REG || insn.kind1 !== K_MEM) return false;
  const value = memory.load(operandAddress(cpu, insn, size, false), size, isUser(cpu));
  if (size === 4) state.setGpr32(insn.val0 >>> 3, value);
  else if (size === 2) state.setGpr16(insn.val0 >>> 3, value);
  else state.setGpr8(insn.val0, value);
  return true;
}
