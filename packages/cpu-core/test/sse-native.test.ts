/** SSE integer, logic and shuffle instructions against the CPU that the tests run on. SMM_ORACLE_FULL=1 for the long run. */
import { describe, expect, test } from 'vitest';
import { NativeFpu, type NativeVector, nativeSkip } from './native/x87-harness.ts';
import { FlatMachine } from './support/flat-machine.ts';
import { Random } from './support/random.ts';

const COUNT = process.env['SMM_ORACLE_FULL'] ? 100_000 : 5_000;
const DATA = 0x1000_0000;
const OPERAND = 0x1_0000;
const CODE = 0x2000;

interface Shape {
  readonly name: string;
  /** Prefix, escape and opcode bytes. */
  readonly opcode: readonly number[];
  /** r: register form only; m: memory only; s: store. */
  readonly form: '' | 'r' | 'm' | 's';
  readonly immediate?: boolean;
  /** ModRM reg is part of the opcode. */
  readonly reg?: number;
}

const shapes: Shape[] = [];
for (const [first, names] of [
  [0x60, 'punpcklbw punpcklwd punpckldq'],
  [0x68, 'punpckhbw punpckhwd punpckhdq'],
  [0x6c, 'punpcklqdq punpckhqdq'],
  [0x74, 'pcmpeqb pcmpeqw pcmpeqd'],
  [0xd4, 'paddq'],
  [0xdb, 'pand'],
  [0xdf, 'pandn'],
  [0xeb, 'por'],
  [0xef, 'pxor'],
  [0xf8, 'psubb psubw psubd psubq paddb paddw paddd'],
] as const) {
  names.split(' ').forEach((name, n) => {
    shapes.push({ name, opcode: [0x66, 0x0f, first + n], form: '' });
  });
}
for (const [name, opcode] of [
  ['andps', 0x54],
  ['andnps', 0x55],
  ['orps', 0x56],
  ['xorps', 0x57],
] as const) {
  shapes.push({ name, opcode: [0x0f, opcode], form: '' });
}
shapes.push(
  { name: 'pshufd', opcode: [0x66, 0x0f, 0x70], form: '', immediate: true },
  { name: 'pshufhw', opcode: [0xf3, 0x0f, 0x70], form: '', immediate: true },
  { name: 'pshuflw', opcode: [0xf2, 0x0f, 0x70], form: '', immediate: true },
  { name: 'psrldq', opcode: [0x66, 0x0f, 0x73], form: 'r', immediate: true, reg: 3 },
  { name: 'pslldq', opcode: [0x66, 0x0f, 0x73], form: 'r', immediate: true, reg: 7 },
  { name: 'movhlps', opcode: [0x0f, 0x12], form: 'r' },
  { name: 'movlhps', opcode: [0x0f, 0x16], form: 'r' },
  { name: 'movddup', opcode: [0xf2, 0x0f, 0x12], form: '' },
  { name: 'movlps', opcode: [0x0f, 0x12], form: 'm' },
  { name: 'movhps', opcode: [0x0f, 0x16], form: 'm' },
  { name: 'movlps', opcode: [0x0f, 0x13], form: 's' },
  { name: 'movhpd', opcode: [0x66, 0x0f, 0x17], form: 's' },
  { name: 'pmovmskb', opcode: [0x66, 0x0f, 0xd7], form: 'r' },
);

/** [1000_00xxh] as ModRM, SIB and displacement. */
const memory = (reg: number, offset: number): number[] => [(reg << 3) | 4, 0x25, offset, 0, 0, 0x10];

/** MOVDQU xmm0 and xmm1 from the operand, the instruction, MOVDQU xmm0 and xmm1 to behind them. */
function randomVector(r: Random, shape: Shape): NativeVector {
  const operand = new Uint8Array(112);
  const view = new DataView(operand.buffer);
  for (let at = 0; at < 32; at += 8) view.setBigUint64(at, r.value(), true);
  // Equal lanes, for comparisons.
  for (let at = 0; at < 16; at++) if (r.below(3) === 0) operand[16 + at] = operand[at]!;
  const code: number[] = [];
  for (const [reg, offset] of [
    [0, 0],
    [1, 16],
  ] as const) {
    code.push(0xf3, 0x0f, 0x6f, ...memory(reg, offset));
  }
  code.push(...shape.opcode);
  const fromMemory = shape.form === 'm' || shape.form === 's' || (shape.form === '' && r.below(2) === 0);
  // Register forms: xmm0 (or EAX) from xmm1; the shifts by bytes change xmm0.
  if (fromMemory) code.push(...memory(shape.reg ?? 0, shape.form === 's' ? 64 : 16));
  else code.push(0xc0 | ((shape.reg ?? 0) << 3) | (shape.reg === undefined ? 1 : 0));
  if (shape.immediate) code.push(shape.reg === undefined ? r.next() & 0xff : r.below(20));
  code.push(0xf3, 0x0f, 0x7f, ...memory(0, 32));
  const image = new Uint8Array(112);
  const words = new DataView(image.buffer);
  words.setUint32(0, 0x37f, true);
  words.setUint32(8, 0xffff, true);
  return { image, flags: 0x202, code: Uint8Array.from(code), memory: operand };
}

describe('native SSE', () => {
  const skip = nativeSkip();
  test.skipIf(skip !== undefined)(
    `${COUNT} vectors${skip ? `: skipped, ${skip}` : ''}`,
    { timeout: 600_000 },
    () => {
      using fpu = new NativeFpu();
      const random = new Random(19990226);
      const m = new FlatMachine({ tier: 'evaluator' });
      m.map = (page) => (page === DATA ? OPERAND : page);
      const names: string[] = [];
      const vectors = Array.from({ length: COUNT }, (_, i) => {
        const shape = shapes[i % shapes.length]!;
        names.push(shape.name);
        return randomVector(random, shape);
      });
      const results = fpu.run(vectors);
      const wrong = new Map<string, string>();
      vectors.forEach((v, i) => {
        const want = results[i]!;
        m.load(CODE, Uint8Array.of(...v.code, 0xeb, 0xfe));
        m.ram.fill(0, OPERAND, OPERAND + 512);
        m.ram.set(v.memory, OPERAND);
        m.start(64, CODE);
        m.cpu.state.cr4 |= 0x200;
        m.cpu.state.setGpr64(0, 0n);
        m.cpu.run(4);
        const here = Buffer.from(m.ram.subarray(OPERAND, OPERAND + 112)).toString('hex');
        const there = Buffer.from(want.memory).toString('hex');
        expect(want.signal, names[i]).toBe(0);
        if (here !== there || m.cpu.state.gpr64(0) !== want.rax)
          wrong.set(names[i]!, `${Buffer.from(v.code).toString('hex')}\n${here}\n${there}`);
      });
      expect([...wrong]).toEqual([]);
    },
  );
});
