/** Results and flags of single instructions against the CPU that the tests run on. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import { DATA, randomVector, type Vector, WINDOW } from './native/vectors.ts';
import { FlatMachine } from './support/flat-machine.ts';
import { Random } from './support/random.ts';

const COUNT = sized(10_000, 400_000);
const BATCH = 10_000;
const VECTOR_SIZE = 16 * 8 + 8 + 16 + 8 + 512;
const RESULT_SIZE = 16 * 8 + 8 + 8 + 512;
const STATUS = 0x8d5;

const have = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const skip =
  process.arch !== 'x64' || process.platform !== 'linux'
    ? 'needs an x86-64 Linux'
    : have('gcc')
      ? undefined
      : 'needs gcc';

const folder = skip ? '' : mkdtempSync(join(tmpdir(), 'smm-native-'));
afterAll(() => folder && rmSync(folder, { recursive: true }));

function native(vectors: Vector[], program: string): DataView {
  const input = new DataView(new ArrayBuffer(vectors.length * VECTOR_SIZE));
  const bytes = new Uint8Array(input.buffer);
  vectors.forEach((v, i) => {
    const at = i * VECTOR_SIZE;
    v.gpr.forEach((value, r) => {
      input.setBigUint64(at + r * 8, value, true);
    });
    input.setBigUint64(at + 128, BigInt(v.flags), true);
    bytes.set(v.code, at + 136);
    input.setBigUint64(at + 152, BigInt(v.code.length), true);
    bytes.set(v.memory, at + 160);
  });
  const out = execFileSync(program, { input: bytes, maxBuffer: 1 << 30 });
  return new DataView(out.buffer, out.byteOffset, out.length);
}

const hex = (bytes: Iterable<number>): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');

/** Runs one vector here; returns what differs from the native result, or undefined. */
function difference(m: FlatMachine, v: Vector, out: DataView, at: number): string | undefined {
  const { state } = m.cpu;
  const code = Uint8Array.of(...v.code, 0xeb, 0xfe);
  m.ram.set(v.memory.subarray(0, 0x100), 0x10f00);
  m.ram.set(v.memory.subarray(0x100), 0x14000);
  m.load(0x2000, code);
  m.start(64, 0x2000);
  v.gpr.forEach((value, r) => {
    state.setGpr64(r, value);
  });
  state.rflags = v.flags;
  let vector = -1;
  m.onFault = (number) => {
    if (vector === -1) vector = number; // without an IDT more follow
  };
  for (let turn = 0; turn < 512 && state.rip === 0x2000n && vector === -1; turn++) m.cpu.run(v.budget);
  const signal = Number(out.getBigUint64(at + 136, true));
  if (signal) {
    const expected = signal === 8 ? 0 : -2; // SIGFPE
    return vector === expected ? undefined : `signal ${signal}, here vector ${vector}`;
  }
  if (vector !== -1) return `here vector ${vector}`;
  for (let r = 0; r < 16; r++) {
    const want = out.getBigUint64(at + r * 8, true);
    if (state.gpr64(r) !== want)
      return `register ${r}: ${state.gpr64(r).toString(16)}, native ${want.toString(16)}`;
  }
  const mask = (STATUS | 0x400) & ~v.undefinedFlags;
  const flags = Number(out.getBigUint64(at + 128, true));
  if ((state.rflags & mask) !== (flags & mask))
    return `flags ${(state.rflags & mask).toString(16)}, native ${(flags & mask).toString(16)}`;
  const memory = new Uint8Array(512);
  memory.set(m.ram.subarray(0x10f00, 0x11000));
  memory.set(m.ram.subarray(0x14000, 0x14100), 0x100);
  const want = new Uint8Array(out.buffer, out.byteOffset + at + 144, 512);
  for (let i = 0; i < 512; i++) {
    if (memory[i] !== want[i]) return `memory ${(WINDOW + i).toString(16)}: ${memory[i]}, native ${want[i]}`;
  }
  if (state.rip !== BigInt(0x2000 + v.code.length)) return `RIP ${state.rip.toString(16)}`;
  return undefined;
}

describe('native CPU', () => {
  test.skipIf(skip !== undefined)(`${COUNT} vectors, both tiers${skip ? `: skipped, ${skip}` : ''}`, () => {
    const program = join(folder, 'harness');
    const source = fileURLToPath(new URL('native/harness.c', import.meta.url));
    execFileSync('gcc', ['-O1', '-no-pie', '-o', program, source]);
    const random = new Random(seedOf(20151021));
    const machines = (['evaluator', 'interpreter'] as const).map((tier) => {
      const m = new FlatMachine({ tier });
      // The operand's two pages are not neighbours in physical memory.
      m.map = (page) => (page === DATA ? 0x10000 : page === DATA + 0x1000 ? 0x14000 : page);
      return { tier, m };
    });
    const seen = new Set<string>();
    const wrong = new Map<string, string>();
    for (let done = 0; done < COUNT; done += BATCH) {
      const vectors = Array.from({ length: BATCH }, () => randomVector(random));
      const out = native(vectors, program);
      expect(out.byteLength).toBe(BATCH * RESULT_SIZE);
      vectors.forEach((v, i) => {
        seen.add(v.name);
        for (const { tier, m } of machines) {
          const text = difference(m, v, out, i * RESULT_SIZE);
          const key = `${tier} ${v.name}`;
          if (text && !wrong.has(key)) wrong.set(key, `${key}: ${hex(v.code)}: ${text}`);
        }
      });
    }
    expect([...wrong.values()]).toEqual([]);
    expect(seen.size).toBeGreaterThan(120);
  });
});
