/** SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS. Intel SDM Vol. 2; AMD APM Vol. 3 for SYSCALL outside 64-bit mode. */
import {
  CR0_PE,
  EFER_SCE,
  GP_VECTOR,
  IA32_CSTAR,
  IA32_FMASK,
  IA32_KERNEL_GS_BASE,
  IA32_LSTAR,
  IA32_STAR,
  IA32_SYSENTER_CS,
  IA32_SYSENTER_EIP,
  IA32_SYSENTER_ESP,
  RFLAGS_IF,
  RFLAGS_RF,
  RFLAGS_VM,
  SEG_CS,
  SEG_GS,
  SEG_SS,
  UD_VECTOR,
} from '@smm/x86-defs';
import type { Insn } from '../insn.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import { isCanonical, msrValue, setMsrValue } from './msr-table.ts';
import { setSegment } from './segments.ts';

const CODE32 = 0xc09b;
const CODE64 = 0xa09b;
const DATA = 0xc093;
/** DPL 3 in attributes. */
const USER = 0x60;
/** RFLAGS bits that SYSRET takes from R11. */
const SYSRET_FLAGS = 0x3c_7fd7;

function flatSegments(cpu: Processor, cs: number, code: number, ss: number, user: boolean): void {
  const dpl = user ? USER : 0;
  const rpl = user ? 3 : 0;
  setSegment(cpu.state, SEG_CS, (cs & 0xfffc) | rpl, 0, 0xffff_ffff, code | dpl);
  setSegment(cpu.state, SEG_SS, (ss & 0xfffc) | rpl, 0, 0xffff_ffff, DATA | dpl);
  cpu.modeChanged();
}

function requireSyscall(cpu: Processor): void {
  const amd = cpu.model.vendor === 'AuthenticAMD';
  const allowed = cpu.state.efer & EFER_SCE;
  if (!allowed || !(cpu.state.cr0 & CR0_PE) || (!amd && !cpu.code64)) cpu.fault(UD_VECTOR);
}

/** SYSCALL. */
export function execSyscall(cpu: Processor): void {
  requireSyscall(cpu);
  const s = cpu.state;
  const star = msrValue(cpu, IA32_STAR);
  const cs = Number((star >> 32n) & 0xffffn);
  const flags = s.rflags;
  if (cpu.longMode) {
    const target = msrValue(cpu, cpu.code64 ? IA32_LSTAR : IA32_CSTAR);
    s.setGpr64(1, s.rip);
    s.setGpr64(11, BigInt((flags & ~RFLAGS_RF) >>> 0));
    s.rflags = flags & ~Number(msrValue(cpu, IA32_FMASK)) & ~RFLAGS_RF;
    s.rip = target;
    flatSegments(cpu, cs, CODE64, cs + 8, false);
  } else {
    s.setGpr32(1, Number(s.rip));
    s.rflags = flags & ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF);
    s.rip = star & 0xffff_ffffn;
    flatSegments(cpu, cs, CODE32, cs + 8, false);
  }
  cpu.recheckInterrupts();
}

/** SYSRET. */
export function execSysret(cpu: Processor, insn: Insn): void {
  requireSyscall(cpu);
  if (cpu.cpl !== 0) cpu.fault(GP_VECTOR, 0);
  const s = cpu.state;
  const cs = Number((msrValue(cpu, IA32_STAR) >> 48n) & 0xffffn);
  const wide = cpu.code64 && insn.size === 8;
  if (wide && !isCanonical(s.gpr64(1))) cpu.fault(GP_VECTOR, 0);
  const flags = s.rflags;
  if (cpu.longMode) s.rflags = Number(s.gpr64(11) & BigInt(SYSRET_FLAGS));
  else s.rflags = flags | RFLAGS_IF;
  s.rip = wide ? s.gpr64(1) : BigInt(s.gpr32(1));
  flatSegments(cpu, wide ? cs + 16 : cs, wide ? CODE64 : CODE32, cs + 8, true);
  cpu.recheckInterrupts();
}

/** SYSENTER. */
export function execSysenter(cpu: Processor): void {
  const s = cpu.state;
  const cs = Number(msrValue(cpu, IA32_SYSENTER_CS) & 0xffffn);
  if (!(s.cr0 & CR0_PE) || (cs & 0xfffc) === 0) cpu.fault(GP_VECTOR, 0);
  const long = cpu.longMode;
  s.rflags = s.rflags & ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF);
  const rip = msrValue(cpu, IA32_SYSENTER_EIP);
  const rsp = msrValue(cpu, IA32_SYSENTER_ESP);
  s.rip = long ? rip : rip & 0xffff_ffffn;
  s.setGpr64(4, long ? rsp : rsp & 0xffff_ffffn);
  flatSegments(cpu, cs, long ? CODE64 : CODE32, cs + 8, false);
}

/** SYSEXIT. */
export function execSysexit(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const cs = Number(msrValue(cpu, IA32_SYSENTER_CS) & 0xffffn);
  if (!(s.cr0 & CR0_PE) || (cs & 0xfffc) === 0 || cpu.cpl !== 0) cpu.fault(GP_VECTOR, 0);
  const wide = cpu.code64 && insn.size === 8;
  const rip = s.gpr64(2);
  const rsp = s.gpr64(1);
  if (wide && !(isCanonical(rip) && isCanonical(rsp))) cpu.fault(GP_VECTOR, 0);
  s.rip = wide ? rip : rip & 0xffff_ffffn;
  s.setGpr64(4, wide ? rsp : rsp & 0xffff_ffffn);
  flatSegments(cpu, cs + (wide ? 32 : 16), wide ? CODE64 : CODE32, cs + (wide ? 40 : 24), true);
}

/** SWAPGS. */
export function execSwapgs(cpu: Processor): void {
  if (!cpu.code64) cpu.fault(UD_VECTOR);
  if (cpu.cpl !== 0) cpu.fault(GP_VECTOR, 0);
  const s = cpu.state;
  const at = L.ST_SEG_BASE + SEG_GS * 8;
  const base = s.get64(at);
  s.set64(at, msrValue(cpu, IA32_KERNEL_GS_BASE));
  setMsrValue(cpu, IA32_KERNEL_GS_BASE, base);
  cpu.modeChanged();
}
