/** Tier 0 against the evaluator: equal states, all flags and memory included, at the end of every slice. */
import { describe, expect, test } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import type { TierName } from '../src/engine/engine.ts';
import { stateHash } from '../src/engine/state-hash.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import { assemble } from './support/assemble.ts';
import { type Bits, FlatMachine } from './support/flat-machine.ts';
import { Random } from './support/random.ts';
import { BORDER, PROGRAM, randomProgram } from './support/random-program.ts';

/** Compiled once for all machines. */
const INTERPRETER = new Interpreter();
const SEEDS = sized(4, 60);

function prepare(
  tier: TierName,
  code: Uint8Array,
  bits: Bits,
  processors: number,
  seed: number,
  threshold?: number,
): FlatMachine {
  const m = new FlatMachine({
    tier,
    processors,
    interpreter: INTERPRETER,
    ...(threshold && { translator: { threshold } }),
  });
  m.load(PROGRAM, code);
  const random = new Random(seed);
  for (let i = 0; i < 0x200; i++) m.ram[BORDER - 0x100 + i] = random.next();
  m.deviceValue = 0x1234_5678;
  for (const cpu of m.cpus) {
    m.start(bits, PROGRAM, 0x8000 + cpu.index * 0x800, cpu);
    cpu.state.cr4 |= 0x200; // SSE
    cpu.modeChanged();
    for (const register of [0, 1, 2, 5, 7, 8, 13]) {
      if (bits === 64 || register < 8)
        cpu.state.setGpr64(register, bits === 64 ? random.value() : BigInt(random.next()));
    }
    cpu.state.setGpr64(6, BigInt(BORDER));
    cpu.state.setGpr64(3, BigInt(random.below(8)));
    if (bits === 64) cpu.state.setGpr64(15, 0xfee0_0000n);
  }
  return m;
}

const RAM = [
  [PROGRAM, 0x1400],
  [BORDER - 0x200, 0x400],
  [0x7800, 0x1000],
] as const;

describe.each([
  [16, 'interpreter', 0],
  [32, 'interpreter', 0],
  [64, 'interpreter', 0],
  [16, 'translator', 1],
  [32, 'translator', 1],
  [64, 'translator', 1],
  [16, 'translator', 9],
  [32, 'translator', 9],
  [64, 'translator', 9],
] as const)('%i-bit random programs, %s %i', (bits, tier, threshold) => {
  for (const [processors, slice, slices] of [
    [1, 1, 400],
    [1, 7, 300],
    [1, 113, 200],
    [1, 5003, 8],
    [2, 61, 200],
  ] as const) {
    test(`${processors} processors, slices of ${slice}`, () => {
      for (let n = 0; n < SEEDS; n++) {
        const seed = seedOf(n * 1000 + bits + slice);
        const source = randomProgram(new Random(seed), bits, true);
        const code = assemble(source, { bits, org: PROGRAM });
        const wasm = prepare(tier, code, bits, processors, seed, threshold);
        const evaluator = prepare('evaluator', code, bits, processors, seed);
        for (let i = 0; i < slices; i++) {
          const [a, b] = [wasm, evaluator].map((m) => {
            const cpu = m.cpus[i % processors]!;
            const exit = cpu.run(slice);
            return {
              ...exit,
              rip: cpu.state.rip.toString(16),
              hash: stateHash(cpu, RAM),
              devices: m.accesses.length,
            };
          });
          if (a!.hash !== b!.hash) {
            const registers = (m: FlatMachine): string[] => {
              const s = m.cpus[i % processors]!.state;
              return [
                s.rflags.toString(16),
                ...Array.from({ length: 16 }, (_, r) => s.gpr64(r).toString(16)),
              ];
            };
            expect({ seed, i, registers: registers(wasm) }, source).toEqual({
              seed,
              i,
              registers: registers(evaluator),
            });
          }
          expect(a, `seed ${seed}, slice ${i}`).toEqual(b);
          if (b!.reason !== 'budget')
            throw new Error(`seed ${seed}: the program stopped: ${b!.reason} at ${b!.rip}`);
        }
      }
    });
  }
});
