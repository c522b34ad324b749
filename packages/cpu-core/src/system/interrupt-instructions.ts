/** INT, INTO, BOUND, HLT, CLI, STI, PUSHF, POPF. Intel SDM Vol. 2. */
import {
  BP_VECTOR,
  BR_VECTOR,
  CR0_PE,
  CR4_PVI,
  CR4_SMAP,
  CR4_VME,
  DB_VECTOR,
  GP_VECTOR,
  OF_VECTOR,
  RFLAGS_AC,
  RFLAGS_IF,
  RFLAGS_IOPL,
  RFLAGS_OF,
  RFLAGS_RF,
  RFLAGS_VM,
  UD_VECTOR,
  UnmodelledError,
} from '@smm/x86-defs';
import type { Insn } from '../insn.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import { deliver } from './exceptions.ts';
import { changeableFlags } from './iret.ts';
import { loadSized, operandAddress, readOperand } from './operands.ts';
import { Stack } from './stack.ts';
import { requireCpl0 } from './system-registers.ts';

function software(cpu: Processor, vector: number): void {
  deliver(cpu, vector, 'software');
  cpu.noteSoftwareInterrupt();
}

/** INT n. */
export function execInt(cpu: Processor, insn: Insn): void {
  software(cpu, insn.imm & 0xff);
}

/** INT3. */
export function execInt3(cpu: Processor): void {
  software(cpu, BP_VECTOR);
}

/** INT1: a #DB that no gate's DPL can stop. */
export function execInt1(cpu: Processor): void {
  deliver(cpu, DB_VECTOR, 'trap');
  cpu.noteSoftwareInterrupt();
}

/** INTO. */
export function execInto(cpu: Processor): void {
  if (cpu.code64) cpu.fault(UD_VECTOR);
  if (cpu.state.rflags & RFLAGS_OF) software(cpu, OF_VECTOR);
}

/** UD0, UD1, UD2 and everything that does not decode; #GP(0) for what is longer than 15 bytes. */
export function execUndefined(cpu: Processor, insn: Insn): void {
  if (insn.tooLong) cpu.fault(GP_VECTOR, 0);
  cpu.fault(UD_VECTOR);
}

/** BOUND: signed array index against the two bounds in memory. */
export function execBound(cpu: Processor, insn: Insn): void {
  const { size } = insn;
  const bits = size * 8;
  const index = BigInt.asIntN(bits, readOperand(cpu, insn, 0));
  const low = BigInt.asIntN(bits, loadSized(cpu, operandAddress(cpu, insn, size, false), size));
  const high = BigInt.asIntN(bits, loadSized(cpu, operandAddress(cpu, insn, size, false, size), size));
  if (index < low || index > high) cpu.fault(BR_VECTOR);
}

/** HLT. */
export function execHlt(cpu: Processor): void {
  requireCpl0(cpu);
  cpu.state.activity |= L.ACT_HALTED;
  cpu.ports.observer?.halted?.(cpu.index, cpu.insnRip);
}

function iopl(flags: number): number {
  return (flags & RFLAGS_IOPL) >> 12;
}

/** #GP(0) unless CPL <= IOPL; VME and PVI, which soften that, are not modelled. */
function checkInterruptFlagAccess(cpu: Processor): void {
  const s = cpu.state;
  const flags = s.eflags;
  if (!(s.cr0 & CR0_PE) || cpu.cpl <= iopl(flags)) return;
  refuseVirtualInterrupts(cpu, flags);
  cpu.fault(GP_VECTOR, 0);
}

function refuseVirtualInterrupts(cpu: Processor, flags: number): void {
  const { cr4 } = cpu.state;
  if (!(flags & RFLAGS_VM ? cr4 & CR4_VME : cr4 & CR4_PVI && cpu.cpl === 3)) return;
  throw new UnmodelledError(
    'CPU_VME_UNMODELLED',
    `processor ${cpu.index}: virtual interrupt flag (CR4 ${cr4.toString(16)}h) used at RIP ${cpu.insnRip.toString(16)}h`,
    'CR4.VME and CR4.PVI are not modelled: choose a CPU model with -vme.',
    { rip: cpu.insnRip },
  );
}

/** CLI. */
export function execCli(cpu: Processor): void {
  checkInterruptFlagAccess(cpu);
  const s = cpu.state;
  s.eflags &= ~RFLAGS_IF;
}

/** STI: interrupts wait for one more instruction if they were disabled. */
export function execSti(cpu: Processor): void {
  checkInterruptFlagAccess(cpu);
  const s = cpu.state;
  const flags = s.eflags;
  if (flags & RFLAGS_IF) return;
  s.eflags = flags | RFLAGS_IF;
  cpu.beginStiShadow();
}

/** PUSHF, PUSHFD, PUSHFQ. */
export function execPushf(cpu: Processor, insn: Insn): void {
  const { rflags } = cpu.state;
  if (rflags & RFLAGS_VM && iopl(rflags) < 3) {
    refuseVirtualInterrupts(cpu, rflags);
    cpu.fault(GP_VECTOR, 0);
  }
  const stack = Stack.current(cpu);
  stack.push(rflags & ~(RFLAGS_VM | RFLAGS_RF), insn.size);
  stack.commit();
}

/** POPF, POPFD, POPFQ. */
export function execPopf(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const old = s.rflags;
  if (old & RFLAGS_VM && iopl(old) < 3) {
    refuseVirtualInterrupts(cpu, old);
    cpu.fault(GP_VECTOR, 0);
  }
  const stack = Stack.current(cpu);
  const image = stack.pop(insn.size);
  stack.commit();
  const mask = changeableFlags(cpu.cpl, iopl(old), insn.size);
  s.rflags = ((old & ~mask) | (image & mask)) & ~RFLAGS_RF;
  alignmentFlagChanged(cpu, old);
  cpu.recheckInterrupts();
}

/** SMAP looks at RFLAGS.AC, so that a change of it may be a change of mode. */
function alignmentFlagChanged(cpu: Processor, old: number): void {
  if (cpu.state.cr4 & CR4_SMAP && (cpu.state.rflags ^ old) & RFLAGS_AC) cpu.modeChanged();
}

/** CLAC. */
export function execClac(cpu: Processor): void {
  changeAlignmentFlag(cpu, false);
}

/** STAC. */
export function execStac(cpu: Processor): void {
  changeAlignmentFlag(cpu, true);
}

function changeAlignmentFlag(cpu: Processor, set: boolean): void {
  if (cpu.cpl !== 0) cpu.fault(UD_VECTOR);
  const s = cpu.state;
  const old = s.rflags;
  s.rflags = set ? old | RFLAGS_AC : old & ~RFLAGS_AC;
  alignmentFlagChanged(cpu, old);
}
