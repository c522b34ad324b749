/** Random x87 instructions with states that reach the corners: every class of number, all modes, empty registers. */
import type { Random } from '../support/random.ts';

/** Linear address of the memory operand. */
export const X87_DATA = 0x1000_0000;

/** One instruction with its FNSAVE image and memory operand. */
export interface X87Vector {
  readonly name: string;
  readonly code: Uint8Array;
  /** 108 bytes as FRSTOR reads them in 32-bit protected mode. */
  readonly image: Uint8Array;
  readonly flags: number;
  readonly memory: Uint8Array;
}

type Source = 'm16' | 'm32' | 'm64' | 'm80' | 'i16' | 'i32' | 'i64' | 'bcd' | 'word' | 'image' | 'fx' | 'out';
interface Shape {
  readonly name: string;
  readonly opcode: number;
  /** ModRM byte of a register form, or the reg field of a memory form. */
  readonly modRm: number;
  /** Register forms: how many ModRM bytes from `modRm` on. */
  readonly count: number;
  readonly memory?: Source;
}

const shapes: Shape[] = [];
const register = (names: string, opcode: number, first: number): void =>
  names.split(' ').forEach((name, reg) => {
    if (name !== '-') shapes.push({ name: `${name} sti`, opcode, modRm: first + reg * 8, count: 8 });
  });
const whole = (names: string, opcode: number, first: number): void =>
  names.split(' ').forEach((name, n) => {
    if (name !== '-') shapes.push({ name, opcode, modRm: first + n, count: 1 });
  });
const memory = (names: string, opcode: number, source: Source): void =>
  names.split(' ').forEach((name, reg) => {
    if (name !== '-')
      shapes.push({ name: `${name} ${source}`, opcode, modRm: reg, count: 0, memory: source });
  });

const ARITHMETIC = 'fadd fmul fcom fcomp fsub fsubr fdiv fdivr';
const INTEGER = 'fiadd fimul ficom ficomp fisub fisubr fidiv fidivr';
memory(ARITHMETIC, 0xd8, 'm32');
register(ARITHMETIC, 0xd8, 0xc0);
memory('fld', 0xd9, 'm32');
memory('- - fst fstp - - fnstenv fnstcw', 0xd9, 'out');
memory('- - - - fldenv', 0xd9, 'image');
memory('- - - - - fldcw', 0xd9, 'word');
register('fld fxch', 0xd9, 0xc0);
whole('fnop', 0xd9, 0xd0);
whole('fchs fabs - - ftst fxam - - fld1 fldl2t fldl2e fldpi fldlg2 fldln2 fldz', 0xd9, 0xe0);
whole('fxtract fprem1 fdecstp fincstp fprem - fsqrt - frndint fscale', 0xd9, 0xf4);
memory(INTEGER, 0xda, 'i32');
register('fcmovb fcmove fcmovbe fcmovu', 0xda, 0xc0);
whole('fucompp', 0xda, 0xe9);
memory('fild', 0xdb, 'i32');
memory('- fisttp fist fistp - - - fstp', 0xdb, 'out');
memory('- - - - - fld', 0xdb, 'm80');
register('fcmovnb fcmovne fcmovnbe fcmovnu - fucomi fcomi', 0xdb, 0xc0);
whole('fneni fndisi fnclex fninit fnsetpm', 0xdb, 0xe0);
memory(ARITHMETIC, 0xdc, 'm64');
register('fadd fmul fcom2 fcomp3 fsubr fsub fdivr fdiv', 0xdc, 0xc0);
memory('fld', 0xdd, 'm64');
memory('- fisttp fst fstp - - fnsave fnstsw', 0xdd, 'out');
memory('- - - - frstor', 0xdd, 'image');
register('ffree fxch4 fst fstp fucom fucomp', 0xdd, 0xc0);
memory(INTEGER, 0xde, 'i16');
register('faddp fmulp fcomp5 - fsubrp fsubp fdivrp fdivp', 0xde, 0xc0);
whole('fcompp', 0xde, 0xd9);
memory('fild', 0xdf, 'i16');
memory('- fisttp fist fistp - - fbstp fistp', 0xdf, 'out');
memory('- - - - fbld', 0xdf, 'bcd');
memory('- - - - - fild', 0xdf, 'i64');
register('ffreep fxch7 fstp8 fstp9 - fucomip fcomip', 0xdf, 0xc0);
whole('fnstsw', 0xdf, 0xe0);
memory('fxsave', 0x0fae, 'out');
memory('- fxrstor', 0x0fae, 'fx');
shapes.push({ name: 'fwait', opcode: 0x9b, modRm: 0, count: -1 });

/** How many different instruction shapes there are. */
export const X87_SHAPES: number = shapes.length;

const TOP = 1n << 63n;

/** A 64-bit pattern that rounding and tie breaking care about. */
function significand(r: Random): bigint {
  const random = (BigInt(r.next()) << 32n) | BigInt(r.next());
  switch (r.below(8)) {
    case 0:
      return 0n;
    case 1:
      return BigInt.asUintN(64, -1n);
    case 2: // few digits
      return BigInt.asUintN(64, BigInt(r.next()) << BigInt(32 + r.below(20)));
    case 3: // half a unit of single precision, exactly or nearly
      return (random & ~0xff_ffff_ffffn) | 0x80_0000_0000n | BigInt(r.below(2));
    case 4: // half a unit of double precision, exactly or nearly
      return (random & ~0x7ffn) | 0x400n | BigInt(r.below(2));
    case 5: // ones at the top
      return BigInt.asUintN(64, -1n << BigInt(r.below(64)));
    case 6:
      return 1n << BigInt(r.below(64));
    default:
      return random;
  }
}

const EDGES = [1, 2, 0x7ffe, 0x7ffd, 16383, 16383 + 127, 16383 + 128, 16383 - 126, 16383 - 127, 16383 - 150];
EDGES.push(16383 + 1023, 16383 + 1024, 16383 - 1022, 16383 - 1023, 16383 - 1075, 16383 + 62, 16383 + 63);
EDGES.push(
  16383 + 30,
  16383 + 31,
  16383 + 14,
  16383 + 15,
  16382,
  16381,
  16380,
  16383 + 58,
  16383 + 59,
  16383 + 60,
);

/** Exponent and significand of a random register, near `center` sometimes. */
function number80(r: Random, center: number): readonly [head: number, significand: bigint] {
  const sign = r.below(2) << 15;
  const digits = significand(r);
  switch (r.below(20)) {
    case 0:
      return [sign, 0n];
    case 1:
      return [sign, digits & ~TOP];
    case 2:
      return [sign, digits | TOP]; // pseudo-denormal
    case 3:
      return [sign | 0x7fff, TOP];
    case 4:
      return [sign | 0x7fff, digits | (3n << 62n)];
    case 5:
      return [sign | 0x7fff, (digits & ~(1n << 62n)) | TOP];
    case 6:
      return [sign | (r.below(3) ? 0x7fff : r.below(0x8000)), digits & ~TOP]; // not supported
    case 7:
    case 8:
    case 9:
      return [sign | EDGES[r.below(EDGES.length)]!, digits | TOP];
    case 10:
      return [sign | r.below(0x7fff), digits | TOP];
    case 11: // small integers and halves
      return [sign | (16383 + r.below(6)), TOP | (BigInt(r.below(256)) << 55n)];
    case 12:
    case 13:
      return [sign | (16383 - 40 + r.below(110)), digits | TOP];
    default:
      return [sign | Math.min(0x7ffe, Math.max(1, center + r.below(90) - 45)), digits | TOP];
  }
}

function pick32(r: Random): number {
  const sign = (r.below(2) << 31) >>> 0;
  const fraction = Number(significand(r) >> 41n);
  switch (r.below(8)) {
    case 0:
      return sign;
    case 1:
      return (sign | fraction) >>> 0;
    case 2:
      return (sign | 0x7f80_0000) >>> 0;
    case 3:
      return (sign | 0x7f80_0000 | fraction) >>> 0;
    default:
      return (sign | (r.below(3) ? (120 + r.below(20)) << 23 : r.below(256) << 23) | fraction) >>> 0;
  }
}

function pick64(r: Random): bigint {
  const sign = BigInt(r.below(2)) << 63n;
  const fraction = significand(r) >> 12n;
  switch (r.below(8)) {
    case 0:
      return sign;
    case 1:
      return sign | fraction;
    case 2:
      return sign | (0x7ffn << 52n);
    case 3:
      return sign | (0x7ffn << 52n) | fraction;
    default:
      return sign | (BigInt(r.below(3) ? 1015 + r.below(20) : r.below(2048)) << 52n) | fraction;
  }
}

function fill(r: Random, view: DataView, source: Source): void {
  for (let i = 0; i < view.byteLength; i += 4) view.setUint32(i, r.next(), true);
  switch (source) {
    case 'm32':
      view.setUint32(0, pick32(r), true);
      break;
    case 'm64':
      view.setBigUint64(0, pick64(r), true);
      break;
    case 'm80': {
      const [head, digits] = number80(r, 16383);
      view.setBigUint64(0, digits, true);
      view.setUint16(8, head, true);
      break;
    }
    case 'i16':
    case 'i32':
    case 'i64': {
      const few = BigInt.asIntN(64, significand(r)) >> BigInt(r.below(64));
      view.setBigInt64(0, r.below(8) === 0 ? 0n : few, true);
      break;
    }
    case 'bcd':
      for (let i = 0; i < 9; i++) view.setUint8(i, (r.below(10) << 4) | r.below(10));
      if (r.below(8) === 0) view.setBigUint64(0, BigInt(r.below(10)), true);
      if (r.below(8) === 0) view.setUint8(8, 0);
      view.setUint8(9, r.below(2) << 7);
      break;
    case 'fx': {
      const saved = new DataView(new ArrayBuffer(112));
      image(r, saved, r.below(2) === 0);
      view.setUint32(0, saved.getUint16(0, true) | (saved.getUint16(4, true) << 16), true);
      view.setUint32(4, r.below(256), true);
      for (let i = 8; i < 24; i += 4) view.setUint32(i, 0, true);
      view.setUint32(24, 0x1f80, true); // MXCSR
      for (let i = 0; i < 5; i++) {
        view.setBigUint64(32 + i * 16, saved.getBigUint64(28 + i * 10, true), true);
        view.setUint16(40 + i * 16, saved.getUint16(36 + i * 10, true), true);
      }
      break;
    }
    case 'image':
      image(r, view, r.below(2) === 0);
  }
}

/** Fills in an FNSAVE image. `quiet`: all exceptions masked. */
function image(r: Random, view: DataView, quiet: boolean): void {
  const masks = quiet ? 0x3f : r.below(64);
  const fcw =
    0x40 | masks | (r.below(4) << 10) | ([3, 3, 3, 2, 0, 1][r.below(6)]! << 8) | (r.below(8) ? 0 : 0x1000);
  let flags = r.below(3) ? 0 : r.below(128);
  if (r.below(16)) flags &= masks | 0x40;
  const pending = flags & ~masks & 0x3f;
  const fsw = flags | (pending ? 0x8080 : 0) | (r.next() & 0x7f00);
  const tags = [0, 0, 0, 0xffff, r.next() & r.next(), r.next()][r.below(6)]!;
  [fcw, fsw, tags & 0xffff].forEach((word, i) => {
    view.setUint32(i * 4, (word | 0xffff_0000) >>> 0, true);
  });
  for (let i = 12; i < 28; i += 4) view.setUint32(i, 0, true);
  const center = r.below(3) ? 16383 : r.below(2) ? 20 : 0x7ff0;
  for (let i = 0; i < 8; i++) {
    const [head, digits] = number80(r, center);
    view.setBigUint64(28 + i * 10, digits, true);
    view.setUint16(36 + i * 10, head, true);
  }
  // Operands whose difference cancels.
  if (r.below(6) === 0) {
    view.setBigUint64(38, view.getBigUint64(28, true) ^ BigInt(r.below(4)), true);
    view.setUint16(46, view.getUint16(36, true) ^ (r.below(2) << 15), true);
  }
}

/** One random vector. */
export function randomX87Vector(r: Random): X87Vector {
  const shape = shapes[r.below(shapes.length)]!;
  const state = new Uint8Array(112);
  image(r, new DataView(state.buffer), r.below(4) !== 0);
  const operand = new Uint8Array(112);
  fill(r, new DataView(operand.buffer), shape.memory ?? 'out');
  let code: number[];
  if (shape.count < 0) code = [shape.opcode];
  else if (shape.count === 0) {
    const opcode = shape.opcode > 0xff ? [shape.opcode >> 8, shape.opcode & 0xff] : [shape.opcode];
    code = [...opcode, (shape.modRm << 3) | 4, 0x25, 0, 0, 0, 0x10];
    if (/fldenv|fnstenv|fnsave|frstor/.test(shape.name) && r.below(3) === 0) code.unshift(0x66);
  } else code = [shape.opcode, shape.modRm + r.below(shape.count)];
  return {
    name: `${shape.name} ${shape.opcode.toString(16)}/${shape.modRm.toString(16)}`,
    code: Uint8Array.from(code),
    image: state,
    flags: 0x202 | (r.next() & 0x8d5),
    memory: operand,
  };
}
