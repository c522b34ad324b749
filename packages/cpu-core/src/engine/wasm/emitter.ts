/** WebAssembly bytes into a growing buffer. Source: WebAssembly Core Specification, "Binary Format". */

/** Value types. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F64 = 0x7c;
export const V128 = 0x7b;

/** Opcodes by their names in the text format (dots as underscores). */
export const W = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  br_if: 0x0d,
  br_table: 0x0e,
  return: 0x0f,
  call: 0x10,
  call_indirect: 0x11,
  return_call: 0x12,
  return_call_indirect: 0x13,
  drop: 0x1a,
  select: 0x1b,
  local_get: 0x20,
  local_set: 0x21,
  local_tee: 0x22,
  i32_load: 0x28,
  i64_load: 0x29,
  f64_load: 0x2b,
  i32_load8_u: 0x2d,
  i32_load16_u: 0x2f,
  i64_load8_u: 0x31,
  i64_load16_u: 0x33,
  i64_load32_s: 0x34,
  i64_load32_u: 0x35,
  i32_store: 0x36,
  i64_store: 0x37,
  i32_store8: 0x3a,
  i32_store16: 0x3b,
  i64_store8: 0x3c,
  i64_store16: 0x3d,
  i64_store32: 0x3e,
  i32_const: 0x41,
  i64_const: 0x42,
  f64_const: 0x44,
  i32_eqz: 0x45,
  i32_eq: 0x46,
  i32_ne: 0x47,
  i32_lt_s: 0x48,
  i32_lt_u: 0x49,
  i32_gt_s: 0x4a,
  i32_gt_u: 0x4b,
  i32_le_s: 0x4c,
  i32_le_u: 0x4d,
  i32_ge_u: 0x4f,
  i32_ge_s: 0x4e,
  i64_eqz: 0x50,
  i64_eq: 0x51,
  i64_ne: 0x52,
  i64_lt_s: 0x53,
  i64_lt_u: 0x54,
  i64_gt_s: 0x55,
  i64_gt_u: 0x56,
  i64_le_s: 0x57,
  i64_le_u: 0x58,
  i64_ge_u: 0x5a,
  f64_eq: 0x61,
  f64_ne: 0x62,
  f64_lt: 0x63,
  f64_gt: 0x64,
  f64_le: 0x65,
  f64_ge: 0x66,
  i32_clz: 0x67,
  i32_ctz: 0x68,
  i32_popcnt: 0x69,
  i32_add: 0x6a,
  i32_sub: 0x6b,
  i32_mul: 0x6c,
  i32_and: 0x71,
  i32_or: 0x72,
  i32_xor: 0x73,
  i32_shl: 0x74,
  i32_shr_s: 0x75,
  i32_shr_u: 0x76,
  i32_rotl: 0x77,
  i64_clz: 0x79,
  i64_ctz: 0x7a,
  i64_add: 0x7c,
  i64_sub: 0x7d,
  i64_mul: 0x7e,
  i64_div_s: 0x7f,
  i64_div_u: 0x80,
  i64_rem_s: 0x81,
  i64_rem_u: 0x82,
  i64_and: 0x83,
  i64_or: 0x84,
  i64_xor: 0x85,
  i64_shl: 0x86,
  i64_shr_s: 0x87,
  i64_shr_u: 0x88,
  i64_rotr: 0x8a,
  i32_wrap_i64: 0xa7,
  f32_sqrt: 0x91,
  f32_add: 0x92,
  f32_sub: 0x93,
  f32_mul: 0x94,
  f32_div: 0x95,
  f64_abs: 0x99,
  f64_floor: 0x9c,
  f64_trunc: 0x9d,
  f64_nearest: 0x9e,
  f64_sqrt: 0x9f,
  f64_add: 0xa0,
  f64_sub: 0xa1,
  f64_mul: 0xa2,
  f64_div: 0xa3,
  i32_trunc_f64_s: 0xaa,
  i64_extend_i32_s: 0xac,
  i64_extend_i32_u: 0xad,
  i64_trunc_f64_s: 0xb0,
  f32_convert_i32_s: 0xb2,
  f32_convert_i64_s: 0xb4,
  f64_convert_i32_s: 0xb7,
  f64_convert_i64_s: 0xb9,
  f64_promote_f32: 0xbb,
  i64_reinterpret_f64: 0xbd,
  i32_extend8_s: 0xc0,
  i32_extend16_s: 0xc1,
  i64_extend8_s: 0xc2,
  i64_extend16_s: 0xc3,
  i64_extend32_s: 0xc4,
} as const;

/** Opcodes behind the prefix FDh, by their names in the text format. */
export const S = {
  v128_load: 0,
  v128_store: 11,
  v128_const: 12,
  i8x16_shuffle: 13,
  i8x16_swizzle: 14,
  i8x16_splat: 15,
  i16x8_splat: 16,
  i32x4_splat: 17,
  i64x2_splat: 18,
  i16x8_extract_lane_u: 25,
  i32x4_extract_lane: 27,
  i64x2_extract_lane: 29,
  i64x2_replace_lane: 30,
  f32x4_extract_lane: 31,
  f32x4_replace_lane: 32,
  f64x2_extract_lane: 33,
  f64x2_replace_lane: 34,
  i8x16_eq: 35,
  i8x16_gt_s: 39,
  i16x8_eq: 45,
  i16x8_gt_s: 49,
  i32x4_eq: 55,
  i32x4_gt_s: 59,
  i32x4_lt_u: 58,
  i32x4_gt_u: 60,
  f32x4_eq: 65,
  f32x4_ne: 66,
  f32x4_lt: 67,
  f32x4_ge: 70,
  f64x2_eq: 71,
  f64x2_ne: 72,
  f64x2_lt: 73,
  f64x2_ge: 76,
  v128_and: 78,
  v128_andnot: 79,
  v128_or: 80,
  v128_xor: 81,
  v128_any_true: 83,
  v128_load32_zero: 92,
  v128_load64_zero: 93,
  f32x4_demote_f64x2_zero: 94,
  f64x2_promote_low_f32x4: 95,
  i8x16_bitmask: 100,
  i8x16_narrow_i16x8_s: 101,
  i8x16_narrow_i16x8_u: 102,
  f32x4_trunc: 105,
  f32x4_nearest: 106,
  i8x16_add: 110,
  i8x16_add_sat_s: 111,
  i8x16_add_sat_u: 112,
  i8x16_sub: 113,
  i8x16_sub_sat_s: 114,
  i8x16_sub_sat_u: 115,
  i8x16_min_u: 119,
  i8x16_max_u: 121,
  f64x2_trunc: 122,
  i8x16_avgr_u: 123,
  i16x8_extadd_pairwise_i8x16_u: 125,
  i32x4_extadd_pairwise_i16x8_u: 127,
  i16x8_narrow_i32x4_s: 133,
  i16x8_shl: 139,
  i16x8_shr_s: 140,
  i16x8_shr_u: 141,
  i16x8_add: 142,
  i16x8_add_sat_s: 143,
  i16x8_add_sat_u: 144,
  i16x8_sub: 145,
  i16x8_sub_sat_s: 146,
  i16x8_sub_sat_u: 147,
  f64x2_nearest: 148,
  i16x8_mul: 149,
  i16x8_min_s: 150,
  i16x8_max_s: 152,
  i16x8_avgr_u: 155,
  i32x4_all_true: 163,
  i32x4_bitmask: 164,
  i32x4_shl: 171,
  i32x4_shr_s: 172,
  i32x4_shr_u: 173,
  i32x4_add: 174,
  i32x4_sub: 177,
  i32x4_mul: 181,
  i32x4_dot_i16x8_s: 186,
  i32x4_extmul_low_i16x8_s: 188,
  i32x4_extmul_high_i16x8_s: 189,
  i32x4_extmul_low_i16x8_u: 190,
  i32x4_extmul_high_i16x8_u: 191,
  i64x2_all_true: 195,
  i64x2_bitmask: 196,
  i64x2_shl: 203,
  i64x2_shr_u: 205,
  i64x2_add: 206,
  i64x2_sub: 209,
  i64x2_mul: 213,
  i64x2_gt_s: 217,
  f32x4_sqrt: 227,
  f32x4_add: 228,
  f32x4_sub: 229,
  f32x4_mul: 230,
  f32x4_div: 231,
  f32x4_pmin: 234,
  f32x4_pmax: 235,
  f64x2_sqrt: 239,
  f64x2_add: 240,
  f64x2_sub: 241,
  f64x2_mul: 242,
  f64x2_div: 243,
  f64x2_pmin: 246,
  f64x2_pmax: 247,
  i32x4_trunc_sat_f32x4_s: 248,
  f32x4_convert_i32x4_s: 250,
  i32x4_trunc_sat_f64x2_s_zero: 252,
  f64x2_convert_low_i32x4_s: 254,
} as const;

/** No result. */
export const VOID = 0x40;

/** A growing byte buffer with the encodings of the binary format. */
export class Emitter {
  #bytes = new Uint8Array(512);
  #length = 0;

  /** Local of a `local.set` that ends the buffer, -1 if it does not. */
  #set = -1;
  /** Length of the buffer after that `local.set`, and where it begins. */
  #setEnd = -1;
  #setAt = -1;
  /** Offsets of what {@link rarely} announced. */
  readonly unlikely: number[] = [];

  /** What was written so far. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }
  /** Forgets what was written. */
  clear(): void {
    this.#length = 0;
    this.#setEnd = -1;
    this.unlikely.length = 0;
  }

  /** Announces an `if` or `br_if` that is hardly ever taken. */
  rarely(): this {
    this.unlikely.push(this.#length);
    return this;
  }

  /** Bytes as they are (opcodes). */
  op(...bytes: number[]): this {
    for (const byte of bytes) this.#push(byte);
    return this;
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(this.#length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = byte;
  }

  /** Unsigned LEB128, below 2^32. */
  unsigned(value: number): this {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.#push((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.#push(rest);
    return this;
  }

  /** Signed LEB128 of a 64-bit value. */
  signed(value: bigint): this {
    const small = Number(BigInt.asIntN(32, value));
    if (BigInt(small) === BigInt.asIntN(64, value)) return this.signed32(small);
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const byte = Number(rest & 0x7fn);
      rest >>= 7n;
      const done = (rest === 0n && !(byte & 0x40)) || (rest === -1n && (byte & 0x40) !== 0);
      this.#push(done ? byte : byte | 0x80);
      if (done) return this;
    }
  }

  /** Signed LEB128 of a 32-bit value. */
  signed32(value: number): this {
    let rest = value | 0;
    while (rest < -64 || rest > 63) {
      this.#push((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.#push(rest & 0x7f);
    return this;
  }

  /** Bytes from another buffer. */
  append(bytes: Uint8Array): this {
    let size = this.#bytes.length;
    while (size < this.#length + bytes.length) size *= 2;
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(size);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** A name: length and UTF-8 (ASCII only here). */
  name(text: string): this {
    this.unsigned(text.length);
    for (const char of text) this.#push(char.charCodeAt(0));
    return this;
  }

  i32(value: number): this {
    return this.op(W.i32_const).signed32(value);
  }
  i64(value: bigint): this {
    return this.op(W.i64_const).signed(value);
  }
  f64(value: number): this {
    return this.op(W.f64_const, ...new Uint8Array(Float64Array.of(value).buffer));
  }
  /** `i64.trunc_sat_f64_s`. */
  truncSat64(): this {
    return this.op(0xfc, 6);
  }
  /** Right behind a `local.set` of the same local the two become a `local.tee`. */
  get(local: number): this {
    if (this.#setEnd === this.#length && this.#set === local) {
      this.#bytes[this.#setAt] = W.local_tee;
      this.#setEnd = -1;
      return this;
    }
    return this.op(W.local_get).unsigned(local);
  }
  set(local: number): this {
    this.#setAt = this.#length;
    this.op(W.local_set).unsigned(local);
    this.#set = local;
    this.#setEnd = this.#length;
    return this;
  }
  tee(local: number): this {
    return this.op(W.local_tee).unsigned(local);
  }
  /** A load or store at a constant offset; declared unaligned. */
  mem(opcode: number, offset: number): this {
    return this.op(opcode, 0).unsigned(offset);
  }
  /** `memory.copy`: destination, source and length are on the stack. */
  memoryCopy(): this {
    return this.op(0xfc, 0x0a, 0, 0);
  }
  /** Vector operations without operands in the code. */
  simd(...opcodes: number[]): this {
    for (const opcode of opcodes) this.op(0xfd).unsigned(opcode);
    return this;
  }
  /** As {@link mem}, for a vector. */
  simdMem(opcode: number, offset: number): this {
    return this.simd(opcode).op(0).unsigned(offset);
  }
  /** A lane's extraction or replacement. */
  simdLane(opcode: number, lane: number): this {
    return this.simd(opcode).op(lane);
  }
  /** A constant vector, or a shuffle by 16 byte numbers (those of the second operand from 16 on). */
  simdBytes(opcode: number, bytes: readonly number[]): this {
    return this.simd(opcode).op(...bytes);
  }
  call(index: number): this {
    return this.op(W.call).unsigned(index);
  }
  br(depth: number): this {
    return this.op(W.br).unsigned(depth);
  }
  brIf(depth: number): this {
    return this.op(W.br_if).unsigned(depth);
  }
}
