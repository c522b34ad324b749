/** Stack frames, tables, wide compare-exchange, time, caches and hints. Intel SDM Vol. 2. */
import {
  CR4_FSGSBASE,
  CR4_OSXSAVE,
  CR4_PCE,
  CR4_TSD,
  GP_VECTOR,
  IA32_TSC_AUX,
  RFLAGS_CF,
  RFLAGS_ZF,
  SEG_FS,
  SEG_GS,
  UD_VECTOR,
} from '@smm/x86-defs';
import type { Insn } from '../insn.ts';
import * as L from '../layout.ts';
import { OP } from '../ops.ts';
import type { Processor } from '../processor.ts';
import { setFlags } from './arithmetic.ts';
import { readMsr } from './msr.ts';
import { isCanonical, msrValue } from './msr-table.ts';
import {
  effectiveOffset,
  isUser,
  loadSized,
  operandAddress,
  readOperand,
  segmentedAddress,
  storeSized,
  writeOperand,
  writeRegister,
} from './operands.ts';
import { Stack } from './stack.ts';
import { requireCpl0 } from './system-registers.ts';
import { unmodelled } from './unmodelled.ts';

const RSP = 4;
const RBP = 5;

/** PUSHA, PUSHAD. */
export function execPusha(cpu: Processor, insn: Insn): void {
  const stack = Stack.current(cpu);
  for (let register = 0; register < 8; register++) stack.pushField(register * 8, insn.size);
  stack.commit();
}

/** POPA, POPAD: the stack pointer's slot is skipped. */
export function execPopa(cpu: Processor, insn: Insn): void {
  const stack = Stack.current(cpu);
  const values = Array.from({ length: 8 }, () => stack.pop64(insn.size));
  stack.commit();
  values.forEach((value, i) => {
    const register = 7 - i;
    if (register !== RSP) writeRegister(cpu, register * 8, insn.size, value);
  });
}

/** ENTER. */
export function execEnter(cpu: Processor, insn: Insn): void {
  const { size } = insn;
  const level = insn.imm2 & 31;
  const stack = Stack.current(cpu);
  const frame = Stack.at(cpu, RBP);
  stack.pushField(RBP * 8, size);
  const newBase = stack.pointer;
  if (level > 0) {
    for (let i = 1; i < level; i++) stack.push64(frame.readBelow(size), size);
    stack.push64(newBase, size);
  }
  stack.release(-(insn.imm & 0xffff));
  stack.probe(size);
  stack.commit();
  writeRegister(cpu, RBP * 8, size, newBase);
}

/** XLAT. */
export function execXlat(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const offset = BigInt.asUintN(insn.addressSize * 8, s.gpr64(3) + BigInt(s.gpr8(0)));
  s.setGpr8(0, Number(loadSized(cpu, segmentedAddress(cpu, insn.segment, offset, 1, false), 1)));
}

/** SALC: AL = CF ? FFh : 0. */
export function execSalc(cpu: Processor): void {
  cpu.state.setGpr8(0, cpu.state.rflags & RFLAGS_CF ? 0xff : 0);
}

/** MOVBE. */
export function execMovbe(cpu: Processor, insn: Insn): void {
  let from = readOperand(cpu, insn, 1);
  let swapped = 0n;
  for (let i = 0; i < insn.size0; i++) {
    swapped = (swapped << 8n) | (from & 0xffn);
    from >>= 8n;
  }
  writeOperand(cpu, insn, 0, swapped);
}

/** CMPXCHG8B. */
export function execCmpxchg8b(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const at = operandAddress(cpu, insn, 8, true);
  cpu.memory.probeWrite(at, 8, isUser(cpu));
  const old = loadSized(cpu, at, 8);
  const equal = old === ((BigInt(s.gpr32(2)) << 32n) | BigInt(s.gpr32(0)));
  storeSized(cpu, at, 8, equal ? (BigInt(s.gpr32(1)) << 32n) | BigInt(s.gpr32(3)) : old);
  if (!equal) {
    s.setGpr32(0, Number(old & 0xffff_ffffn));
    s.setGpr32(2, Number(old >> 32n));
  }
  setFlags(cpu, RFLAGS_ZF, equal ? RFLAGS_ZF : 0);
}

/** CMPXCHG16B. */
export function execCmpxchg16b(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const at = operandAddress(cpu, insn, 16, true);
  if (at & 15) cpu.fault(GP_VECTOR, 0);
  cpu.memory.probeWrite(at, 16, isUser(cpu));
  const low = loadSized(cpu, at, 8);
  const high = loadSized(cpu, at + 8, 8);
  const equal = low === s.gpr64(0) && high === s.gpr64(2);
  storeSized(cpu, at, 8, equal ? s.gpr64(3) : low);
  storeSized(cpu, at + 8, 8, equal ? s.gpr64(1) : high);
  if (!equal) {
    s.setGpr64(0, low);
    s.setGpr64(2, high);
  }
  setFlags(cpu, RFLAGS_ZF, equal ? RFLAGS_ZF : 0);
}

function readTsc(cpu: Processor, name: 'RDTSC'): void {
  const s = cpu.state;
  if (s.cr4 & CR4_TSD && cpu.cpl !== 0) cpu.fault(GP_VECTOR, 0);
  const tsc = readMsr(cpu, 0x10) ?? 0n;
  s.setGpr32(0, Number(tsc & 0xffff_ffffn));
  s.setGpr32(2, Number(tsc >> 32n));
  cpu.ports.observer?.instruction?.(cpu.index, name, 0, cpu.insnRip);
}

/** RDTSC. */
export function execRdtsc(cpu: Processor): void {
  readTsc(cpu, 'RDTSC');
}

/** RDTSCP. */
export function execRdtscp(cpu: Processor): void {
  readTsc(cpu, 'RDTSC');
  cpu.state.setGpr32(1, Number(msrValue(cpu, IA32_TSC_AUX)));
}

/** RDPID. */
export function execRdpid(cpu: Processor, insn: Insn): void {
  writeOperand(cpu, insn, 0, readMsr(cpu, IA32_TSC_AUX) ?? 0n);
}

/** RDPMC: the models have no performance counters. */
export function execRdpmc(cpu: Processor, insn: Insn): void {
  if (cpu.cpl !== 0 && !(cpu.state.cr4 & CR4_PCE)) cpu.fault(GP_VECTOR, 0);
  unmodelled(cpu, insn, 'performance counters');
}

/** PAUSE. */
export function execPause(cpu: Processor): void {
  cpu.ports.observer?.instruction?.(cpu.index, 'PAUSE', 0, cpu.insnRip);
}

/** INVD and WBINVD: memory is always coherent. */
export function execInvalidateCaches(cpu: Processor, insn: Insn): void {
  requireCpl0(cpu);
  const name = insn.op === OP.INVD ? 'INVD' : 'WBINVD';
  cpu.ports.observer?.instruction?.(cpu.index, name, 0, cpu.insnRip);
}

/** INVLPG. A non-canonical address does nothing. */
export function execInvlpg(cpu: Processor, insn: Insn): void {
  requireCpl0(cpu);
  const base = cpu.code64 && insn.segment < SEG_FS ? 0n : cpu.state.get64(L.ST_SEG_BASE + insn.segment * 8);
  const sum = effectiveOffset(cpu, insn) + base;
  const linear = Number(cpu.code64 ? BigInt.asIntN(64, sum) : BigInt.asUintN(32, sum));
  cpu.ports.observer?.instruction?.(cpu.index, 'INVLPG', linear, cpu.insnRip);
  if (!cpu.code64 || isCanonical(sum)) cpu.memory.flush(linear, true);
}

/** CLFLUSH: faults as a read would. */
export function execClflush(cpu: Processor, insn: Insn): void {
  loadSized(cpu, operandAddress(cpu, insn, 1, false), 1);
}

/** MONITOR. */
export function execMonitor(cpu: Processor, insn: Insn): void {
  if (cpu.cpl !== 0) cpu.fault(UD_VECTOR);
  const s = cpu.state;
  if (s.gpr32(1) !== 0) cpu.fault(GP_VECTOR, 0);
  const offset = BigInt.asUintN(insn.addressSize * 8, s.gpr64(0));
  const at = segmentedAddress(cpu, insn.segment, offset, 1, false);
  loadSized(cpu, at, 1);
  cpu.ports.observer?.instruction?.(cpu.index, 'MONITOR', at, cpu.insnRip);
}

/** MWAIT: wakes at once, which the architecture allows at any time; the processor gives up the rest of its slice. */
export function execMwait(cpu: Processor): void {
  if (cpu.cpl !== 0) cpu.fault(UD_VECTOR);
  if (cpu.state.gpr32(1) & ~1) cpu.fault(GP_VECTOR, 0);
  cpu.ports.observer?.instruction?.(cpu.index, 'MWAIT', 0, cpu.insnRip);
  cpu.requestExit();
}

/** RDRAND and RDSEED. */
export function execRandom(cpu: Processor, insn: Insn): void {
  unmodelled(cpu, insn);
}

/** XGETBV and XSETBV. */
export function execExtendedControl(cpu: Processor, insn: Insn): void {
  if (!(cpu.state.cr4 & CR4_OSXSAVE)) cpu.fault(UD_VECTOR);
  unmodelled(cpu, insn);
}

/** RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE. */
export function execSegmentBase(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  if (!cpu.code64 || !(s.cr4 & CR4_FSGSBASE)) cpu.fault(UD_VECTOR);
  const segment = insn.op === OP.RDFSBASE || insn.op === OP.WRFSBASE ? SEG_FS : SEG_GS;
  const at = L.ST_SEG_BASE + segment * 8;
  if (insn.op === OP.RDFSBASE || insn.op === OP.RDGSBASE) {
    writeOperand(cpu, insn, 0, BigInt.asUintN(insn.size0 * 8, s.get64(at)));
    return;
  }
  const value = readOperand(cpu, insn, 0);
  if (!isCanonical(value)) cpu.fault(GP_VECTOR, 0);
  s.set64(at, value);
  cpu.modeChanged();
}
