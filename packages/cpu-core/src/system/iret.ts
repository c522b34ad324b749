/** IRET in every mode, POPF's rules on flags. Intel SDM Vol. 2, "IRET/IRETD/IRETQ", "POPF". */
import {
  CR0_PE,
  GP_VECTOR,
  RFLAGS_AC,
  RFLAGS_AF,
  RFLAGS_CF,
  RFLAGS_DF,
  RFLAGS_ID,
  RFLAGS_IF,
  RFLAGS_IOPL,
  RFLAGS_NT,
  RFLAGS_OF,
  RFLAGS_PF,
  RFLAGS_RF,
  RFLAGS_SF,
  RFLAGS_TF,
  RFLAGS_VIF,
  RFLAGS_VIP,
  RFLAGS_VM,
  RFLAGS_ZF,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
  SEG_GS,
  SEG_SS,
  UnmodelledError,
} from '@smm/x86-defs';
import type { Insn } from '../insn.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import { checkCodeOffset, leaveToOuter, returnCode, returnStack } from './far.ts';
import { loadDescriptor, loadRealSegment, markAccessed } from './segments.ts';
import { Stack } from './stack.ts';

const PLAIN =
  RFLAGS_CF |
  RFLAGS_PF |
  RFLAGS_AF |
  RFLAGS_ZF |
  RFLAGS_SF |
  RFLAGS_TF |
  RFLAGS_DF |
  RFLAGS_OF |
  RFLAGS_NT |
  RFLAGS_AC |
  RFLAGS_ID;

/** Flags that POPF and IRET may change at a privilege level, for an operand size in bytes. */
export function changeableFlags(cpl: number, iopl: number, size: number): number {
  let mask = PLAIN;
  if (cpl === 0) mask |= RFLAGS_IOPL;
  if (cpl <= iopl) mask |= RFLAGS_IF;
  return size === 2 ? mask & 0xffff : mask;
}

function iopl(flags: number): number {
  return (flags & RFLAGS_IOPL) >> 12;
}

function mergeFlags(cpu: Processor, image: number, mask: number): void {
  const s = cpu.state;
  s.rflags = (s.rflags & ~mask) | (image & mask);
}

/** IRET, IRETD, IRETQ. NMIs are unblocked even if it faults. */
export function execIret(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  s.activity &= ~L.ACT_NMI_BLOCKED;
  const flags = s.rflags;
  if (!(s.cr0 & CR0_PE)) iretReal(cpu, insn.size, changeableFlags(0, 3, insn.size) | RFLAGS_RF);
  else if (flags & RFLAGS_VM) {
    if (iopl(flags) !== 3) cpu.fault(GP_VECTOR, 0);
    iretReal(cpu, insn.size, changeableFlags(3, 3, insn.size) | RFLAGS_RF);
  } else {
    if (flags & RFLAGS_NT) {
      if (cpu.longMode) cpu.fault(GP_VECTOR, 0);
      throw new UnmodelledError(
        'CPU_TASK_SWITCH_UNMODELLED',
        `processor ${cpu.index}: IRET with RFLAGS.NT set at RIP ${cpu.insnRip.toString(16)}h`,
        'Hardware task switches are not modelled.',
        { rip: cpu.insnRip },
      );
    }
    iretProtected(cpu, insn.size);
  }
  // RF is for the next instruction alone. Intel SDM Vol. 3, "System Flags and Fields in the EFLAGS Register".
  if (s.activity & L.ACT_NMI_PENDING || s.get32(L.ST_EFLAGS) & RFLAGS_RF) cpu.recheckEvents();
  cpu.recheckInterrupts();
}

function iretReal(cpu: Processor, size: number, mask: number): void {
  const s = cpu.state;
  const stack = Stack.current(cpu);
  const offset = stack.popOffset(size);
  const selector = stack.pop(size) & 0xffff;
  const image = stack.pop(size);
  if (offset > s.segLimit(SEG_CS)) cpu.fault(GP_VECTOR, 0);
  stack.commit();
  loadRealSegment(cpu, SEG_CS, selector);
  s.setNumber(L.ST_RIP, offset);
  mergeFlags(cpu, image, size === 2 ? mask & 0xffff : mask);
  cpu.modeChanged();
}

function iretProtected(cpu: Processor, size: number): void {
  const s = cpu.state;
  const { cpl } = cpu;
  const stack = Stack.current(cpu);
  const offset = stack.popOffset(size);
  const selector = stack.pop(size) & 0xffff;
  const image = stack.pop(size);
  if (image & RFLAGS_VM && size === 4 && cpl === 0 && !cpu.longMode) {
    iretToVm86(cpu, stack, offset, selector, image);
    return;
  }
  const code = returnCode(cpu, selector);
  const rpl = selector & 3;
  checkCodeOffset(cpu, code, offset);
  let mask = changeableFlags(cpl, iopl(s.rflags), size);
  if (size !== 2) {
    mask |= RFLAGS_RF;
    if (cpl === 0) mask |= RFLAGS_VIF | RFLAGS_VIP;
  }
  if (rpl === cpl && !cpu.code64) {
    markAccessed(cpu, code);
    stack.commit();
    loadDescriptor(cpu, SEG_CS, selector, code);
    s.setNumber(L.ST_RIP, offset);
  } else {
    // 64-bit mode pops SS:RSP always, the others only on a return to an outer level
    const pointer = stack.pop64(size);
    const stackSelector = stack.pop(size) & 0xffff;
    const segment = returnStack(cpu, stackSelector, rpl, code);
    markAccessed(cpu, code);
    leaveToOuter(cpu, code, selector, offset, segment, stackSelector, pointer, 0);
  }
  mergeFlags(cpu, image, mask);
  cpu.modeChanged();
}

function iretToVm86(cpu: Processor, stack: Stack, offset: number, selector: number, image: number): void {
  const s = cpu.state;
  const pointer = stack.pop(4);
  const [ss, es, ds, fs, gs] = Array.from({ length: 5 }, () => stack.pop(4) & 0xffff);
  if (offset > 0xffff) cpu.fault(GP_VECTOR, 0);
  const mask = changeableFlags(0, 3, 4) | RFLAGS_RF | RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP;
  mergeFlags(cpu, image, mask);
  loadRealSegment(cpu, SEG_CS, selector);
  loadRealSegment(cpu, SEG_SS, ss!);
  loadRealSegment(cpu, SEG_ES, es!);
  loadRealSegment(cpu, SEG_DS, ds!);
  loadRealSegment(cpu, SEG_FS, fs!);
  loadRealSegment(cpu, SEG_GS, gs!);
  s.setGpr32(4, pointer);
  s.setNumber(L.ST_RIP, offset);
  cpu.modeChanged();
}
