/** Named access from TypeScript to a processor's state page. No behaviour beyond width and lazy-flag handling. */
import { RFLAGS_FIXED } from '@smm/x86-defs';
import { evaluateFlags, STATUS_FLAGS } from './flags.ts';
import * as L from './layout.ts';
import type { RamWindow } from './ports.ts';

/** Views of the whole engine memory; valid for ever because it never grows. */
export class Views {
  /** The whole memory by host offset, in bytes. */
  readonly u8: Uint8Array;
  /** Unsigned 16-bit words; index = host offset / 2. */
  readonly u16: Uint16Array;
  /** Signed 32-bit words; index = host offset / 4. */
  readonly i32: Int32Array;
  /** Unsigned 32-bit words; index = host offset / 4. */
  readonly u32: Uint32Array;
  /** Unsigned 64-bit words; index = host offset / 8. */
  readonly u64: BigUint64Array;
  /** Signed 64-bit words; index = host offset / 8. */
  readonly i64: BigInt64Array;
  /** Doubles; index = host offset / 8. */
  readonly f64: Float64Array;
  /** For unaligned accesses, little-endian. */
  readonly data: DataView;

  constructor(window: RamWindow) {
    const b = window.buffer;
    this.u8 = new Uint8Array(b);
    this.u16 = new Uint16Array(b);
    this.i32 = new Int32Array(b);
    this.u32 = new Uint32Array(b);
    this.u64 = new BigUint64Array(b);
    this.i64 = new BigInt64Array(b);
    this.f64 = new Float64Array(b);
    this.data = new DataView(b);
  }
}

/** One processor's registers. Numbers are unsigned 32 bit unless said; bigints unsigned 64 bit. */
export class CpuState {
  /** Views of the memory that holds the state page. */
  readonly views: Views;
  /** Host offset of the state page, 4 KiB aligned. */
  readonly base: number;

  constructor(views: Views, base: number) {
    this.views = views;
    this.base = base;
  }

  /** Reads a 32-bit field at a layout offset. */
  get32(offset: number): number {
    return this.views.u32[(this.base + offset) >>> 2]!;
  }
  /** Writes a 32-bit field at a layout offset. */
  set32(offset: number, value: number): void {
    this.views.i32[(this.base + offset) >>> 2] = value;
  }
  /** Reads a 64-bit field at a layout offset. */
  get64(offset: number): bigint {
    return this.views.u64[(this.base + offset) >>> 3]!;
  }
  /** Writes a 64-bit field at a layout offset. */
  set64(offset: number, value: bigint): void {
    this.views.u64[(this.base + offset) >>> 3] = value;
  }
  /** Reads a 64-bit field as a number: exact for unsigned values below 2^53. */
  getNumber(offset: number): number {
    const at = (this.base + offset) >>> 2;
    return this.views.u32[at]! + this.views.u32[at + 1]! * 0x1_0000_0000;
  }
  /** Reads a 64-bit field as a signed number: exact for canonical addresses. */
  getSigned(offset: number): number {
    const at = (this.base + offset) >>> 2;
    return this.views.u32[at]! + this.views.i32[at + 1]! * 0x1_0000_0000;
  }
  /** Writes a number (signed or unsigned, |value| < 2^53) to a 64-bit field, two's complement. */
  setNumber(offset: number, value: number): void {
    const at = (this.base + offset) >>> 2;
    this.views.i32[at] = value | 0;
    this.views.i32[at + 1] = Math.floor(value / 0x1_0000_0000) | 0;
  }

  /** General register, 64 bit. */
  gpr64(register: number): bigint {
    return this.get64(register * 8);
  }
  /** Writes a general register, 64 bit. */
  setGpr64(register: number, value: bigint): void {
    this.set64(register * 8, value);
  }
  /** Low 32 bits of a general register. */
  gpr32(register: number): number {
    return this.get32(register * 8);
  }
  /** 32-bit write: clears the upper half. */
  setGpr32(register: number, value: number): void {
    this.set32(register * 8, value);
    this.set32(register * 8 + 4, 0);
  }
  /** Low 16 bits of a general register. */
  gpr16(register: number): number {
    return this.views.u16[(this.base + register * 8) >>> 1]!;
  }
  /** 16-bit write: keeps the other 48 bits. */
  setGpr16(register: number, value: number): void {
    this.views.u16[(this.base + register * 8) >>> 1] = value;
  }
  /** Byte register by byte offset into the GPR file (`Insn.val*` of a K_REG of size 1). */
  gpr8(byteOffset: number): number {
    return this.views.u8[this.base + byteOffset]!;
  }
  /** Writes a byte register; offset as in `gpr8`. */
  setGpr8(byteOffset: number, value: number): void {
    this.views.u8[this.base + byteOffset] = value;
  }

  /** RIP, 64 bit. */
  get rip(): bigint {
    return this.get64(L.ST_RIP);
  }
  /** Writes RIP. */
  set rip(value: bigint) {
    this.set64(L.ST_RIP, value);
  }

  /** RIP as a number: exact below 2^53. */
  get ripNumber(): number {
    return this.getNumber(L.ST_RIP);
  }

  /** RFLAGS with its status flags evaluated, 32 bit. */
  get rflags(): number {
    const eflags = this.get32(L.ST_EFLAGS);
    if (this.get32(L.ST_CC_OP) === L.CC_EAGER) return (eflags | RFLAGS_FIXED) >>> 0;
    return ((eflags & ~STATUS_FLAGS) | this.statusFlags | RFLAGS_FIXED) >>> 0;
  }
  /** Writes all of RFLAGS. The caller masks what may change and calls `Processor.modeChanged` if VM changed. */
  set rflags(value: number) {
    this.set32(L.ST_EFLAGS, value | RFLAGS_FIXED);
    this.set32(L.ST_CC_OP, L.CC_EAGER);
  }

  /** The six status flags, evaluated, in RFLAGS positions. */
  get statusFlags(): number {
    return evaluateFlags(
      this.get32(L.ST_CC_OP),
      this.get32(L.ST_CC_RES),
      this.get32(L.ST_CC_RES + 4),
      this.get32(L.ST_CC_SRC),
      this.get32(L.ST_CC_SRC + 4),
      this.get32(L.ST_EFLAGS),
    );
  }

  /** CR0, 32 bit. */
  get cr0(): number {
    return this.get32(L.ST_CR0);
  }
  /** Raw write: no checks, no mode change. */
  set cr0(value: number) {
    this.set32(L.ST_CR0, value);
  }
  /** CR2: linear address, signed canonical number. */
  get cr2(): number {
    return this.getSigned(L.ST_CR2);
  }
  /** Writes CR2. */
  set cr2(value: number) {
    this.setNumber(L.ST_CR2, value);
  }
  /** CR3 as a number (52 bits at most). */
  get cr3(): number {
    return this.getNumber(L.ST_CR3);
  }
  /** Raw write: no checks, no TLB flush. */
  set cr3(value: number) {
    this.setNumber(L.ST_CR3, value);
  }
  /** CR4, 32 bit. */
  get cr4(): number {
    return this.get32(L.ST_CR4);
  }
  /** Raw write: no checks, no TLB flush. */
  set cr4(value: number) {
    this.set32(L.ST_CR4, value);
  }
  /** IA32_EFER, 32 bit. */
  get efer(): number {
    return this.get32(L.ST_EFER);
  }
  /** Raw write: no checks, no mode change. */
  set efer(value: number) {
    this.set32(L.ST_EFER, value);
  }
  /** SMBASE, guest-physical. */
  get smbase(): number {
    return this.get32(L.ST_SMBASE);
  }
  /** Writes SMBASE; the next SMI uses it. */
  set smbase(value: number) {
    this.set32(L.ST_SMBASE, value);
  }
  /** Mode word (MODE_*). */
  get mode(): number {
    return this.get32(L.ST_MODE);
  }
  /** Raw write: the caller flushes what depends on it. */
  set mode(value: number) {
    this.set32(L.ST_MODE, value);
  }
  /** Activity and event latches (ACT_*). */
  get activity(): number {
    return this.get32(L.ST_ACTIVITY);
  }
  /** Raw write: the caller requests an exit where it matters. */
  set activity(value: number) {
    this.set32(L.ST_ACTIVITY, value);
  }
  /** True in SMM. */
  get smm(): boolean {
    return (this.activity & L.ACT_SMM) !== 0;
  }

  /** Segment base: linear address, signed canonical number. `segment` is SEG_*. */
  segBase(segment: number): number {
    return this.getSigned(L.ST_SEG_BASE + segment * 8);
  }
  /** Writes the hidden base alone; `modeChanged` is the caller's. */
  setSegBase(segment: number, base: number): void {
    this.setNumber(L.ST_SEG_BASE + segment * 8, base);
  }
  /** Segment limit in bytes. */
  segLimit(segment: number): number {
    return this.get32(L.ST_SEG_LIMIT + segment * 4);
  }
  /** Writes the hidden limit alone, in bytes. */
  setSegLimit(segment: number, limit: number): void {
    this.set32(L.ST_SEG_LIMIT + segment * 4, limit);
  }
  /** Segment selector, 16 bit. */
  segSelector(segment: number): number {
    return this.get32(L.ST_SEG_SELECTOR + segment * 4);
  }
  /** Writes the selector alone, 16 bit. */
  setSegSelector(segment: number, selector: number): void {
    this.set32(L.ST_SEG_SELECTOR + segment * 4, selector & 0xffff);
  }
  /** Segment attributes, 16-bit save-state form. */
  segAttr(segment: number): number {
    return this.get32(L.ST_SEG_ATTR + segment * 4);
  }
  /** Writes the hidden attributes alone, 16 bit. */
  setSegAttr(segment: number, attributes: number): void {
    this.set32(L.ST_SEG_ATTR + segment * 4, attributes & 0xffff);
  }
}
