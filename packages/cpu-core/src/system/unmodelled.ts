/** What happens at an instruction that is not modelled: loud, with the facts. */
import { CR0_EM, CR0_TS, CR4_OSFXSR, NM_VECTOR, UD_VECTOR, UnmodelledError } from '@smm/x86-defs';
import type { Insn } from '../insn.ts';
import * as L from '../layout.ts';
import { OP, OP_NAMES } from '../ops.ts';
import type { Processor } from '../processor.ts';
import { featureBehind } from './availability.ts';
import { featureFact } from './cpuid.ts';
import { requireX87 } from './x87/fpu.ts';

/** Stops with the instruction's bytes, mode and RIP. `feature`: what says that it exists, if not its encoding. */
export function unmodelled(
  cpu: Processor,
  insn: Insn,
  feature: string = featureBehind(cpu.model, insn.feature),
): never {
  const bytes = Array.from(insn.bytes.subarray(0, insn.length), (b) => b.toString(16).padStart(2, '0'));
  const code = [16, 32, 64][cpu.state.mode & L.MODE_CODE_MASK];
  throw new UnmodelledError(
    'CPU_INSTRUCTION_UNMODELLED',
    `processor ${cpu.index} at RIP ${cpu.insnRip.toString(16)}h in ${code}-bit code: ${bytes.join(' ')} ` +
      `(${OP_NAMES[insn.op]}) is not modelled; the CPU model ${cpu.model.name} has ${featureFact(feature)}`,
    `Run code that does without it, or take the feature away (-${feature}) so that it raises #UD.`,
    { bytes: bytes.join(' '), op: OP_NAMES[insn.op], rip: cpu.insnRip, codeSize: code, feature },
  );
}

/**
 * #UD or #NM as CR0 and CR4 ask for an SSE instruction. Intel SDM Vol. 3, "Checking for Intel SSE Extension Support".
 */
export function checkSse(cpu: Processor): void {
  const { cr0, cr4 } = cpu.state;
  if (cr0 & CR0_EM || !(cr4 & CR4_OSFXSR)) cpu.fault(UD_VECTOR);
  if (cr0 & CR0_TS) cpu.fault(NM_VECTOR);
}

/** #UD or #NM as CR0 asks for an MMX instruction. */
export function checkMmx(cpu: Processor): void {
  if (cpu.state.cr0 & CR0_EM) cpu.fault(UD_VECTOR);
  if (cpu.state.cr0 & CR0_TS) cpu.fault(NM_VECTOR);
}

/** The *_UNMODELLED operations, which the model has: the architecture's own fault where there is one, else loud. */
export function execUnmodelled(cpu: Processor, insn: Insn): never {
  if (insn.op === OP.X87_UNMODELLED) {
    requireX87(cpu);
    return unmodelled(cpu, insn, 'fpu');
  }
  if (insn.op === OP.MMX_UNMODELLED) checkMmx(cpu);
  if (insn.op === OP.SSE_UNMODELLED) checkSse(cpu);
  return unmodelled(cpu, insn);
}
