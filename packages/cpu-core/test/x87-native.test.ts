/** x87 instructions against the CPU that the tests run on. */
import { describe, expect, test } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import { NativeFpu, type NativeResult, nativeSkip } from './native/x87-harness.ts';
import { randomX87Vector, X87_DATA, X87_SHAPES, type X87Vector } from './native/x87-vectors.ts';
import { FlatMachine } from './support/flat-machine.ts';
import { Random } from './support/random.ts';

const COUNT = sized(20_000, 400_000);
const BATCH = 10_000;
const SIGFPE = 8;
const MF_VECTOR = 16;

const skip = nativeSkip();

const hex = (bytes: Iterable<number>): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');

const CODE = 0x2000;
const IMAGE = 0x5000;
const AFTER = 0x6000;
const OPERAND = 0x10000;
const FNINIT = [0xdb, 0xe3];
const FRSTOR = [0xdd, 0x24, 0x25, 0, 0x50, 0, 0];
const FNSAVE = [0xdd, 0x34, 0x25, 0, 0x60, 0, 0];

function describeImage(view: DataView): string {
  const registers = Array.from({ length: 8 }, (_, i) => {
    const head = view
      .getUint16(36 + i * 10, true)
      .toString(16)
      .padStart(4, '0');
    return `${head}:${view
      .getBigUint64(28 + i * 10, true)
      .toString(16)
      .padStart(16, '0')}`;
  });
  const words = [0, 4, 8].map((at) => view.getUint16(at, true).toString(16).padStart(4, '0'));
  return `cw/sw/tw ${words.join(' ')} st ${registers.slice(0, 3).join(' ')} .. ${registers[7]}`;
}

/** C0, C2 and C3. */
const FSW_CONDITIONS = 0x4500;
const COMPARISON = /^f(tst|u?com|icom)/;

/** Status-word bits that this CPU and Intel's description differ in or that are undefined, with the reasons. */
function ignoredStatus(v: X87Vector, want: DataView): number {
  const fcw = want.getUint16(0, true);
  const fsw = want.getUint16(4, true);
  let ignored = 0;
  // SDM, FCOMI: C1 is set to 0. AMD processors leave it.
  if (/^fu?comip? /.test(v.name)) ignored |= 0x200;
  // SDM, FFREE: C1 is undefined. FCMOVcc: C1 is said only to be 0 after a stack underflow.
  if (/^(ffreep?|fcmov\w+) /.test(v.name)) ignored |= 0x200;
  // SDM, FPREM: the condition codes are a quotient's; what they are with a NaN or without a result is not said.
  const noQuotient = (want.getUint16(36, true) & 0x7fff) === 0x7fff || (fsw & ~fcw & 0x3f) !== 0;
  if (v.name.startsWith('fprem') && noQuotient) ignored |= 0x4300;
  // SDM, FCOM: the condition codes are set to 'unordered' if the invalid operation is masked. AMD processors set them
  // anyway.
  if (COMPARISON.test(v.name) && fsw & ~fcw & 0x01) ignored |= FSW_CONDITIONS;
  return ignored;
}

/** Runs one vector here; returns what differs from the native result, or undefined. */
function difference(m: FlatMachine, v: X87Vector, out: NativeResult): string | undefined {
  const { state } = m.cpu;
  m.load(CODE, Uint8Array.of(...FNINIT, ...FRSTOR, ...v.code, ...FNSAVE, 0xeb, 0xfe));
  m.ram.set(v.image, IMAGE);
  m.ram.fill(0, OPERAND, OPERAND + 512);
  m.ram.set(v.memory, OPERAND);
  m.ram.fill(0, AFTER, AFTER + 112);
  m.start(64, CODE);
  state.cr0 |= 0x20; // NE
  state.cr4 |= 0x200; // OSFXSR
  state.rflags = v.flags;
  state.setGpr64(0, 0n);
  let vector = -1;
  m.onFault = (number) => {
    if (vector === -1) vector = number;
  };
  m.cpu.run(4);
  const { signal } = out;
  const expected = signal === 0 ? -1 : signal === SIGFPE ? MF_VECTOR : -2;
  if (vector !== expected) return `signal ${signal}, here vector ${vector}`;
  const memory = m.ram.subarray(OPERAND, OPERAND + 112);
  const wantMemory = out.memory;
  // What MXCSR bits there are differs by processor.
  if (v.name.startsWith('fxsave')) memory.set(wantMemory.subarray(28, 32), 28);
  if (hex(memory) !== hex(wantMemory)) return `memory ${hex(memory)}\n  native ${hex(wantMemory)}`;
  if (signal) return undefined;
  const image = new DataView(m.ram.buffer, m.ram.byteOffset + AFTER, 108);
  const want = out.image;
  const ignored = ignoredStatus(v, want);
  for (const view of [image, want]) view.setUint16(4, view.getUint16(4, true) & ~ignored, true);
  const text = describeImage(image);
  const wantText = describeImage(want);
  if (
    text !== wantText ||
    hex(m.ram.subarray(AFTER + 28, AFTER + 108)) !==
      hex(new Uint8Array(want.buffer, want.byteOffset + 28, 80))
  )
    return `${text}\n  native ${wantText}`;
  const { flags, rax } = out;
  // FCOMI's flags go the way of the condition codes.
  if ((state.rflags & 0x8d5) !== (flags & 0x8d5) && !(ignored & FSW_CONDITIONS))
    return `flags ${state.rflags.toString(16)}, native ${flags.toString(16)}`;
  if (state.gpr64(0) !== rax) return `rax ${state.gpr64(0)}, native ${rax}`;
  return undefined;
}

describe('native FPU', () => {
  test.skipIf(skip !== undefined)(`${COUNT} vectors${skip ? `: skipped, ${skip}` : ''}`, () => {
    using fpu = new NativeFpu();
    const random = new Random(seedOf(19851017));
    const m = new FlatMachine({ tier: 'evaluator' });
    m.map = (page) => (page === X87_DATA ? OPERAND : page);
    const seen = new Set<string>();
    const wrong = new Map<string, { text: string; count: number }>();
    for (let done = 0; done < COUNT; done += BATCH) {
      const vectors = Array.from({ length: BATCH }, () => randomX87Vector(random));
      const out = fpu.run(vectors);
      vectors.forEach((v, i) => {
        seen.add(v.name);
        const text = difference(m, v, out[i]!);
        if (!text) return;
        const found = wrong.get(v.name);
        if (found) found.count++;
        else {
          const before = describeImage(new DataView(v.image.buffer));
          const operand = hex(v.memory.subarray(0, 10));
          wrong.set(v.name, {
            text: `${hex(v.code)}: [${operand}]\n  before ${before}\n  here   ${text}`,
            count: 1,
          });
        }
      });
    }
    expect([...wrong].map(([name, { text, count }]) => `${name} x${count}: ${text}`)).toEqual([]);
    expect(seen.size).toBe(X87_SHAPES);
  });
});
