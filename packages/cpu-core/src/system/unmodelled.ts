/** What happens at an instruction that is not modelled: loud, with the facts. */
import { CR0_EM, CR0_TS, CR4_OSFXSR, NM_VECTOR, UD_VECTOR, UnmodelledError } from '@smm/x86-defs';
import type { Insn } from '../insn.ts';
import * as L from '../layout.ts';
import { OP, OP_NAMES } from '../ops.ts';
import type { Processor } from '../processor.ts';
import { featureFact } from './cpuid.ts';

/** Stops with the instruction's bytes, mode and RIP. `feature`: the CPUID feature that says it exists. */
export function unmodelled(cpu: Processor, insn: Insn, feature: string): never {
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

/** #UD or #NM as CR0 and CR4 ask for an SSE instruction. Intel SDM Vol. 3, "Checking for Intel SSE Extension Support". */
export function checkSse(cpu: Processor): void {
  const { cr0, cr4 } = cpu.state;
  if (cr0 & CR0_EM || !(cr4 & CR4_OSFXSR)) cpu.fault(UD_VECTOR);
  if (cr0 & CR0_TS) cpu.fault(NM_VECTOR);
}

/** #NM as CR0 asks for an x87 instruction. */
function checkX87(cpu: Processor): void {
  if (cpu.state.cr0 & (CR0_EM | CR0_TS)) cpu.fault(NM_VECTOR);
}

/** #UD or #NM as CR0 asks for an MMX instruction. */
export function checkMmx(cpu: Processor): void {
  if (cpu.state.cr0 & CR0_EM) cpu.fault(UD_VECTOR);
  if (cpu.state.cr0 & CR0_TS) cpu.fault(NM_VECTOR);
}

function requireFeature(cpu: Processor, feature: string): void {
  if (!cpu.model.features.has(feature)) cpu.fault(UD_VECTOR);
}

/** Features behind the system instructions that are not modelled. SVM is absent here: without EFER.SVME its instructions are #UD. */
const SYSTEM_FEATURES: readonly string[] = [
  'xsave',
  'vmx',
  'smx',
  'sgx',
  'waitpkg',
  'serialize',
  'clwb',
  'clflushopt',
  'pku',
  'rtm',
];

/** The *_UNMODELLED operations: the architecture's own fault where there is one, else loud. */
export function execUnmodelled(cpu: Processor, insn: Insn): never {
  switch (insn.op) {
    case OP.X87_UNMODELLED:
      checkX87(cpu);
      requireFeature(cpu, 'fpu');
      return unmodelled(cpu, insn, 'fpu');
    case OP.MMX_UNMODELLED:
      checkMmx(cpu);
      requireFeature(cpu, 'mmx');
      return unmodelled(cpu, insn, 'mmx');
    case OP.SSE_UNMODELLED:
      requireFeature(cpu, 'sse');
      checkSse(cpu);
      return unmodelled(cpu, insn, 'sse');
    case OP.VEX_UNMODELLED:
      requireFeature(cpu, 'avx');
      return unmodelled(cpu, insn, 'avx');
    default: {
      const gate = SYSTEM_FEATURES.find((feature) => cpu.model.features.has(feature));
      if (!gate) cpu.fault(UD_VECTOR);
      return unmodelled(cpu, insn, gate);
    }
  }
}
