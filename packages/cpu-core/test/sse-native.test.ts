/** SSE integer, logic and shuffle instructions against the CPU that the tests run on. */
import { describe, expect, test } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import { SSE_SHAPES, type SseShape } from './native/sse-shapes.ts';
import { NativeFpu, type NativeVector, nativeSkip } from './native/x87-harness.ts';
import { FlatMachine, type FlatMachineOptions } from './support/flat-machine.ts';
import { Random } from './support/random.ts';

const COUNT = sized(5_000, 100_000);
const DATA = 0x1000_0000;
const OPERAND = 0x1_0000;
const CODE = 0x2000;

/** [1000_00xxh] as ModRM, SIB and displacement. */
const memory = (reg: number, offset: number): number[] => [(reg << 3) | 4, 0x25, offset, 0, 0, 0x10];

/** MOVDQU xmm0 and xmm1 from the operand, the instruction, MOVDQU xmm0 and xmm1 to behind them. */
function randomVector(r: Random, shape: SseShape): NativeVector {
  const operand = new Uint8Array(112);
  const view = new DataView(operand.buffer);
  for (let at = 0; at < 32; at += 8) view.setBigUint64(at, r.value(), true);
  // Equal lanes, for comparisons.
  for (let at = 0; at < 16; at++) if (r.below(3) === 0) operand[16 + at] = operand[at]!;
  const code: number[] = [];
  // Shift counts that are not too large.
  if (/^ps[lr]/.test(shape.name) && r.below(4)) view.setBigUint64(16, BigInt(r.below(70)), true);
  for (const [reg, offset] of [
    [0, 0],
    [1, 16],
  ] as const) {
    code.push(0xf3, 0x0f, 0x6f, ...memory(reg, offset));
  }
  code.push(0x8b, ...memory(1, 8)); // ECX
  code.push(...shape.opcode);
  const fromMemory = shape.form === 'm' || shape.form === 's' || (shape.form === '' && r.below(2) === 0);
  // Register forms: xmm0 (or EAX) from xmm1; the shifts by bytes change xmm0.
  if (fromMemory) code.push(...memory(shape.reg ?? 0, shape.form === 's' ? 64 : 16));
  else code.push(0xc0 | ((shape.reg ?? 0) << 3) | (shape.reg === undefined ? 1 : 0));
  if (shape.immediate)
    code.push(shape.reg === undefined ? r.next() & 0xff : r.below(5) ? r.below(20) : r.next() & 0xff);
  code.push(0xf3, 0x0f, 0x7f, ...memory(0, 32));
  const image = new Uint8Array(112);
  const words = new DataView(image.buffer);
  words.setUint32(0, 0x37f, true);
  words.setUint32(8, 0xffff, true);
  return { image, flags: 0x202, code: Uint8Array.from(code), memory: operand };
}

const JUMP_BACK = 5;

/** Runs the vector over and over, so that the translator comes to it; each round is the same. */
function runHere(m: FlatMachine, v: NativeVector, rounds: number): string {
  const jump = [0xe9, 0, 0, 0, 0];
  const code = Uint8Array.of(...v.code, ...jump);
  new DataView(code.buffer).setInt32(v.code.length + 1, -(v.code.length + JUMP_BACK), true);
  m.ram.fill(0, OPERAND, OPERAND + 512);
  m.ram.set(v.memory, OPERAND);
  m.load(CODE, code);
  m.start(64, CODE);
  m.cpu.state.cr4 |= 0x200;
  m.cpu.modeChanged();
  m.cpu.state.setGpr64(0, 0n);
  m.cpu.run(rounds * 6);
  return `${Buffer.from(m.ram.subarray(OPERAND, OPERAND + 112)).toString('hex')} ${m.cpu.state.gpr64(0)}`;
}

const TIERS: readonly (readonly [rounds: number, every: number, options: FlatMachineOptions])[] = [
  [1, 1, { tier: 'evaluator' }],
  [3, 1, { tier: 'interpreter' }],
  [4, 5, { tier: 'translator', translator: { threshold: 1 } }],
];

describe('native SSE', () => {
  const skip = nativeSkip();
  test.skipIf(skip !== undefined)(`${COUNT} vectors${skip ? `: skipped, ${skip}` : ''}`, () => {
    using fpu = new NativeFpu();
    const random = new Random(seedOf(19990226));
    const names: string[] = [];
    const vectors = Array.from({ length: COUNT }, (_, i) => {
      const shape = SSE_SHAPES[i % SSE_SHAPES.length]!;
      names.push(shape.name);
      return randomVector(random, shape);
    });
    const results = fpu.run(vectors);
    const wrong = new Map<string, string>();
    for (const [rounds, every, options] of TIERS) {
      const m = new FlatMachine(options);
      m.map = (page) => (page === DATA ? OPERAND : page);
      vectors.forEach((v, i) => {
        if (Math.floor(i / SSE_SHAPES.length) % every) return;
        const want = results[i]!;
        const here = runHere(m, v, rounds);
        const there = `${Buffer.from(want.memory).toString('hex')} ${want.rax}`;
        expect(want.signal, names[i]).toBe(0);
        if (here !== there)
          wrong.set(
            `${names[i]} ${options.tier}`,
            `${Buffer.from(v.code).toString('hex')}\n${here}\n${there}`,
          );
      });
    }
    expect([...wrong]).toEqual([]);
  });
});
