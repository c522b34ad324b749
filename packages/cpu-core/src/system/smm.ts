/** SMI entry and RSM. Intel SDM Vol. 3, "System Management Mode"; save-state layouts come from the {@link SaveStateCodec}. */
import {
  CR0_CD,
  CR0_EM,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR4_PAE,
  EFER_LMA,
  EFER_LME,
  RFLAGS_VM,
  SEG_ATTR_L,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
  SEG_GS,
  SEG_LDTR,
  SEG_SS,
  SEG_TR,
  type SegmentState,
  SMM_HANDLER_OFFSET,
  SMM_REVISION_RELOCATION,
  SMM_SAVE_AREA_OFFSET,
  SMM_SAVE_AREA_SIZE,
  type SmmSaveState,
  UD_VECTOR,
} from '@smm/x86-defs';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import { setSegment } from './segments.ts';
import { validCr4Bits } from './system-registers.ts';

/** Interrupt shadow as the save state holds it (KVM's encoding): MOV SS. */
const SHADOW_MOV_SS = 1;
/** Interrupt shadow as the save state holds it (KVM's encoding): STI. */
const SHADOW_STI = 2;

/** Attributes of every segment register in SMM: 4 GB data, present, accessed, writable. */
const SMM_SEGMENT = 0x8093;

function saveSegment(cpu: Processor, segment: number): SegmentState {
  const s = cpu.state;
  return {
    selector: s.segSelector(segment),
    attributes: s.segAttr(segment),
    limit: s.segLimit(segment),
    base: s.get64(L.ST_SEG_BASE + segment * 8),
  };
}

function captureState(cpu: Processor, halted: boolean): SmmSaveState {
  const s = cpu.state;
  const shadow =
    (s.activity & L.ACT_SHADOW_MOVSS ? SHADOW_MOV_SS : 0) | (s.activity & L.ACT_SHADOW_STI ? SHADOW_STI : 0);
  return {
    gpr: Array.from({ length: 16 }, (_, i) => s.gpr64(i)),
    rip: s.rip,
    rflags: BigInt(s.rflags),
    cr0: BigInt(s.cr0),
    cr3: BigInt(s.cr3),
    cr4: BigInt(s.cr4),
    efer: BigInt(s.efer),
    dr6: BigInt(s.get32(L.ST_DR6)),
    dr7: BigInt(s.get32(L.ST_DR7)),
    es: saveSegment(cpu, SEG_ES),
    cs: saveSegment(cpu, SEG_CS),
    ss: saveSegment(cpu, SEG_SS),
    ds: saveSegment(cpu, SEG_DS),
    fs: saveSegment(cpu, SEG_FS),
    gs: saveSegment(cpu, SEG_GS),
    ldtr: saveSegment(cpu, SEG_LDTR),
    tr: saveSegment(cpu, SEG_TR),
    gdtr: { limit: s.get32(L.ST_GDTR_LIMIT), base: s.get64(L.ST_GDTR_BASE) },
    idtr: { limit: s.get32(L.ST_IDTR_LIMIT), base: s.get64(L.ST_IDTR_BASE) },
    smbase: s.smbase,
    revision: cpu.ports.saveState.revision,
    autoHaltRestart: halted && cpu.behaviour.autoHaltRestart,
    ioRestart: 0,
    interruptShadow: shadow,
  };
}

/** True if the layout has EFER. The legacy 32-bit one (revision low half 0) has not: SMM then leaves EFER alone, as KVM does. */
function savesEfer(cpu: Processor): boolean {
  return (cpu.ports.saveState.revision & 0xffff) !== 0;
}

/** Enters SMM. `halted`: the SMI found the processor in HLT. */
export function enterSmm(cpu: Processor, halted: boolean): void {
  const s = cpu.state;
  const state = captureState(cpu, halted);
  cpu.ports.observer?.smiEntered?.(cpu.index, s.smbase, s.rip, halted);
  const act = s.activity;
  let next = (act | L.ACT_SMM | L.ACT_NMI_BLOCKED) & ~(L.ACT_SHUTDOWN | L.ACT_WAIT_SIPI | L.ACT_HALTED);
  next &= ~(L.ACT_SHADOW_STI | L.ACT_SHADOW_MOVSS | L.ACT_SMM_INSIDE_NMI | L.ACT_DEBUG_TRAP);
  if (act & L.ACT_NMI_BLOCKED) next |= L.ACT_SMM_INSIDE_NMI;
  if (act & L.ACT_DEBUG_TRAP) next |= L.ACT_DEBUG_TRAP_HELD;
  s.activity = next;
  const area = new Uint8Array(SMM_SAVE_AREA_SIZE);
  const at = (s.smbase + SMM_SAVE_AREA_OFFSET) >>> 0;
  cpu.ports.memory.readBlock(at, area, cpu.attrs());
  cpu.ports.saveState.save(state, area);
  cpu.ports.memory.writeBlock(at, area, cpu.attrs());

  s.cr0 = (s.cr0 & ~(CR0_PE | CR0_EM | CR0_TS | CR0_PG)) >>> 0;
  s.cr4 = 0;
  s.efer = savesEfer(cpu) ? 0 : s.efer & ~EFER_LMA;
  s.rflags = 2;
  s.rip = BigInt(SMM_HANDLER_OFFSET);
  s.set32(L.ST_DR7, 0x400);
  for (const segment of [SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS]) {
    setSegment(s, segment, 0, 0, 0xffff_ffff, SMM_SEGMENT);
  }
  setSegment(s, SEG_CS, s.smbase >>> 4, s.smbase, 0xffff_ffff, SMM_SEGMENT);
  if (cpu.behaviour.smmEntryIdtr === 'zero') {
    s.set64(L.ST_IDTR_BASE, 0n);
    s.set32(L.ST_IDTR_LIMIT, 0);
  }
  cpu.modeChanged();
  cpu.flushAll();
}

/** Why RSM would shut the processor down; undefined if the state is good. Intel SDM Vol. 3, "Exiting From SMM". */
function invalidState(cpu: Processor, state: SmmSaveState): string | undefined {
  const cr0 = Number(state.cr0 & 0xffff_ffffn);
  const cr4 = Number(state.cr4 & 0xffff_ffffn);
  const efer = Number(state.efer & 0xffff_ffffn);
  if (state.cr4 & ~BigInt(validCr4Bits(cpu.model) >>> 0))
    return `RSM: reserved bit set in CR4 ${state.cr4.toString(16)}h`;
  if (cr0 & CR0_PG && !(cr0 & CR0_PE)) return 'RSM: CR0.PG without CR0.PE';
  if (cr0 & CR0_NW && !(cr0 & CR0_CD)) return 'RSM: CR0.NW without CR0.CD';
  const long = efer & EFER_LME && cr0 & CR0_PG;
  if (long && !(cr4 & CR4_PAE)) return 'RSM: long mode without CR4.PAE';
  if (efer & EFER_LMA && !long) return 'RSM: EFER.LMA without EFER.LME and CR0.PG';
  return undefined;
}

function restoreSegment(cpu: Processor, segment: number, from: SegmentState): void {
  const s = cpu.state;
  s.setSegSelector(segment, from.selector);
  s.setSegAttr(segment, from.attributes);
  s.setSegLimit(segment, from.limit);
  s.set64(L.ST_SEG_BASE + segment * 8, BigInt.asUintN(64, from.base));
}

function applyState(cpu: Processor, state: SmmSaveState): void {
  const s = cpu.state;
  state.gpr.forEach((value, register) => {
    s.setGpr64(register, BigInt.asUintN(64, value));
  });
  s.rip = BigInt.asUintN(64, state.rip);
  s.rflags = Number(state.rflags & 0x3f_7fd7n);
  s.cr0 = Number(state.cr0 & 0xffff_ffffn) | 0x10;
  s.cr3 = Number(state.cr3 & 0xf_ffff_ffff_ffffn);
  s.cr4 = Number(state.cr4 & 0xffff_ffffn);
  const efer = savesEfer(cpu) ? Number(state.efer & 0xffff_ffffn) : s.efer;
  s.efer = efer & EFER_LME && s.cr0 & CR0_PG ? efer | EFER_LMA : efer & ~EFER_LMA;
  s.set32(L.ST_DR6, Number(state.dr6 & 0xffff_ffffn));
  s.set32(L.ST_DR7, Number(state.dr7 & 0xffff_ffffn));
  restoreSegment(cpu, SEG_ES, state.es);
  restoreSegment(cpu, SEG_CS, state.cs);
  restoreSegment(cpu, SEG_SS, state.ss);
  restoreSegment(cpu, SEG_DS, state.ds);
  restoreSegment(cpu, SEG_FS, state.fs);
  restoreSegment(cpu, SEG_GS, state.gs);
  restoreSegment(cpu, SEG_LDTR, state.ldtr);
  restoreSegment(cpu, SEG_TR, state.tr);
  s.set32(L.ST_GDTR_LIMIT, state.gdtr.limit & 0xffff);
  s.set64(L.ST_GDTR_BASE, BigInt.asUintN(64, state.gdtr.base));
  s.set32(L.ST_IDTR_LIMIT, state.idtr.limit & 0xffff);
  s.set64(L.ST_IDTR_BASE, BigInt.asUintN(64, state.idtr.base));
  if (!(s.efer & EFER_LMA && s.segAttr(SEG_CS) & SEG_ATTR_L)) s.rip = BigInt.asUintN(32, s.rip);
  if (!(s.cr0 & CR0_PE)) s.rflags = s.rflags & ~RFLAGS_VM;
}

/** RSM. */
export function execRsm(cpu: Processor): void {
  const s = cpu.state;
  if (!s.smm) cpu.fault(UD_VECTOR);
  const oldSmbase = s.smbase;
  cpu.ports.observer?.rsmStarting?.(cpu.index, cpu.insnRip);
  const area = new Uint8Array(SMM_SAVE_AREA_SIZE);
  cpu.ports.memory.readBlock((oldSmbase + SMM_SAVE_AREA_OFFSET) >>> 0, area, cpu.attrs());
  const state = cpu.ports.saveState.restore(area);
  const invalid = invalidState(cpu, state);
  if (invalid) cpu.faultShutdown(invalid);
  applyState(cpu, state);
  if (!cpu.behaviour.rsmChecksRevision || state.revision & SMM_REVISION_RELOCATION) {
    s.smbase = (state.smbase & cpu.behaviour.smbaseMask) >>> 0;
  }
  let act = s.activity & ~L.ACT_SMM;
  if (!(act & L.ACT_SMM_INSIDE_NMI)) act &= ~L.ACT_NMI_BLOCKED;
  if (act & L.ACT_DEBUG_TRAP_HELD) act |= L.ACT_DEBUG_TRAP;
  act &= ~(L.ACT_SMM_INSIDE_NMI | L.ACT_DEBUG_TRAP_HELD);
  if (state.interruptShadow & SHADOW_MOV_SS) act |= L.ACT_SHADOW_MOVSS;
  if (state.interruptShadow & SHADOW_STI) act |= L.ACT_SHADOW_STI;
  if (state.autoHaltRestart && cpu.behaviour.autoHaltRestart) act |= L.ACT_HALTED;
  s.activity = act;
  cpu.modeChanged();
  cpu.flushAll();
  cpu.noteSoftwareInterrupt(); // no single-step trap for RSM itself
  cpu.recheckEvents();
  cpu.ports.observer?.smmLeft?.(cpu.index, oldSmbase, s.smbase, s.rip);
}
