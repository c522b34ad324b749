/**
 * SMI entry and RSM. Intel SDM Vol. 3, "System Management Mode"; save-state layouts come from the
 * {@link SaveStateCodec}.
 */
import {
  CR0_CD,
  CR0_EM,
  CR0_ET,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR4_PAE,
  EFER_LMA,
  EFER_LME,
  RFLAGS_VM,
  SAVE_STATE_WORDS,
  SAVE_WORD,
  SAVE_WORDS_PER_SEGMENT,
  SEG_ATTR_L,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
  SEG_GS,
  SEG_SS,
  SMM_HANDLER_OFFSET,
  SMM_REVISION_RELOCATION,
  SMM_SAVE_AREA_OFFSET,
  SMM_SAVE_AREA_SIZE,
  UD_VECTOR,
} from '@smm/x86-defs';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import type { CpuState } from '../state.ts';
import { refuseSvme } from './msr-table.ts';
import { setSegment } from './segments.ts';
import { CR0_BITS, loadDr7, loadPdptes } from './system-registers.ts';

/** Interrupt shadow as the save state holds it (KVM's encoding): MOV SS. */
const SHADOW_MOV_SS = 1;
/** Interrupt shadow as the save state holds it (KVM's encoding): STI. */
const SHADOW_STI = 2;

/** Attributes of every segment register in SMM: 4 GB data, present, accessed, writable. */
const SMM_SEGMENT = 0x8093;

/** Segments whose registers SMM entry sets alike. */
const SMM_DATA_SEGMENTS: readonly number[] = [SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS];
/** Segments in a save state: SEG_* numbers are its order. */
const SEGMENTS = 8;

/**
 * A processor's room for a state on its way between registers and memory: as words, and as the bytes of the save area.
 */
export class SaveRoom {
  /** The state: `SAVE_WORD` says what is where. */
  readonly words: Uint32Array = new Uint32Array(SAVE_STATE_WORDS);
  /** The save area, from SMBASE+FE00h on. */
  readonly area: Uint8Array = new Uint8Array(SMM_SAVE_AREA_SIZE);
}

/** Copies 64-bit fields of the state page, as pairs of words. */
function captureWords(words: Uint32Array, to: number, cpu: Processor, offset: number, count: number): void {
  const { u32 } = cpu.state.views;
  const from = (cpu.state.base + offset) >>> 2;
  for (let i = 0; i < count; i++) words[to + i] = u32[from + i]!;
}

function captureState(cpu: Processor, halted: boolean, words: Uint32Array): void {
  const s = cpu.state;
  const shadow =
    (s.activity & L.ACT_SHADOW_MOVSS ? SHADOW_MOV_SS : 0) | (s.activity & L.ACT_SHADOW_STI ? SHADOW_STI : 0);
  words.fill(0);
  captureWords(words, SAVE_WORD.gpr, cpu, L.ST_GPR, 32);
  captureWords(words, SAVE_WORD.rip, cpu, L.ST_RIP, 2);
  words[SAVE_WORD.rflags] = s.rflags;
  words[SAVE_WORD.cr0] = s.cr0;
  captureWords(words, SAVE_WORD.cr3, cpu, L.ST_CR3, 2);
  words[SAVE_WORD.cr4] = s.cr4;
  words[SAVE_WORD.efer] = s.efer;
  words[SAVE_WORD.dr6] = s.dr6;
  words[SAVE_WORD.dr7] = s.dr7;
  for (let segment = 0; segment < SEGMENTS; segment++) {
    const at = SAVE_WORD.segments + segment * SAVE_WORDS_PER_SEGMENT;
    words[at] = s.segSelector(segment);
    words[at + 1] = s.segAttr(segment);
    words[at + 2] = s.segLimit(segment);
    captureWords(words, at + 3, cpu, L.ST_SEG_BASE + segment * 8, 2);
  }
  words[SAVE_WORD.gdtr] = s.gdtrLimit;
  captureWords(words, SAVE_WORD.gdtr + 1, cpu, L.ST_GDTR_BASE, 2);
  words[SAVE_WORD.idtr] = s.idtrLimit;
  captureWords(words, SAVE_WORD.idtr + 1, cpu, L.ST_IDTR_BASE, 2);
  words[SAVE_WORD.smbase] = s.smbase;
  words[SAVE_WORD.revision] = cpu.ports.saveState.revision;
  words[SAVE_WORD.autoHaltRestart] = halted && cpu.behaviour.autoHaltRestart ? 1 : 0;
  words[SAVE_WORD.interruptShadow] = shadow;
}

/**
 * True if the layout has EFER. The legacy 32-bit one (revision low half 0) has not: SMM then leaves EFER alone, as KVM
 * does.
 */
function savesEfer(cpu: Processor): boolean {
  return (cpu.ports.saveState.revision & 0xffff) !== 0;
}

/** Enters SMM. `halted`: the SMI found the processor in HLT. */
export function enterSmm(cpu: Processor, halted: boolean): void {
  const s = cpu.state;
  const { words, area } = cpu.saveRoom;
  captureState(cpu, halted, words);
  cpu.ports.observer?.smiEntered?.(cpu.index, s.smbase, s.rip, halted);
  const act = s.activity;
  let next = (act | L.ACT_SMM | L.ACT_NMI_BLOCKED) & ~(L.ACT_SHUTDOWN | L.ACT_WAIT_SIPI | L.ACT_HALTED);
  next &= ~(L.ACT_SHADOW_STI | L.ACT_SHADOW_MOVSS | L.ACT_SMM_INSIDE_NMI | L.ACT_DEBUG_TRAP);
  if (act & L.ACT_NMI_BLOCKED) next |= L.ACT_SMM_INSIDE_NMI;
  if (act & L.ACT_DEBUG_TRAP) next |= L.ACT_DEBUG_TRAP_HELD;
  s.activity = next;
  const at = (s.smbase + SMM_SAVE_AREA_OFFSET) >>> 0;
  cpu.ports.memory.readBlock(at, area, cpu.attrs());
  cpu.ports.saveState.save(words, area);
  cpu.ports.memory.writeBlock(at, area, cpu.attrs());

  s.cr0 = (s.cr0 & ~(CR0_PE | CR0_EM | CR0_TS | CR0_PG)) >>> 0;
  s.cr4 = 0;
  s.efer = savesEfer(cpu) ? 0 : s.efer & ~EFER_LMA;
  s.rflags = 2;
  s.setNumber(L.ST_RIP, SMM_HANDLER_OFFSET);
  s.dr7 = 0x400;
  for (const segment of SMM_DATA_SEGMENTS) {
    setSegment(s, segment, 0, 0, 0xffff_ffff, SMM_SEGMENT);
  }
  setSegment(s, SEG_CS, s.smbase >>> 4, s.smbase, 0xffff_ffff, SMM_SEGMENT);
  if (cpu.behaviour.smmEntryIdtr === 'zero') {
    s.set64(L.ST_IDTR_BASE, 0n);
    s.idtrLimit = 0;
  }
  cpu.modeChanged();
  cpu.flushAll();
}

/**
 * Why RSM would shut the processor down; undefined if the state is good. Intel SDM Vol. 3, "Exiting From SMM"; for
 * EFER, which that does not name, AMD APM Vol. 2, "Leaving SMM".
 */
function invalidState(cpu: Processor, words: Uint32Array): string | undefined {
  const cr0 = words[SAVE_WORD.cr0]!;
  const cr4 = words[SAVE_WORD.cr4]!;
  const cr4High = words[SAVE_WORD.cr4 + 1]!;
  const efer = words[SAVE_WORD.efer]!;
  if (cr4High !== 0 || cr4 & ~cpu.cr4Bits)
    return `RSM: reserved bit set in CR4 ${(cr4High * 0x1_0000_0000 + cr4).toString(16)}h`;
  if (cr0 & CR0_PG && !(cr0 & CR0_PE)) return 'RSM: CR0.PG without CR0.PE';
  if (cr0 & CR0_NW && !(cr0 & CR0_CD)) return 'RSM: CR0.NW without CR0.CD';
  const eferHigh = words[SAVE_WORD.efer + 1]!;
  if (eferHigh !== 0 || efer & ~cpu.eferBits)
    return `RSM: reserved bit set in EFER ${(eferHigh * 0x1_0000_0000 + efer).toString(16)}h`;
  const long = efer & EFER_LME && cr0 & CR0_PG;
  if (long && !(cr4 & CR4_PAE)) return 'RSM: long mode without CR4.PAE';
  if (efer & EFER_LMA && !long) return 'RSM: EFER.LMA without EFER.LME and CR0.PG';
  return undefined;
}

/** Writes pairs of words to 64-bit fields of the state page. */
function applyWords(words: Uint32Array, from: number, cpu: Processor, offset: number, count: number): void {
  const { u32 } = cpu.state.views;
  const to = (cpu.state.base + offset) >>> 2;
  for (let i = 0; i < count; i++) u32[to + i] = words[from + i]!;
}

/**
 * Cuts bases to what their registers hold, whatever the save state says: 32 bits, and in long mode canonical addresses
 * for the registers whose bases count in 64-bit mode. The manuals leave open what RSM does with others.
 */
function cutBases(cpu: Processor): void {
  const { longMode } = cpu;
  for (let segment = 0; segment < SEGMENTS; segment++)
    cutBase(cpu.state, L.ST_SEG_BASE + segment * 8, longMode && segment >= SEG_FS);
  cutBase(cpu.state, L.ST_GDTR_BASE, longMode);
  cutBase(cpu.state, L.ST_IDTR_BASE, longMode);
}

function cutBase({ views: { u32 }, base }: CpuState, offset: number, canonical: boolean): void {
  const high = (base + offset + 4) >>> 2;
  u32[high] = canonical ? (u32[high]! << 16) >> 16 : 0;
}

function applyState(cpu: Processor, words: Uint32Array): void {
  const s = cpu.state;
  applyWords(words, SAVE_WORD.gpr, cpu, L.ST_GPR, 32);
  applyWords(words, SAVE_WORD.rip, cpu, L.ST_RIP, 2);
  s.rflags = words[SAVE_WORD.rflags]! & 0x3f_7fd7;
  s.cr0 = ((words[SAVE_WORD.cr0]! & CR0_BITS) | CR0_ET) >>> 0;
  s.set32(L.ST_CR3, words[SAVE_WORD.cr3]!);
  s.set32(L.ST_CR3 + 4, words[SAVE_WORD.cr3 + 1]! & 0xf_ffff);
  s.cr4 = words[SAVE_WORD.cr4]!;
  const efer = savesEfer(cpu) ? words[SAVE_WORD.efer]! : s.efer;
  s.efer = efer & EFER_LME && s.cr0 & CR0_PG ? efer | EFER_LMA : efer & ~EFER_LMA;
  s.dr6 = (words[SAVE_WORD.dr6]! & 0xe00f) | 0xffff_0ff0;
  loadDr7(cpu, words[SAVE_WORD.dr7]!);
  for (let segment = 0; segment < SEGMENTS; segment++) {
    const at = SAVE_WORD.segments + segment * SAVE_WORDS_PER_SEGMENT;
    s.setSegSelector(segment, words[at]!);
    s.setSegAttr(segment, words[at + 1]!);
    s.setSegLimit(segment, words[at + 2]!);
    applyWords(words, at + 3, cpu, L.ST_SEG_BASE + segment * 8, 2);
  }
  s.gdtrLimit = words[SAVE_WORD.gdtr]! & 0xffff;
  applyWords(words, SAVE_WORD.gdtr + 1, cpu, L.ST_GDTR_BASE, 2);
  s.idtrLimit = words[SAVE_WORD.idtr]! & 0xffff;
  applyWords(words, SAVE_WORD.idtr + 1, cpu, L.ST_IDTR_BASE, 2);
  if (!(s.efer & EFER_LMA && s.segAttr(SEG_CS) & SEG_ATTR_L)) s.set32(L.ST_RIP + 4, 0);
  cutBases(cpu);
  if (!(s.cr0 & CR0_PE) || s.efer & EFER_LMA) s.rflags &= ~RFLAGS_VM;
}

/** RSM. */
export function execRsm(cpu: Processor): void {
  const s = cpu.state;
  if (!s.smm) cpu.fault(UD_VECTOR);
  const oldSmbase = s.smbase;
  cpu.ports.observer?.rsmStarting?.(cpu.index, cpu.insnRip);
  const { words, area } = cpu.saveRoom;
  cpu.ports.memory.readBlock((oldSmbase + SMM_SAVE_AREA_OFFSET) >>> 0, area, cpu.attrs());
  cpu.ports.saveState.restore(area, words);
  const invalid = invalidState(cpu, words);
  if (invalid) cpu.faultShutdown(invalid);
  refuseSvme(cpu, words[SAVE_WORD.efer]!);
  applyState(cpu, words);
  if (!cpu.behaviour.rsmChecksRevision || words[SAVE_WORD.revision]! & SMM_REVISION_RELOCATION) {
    s.smbase = (words[SAVE_WORD.smbase]! & cpu.behaviour.smbaseMask) >>> 0;
  }
  let act = s.activity & ~L.ACT_SMM;
  if (!(act & L.ACT_SMM_INSIDE_NMI)) act &= ~L.ACT_NMI_BLOCKED;
  if (act & L.ACT_DEBUG_TRAP_HELD) act |= L.ACT_DEBUG_TRAP;
  act &= ~(L.ACT_SMM_INSIDE_NMI | L.ACT_DEBUG_TRAP_HELD);
  const shadow = words[SAVE_WORD.interruptShadow]!;
  if (shadow & SHADOW_MOV_SS) act |= L.ACT_SHADOW_MOVSS;
  if (shadow & SHADOW_STI) act |= L.ACT_SHADOW_STI;
  if (words[SAVE_WORD.autoHaltRestart] && cpu.behaviour.autoHaltRestart) act |= L.ACT_HALTED;
  s.activity = act;
  const loaded = loadPdptes(cpu, s.cr0, s.get32(L.ST_CR3), s.cr4, s.efer);
  cpu.modeChanged();
  cpu.flushAll();
  cpu.noteSoftwareInterrupt(); // no single-step trap for RSM itself
  cpu.recheckEvents();
  cpu.ports.observer?.smmLeft?.(cpu.index, oldSmbase, s.smbase, s.rip);
  if (!loaded) cpu.faultShutdown('RSM: reserved bit set in a PDPTE');
}
