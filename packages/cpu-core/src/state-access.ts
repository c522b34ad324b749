/** Raw access from TypeScript to the engine's memory and to a state page in it, by offset and width. */
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

/** Fields of one processor's state page, by offset. Numbers are unsigned 32 bit unless said. */
export class StateAccess {
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
  /** Reads a double. */
  getDouble(offset: number): number {
    return this.views.f64[(this.base + offset) >>> 3]!;
  }
  /** Writes a double. */
  setDouble(offset: number, value: number): void {
    this.views.f64[(this.base + offset) >>> 3] = value;
  }
  /** Writes a number (signed or unsigned, |value| < 2^53) to a 64-bit field, two's complement. */
  setNumber(offset: number, value: number): void {
    const at = (this.base + offset) >>> 2;
    this.views.i32[at] = value | 0;
    this.views.i32[at + 1] = Math.floor(value / 0x1_0000_0000) | 0;
  }
}
