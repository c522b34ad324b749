/**
 * Control and debug registers, descriptor-table registers. Intel SDM Vol. 3, "Control Registers", "Initializing IA-32e
 * Mode".
 */
import {
  CR0_CD,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR4_DE,
  CR4_FSGSBASE,
  CR4_LA57,
  CR4_MCE,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_OSXSAVE,
  CR4_PAE,
  CR4_PCE,
  CR4_PCIDE,
  CR4_PGE,
  CR4_PSE,
  CR4_PVI,
  CR4_SMAP,
  CR4_SMEP,
  CR4_TSD,
  CR4_UMIP,
  CR4_VME,
  DB_VECTOR,
  EFER_LMA,
  EFER_LME,
  GP_VECTOR,
  SEG_ATTR_L,
  SEG_CS,
  SEG_SS,
  UD_VECTOR,
  UnmodelledError,
} from '@smm/x86-defs';
import { type Insn, K_REG } from '../insn.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import type { CpuModel } from './models.ts';
import { isCanonical } from './msr-table.ts';
import {
  effectiveOffset,
  isUser,
  loadSized,
  operandAddress,
  readOperand,
  readRegister,
  segmentedAddress,
  storeSized,
  writeOperand,
  writeRegister,
} from './operands.ts';

/** Bits of CR0 that there are. */
export const CR0_BITS: number =
  CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | 0x20 | 0x1_0000 | 0x4_0000 | CR0_NW | CR0_CD | CR0_PG;

/** CR4 bit by the feature that brings it. */
const CR4_FEATURES: readonly (readonly [bits: number, feature: string])[] = [
  [CR4_VME | CR4_PVI, 'vme'],
  [CR4_TSD, 'tsc'],
  [CR4_DE, 'de'],
  [CR4_PSE, 'pse'],
  [CR4_PAE, 'pae'],
  [CR4_MCE, 'mce'],
  [CR4_PGE, 'pge'],
  [CR4_OSFXSR, 'fxsr'],
  [CR4_OSXMMEXCPT, 'sse'],
  [CR4_UMIP, 'umip'],
  [CR4_LA57, 'la57'],
  [CR4_FSGSBASE, 'fsgsbase'],
  [CR4_PCIDE, 'pcid'],
  [CR4_OSXSAVE, 'xsave'],
  [CR4_SMEP, 'smep'],
  [CR4_SMAP, 'smap'],
];

/** CR4 bits that a model lets be set; the others are reserved. */
export function validCr4Bits(model: CpuModel): number {
  return CR4_FEATURES.reduce(
    (bits, [bit, feature]) => bits | (model.features.has(feature) ? bit : 0),
    CR4_PCE,
  );
}

/** Raises #GP(0) unless CPL is 0. */
export function requireCpl0(cpu: Processor): void {
  if (cpu.cpl !== 0) cpu.fault(GP_VECTOR, 0);
}

/** Reserved bits 2:1 and 8:5 in the low half of a present PDPTE. */
const PDPTE_RESERVED_LOW = 0x1e6;

/**
 * Loads the PDPTE registers where PAE paging with these registers does. False if an entry has a reserved bit: none is
 * loaded then. Intel SDM Vol. 3, "PDPTE Registers".
 */
export function loadPdptes(cpu: Processor, cr0: number, cr3: number, cr4: number, efer: number): boolean {
  if (!(cr0 & CR0_PG && cr4 & CR4_PAE) || efer & EFER_LMA || !cpu.behaviour.checkPdptes) return true;
  const bytes = new Uint8Array(32);
  cpu.ports.memory.readBlock((cr3 & 0xffff_ffe0) >>> 0, bytes, cpu.attrs());
  const entries = new DataView(bytes.buffer);
  for (let at = 0; at < 32; at += 8) {
    const low = entries.getUint32(at, true);
    if (!(low & 1)) continue;
    const high = entries.getUint32(at + 4, true);
    if (low & PDPTE_RESERVED_LOW || high >= 2 ** (cpu.model.physBits - 32)) return false;
  }
  cpu.state.views.u8.set(bytes, cpu.state.base + L.ST_PDPTE);
  return true;
}

/** As {@link loadPdptes}; raises #GP(0) for a reserved bit. Nothing may fault after it. */
function loadPdptesOrFault(cpu: Processor, cr0: number, cr3: number, cr4: number, efer: number): void {
  if (!loadPdptes(cpu, cr0, cr3, cr4, efer)) cpu.fault(GP_VECTOR, 0);
}

/** Writes CR0 with its checks; long mode becomes active or inactive with paging. */
function writeCr0(cpu: Processor, value: number): void {
  const s = cpu.state;
  const old = s.cr0;
  const next = ((value & CR0_BITS) | CR0_ET) >>> 0;
  if (next & CR0_PG && !(next & CR0_PE)) cpu.fault(GP_VECTOR, 0);
  if (next & CR0_NW && !(next & CR0_CD)) cpu.fault(GP_VECTOR, 0);
  const codeL = (s.segAttr(SEG_CS) & SEG_ATTR_L) !== 0;
  let { efer } = s;
  if ((next ^ old) & CR0_PG) {
    if (next & CR0_PG) {
      if (efer & EFER_LME) {
        if (!(s.cr4 & CR4_PAE) || codeL) cpu.fault(GP_VECTOR, 0);
        efer |= EFER_LMA;
      }
    } else {
      if (cpu.code64 || s.cr4 & CR4_PCIDE) cpu.fault(GP_VECTOR, 0);
      efer &= ~EFER_LMA;
    }
  }
  if ((next ^ old) & (CR0_PG | CR0_CD | CR0_NW)) loadPdptesOrFault(cpu, next, s.cr3, s.cr4, efer);
  s.cr0 = next;
  s.efer = efer;
  if (next & ~old & CR0_PE) s.setSegAttr(SEG_SS, s.segAttr(SEG_SS) & ~0x60); // CPL is 0
  cpu.modeChanged();
  if ((next ^ old) & ~(CR0_TS | CR0_MP | CR0_EM)) cpu.flushAll();
}

/** Writes CR4 with its checks. */
function writeCr4(cpu: Processor, value: bigint): void {
  const s = cpu.state;
  if (value & ~BigInt(cpu.cr4Bits)) cpu.fault(GP_VECTOR, 0);
  const next = Number(value);
  const changed = next ^ s.cr4;
  if (cpu.longMode && (!(next & CR4_PAE) || changed & CR4_LA57)) cpu.fault(GP_VECTOR, 0);
  if (changed & next & CR4_PCIDE && (!cpu.longMode || s.cr3 & 0xfff)) cpu.fault(GP_VECTOR, 0);
  if (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) loadPdptesOrFault(cpu, s.cr0, s.cr3, next, s.efer);
  s.cr4 = next;
  cpu.modeChanged();
  if (changed & (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_LA57)) cpu.flushAll();
}

/** Writes CR3: drops non-global translations. */
function writeCr3(cpu: Processor, value: bigint): void {
  const s = cpu.state;
  let next = value;
  if (cpu.longMode) {
    if (s.cr4 & CR4_PCIDE) next &= ~(1n << 63n);
    if (next >> BigInt(cpu.model.physBits)) cpu.fault(GP_VECTOR, 0);
  }
  loadPdptesOrFault(cpu, s.cr0, Number(next & 0xffff_ffffn), s.cr4, s.efer);
  s.set64(L.ST_CR3, next);
  cpu.memory.flush(undefined, false);
}

/** MOV to a control register. */
export function execMovToCr(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const register = insn.val0;
  if (![0, 2, 3, 4, 8].includes(register) || (register === 8 && !cpu.code64)) cpu.fault(UD_VECTOR);
  requireCpl0(cpu);
  const wide = cpu.code64;
  const value = readRegister(cpu, insn.val1, wide ? 8 : 4);
  cpu.ports.observer?.controlRegister?.(cpu.index, true, register, insn.val1 >>> 3, value, cpu.insnRip);
  if (register === 0) {
    if (value >> 32n) cpu.fault(GP_VECTOR, 0);
    writeCr0(cpu, Number(value));
  } else if (register === 2) s.set64(L.ST_CR2, value);
  else if (register === 3) writeCr3(cpu, value);
  else if (register === 4) writeCr4(cpu, value);
  else {
    if (value >> 4n) cpu.fault(GP_VECTOR, 0);
    cpu.ports.apic.setCr8(Number(value));
    cpu.recheckInterrupts();
  }
}

/** MOV from a control register. */
export function execMovFromCr(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const register = insn.val1;
  if (![0, 2, 3, 4, 8].includes(register) || (register === 8 && !cpu.code64)) cpu.fault(UD_VECTOR);
  requireCpl0(cpu);
  let value: bigint;
  if (register === 0) value = BigInt(s.cr0);
  else if (register === 2) value = s.get64(L.ST_CR2);
  else if (register === 3) value = s.get64(L.ST_CR3);
  else if (register === 4) value = BigInt(s.cr4);
  else value = BigInt(cpu.ports.apic.getCr8());
  writeRegister(cpu, insn.val0, cpu.code64 ? 8 : 4, value);
  cpu.ports.observer?.controlRegister?.(cpu.index, false, register, insn.val0 >>> 3, value, cpu.insnRip);
}

/** CLTS. */
export function execClts(cpu: Processor): void {
  requireCpl0(cpu);
  cpu.state.cr0 = (cpu.state.cr0 & ~CR0_TS) >>> 0;
  cpu.modeChanged();
}

/** LMSW: PE can be set but not cleared. */
export function execLmsw(cpu: Processor, insn: Insn): void {
  requireCpl0(cpu);
  const value = Number(readOperand(cpu, insn, 0) & 0xfn);
  const { cr0 } = cpu.state;
  cpu.ports.observer?.controlRegister?.(cpu.index, true, 0, 0, BigInt(value), cpu.insnRip);
  writeCr0(cpu, (cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | value);
}

/** Raises #GP(0) for SGDT, SIDT, SLDT, STR, SMSW at CPL 1..3 if CR4.UMIP is set. */
export function checkUmip(cpu: Processor): void {
  if (cpu.state.cr4 & CR4_UMIP && cpu.cpl !== 0) cpu.fault(GP_VECTOR, 0);
}

/** SMSW: 16 bits to memory, CR0 as wide as the register otherwise. */
export function execSmsw(cpu: Processor, insn: Insn): void {
  checkUmip(cpu);
  const value = BigInt(cpu.state.cr0);
  if (insn.kind0 === K_REG) writeOperand(cpu, insn, 0, value);
  else storeSized(cpu, operandAddress(cpu, insn, 2, true), 2, value & 0xffffn);
}

const DR7_BREAKPOINTS = 0xff;
const DR7_GD = 0x2000;

function debugRegister(cpu: Processor, register: number): number {
  if (register === 4 || register === 5) {
    if (cpu.state.cr4 & CR4_DE) cpu.fault(UD_VECTOR);
    return register + 2;
  }
  if (register > 7) cpu.fault(UD_VECTOR);
  return register;
}

function checkGeneralDetect(cpu: Processor): void {
  requireCpl0(cpu);
  const s = cpu.state;
  if (!(s.dr7 & DR7_GD)) return;
  s.dr7 &= ~DR7_GD;
  s.dr6 |= 0x2000;
  cpu.fault(DB_VECTOR);
}

/** MOV to a debug register. Breakpoints themselves are not modelled: enabling one stops loudly. */
export function execMovToDr(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const register = debugRegister(cpu, insn.val0);
  checkGeneralDetect(cpu);
  const value = readRegister(cpu, insn.val1, cpu.code64 ? 8 : 4);
  if (register >= 6 && value >> 32n) cpu.fault(GP_VECTOR, 0);
  if (register < 4) s.set64(L.ST_DR + register * 8, value);
  else if (register === 6) s.dr6 = (Number(value) & 0xe00f) | 0xffff_0ff0;
  else loadDr7(cpu, Number(value));
}

/** Loads DR7. Throws `UnmodelledError` `CPU_BREAKPOINT_UNMODELLED` where that enables a breakpoint. */
export function loadDr7(cpu: Processor, value: number): void {
  if (value & DR7_BREAKPOINTS) {
    throw new UnmodelledError(
      'CPU_BREAKPOINT_UNMODELLED',
      `processor ${cpu.index} enables a hardware breakpoint: DR7 = ${value.toString(16)}h at RIP ${cpu.insnRip.toString(16)}h`,
      'Hardware breakpoints are not modelled; use the debugger of the machine instead.',
      { rip: cpu.insnRip, dr7: BigInt(value) },
    );
  }
  cpu.state.dr7 = (value & 0xffff_2bff) | 0x400;
}

/** MOV from a debug register. */
export function execMovFromDr(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const register = debugRegister(cpu, insn.val1);
  checkGeneralDetect(cpu);
  let value: bigint;
  if (register < 4) value = s.get64(L.ST_DR + register * 8);
  else value = BigInt(s.get32(register === 6 ? L.ST_DR6 : L.ST_DR7));
  writeRegister(cpu, insn.val0, cpu.code64 ? 8 : 4, value);
}

function loadTable(cpu: Processor, insn: Insn, baseAt: number, limitAt: number): void {
  requireCpl0(cpu);
  const s = cpu.state;
  const baseSize = cpu.code64 ? 8 : 4;
  const offset = effectiveOffset(cpu, insn);
  const limit = loadSized(cpu, segmentedAddress(cpu, insn.segment, offset, 2, false), 2);
  const after = BigInt.asUintN(insn.addressSize * 8, offset + 2n);
  let base = loadSized(cpu, segmentedAddress(cpu, insn.segment, after, baseSize, false), baseSize);
  if (baseSize === 8 && !isCanonical(base)) cpu.fault(GP_VECTOR, 0);
  if (baseSize === 4 && insn.size === 2) base &= 0xff_ffffn;
  s.set64(baseAt, base);
  s.set32(limitAt, Number(limit));
}

/**
 * SGDT, SIDT: from these fields of the state page. Nothing is written if anything faults; the page of the limit is the
 * first that may.
 */
export function storeTable(cpu: Processor, insn: Insn, limitAt: number, baseAt: number): void {
  checkUmip(cpu);
  const s = cpu.state;
  const user = isUser(cpu);
  const baseSize = cpu.code64 ? 8 : 4;
  const first = operandAddress(cpu, insn, 2, true);
  const second = operandAddress(cpu, insn, baseSize, true, 2);
  cpu.memory.probeWrite(first, 2, user);
  cpu.memory.probeWrite(second, baseSize, user);
  cpu.memory.store(first, 2, s.get32(limitAt) & 0xffff, user);
  if (baseSize === 8) cpu.memory.store64(second, s.get64(baseAt), user);
  else cpu.memory.store(second, 4, insn.size === 2 ? s.get32(baseAt) & 0xff_ffff : s.get32(baseAt), user);
}

/** LGDT. */
export function execLgdt(cpu: Processor, insn: Insn): void {
  loadTable(cpu, insn, L.ST_GDTR_BASE, L.ST_GDTR_LIMIT);
}
/** LIDT. */
export function execLidt(cpu: Processor, insn: Insn): void {
  loadTable(cpu, insn, L.ST_IDTR_BASE, L.ST_IDTR_LIMIT);
}
