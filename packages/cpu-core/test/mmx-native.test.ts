/** MMX instructions, and what they do to the x87 registers, against the CPU that the tests run on. */
import { describe, expect, test } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import { MMX_SHAPES, type MmxShape } from './native/mmx-shapes.ts';
import { NativeFpu, type NativeVector, nativeSkip } from './native/x87-harness.ts';
import { FlatMachine, type FlatMachineOptions } from './support/flat-machine.ts';
import { Random } from './support/random.ts';

const COUNT = sized(6_000, 200_000);
const SIGFPE = 8;
const MF_VECTOR = 16;
const DATA = 0x1000_0000;
const [OPERAND, CODE, IMAGE, AFTER] = [0x1_0000, 0x2000, 0x5000, 0x6000];
/** Where the operand has xmm1, the memory operand, MXCSR before; xmm0 and MXCSR after. */
const [XMM1, MEMORY, MXCSR, XMM0_AFTER, MXCSR_AFTER] = [0, 16, 32, 48, 64];

/** [1000_00xxh] as ModRM, SIB and displacement. */
const memory = (reg: number, offset: number): number[] => [(reg << 3) | 4, 0x25, offset, 0, 0, 0x10];

/** An FNSAVE image: any top of stack, tags, contents; sometimes an exception is pending. */
function randomImage(r: Random): Uint8Array {
  const image = new Uint8Array(112);
  const view = new DataView(image.buffer);
  const pending = r.below(12) === 0;
  view.setUint32(0, pending ? 0x37e : 0x37f, true);
  view.setUint32(4, (r.below(8) << 11) | (r.next() & 0x4700) | (pending ? 0x8081 : 0), true);
  let tags = 0;
  for (let n = 0; n < 8; n++) {
    const exponent = r.pick([0, 0x3fff, 0x7fff, 0xffff, 0xbfff]);
    const at = 28 + n * 10;
    view.setBigUint64(at, exponent === 0 ? 0n : r.value() | (1n << 63n), true);
    view.setUint16(at + 8, exponent, true);
    tags |= r.pick([0, 0, 3]) << (2 * n);
  }
  view.setUint32(8, tags, true);
  return image;
}

function randomVector(r: Random, shape: MmxShape): NativeVector {
  const operand = new Uint8Array(112);
  const view = new DataView(operand.buffer);
  for (let at = 0; at < 32; at += 8) view.setBigUint64(at, r.value(), true);
  if (shape.float) {
    const wide = shape.opcode[0] === 0x66;
    for (let at = 0; at < 32; at += wide ? 8 : 4) {
      const value = ((r.next() | 0) / 2 ** r.below(40)) * r.pick([1, 1, 1, 1e30, Number.NaN]);
      if (wide) view.setFloat64(at, value, true);
      else view.setFloat32(at, value, true);
    }
  }
  // Shift counts that are not too large.
  if (/^ps[lr]/.test(shape.name) && r.below(4)) view.setBigUint64(MEMORY, BigInt(r.below(70)), true);
  view.setUint32(MXCSR, r.pick([0x1f80, 0x1fa0, 0x3f80, 0x7f80]), true);
  const fromMemory = shape.form === 'm' || (shape.form === '' && r.below(2) === 0);
  const code = [
    ...[0xf3, 0x0f, 0x6f, ...memory(1, XMM1)],
    ...[0x0f, 0xae, ...memory(2, MXCSR)],
    ...[0x8b, ...memory(1, MEMORY)], // ECX
    ...[0x0f, 0x57, 0xc0], // xorps xmm0, xmm0
    ...(shape.name === 'maskmovq' ? [0xbf, 80, 0, 0, 0x10] : [0x31, 0xc0]), // mov edi; xor eax, eax
    ...shape.opcode,
    ...(fromMemory
      ? memory(shape.reg ?? 0, MEMORY)
      : [0xc0 | ((shape.reg ?? 0) << 3) | (shape.reg === undefined ? 1 : 0)]),
    ...(shape.immediate ? [r.below(5) ? r.below(20) : r.next() & 0xff] : []),
    ...[0xf3, 0x0f, 0x7f, ...memory(0, XMM0_AFTER)],
    ...[0x0f, 0xae, ...memory(3, MXCSR_AFTER)],
  ];
  return { image: randomImage(r), flags: 0x202, code: Uint8Array.from(code), memory: operand };
}

const FNINIT = [0xdb, 0xe3];
const FRSTOR = [0xdd, 0x24, 0x25, 0, 0x50, 0, 0];
const FNSAVE = [0xdd, 0x34, 0x25, 0, 0x60, 0, 0];
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Control, status and tag word, registers; memory; RAX. */
function describeResult(image: Uint8Array, operand: Uint8Array, rax: bigint): string {
  const words = [0, 4, 8].map((at) => hex(image.subarray(at, at + 2)));
  return `${words.join(' ')} ${hex(image.subarray(28, 108))} ${hex(operand)} ${rax}`;
}

/** Runs the vector over and over, each round from the same image; the vector of a fault, else what is left. */
function runHere(m: FlatMachine, v: NativeVector, rounds: number): number | string {
  const whole = [...FNINIT, ...FRSTOR, ...v.code, ...FNSAVE];
  const jump = new Uint8Array(Int32Array.of(-(whole.length + 5)).buffer);
  m.load(CODE, Uint8Array.of(...whole, 0xe9, ...jump));
  m.ram.set(v.image, IMAGE);
  m.ram.fill(0, OPERAND, OPERAND + 512);
  m.ram.set(v.memory, OPERAND);
  m.start(64, CODE);
  m.cpu.state.cr0 |= 0x20; // NE
  m.cpu.state.cr4 |= 0x600;
  m.cpu.modeChanged();
  m.cpu.state.setGpr64(0, 0n);
  let vector = -1;
  m.onFault = (number) => {
    if (vector === -1) vector = number;
  };
  m.cpu.run(rounds * 11);
  if (vector !== -1) return vector;
  return describeResult(
    m.ram.subarray(AFTER, AFTER + 108),
    m.ram.subarray(OPERAND, OPERAND + 112),
    m.cpu.state.gpr64(0),
  );
}

const TIERS: readonly (readonly [rounds: number, every: number, options: FlatMachineOptions])[] = [
  [1, 1, { tier: 'evaluator' }],
  [3, 1, { tier: 'interpreter' }],
  [4, 5, { tier: 'translator', translator: { threshold: 1 } }],
];

describe('native MMX', () => {
  const skip = nativeSkip();
  test.skipIf(skip !== undefined)(
    `${COUNT} vectors${skip ? `: skipped, ${skip}` : ''}`,
    { timeout: 600_000 },
    () => {
      using fpu = new NativeFpu(64);
      const random = new Random(seedOf(19970108));
      const shapes = Array.from({ length: COUNT }, (_, i) => MMX_SHAPES[i % MMX_SHAPES.length]!);
      const vectors = shapes.map((shape) => randomVector(random, shape));
      const results = fpu.run(vectors);
      const wrong = new Map<string, string>();
      let faults = 0;
      for (const [rounds, every, options] of TIERS) {
        const m = new FlatMachine(options);
        m.map = (page) => (page === DATA ? OPERAND : page);
        vectors.forEach((v, i) => {
          if (Math.floor(i / MMX_SHAPES.length) % every) return;
          const want = results[i]!;
          const image = new Uint8Array(want.image.buffer, want.image.byteOffset, 108);
          const there = want.signal ? want.signal : describeResult(image, want.memory, want.rax);
          const here = runHere(m, v, rounds);
          if (here === MF_VECTOR && there === SIGFPE) faults++;
          else if (here !== there)
            wrong.set(
              `${shapes[i]!.name} ${options.tier}`,
              `${hex(v.code)} from ${hex(v.image)}\n  ${here}\n  ${there}`,
            );
        });
      }
      expect([...wrong]).toEqual([]);
      expect(faults).toBeGreaterThan(0);
    },
  );
});
