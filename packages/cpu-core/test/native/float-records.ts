/**
 * SSE floating-point instructions in a loop over records, on the CPU that the tests run on (`float.c`) and here: both
 * operands, MXCSR before and after, result, flags and fault of each.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as L from '../../src/layout.ts';
import type { FlatMachine } from '../support/flat-machine.ts';
import type { Random } from '../support/random.ts';

/** Bytes of a record. */
export const RECORD = 80;
/** Offsets in a record: operands and result, RAX, RFLAGS after it, MXCSR, 0 or the signal of a fault. */
const [FIRST, SECOND, RESULT, RAX, FLAGS, MXCSR, MXCSR_AFTER, SIGNAL] = [0, 16, 32, 48, 56, 64, 68, 72];
const SIGFPE = 8;
const XM_VECTOR = 19;
const STATUS = 0x8d5;

/** An instruction: xmm0 (or RAX) from xmm1, RAX or memory. */
export interface FloatShape {
  readonly name: string;
  /** Prefix, escape and opcode bytes. */
  readonly opcode: readonly number[];
  readonly immediate?: number;
  /** Bytes of the operands' lanes: what random values are made of. 0: integers. */
  readonly lane: 0 | 4 | 8;
  /** The register form reads RAX. */
  readonly general?: boolean;
}

const shapes: FloatShape[] = [];
const PREFIXES = [
  ['ps', [], 4],
  ['ss', [0xf3], 4],
  ['pd', [0x66], 8],
  ['sd', [0xf2], 8],
] as const;
for (const [suffix, prefix, lane] of PREFIXES) {
  for (const [name, opcode] of [
    ['sqrt', 0x51],
    ['add', 0x58],
    ['mul', 0x59],
    ['sub', 0x5c],
    ['min', 0x5d],
    ['div', 0x5e],
    ['max', 0x5f],
  ] as const)
    shapes.push({ name: name + suffix, opcode: [...prefix, 0x0f, opcode], lane });
  for (let immediate = 0; immediate < 9; immediate++)
    shapes.push({ name: `cmp${suffix} ${immediate}`, opcode: [...prefix, 0x0f, 0xc2], immediate, lane });
}
for (const [name, opcode, lane] of [
  ['ucomiss', [0x0f, 0x2e], 4],
  ['ucomisd', [0x66, 0x0f, 0x2e], 8],
  ['comiss', [0x0f, 0x2f], 4],
  ['comisd', [0x66, 0x0f, 0x2f], 8],
  ['haddpd', [0x66, 0x0f, 0x7c], 8],
  ['haddps', [0xf2, 0x0f, 0x7c], 4],
  ['hsubpd', [0x66, 0x0f, 0x7d], 8],
  ['hsubps', [0xf2, 0x0f, 0x7d], 4],
  ['addsubpd', [0x66, 0x0f, 0xd0], 8],
  ['addsubps', [0xf2, 0x0f, 0xd0], 4],
  ['cvttss2si', [0xf3, 0x0f, 0x2c], 4],
  ['cvttsd2si', [0xf2, 0x0f, 0x2c], 8],
  ['cvttss2si 64', [0xf3, 0x48, 0x0f, 0x2c], 4],
  ['cvttsd2si 64', [0xf2, 0x48, 0x0f, 0x2c], 8],
  ['cvtss2si', [0xf3, 0x0f, 0x2d], 4],
  ['cvtsd2si', [0xf2, 0x0f, 0x2d], 8],
  ['cvtss2si 64', [0xf3, 0x48, 0x0f, 0x2d], 4],
  ['cvtsd2si 64', [0xf2, 0x48, 0x0f, 0x2d], 8],
  ['cvtss2sd', [0xf3, 0x0f, 0x5a], 4],
  ['cvtsd2ss', [0xf2, 0x0f, 0x5a], 8],
  ['cvtps2pd', [0x0f, 0x5a], 4],
  ['cvtpd2ps', [0x66, 0x0f, 0x5a], 8],
  ['cvtdq2ps', [0x0f, 0x5b], 0],
  ['cvtps2dq', [0x66, 0x0f, 0x5b], 4],
  ['cvttps2dq', [0xf3, 0x0f, 0x5b], 4],
  ['cvttpd2dq', [0x66, 0x0f, 0xe6], 8],
  ['cvtdq2pd', [0xf3, 0x0f, 0xe6], 0],
  ['cvtpd2dq', [0xf2, 0x0f, 0xe6], 8],
  ['movss', [0xf3, 0x0f, 0x10], 4],
  ['movsd', [0xf2, 0x0f, 0x10], 8],
  ['unpcklps', [0x0f, 0x14], 4],
  ['unpcklpd', [0x66, 0x0f, 0x14], 8],
  ['unpckhps', [0x0f, 0x15], 4],
  ['unpckhpd', [0x66, 0x0f, 0x15], 8],
  ['movsldup', [0xf3, 0x0f, 0x12], 4],
  ['movshdup', [0xf3, 0x0f, 0x16], 4],
] as const)
  shapes.push({ name, opcode, lane });
for (const [name, opcode] of [
  ['cvtsi2ss', [0xf3, 0x0f, 0x2a]],
  ['cvtsi2sd', [0xf2, 0x0f, 0x2a]],
  ['cvtsi2ss 64', [0xf3, 0x48, 0x0f, 0x2a]],
  ['cvtsi2sd 64', [0xf2, 0x48, 0x0f, 0x2a]],
] as const)
  shapes.push({ name, opcode, lane: 0, general: true });

/** What is compared bit by bit. */
export const FLOAT_SHAPES: readonly FloatShape[] = shapes;

/** Approximations, which vendors make differently. */
export const APPROXIMATIONS: readonly FloatShape[] = [
  { name: 'rcpps', opcode: [0x0f, 0x53], lane: 4 },
  { name: 'rcpss', opcode: [0xf3, 0x0f, 0x53], lane: 4 },
  { name: 'rsqrtps', opcode: [0x0f, 0x52], lane: 4 },
  { name: 'rsqrtss', opcode: [0xf3, 0x0f, 0x52], lane: 4 },
];

interface Width {
  readonly bits: bigint;
  readonly fraction: bigint;
  readonly bias: bigint;
}
const WIDTHS: Readonly<Record<4 | 8, Width>> = {
  4: { bits: 32n, fraction: 23n, bias: 127n },
  8: { bits: 64n, fraction: 52n, bias: 1023n },
};

const random64 = (r: Random): bigint => (BigInt(r.next()) << 32n) | BigInt(r.next());

/** A floating-point value, the corners more often than not. `near`: another operand, to be near to or to cancel. */
function floatValue(r: Random, w: 4 | 8, near: bigint | undefined): bigint {
  const { bits, fraction, bias } = WIDTHS[w];
  const mask = (1n << bits) - 1n;
  const fractionMask = (1n << fraction) - 1n;
  const top = 2n * bias + 1n;
  const sign = BigInt(r.below(2)) << (bits - 1n);
  const any = random64(r) & fractionMask;
  const few = (random64(r) & 7n) << BigInt(r.below(Number(fraction) - 2));
  const digits = r.pick([any, any, few, few ^ fractionMask, 0n, 1n, fractionMask]);
  const make = (exponent: bigint): bigint =>
    sign | ((exponent < 0n ? 0n : exponent > top ? top : exponent) << fraction) | digits;
  switch (r.below(16)) {
    case 0:
      return sign;
    case 1:
      return sign | (top << fraction);
    case 2:
      return sign | (top << fraction) | (1n << (fraction - 1n)) | any;
    case 3:
      return sign | (top << fraction) | (any >> 1n) | 1n; // signaling
    case 4:
    case 5:
      return sign | (digits >> BigInt(r.below(Number(fraction))));
    case 6: // near the smallest normal numbers, and where products come there
      return make(r.pick([1n, 2n, bias / 2n, bias - fraction, fraction, fraction + 1n]) + BigInt(r.below(3)));
    case 7:
      return make(r.pick([top - 1n, top - 2n, bias + bias / 2n, bias + fraction]));
    case 8:
    case 9: // integers and halves, around the limits of integers
      return make(bias - 2n + BigInt(r.below(r.pick([8, 36, 70]))));
    case 10: // whole numbers of few digits
      return sign | ((bias + BigInt(r.below(20))) << fraction) | (few & fractionMask);
    case 11:
    case 12:
      if (near !== undefined) return (near ^ BigInt(r.pick([0, 1, 2, 3])) ^ sign) & mask;
      return make(bias + BigInt(r.below(5)) - 2n);
    case 13:
      if (near !== undefined) {
        const exponent = (near >> fraction) & top;
        return make(exponent + BigInt(r.below(120)) - 60n);
      }
      return make(bias);
    default:
      return sign | ((random64(r) % top) << fraction) | any;
  }
}

/** Masks, rounding, DAZ and FTZ; sticky flags. */
function randomMxcsr(r: Random): number {
  const masks = r.pick([0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x1f, r.below(64), 0]) << 7;
  const modes = r.pick([0, 0, r.below(4) << 13, (r.below(4) << 13) | r.pick([0, 0x40, 0x8000, 0x8040])]);
  return masks | modes | r.pick([0, 0x20, 0x20, r.below(64)]);
}

/** Records for a shape. */
export function randomRecords(r: Random, shape: FloatShape, count: number): Uint8Array {
  const bytes = new Uint8Array(count * RECORD);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += RECORD) {
    const { lane } = shape;
    for (let n = 0; n < 16; n += lane || 8) {
      let first = r.value();
      let second = r.value();
      if (lane !== 0) {
        first = floatValue(r, lane, undefined);
        second = floatValue(r, lane, first);
      }
      if (lane === 4) {
        view.setUint32(at + FIRST + n, Number(first), true);
        view.setUint32(at + SECOND + n, Number(second), true);
      } else {
        view.setBigUint64(at + FIRST + n, first, true);
        view.setBigUint64(at + SECOND + n, second, true);
      }
    }
    view.setBigUint64(at + RAX, r.value() >> BigInt(r.below(64)), true);
    view.setUint32(at + MXCSR, randomMxcsr(r), true);
  }
  return bytes;
}

/** [RSI + offset] as ModRM. */
const field = (reg: number, offset: number): number[] => [0x46 | (reg << 3), offset];

/** The loop, and what of it is where. */
export interface FloatLoop {
  readonly code: Uint8Array;
  /** Offsets: of the instruction, of what follows it. */
  readonly at: number;
  readonly skip: number;
  /** Instructions of one round. */
  readonly round: number;
}

/** A loop over records. `fromMemory`: the second operand is in memory. */
export function floatLoop(shape: FloatShape, fromMemory: boolean): FloatLoop {
  const operand = fromMemory ? field(0, shape.general ? RAX : SECOND) : [shape.general ? 0xc0 : 0xc1];
  const before = [
    ...[0xf3, 0x0f, 0x6f, ...field(0, FIRST)],
    ...[0xf3, 0x0f, 0x6f, ...field(1, SECOND)],
    ...[0x48, 0x8b, ...field(0, RAX)],
    ...[0x0f, 0xae, ...field(2, MXCSR)],
    ...[0x48, 0x85, 0xc0], // test rax, rax
  ];
  const insn = [...shape.opcode, ...operand, ...(shape.immediate === undefined ? [] : [shape.immediate])];
  const after = [
    ...[0x9c, 0x8f, ...field(0, FLAGS)], // pushfq, pop
    ...[0xf3, 0x0f, 0x7f, ...field(0, RESULT)],
    ...[0x48, 0x89, ...field(0, RAX)],
    ...[0x0f, 0xae, ...field(3, MXCSR_AFTER)],
    ...[0x48, 0x83, 0xc6, RECORD], // add rsi, RECORD
    ...[0x41, 0xff, 0xc8], // dec r8d
  ];
  const length = before.length + insn.length + after.length;
  const jump = [0x0f, 0x85, ...new Uint8Array(Int32Array.of(-(length + 6)).buffer), 0xc3];
  return {
    code: Uint8Array.from([...before, ...insn, ...after, ...jump]),
    at: before.length,
    skip: before.length + insn.length,
    round: 14,
  };
}

/** The compiled harness. */
export class NativeFloat {
  readonly #folder = mkdtempSync(join(tmpdir(), 'smm-float-'));

  constructor() {
    const source = fileURLToPath(new URL('float.c', import.meta.url));
    execFileSync('gcc', ['-O1', '-mno-red-zone', '-o', join(this.#folder, 'float'), source]);
  }
  /** Runs loops over their records; gives the records as they are then. */
  run(loops: readonly { readonly loop: FloatLoop; readonly records: Uint8Array }[]): Uint8Array[] {
    const input = loops.flatMap(({ loop, records }) => [
      new Uint8Array(Uint32Array.of(loop.code.length, loop.skip, records.length / RECORD).buffer),
      loop.code,
      records,
    ]);
    const out = execFileSync(join(this.#folder, 'float'), {
      input: Buffer.concat(input),
      maxBuffer: 1 << 30,
    });
    let at = 0;
    return loops.map(({ records }) => {
      at += records.length;
      return out.subarray(at - records.length, at);
    });
  }
  /** Removes the program. */
  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

const CODE = 0x2000;
const RECORDS = 0x10_0000;

/** Runs a loop over records here. */
export function runHere(m: FlatMachine, loop: FloatLoop, records: Uint8Array): Uint8Array {
  const { state } = m.cpu;
  m.ram.set(records, RECORDS);
  m.load(CODE, loop.code);
  m.start(64, CODE);
  state.cr4 |= 0x600;
  m.cpu.modeChanged();
  state.setGpr64(6, BigInt(RECORDS));
  const count = records.length / RECORD;
  state.setGpr64(8, BigInt(count));
  let budget = count * loop.round;
  while (budget > 0) {
    state.set32(L.ST_BUDGET, budget);
    state.set32(L.ST_EXIT_REQUEST, 0);
    m.cpu.tier.run();
    budget = state.get32(L.ST_BUDGET) | 0;
    if (state.get32(L.ST_EXIT) !== L.EXIT_FAULT) break;
    const fault = m.cpu.pendingFault;
    if (state.rip !== BigInt(CODE + loop.at)) throw new Error(`fault ${fault?.vector} at ${state.rip}`);
    m.view.setUint32(state.gpr32(6) + SIGNAL, fault?.vector === XM_VECTOR ? SIGFPE : -1, true);
    state.rip = BigInt(CODE + loop.skip);
    budget--;
  }
  return m.ram.slice(RECORDS, RECORDS + records.length);
}

function describe(bytes: Uint8Array, at: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, RECORD);
  const hex = (offset: number): string => view.getBigUint64(offset, true).toString(16).padStart(16, '0');
  const wide = (offset: number): string => hex(offset + 8) + hex(offset);
  const status = (view.getUint32(FLAGS, true) & STATUS).toString(16);
  const mxcsr = view.getUint32(MXCSR_AFTER, true).toString(16);
  return `${wide(RESULT)} rax ${hex(RAX)} flags ${status} mxcsr ${mxcsr} signal ${view.getUint32(SIGNAL, true)}`;
}

/** Operands and results in single precision of a record, as numbers and bits. */
export function singles(bytes: Uint8Array, record: number): { from: number; to: number; bits: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset + record * RECORD, RECORD);
  return [0, 4, 8, 12].map((n) => ({
    from: view.getFloat32(SECOND + n, true),
    to: view.getFloat32(RESULT + n, true),
    bits: view.getUint32(RESULT + n, true),
  }));
}

/** The first difference between records here and there, with its operands; undefined if there is none. */
export function difference(before: Uint8Array, here: Uint8Array, there: Uint8Array): string | undefined {
  for (let at = 0; at < before.length; at += RECORD) {
    const a = describe(here, at);
    const b = describe(there, at);
    if (a === b) continue;
    const view = new DataView(before.buffer, before.byteOffset + at, RECORD);
    const hex = (offset: number): string => view.getBigUint64(offset, true).toString(16).padStart(16, '0');
    const operands = `${hex(8)}${hex(0)} ${hex(24)}${hex(16)} rax ${hex(RAX)}`;
    return `${operands} mxcsr ${view.getUint32(MXCSR, true).toString(16)}\n  here   ${a}\n  native ${b}`;
  }
  return undefined;
}
