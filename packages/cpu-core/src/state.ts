/** A processor's registers as TypeScript sees them: the fields of its state page, and what is more than a field. */
import { RFLAGS_FIXED } from '@smm/x86-defs';
import { evaluateFlags, STATUS_FLAGS } from './flags.ts';
import * as L from './layout.ts';
import { StateFields } from './state-fields.ts';

/**
 * One processor's registers. Numbers are unsigned 32 bit unless said; bigints unsigned 64 bit. Writes are raw: no
 * checks, and what follows from them (mode, translations, events) is the caller's.
 */
export class CpuState extends StateFields {
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

  /** True in SMM. */
  get smm(): boolean {
    return (this.activity & L.ACT_SMM) !== 0;
  }
}
