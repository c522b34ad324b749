/**
 * The fields of a state page by name. Written from `layout.ts` by a test, `tests/state-page.test.ts`, not by hand.
 */
import * as L from './layout.ts';
import { StateAccess } from './state-access.ts';

/** Accessors of the fields that are not the engine's own. Writes are raw: no checks, nothing follows from them. */
export class StateFields extends StateAccess {
  /** RIP, 64 bit (EIP and IP zero-extended). */
  get rip(): bigint {
    return this.get64(L.ST_RIP);
  }
  /** Writes it, raw. */
  set rip(value: bigint) {
    this.set64(L.ST_RIP, value);
  }

  /**
   * RFLAGS, 32 bit. With ST_CC_OP != CC_EAGER its six status bits are stale but for what is apart; the other bits are
   * always valid.
   */
  get eflags(): number {
    return this.get32(L.ST_EFLAGS);
  }
  /** Writes it, raw. */
  set eflags(value: number) {
    this.set32(L.ST_EFLAGS, value);
  }

  /** Mode word (MODE_*), 32 bit. */
  get mode(): number {
    return this.get32(L.ST_MODE);
  }
  /** Writes it, raw. */
  set mode(value: number) {
    this.set32(L.ST_MODE, value);
  }

  /** Host offset of the TLB in use (supervisor or user), 32 bit. */
  get tlb(): number {
    return this.get32(L.ST_TLB);
  }
  /** Writes it, raw. */
  set tlb(value: number) {
    this.set32(L.ST_TLB, value);
  }

  /** The four PDPTE registers of PAE paging, 64 bit each. Zero until they are loaded. */
  pdpte(index: number): bigint {
    return this.get64(L.ST_PDPTE + index * 8);
  }
  /** Writes one of them, raw. */
  setPdpte(index: number, value: bigint): void {
    this.set64(L.ST_PDPTE + index * 8, value);
  }

  /** Segment bases ES CS SS DS FS GS LDTR TR, 64 bit each. */
  segBase(index: number): number {
    return this.getSigned(L.ST_SEG_BASE + index * 8);
  }
  /** Writes one of them, raw. */
  setSegBase(index: number, value: number): void {
    this.setNumber(L.ST_SEG_BASE + index * 8, value);
  }

  /** Segment limits in bytes (scaled), 32 bit each. */
  segLimit(index: number): number {
    return this.get32(L.ST_SEG_LIMIT + index * 4);
  }
  /** Writes one of them, raw. */
  setSegLimit(index: number, value: number): void {
    this.set32(L.ST_SEG_LIMIT + index * 4, value);
  }

  /** Segment selectors, 32-bit slots holding 16 bit. */
  segSelector(index: number): number {
    return this.get32(L.ST_SEG_SELECTOR + index * 4);
  }
  /** Writes one of them, raw. */
  setSegSelector(index: number, value: number): void {
    this.set32(L.ST_SEG_SELECTOR + index * 4, value & 0xffff);
  }

  /** Segment attributes (16-bit save-state form), 32-bit slots. */
  segAttr(index: number): number {
    return this.get32(L.ST_SEG_ATTR + index * 4);
  }
  /** Writes one of them, raw. */
  setSegAttr(index: number, value: number): void {
    this.set32(L.ST_SEG_ATTR + index * 4, value & 0xffff);
  }

  /** GDTR base, 64 bit. */
  get gdtrBase(): number {
    return this.getSigned(L.ST_GDTR_BASE);
  }
  /** Writes it, raw. */
  set gdtrBase(value: number) {
    this.setNumber(L.ST_GDTR_BASE, value);
  }

  /** IDTR base, 64 bit. */
  get idtrBase(): number {
    return this.getSigned(L.ST_IDTR_BASE);
  }
  /** Writes it, raw. */
  set idtrBase(value: number) {
    this.setNumber(L.ST_IDTR_BASE, value);
  }

  /** GDTR limit, 32-bit slot. */
  get gdtrLimit(): number {
    return this.get32(L.ST_GDTR_LIMIT);
  }
  /** Writes it, raw. */
  set gdtrLimit(value: number) {
    this.set32(L.ST_GDTR_LIMIT, value);
  }

  /** IDTR limit, 32-bit slot. */
  get idtrLimit(): number {
    return this.get32(L.ST_IDTR_LIMIT);
  }
  /** Writes it, raw. */
  set idtrLimit(value: number) {
    this.set32(L.ST_IDTR_LIMIT, value);
  }

  /** CR0, 32 bit. */
  get cr0(): number {
    return this.get32(L.ST_CR0);
  }
  /** Writes it, raw. */
  set cr0(value: number) {
    this.set32(L.ST_CR0, value);
  }

  /** CR4, 32 bit. */
  get cr4(): number {
    return this.get32(L.ST_CR4);
  }
  /** Writes it, raw. */
  set cr4(value: number) {
    this.set32(L.ST_CR4, value);
  }

  /** CR2, 64 bit. */
  get cr2(): number {
    return this.getSigned(L.ST_CR2);
  }
  /** Writes it, raw. */
  set cr2(value: number) {
    this.setNumber(L.ST_CR2, value);
  }

  /** CR3, 64 bit. */
  get cr3(): number {
    return this.getNumber(L.ST_CR3);
  }
  /** Writes it, raw. */
  set cr3(value: number) {
    this.setNumber(L.ST_CR3, value);
  }

  /** EFER, 32 bit. */
  get efer(): number {
    return this.get32(L.ST_EFER);
  }
  /** Writes it, raw. */
  set efer(value: number) {
    this.set32(L.ST_EFER, value);
  }

  /** SMBASE, guest-physical, 32 bit. */
  get smbase(): number {
    return this.get32(L.ST_SMBASE);
  }
  /** Writes it, raw. */
  set smbase(value: number) {
    this.set32(L.ST_SMBASE, value);
  }

  /** DR0..DR3, 64 bit each. */
  dr(index: number): bigint {
    return this.get64(L.ST_DR + index * 8);
  }
  /** Writes one of them, raw. */
  setDr(index: number, value: bigint): void {
    this.set64(L.ST_DR + index * 8, value);
  }

  /** DR6, 32 bit. */
  get dr6(): number {
    return this.get32(L.ST_DR6);
  }
  /** Writes it, raw. */
  set dr6(value: number) {
    this.set32(L.ST_DR6, value);
  }

  /** DR7, 32 bit. */
  get dr7(): number {
    return this.get32(L.ST_DR7);
  }
  /** Writes it, raw. */
  set dr7(value: number) {
    this.set32(L.ST_DR7, value);
  }

  /** Activity and event latches (ACT_* bits), 32 bit. */
  get activity(): number {
    return this.get32(L.ST_ACTIVITY);
  }
  /** Writes it, raw. */
  set activity(value: number) {
    this.set32(L.ST_ACTIVITY, value);
  }

  /** SIPI vector received, 32 bit. */
  get sipiVector(): number {
    return this.get32(L.ST_SIPI_VECTOR);
  }
  /** Writes it, raw. */
  set sipiVector(value: number) {
    this.set32(L.ST_SIPI_VECTOR, value);
  }

  /** Instructions retired (REP iterations counted), 64-bit float. */
  get retired(): number {
    return this.getDouble(L.ST_RETIRED);
  }
  /** Writes it, raw. */
  set retired(value: number) {
    this.setDouble(L.ST_RETIRED, value);
  }

  /** TSC offset written by WRMSR, 64 bit. */
  get tscOffset(): bigint {
    return this.get64(L.ST_TSC_OFFSET);
  }
  /** Writes it, raw. */
  set tscOffset(value: bigint) {
    this.set64(L.ST_TSC_OFFSET, value);
  }

  /** MXCSR, 32 bit. */
  get mxcsr(): number {
    return this.get32(L.ST_MXCSR);
  }
  /** Writes it, raw. */
  set mxcsr(value: number) {
    this.set32(L.ST_MXCSR, value);
  }

  /** x87 control word, 32-bit slot. */
  get fcw(): number {
    return this.get32(L.ST_FCW);
  }
  /** Writes it, raw. */
  set fcw(value: number) {
    this.set32(L.ST_FCW, value);
  }

  /** x87 status word, 32-bit slot. */
  get fsw(): number {
    return this.get32(L.ST_FSW);
  }
  /** Writes it, raw. */
  set fsw(value: number) {
    this.set32(L.ST_FSW, value);
  }

  /** x87 tag word (full 16-bit form), 32-bit slot. */
  get ftw(): number {
    return this.get32(L.ST_FTW);
  }
  /** Writes it, raw. */
  set ftw(value: number) {
    this.set32(L.ST_FTW, value);
  }

  /** x87 instruction pointer of the last non-control instruction: offset, 64 bit. */
  get fip(): bigint {
    return this.get64(L.ST_FIP);
  }
  /** Writes it, raw. */
  set fip(value: bigint) {
    this.set64(L.ST_FIP, value);
  }

  /** x87 data pointer of the last non-control instruction with a memory operand: offset, 64 bit. */
  get fdp(): bigint {
    return this.get64(L.ST_FDP);
  }
  /** Writes it, raw. */
  set fdp(value: bigint) {
    this.set64(L.ST_FDP, value);
  }

  /** x87 opcode of the last instruction with an unmasked exception, 11 bits in a 32-bit slot. */
  get fop(): number {
    return this.get32(L.ST_FOP);
  }
  /** Writes it, raw. */
  set fop(value: number) {
    this.set32(L.ST_FOP, value);
  }

  /** Code selector of ST_FIP in bits 15..0, data selector of ST_FDP in bits 31..16, 32 bit. */
  get fcsFds(): number {
    return this.get32(L.ST_FCS_FDS);
  }
  /** Writes it, raw. */
  set fcsFds(value: number) {
    this.set32(L.ST_FCS_FDS, value);
  }

  /** XCR0: state components that XSAVE manages, 64 bit. No instruction changes it yet. */
  get xcr0(): bigint {
    return this.get64(L.ST_XCR0);
  }
  /** Writes it, raw. */
  set xcr0(value: bigint) {
    this.set64(L.ST_XCR0, value);
  }

  /** 128 MSR slots of 64 bit, by MSR table row. */
  msr(index: number): bigint {
    return this.get64(L.ST_MSR + index * 8);
  }
  /** Writes one of them, raw. */
  setMsr(index: number, value: bigint): void {
    this.set64(L.ST_MSR + index * 8, value);
  }
}
