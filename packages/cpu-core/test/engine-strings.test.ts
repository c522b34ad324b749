/**
 * String instructions that generated code executes alone, against the evaluator: sizes, overlaps, page borders, counts,
 * budgets that end within.
 */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import type { TierName } from '../src/engine/engine.ts';
import { GeneratedTier } from '../src/engine/generated-tier.ts';
import { stateHash } from '../src/engine/state-hash.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import { assemble } from './support/assemble.ts';
import { type Bits, FlatMachine } from './support/flat-machine.ts';

/** Compiled once for all machines. */
const INTERPRETER = new Interpreter();

const PROGRAM = 0x1000;
/** Data around a page border. */
const DATA = 0x8000;
const DATA_BYTES = 0x4000;
const MIDDLE = DATA + 0x2000;

interface Step {
  readonly instruction: string;
  readonly rep: '' | 'rep ' | 'repne ';
  readonly from: number;
  readonly distance: number;
  readonly count: number;
  readonly down: boolean;
  readonly otherAddressSize: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  instruction: fc
    .tuple(fc.constantFrom('movs', 'stos', 'cmps', 'scas'), fc.constantFrom('b', 'w', 'd', 'q'))
    .map(([operation, size]) => operation + size),
  rep: fc.constantFrom<('' | 'rep ' | 'repne ')[]>('rep ', 'rep ', 'repne ', ''),
  from: fc.oneof(fc.integer({ min: -0x40, max: 0x40 }), fc.integer({ min: -0x1800, max: 0x1000 })),
  distance: fc.oneof(fc.integer({ min: -24, max: 24 }), fc.integer({ min: -0x700, max: 0x700 })),
  count: fc.oneof(fc.nat(20), fc.nat(200)),
  down: fc.constantFrom(false, false, false, true),
  otherAddressSize: fc.constantFrom(false, false, false, false, false, true),
});

interface Setting {
  readonly bits: Bits;
  readonly steps: readonly Step[];
  readonly slice: number;
}

const setting: fc.Arbitrary<Setting> = fc.record({
  bits: fc.constantFrom<Bits[]>(16, 32, 64),
  steps: fc.array(step, { minLength: 1, maxLength: 8 }),
  slice: fc.constantFrom(1, 7, 113, 400, 5000),
});

/** MOVS and STOS have REP alone. */
function prefixOf({ rep, instruction }: Step): string {
  return rep === 'repne ' && /^(movs|stos)/.test(instruction) ? 'rep ' : rep;
}

function source({ bits, steps }: Setting): string {
  const n = bits === 64 ? 'r' : 'e';
  const lines = steps.flatMap((s) => {
    const instruction =
      s.instruction.endsWith('q') && bits !== 64 ? `${s.instruction.slice(0, -1)}d` : s.instruction;
    const prefix = s.otherAddressSize ? `a${bits === 32 ? 16 : 32} ` : '';
    return [
      s.down ? 'std' : 'cld',
      `mov ${n}si, ${MIDDLE + s.from}`,
      `mov ${n}di, ${MIDDLE + s.from + s.distance}`,
      `mov ${n}cx, ${s.count}`,
      `${prefix}${prefixOf(s)}${instruction}`,
      `add ${n}ax, ${n}di`,
      `xor ${n}ax, ${n}cx`,
      // Short values, so that SCAS finds some.
      `and ${n}ax, 3`,
    ];
  });
  return `start: ${lines.join('\n')}\njmp start`;
}

function machine(tier: TierName, s: Setting, code: Uint8Array): FlatMachine {
  const m = new FlatMachine({
    tier,
    interpreter: INTERPRETER,
    ram: 1 << 16,
    cache: 1 << 20,
    translator: { threshold: 2 },
  });
  m.load(PROGRAM, code);
  m.load(
    DATA,
    Uint8Array.from({ length: DATA_BYTES }, (_, i) => (i >>> 5) & 3),
  );
  m.start(s.bits, PROGRAM);
  m.cpu.state.setGpr64(0, 0x0123_4567_89ab_cdefn);
  return m;
}

describe('string instructions in plain memory', () => {
  it.each<TierName>(['interpreter', 'translator'])('%s: as the evaluator', (tier) => {
    fc.assert(
      fc.property(setting, (s) => {
        const code = assemble(source(s), { bits: s.bits, org: PROGRAM });
        const fast = machine(tier, s, code);
        const plain = machine('evaluator', s, code);
        for (let n = 0; n < 8; n++) {
          const ends = [fast, plain].map(({ cpu }) => {
            const exit = cpu.run(s.slice);
            return { ...exit, rip: cpu.state.rip, state: stateHash(cpu, [[DATA, DATA_BYTES]]) };
          });
          expect(ends[0]).toEqual(ends[1]);
        }
      }),
      { numRuns: sized(200, 3000), seed: seedOf(4) },
    );
  });

  it.each<readonly [Bits, TierName]>([
    [32, 'interpreter'],
    [32, 'translator'],
    [64, 'interpreter'],
    [64, 'translator'],
  ])('%i-bit code, %s: TypeScript is asked only until the pages are in the TLB', (bits, tier) => {
    const steps = ['movsb', 'movsw', 'movsd', 'stosb', 'stosw', 'stosd', 'cmpsb', 'cmpsd', 'scasb'].map(
      (instruction, k): Step => ({
        instruction,
        rep: k === 2 ? '' : 'rep ',
        from: -0x1000 + 64 * k,
        distance: 0x2100,
        count: 7 * k,
        down: false,
        otherAddressSize: false,
      }),
    );
    const s: Setting = { bits, steps, slice: 1 };
    const code = assemble(source(s), { bits, org: PROGRAM });
    const m = machine(tier, s, code);
    const calls = [
      vi.spyOn(GeneratedTier.prototype, 'execute'),
      vi.spyOn(GeneratedTier.prototype, 'regionExecute'),
    ];
    m.cpu.run(100_000);
    for (const call of calls) {
      expect(call.mock.calls.length).toBeLessThan(20);
      call.mockRestore();
    }
  });
});
