/** Random encodings of user-mode integer instructions in 64-bit code, with operands in registers and in memory. */
import type { Random } from '../support/random.ts';

export interface Vector {
  name: string;
  gpr: bigint[];
  flags: number;
  code: number[];
  memory: Uint8Array;
  /** RFLAGS bits that the SDM leaves undefined. */
  undefinedFlags: number;
  /** Budget of a turn here; it takes several where the instruction repeats. */
  budget: number;
}

/** Where operands lie: two pages from here, the operand around their border. */
export const DATA = 0x1000_0000;
/** First of the 512 bytes that are loaded and compared. */
export const WINDOW: number = DATA + 0xf00;

const CF = 1;
const PF = 4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;

/** Flags that are undefined after an operation. Intel SDM Vol. 1, "EFLAGS Cross-Reference", and Vol. 2. */
const UNDEFINED: Readonly<Record<string, number>> = {
  logic: AF,
  shift: AF | OF | CF, // refined by count below
  rotate: OF,
  rcl: OF,
  shld: AF | OF | CF,
  mul: SF | ZF | AF | PF,
  div: CF | OF | SF | ZF | AF | PF,
  bt: OF | SF | AF | PF,
  scan: CF | OF | SF | AF | PF,
};

type Shape = 'rm' | 'rm,r' | 'plain' | 'reg' | 'm';

interface Row {
  name: string;
  /** Opcode bytes. */
  op: number[];
  shape: Shape;
  /** /digit in ModRM.reg. */
  digit?: number;
  /** The opcode's low bit 0 means bytes: op with bit 0 clear is the 8-bit form. */
  byteForm?: boolean;
  /** Always an 8-bit operand. */
  byte?: boolean;
  imm?: 'ib' | 'iz' | 'iv';
  undef?: string;
  /** Only some operand sizes. */
  sizes?: number[];
  count?: 'imm' | 'cl' | 'one';
  mandatory?: number;
}

const rows: Row[] = [];
['ADD', 'OR', 'ADC', 'SBB', 'AND', 'SUB', 'XOR', 'CMP'].forEach((name, i) => {
  const undef = ['OR', 'AND', 'XOR'].includes(name) ? { undef: 'logic' } : {};
  rows.push({ name, op: [i * 8], shape: 'rm,r', byteForm: true, ...undef });
  rows.push({ name, op: [i * 8 + 2], shape: 'rm,r', byteForm: true, ...undef });
  rows.push({ name, op: [i * 8 + 4], shape: 'plain', byteForm: true, imm: 'iz', ...undef });
  rows.push({ name, op: [0x80], shape: 'rm', digit: i, byteForm: true, imm: 'iz', ...undef });
  rows.push({ name, op: [0x83], shape: 'rm', digit: i, imm: 'ib', ...undef });
});
rows.push({ name: 'TEST', op: [0x84], shape: 'rm,r', byteForm: true, undef: 'logic' });
rows.push({ name: 'TEST', op: [0xf6], shape: 'rm', digit: 0, byteForm: true, imm: 'iz', undef: 'logic' });
rows.push({ name: 'INC', op: [0xfe], shape: 'rm', digit: 0, byteForm: true });
rows.push({ name: 'DEC', op: [0xfe], shape: 'rm', digit: 1, byteForm: true });
rows.push({ name: 'NOT', op: [0xf6], shape: 'rm', digit: 2, byteForm: true });
rows.push({ name: 'NEG', op: [0xf6], shape: 'rm', digit: 3, byteForm: true });
rows.push({ name: 'MUL', op: [0xf6], shape: 'rm', digit: 4, byteForm: true, undef: 'mul' });
rows.push({ name: 'IMUL1', op: [0xf6], shape: 'rm', digit: 5, byteForm: true, undef: 'mul' });
rows.push({ name: 'DIV', op: [0xf6], shape: 'rm', digit: 6, byteForm: true, undef: 'div' });
rows.push({ name: 'IDIV', op: [0xf6], shape: 'rm', digit: 7, byteForm: true, undef: 'div' });
rows.push({ name: 'IMUL', op: [0x0f, 0xaf], shape: 'rm,r', undef: 'mul' });
rows.push({ name: 'IMUL', op: [0x69], shape: 'rm,r', imm: 'iz', undef: 'mul' });
rows.push({ name: 'IMUL', op: [0x6b], shape: 'rm,r', imm: 'ib', undef: 'mul' });
const shifts = ['ROL', 'ROR', 'RCL', 'RCR', 'SHL', 'SHR', '', 'SAR'];
shifts.forEach((name, digit) => {
  if (!name) return;
  const undef = digit < 2 ? 'rotate' : digit < 4 ? 'rcl' : 'shift';
  rows.push({ name, op: [0xc0], shape: 'rm', digit, byteForm: true, imm: 'ib', undef, count: 'imm' });
  rows.push({ name, op: [0xd0], shape: 'rm', digit, byteForm: true, undef, count: 'one' });
  rows.push({ name, op: [0xd2], shape: 'rm', digit, byteForm: true, undef, count: 'cl' });
});
rows.push({
  name: 'SHLD',
  op: [0x0f, 0xa4],
  shape: 'rm,r',
  imm: 'ib',
  undef: 'shld',
  count: 'imm',
  sizes: [4, 8],
});
rows.push({ name: 'SHRD', op: [0x0f, 0xad], shape: 'rm,r', undef: 'shld', count: 'cl', sizes: [4, 8] });
['BT', 'BTS', 'BTR', 'BTC'].forEach((name, i) => {
  rows.push({ name, op: [0x0f, 0xa3 + i * 8], shape: 'rm,r', undef: 'bt' });
  rows.push({ name, op: [0x0f, 0xba], shape: 'rm', digit: 4 + i, imm: 'ib', undef: 'bt' });
});
rows.push({ name: 'BSF', op: [0x0f, 0xbc], shape: 'rm,r', undef: 'scan' });
rows.push({ name: 'BSR', op: [0x0f, 0xbd], shape: 'rm,r', undef: 'scan' });
rows.push({ name: 'BSWAP', op: [0x0f, 0xc8], shape: 'reg', sizes: [4, 8] });
rows.push({ name: 'MOV', op: [0x88], shape: 'rm,r', byteForm: true });
rows.push({ name: 'MOV', op: [0x8a], shape: 'rm,r', byteForm: true });
rows.push({ name: 'MOV', op: [0xc6], shape: 'rm', digit: 0, byteForm: true, imm: 'iz' });
rows.push({ name: 'MOV', op: [0xb8], shape: 'reg', imm: 'iv' });
rows.push({ name: 'MOV', op: [0xb0], shape: 'reg', byte: true, imm: 'ib' });
rows.push({ name: 'MOVZX', op: [0x0f, 0xb6], shape: 'rm,r' });
rows.push({ name: 'MOVZX', op: [0x0f, 0xb7], shape: 'rm,r' });
rows.push({ name: 'MOVSX', op: [0x0f, 0xbe], shape: 'rm,r' });
rows.push({ name: 'MOVSX', op: [0x0f, 0xbf], shape: 'rm,r' });
rows.push({ name: 'MOVSXD', op: [0x63], shape: 'rm,r', sizes: [4, 8] });
rows.push({ name: 'LEA', op: [0x8d], shape: 'm' });
rows.push({ name: 'XCHG', op: [0x86], shape: 'rm,r', byteForm: true });
rows.push({ name: 'XCHG', op: [0x90], shape: 'reg' });
rows.push({ name: 'XADD', op: [0x0f, 0xc0], shape: 'rm,r', byteForm: true });
rows.push({ name: 'CMPXCHG', op: [0x0f, 0xb0], shape: 'rm,r', byteForm: true });
rows.push({ name: 'CMPXCHG8B', op: [0x0f, 0xc7], shape: 'm', digit: 1, sizes: [4] });
rows.push({ name: 'PUSH', op: [0x50], shape: 'reg', sizes: [2, 4] });
rows.push({ name: 'POP', op: [0x58], shape: 'reg', sizes: [2, 4] });
rows.push({ name: 'PUSH', op: [0xff], shape: 'rm', digit: 6, sizes: [2, 4] });
rows.push({ name: 'POP', op: [0x8f], shape: 'rm', digit: 0, sizes: [2, 4] });
rows.push({ name: 'PUSH', op: [0x68], shape: 'plain', imm: 'iz', sizes: [2, 4] });
rows.push({ name: 'PUSH', op: [0x6a], shape: 'plain', imm: 'ib', sizes: [2, 4] });
for (let cc = 0; cc < 16; cc++) {
  rows.push({ name: 'CMOVCC', op: [0x0f, 0x40 + cc], shape: 'rm,r' });
  rows.push({ name: 'SETCC', op: [0x0f, 0x90 + cc], shape: 'rm', digit: 0, byte: true });
}
for (const [name, op] of [
  ['CBW', 0x98],
  ['CWD', 0x99],
] as const) {
  rows.push({ name, op: [op], shape: 'plain' });
}
for (const [name, op] of [
  ['LAHF', 0x9f],
  ['SAHF', 0x9e],
  ['CLC', 0xf8],
  ['STC', 0xf9],
  ['CMC', 0xf5],
  ['CLD', 0xfc],
  ['STD', 0xfd],
  ['NOP', 0x90],
] as const) {
  rows.push({ name, op: [op], shape: 'plain', sizes: [4] });
}

const RCX = 1;
const RSP = 4;

/** Opcodes of string instructions on bytes; the next one is for words. */
const STRINGS: readonly (readonly [name: string, opcode: number])[] = [
  ['MOVS', 0xa4],
  ['CMPS', 0xa6],
  ['STOS', 0xaa],
  ['LODS', 0xac],
  ['SCAS', 0xae],
];

/**
 * A string instruction: operands that overlap or not, upwards or downwards, on both pages, with few different bytes.
 */
function stringVector(random: Random): Vector {
  const [name, opcode] = random.pick(STRINGS);
  const size = random.pick([1, 2, 4, 8]);
  const code: number[] = [];
  if (random.below(4) === 0) code.push(0x67);
  if (size === 2) code.push(0x66);
  const prefix = random.pick(['', 'REP ', 'REPNE ']);
  if (prefix) code.push(prefix === 'REP ' ? 0xf3 : 0xf2);
  if (size === 8) code.push(0x48);
  code.push(size === 1 ? opcode : opcode + 1);
  const down = random.below(3) === 0;
  const count = random.pick([0, 1, 2, 3, 7, 16, 40, Math.floor(300 / size)]);
  const span = Math.max(count, 1) * size;
  const start = (): number => {
    const low = random.below(512 - span + 1);
    return WINDOW + (down ? low + span - size : low);
  };
  const gpr = Array.from({ length: 16 }, () => random.value());
  gpr[RSP] = BigInt(DATA + 0x1000);
  gpr[0] = BigInt.asUintN(64, random.pick([0n, 1n, 0x0101_0101_0101_0101n, random.value()]));
  gpr[1] = BigInt(count);
  gpr[6] = BigInt(start());
  const near = Number(gpr[6]) + random.below(21) - 10;
  const inside = near - (down ? span - size : 0) >= WINDOW && near + (down ? size : span) <= WINDOW + 512;
  gpr[7] = BigInt(inside && random.below(2) ? near : start());
  const odd = random.below(40);
  const memory = Uint8Array.from({ length: 512 }, () => (random.below(40) < odd ? random.below(3) : 0));
  const flags = (random.next() & (CF | PF | AF | ZF | SF | OF)) | 2 | (down ? 0x400 : 0);
  return {
    name: `${prefix}${name}${size * 8}`,
    gpr,
    flags,
    code,
    memory,
    undefinedFlags: 0,
    budget: prefix ? random.pick([1, 3, 16, 1000]) : 1,
  };
}

/** One random vector. */
export function randomVector(random: Random): Vector {
  if (random.below(16) === 0) return stringVector(random);
  const row = random.pick(rows);
  const gpr = Array.from({ length: 16 }, () => random.value());
  const target = DATA + 0x1000 + random.below(48) - 32;
  gpr[RSP] = BigInt(DATA + 0x1000 + random.below(17) * 4 - 32);
  const byte = row.byte || (row.byteForm && random.below(3) === 0);
  const size = byte ? 1 : random.pick(row.sizes ?? [2, 4, 8]);
  const code: number[] = [];
  if (size === 2) code.push(0x66);
  let rex = size === 8 ? 0x48 : 0;
  // REX by chance: without it byte registers 4..7 are AH..BH.
  if (random.below(2)) rex |= 0x40;
  const any = (): number => {
    const register = random.below(rex ? 16 : 8);
    return register === RSP && !(size === 1 && !rex) ? any() : register;
  };
  const op = [...row.op];
  if (row.byteForm && size > 1) op[op.length - 1]! |= 1;
  const tail: number[] = [];
  let registerForm = true;
  let sourceRegister = -1;
  if (row.shape === 'reg') {
    const register = any();
    if (register & 8) rex |= 0x41;
    op[op.length - 1]! |= register & 7;
  } else if (row.shape !== 'plain') {
    const reg = row.digit ?? any();
    sourceRegister = row.digit === undefined ? reg : -1;
    if (row.digit === undefined && reg & 8) rex |= 0x44;
    registerForm = row.shape !== 'm' && random.below(2) === 0;
    const field = (reg & 7) << 3;
    if (registerForm) {
      const rm = any();
      if (rm & 8) rex |= 0x41;
      tail.push(0xc0 | field | (rm & 7));
    } else {
      const base = any();
      const indexed = random.below(2) === 0;
      let index = indexed ? any() : RSP;
      if (index === base) index = RSP;
      const scale = random.below(4);
      if (base & 8) rex |= 0x41;
      if (index & 8) rex |= 0x42;
      const small = random.below(2) === 0;
      const disp = small ? random.below(256) - 128 : (random.next() | 0) >> random.below(8);
      const withIndex = index !== RSP;
      if (withIndex) gpr[index] = BigInt(random.below(200));
      const sib = withIndex || (base & 7) === RSP || random.below(4) === 0;
      tail.push((small ? 0x40 : 0x80) | field | (sib ? 4 : base & 7));
      if (sib) tail.push((scale << 6) | ((index & 7) << 3) | (base & 7));
      for (let i = 0; i < (small ? 1 : 4); i++) tail.push((disp >> (8 * i)) & 0xff);
      if (row.op[1] !== undefined && row.undef === 'bt' && sourceRegister >= 0) {
        // The bit offset must stay inside the window. It may be the address register as well: then choose again.
        if (sourceRegister === base || sourceRegister === index) return randomVector(random);
        gpr[sourceRegister] = BigInt.asUintN(64, BigInt(random.below(1024) - 512));
      }
      if (base === index) return randomVector(random);
      const offset = (withIndex ? gpr[index]! << BigInt(scale) : 0n) + BigInt(disp);
      // POP computes its address with the incremented stack pointer; RSP is no base here.
      gpr[base] = BigInt.asUintN(64, BigInt(target) - offset);
    }
  }
  let count = -1;
  if (row.imm) {
    const length = row.imm === 'ib' ? 1 : row.imm === 'iz' ? Math.min(size, 4) : size;
    const value = random.value();
    for (let i = 0; i < length; i++) tail.push(Number((value >> BigInt(8 * i)) & 0xffn));
    if (row.count === 'imm') count = Number(value & 0xffn);
  }
  if (row.count === 'one') count = 1;
  if (row.count === 'cl') count = Number(gpr[RCX]! & 0xffn);
  if (row.mandatory) code.push(row.mandatory);
  if (rex) code.push(rex);
  code.push(...op, ...tail);
  const memory = new Uint8Array(512);
  for (let i = 0; i < 512; i += 8) new DataView(memory.buffer).setBigUint64(i, random.value(), true);
  let undefinedFlags = row.undef ? UNDEFINED[row.undef]! : 0;
  if (count >= 0) {
    const masked = count & (size === 8 ? 63 : 31);
    if (masked === 0) undefinedFlags = 0;
    else {
      if (masked === 1) undefinedFlags &= ~OF;
      // CF is undefined for SHL and SHR only, with counts of at least the width.
      if (row.name === 'SAR' || masked < size * 8) undefinedFlags &= ~CF;
    }
  }
  const flags = (random.next() & (CF | PF | AF | ZF | SF | OF)) | 2 | (random.below(4) === 0 ? 0x400 : 0);
  return { name: `${row.name}${size * 8}`, gpr, flags, code, memory, undefinedFlags, budget: 1 };
}
