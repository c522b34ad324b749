/** Hot loops of vector instructions, FXSAVE and FXRSTOR in translated code, against the CPU that the tests run on. */
import { describe, expect, test } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import { SSE_SHAPES } from './native/sse-shapes.ts';
import { NativeFpu, type NativeVector, nativeSkip } from './native/x87-harness.ts';
import { FlatMachine } from './support/flat-machine.ts';
import { Random } from './support/random.ts';
import { EVALUATOR, INTERPRETER, VARIANTS } from './support/tier-compare.ts';

const LOOPS = sized(12, 1000);
/** More than the default threshold and the quarter of it that a region waits in the queue. */
const HOT_ROUNDS = 13_000;
/** The evaluator is slow. */
const FEW_ROUNDS = 40;
const CODE_BYTES = 256;
const OPERAND_BYTES = 1024;
const [DATA, OPERAND, CODE] = [0x1000_0000, 0x1_0000, 0x2000];

/** Offsets at the operand: xmm0 to xmm3 before and after, the image of FXSAVE, which ends before its reserved bytes. */
const [BEFORE, AFTER, IMAGE, IMAGE_END] = [0, 64, 128, 128 + 160 + 4 * 16];
/** MXCSR_MASK, which differs by processor. */
const MXCSR_MASK = IMAGE + 28;

/** Instructions between registers that only read and write these. */
const SHAPES = SSE_SHAPES.filter(
  ({ name, form }) => (form === '' || form === 'r') && !/^(mov[dq]$|pinsrw|pextrw|pmovmskb)/.test(name),
);

/** ModRM, SIB and displacement of [DATA + offset]. */
const memory = (reg: number, offset: number): number[] => [
  (reg << 3) | 4,
  0x25,
  offset & 0xff,
  offset >>> 8,
  0,
  DATA >>> 24,
];

interface Loop {
  readonly code: readonly number[];
  /** Instructions of the whole, the loop run so often. */
  readonly instructions: number;
}

/** FNINIT, loads xmm0 to xmm3, runs the body so often, stores them. */
function loopOf(body: readonly (readonly number[])[], rounds: number): Loop {
  const move = (opcode: number, offset: number): number[] =>
    [0, 1, 2, 3].flatMap((reg) => [0xf3, 0x0f, opcode, ...memory(reg, offset + reg * 16)]);
  const inside = body.flat();
  const mov = [0xb9, ...new Uint8Array(Uint32Array.of(rounds).buffer)];
  const jnz = [0x0f, 0x85, ...new Uint8Array(Int32Array.of(-(inside.length + 2 + 6)).buffer)];
  const code = [
    0xdb,
    0xe3,
    ...move(0x6f, BEFORE),
    ...mov,
    ...inside,
    0xff,
    0xc9,
    ...jnz,
    ...move(0x7f, AFTER),
  ];
  return { code, instructions: 1 + 4 + 1 + rounds * (body.length + 2) + 4 };
}

/**
 * Instructions between xmm0 to xmm3; in every third loop an FXSAVE among them, and in every second of these what it
 * saved again. These leave translated code: a loop is translated if there is enough else.
 */
function randomBody(r: Random, index: number): number[][] {
  const body = Array.from({ length: (index % 3 === 0 ? 9 : 2) + r.below(4) }, () => {
    const { opcode, reg, immediate } = r.pick(SHAPES);
    const modrm = 0xc0 | ((reg ?? r.below(4)) << 3) | r.below(4);
    return [...opcode, modrm, ...(immediate ? [r.below(3) ? r.below(20) : r.next() & 0xff] : [])];
  });
  if (index % 3 === 0) body.splice(r.below(body.length), 0, [0x0f, 0xae, ...memory(0, IMAGE)]);
  if (index % 6 === 0) body.push([0x0f, 0xae, ...memory(1, IMAGE)]);
  return body;
}

function vectorOf({ code }: Loop, operand: Uint8Array): NativeVector {
  const image = new Uint8Array(112);
  const words = new DataView(image.buffer);
  words.setUint32(0, 0x37f, true);
  words.setUint32(8, 0xffff, true);
  return { image, flags: 0x202, code: Uint8Array.from(code), memory: operand };
}

const hex = (bytes: Uint8Array): string => {
  const shown = bytes.slice(0, IMAGE_END);
  shown.fill(0, MXCSR_MASK, MXCSR_MASK + 4);
  return Buffer.from(shown).toString('hex');
};

const skip = nativeSkip();
describe.skipIf(skip !== undefined)(`${LOOPS} hot vector loops${skip ? `: skipped, ${skip}` : ''}`, () => {
  test.each([EVALUATOR, INTERPRETER, ...VARIANTS])('$name does what the native CPU does', (variant) => {
    using fpu = new NativeFpu(CODE_BYTES, OPERAND_BYTES);
    const random = new Random(seedOf(20081117));
    const rounds = variant === EVALUATOR ? FEW_ROUNDS : HOT_ROUNDS;
    const loops = Array.from({ length: LOOPS }, (_, i) => loopOf(randomBody(random, i), rounds));
    const vectors = loops.map((loop) => {
      const operand = new Uint8Array(OPERAND_BYTES);
      const view = new DataView(operand.buffer);
      for (let at = BEFORE; at < AFTER; at += 8) view.setBigUint64(at, random.value(), true);
      return vectorOf(loop, operand);
    });
    const results = fpu.run(vectors);
    const { tier, translator } = variant;
    loops.forEach(({ code, instructions }, i) => {
      const m = new FlatMachine({ tier, ...(translator && { translator }) });
      m.map = (page) => (page === DATA ? OPERAND : page);
      m.ram.set(vectors[i]!.memory, OPERAND);
      m.load(CODE, Uint8Array.of(...code, 0xeb, 0xfe));
      m.start(64, CODE);
      m.cpu.state.cr0 |= 0x20; // NE
      m.cpu.state.cr4 |= 0x200; // OSFXSR
      m.cpu.modeChanged();
      m.cpu.run(instructions);
      const what = Buffer.from(code).toString('hex');
      expect([results[i]!.signal, Number(m.cpu.state.rip)], what).toEqual([0, CODE + code.length]);
      expect(hex(m.ram.subarray(OPERAND, OPERAND + OPERAND_BYTES)), what).toBe(hex(results[i]!.memory));
      if (tier === 'translator') expect(m.engine.translations!.compiled, what).toBeGreaterThan(0);
    });
  });
});
