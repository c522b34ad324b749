/** Ever new code: what is kept of it stays within its bounds, and what it computes is what the interpreter computes. */

import { describe, expect, test } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { CORE_SIZE } from '../src/engine/core.ts';
import { stateHash } from '../src/engine/state-hash.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import { assemble } from './support/assemble.ts';
import { FlatMachine } from './support/flat-machine.ts';
import { INTERPRETER } from './support/tier-compare.ts';
import type { Variant } from './support/tier-world.ts';

const SLICE = 50_021;
const SLICES = FULL ? 120 : 8;
/** Bytes of generated code that may be live. */
const BUDGET = 100_000;
/** The places: first address, and the address at which to begin anew. */
const FIRST = 0x2_0000;
const END = 0xf_0000;
const interpreter = new Interpreter();

/** What an engine tells of its translations. */
interface Translations {
  /** Regions that may be entered now. */
  readonly regions: number;
  /** Bytes of their code. */
  readonly bytes: number;
  /** Regions made so far. */
  readonly compiled: number;
  /** Regions given up to stay within the budget. */
  readonly evicted: number;
}

function translationsOf(m: FlatMachine): Translations | undefined {
  return (m.engine as { translations?: Translations }).translations;
}

/**
 * Writes `mov eax, n; again: xor eax, m; add ebx, eax; dec ecx; jnz again; ret` to the next of many places, calls it,
 * and goes on. `stride` bytes lie between two of them.
 */
function source(stride: number): string {
  return `outer:
mov byte [edi], 0xb8
mov [edi+1], ebp
mov byte [edi+5], 0x35
mov [edi+6], ebx
mov dword [edi+10], 0x7549c301
mov word [edi+14], 0xc3f6
mov ecx, 60
call edi
add ebp, 0x01234567
add edi, ${stride}
cmp edi, ${END}
jb outer
mov edi, ${FIRST}
jmp outer`;
}

function machine(variant: Variant, stride: number): FlatMachine {
  const { tier, translator, cache = 8 << 20 } = variant;
  const m = new FlatMachine({
    tier,
    ...(translator && { translator }),
    interpreter,
    ram: 1 << 20,
    cache,
    processors: 2,
  });
  m.load(0x1000, assemble(source(stride), { bits: 32, org: 0x1000 }));
  for (const cpu of m.cpus) {
    m.start(32, 0x1000, 0x8000 + cpu.index * 0x800, cpu);
    for (let r = 0; r < 8; r++) if (r !== 4) cpu.state.setGpr32(r, 0);
    // The second writes over what the first has made, half a round behind.
    cpu.state.setGpr32(7, cpu.index === 0 ? FIRST : FIRST + stride * Math.floor((END - FIRST) / stride / 2));
  }
  return m;
}

const SMALL = 2 * CORE_SIZE + 200 * 1024;

describe.each([
  ['the same places again and again', 0x30],
  ['a page each', 0x1010],
])('%s', (_name, stride) => {
  const expected: string[] = [];
  const reference = machine(INTERPRETER, stride);
  for (let i = 0; i < SLICES; i++) {
    for (const cpu of reference.cpus) {
      cpu.run(SLICE);
      expected.push(stateHash(cpu));
    }
  }

  test.each<Variant>([
    { name: 'interpreter, small op cache', tier: 'interpreter', cache: SMALL },
    {
      name: 'translator, small code budget',
      tier: 'translator',
      translator: { threshold: 2, codeBudget: BUDGET },
    },
    {
      name: 'translator, both small',
      tier: 'translator',
      translator: { threshold: 2, codeBudget: BUDGET },
      cache: SMALL,
    },
    { name: 'translator, tiny code budget', tier: 'translator', translator: { threshold: 1, codeBudget: 1 } },
    { name: 'translator', tier: 'translator' },
  ])(
    '$name',
    (variant) => {
      const m = machine(variant, stride);
      const seen: string[] = [];
      let most = 0;
      for (let i = 0; i < SLICES; i++) {
        for (const cpu of m.cpus) {
          cpu.run(SLICE);
          seen.push(stateHash(cpu));
          const now = translationsOf(m);
          if (!now || variant.translator?.codeBudget === undefined) continue;
          // The region at hand may be larger than the budget; nothing else is then.
          if (now.regions > 1) expect(now.bytes).toBeLessThanOrEqual(variant.translator.codeBudget);
          most = Math.max(most, now.regions);
        }
      }
      expect(seen).toEqual(expected);
      const end = translationsOf(m);
      if (!end || variant.translator?.codeBudget === undefined) return;
      // Thousands were made and no more than the budget holds are kept: what is kept does not grow with what was made.
      expect(end.compiled).toBeGreaterThan(most * 2);
      expect(end.regions).toBeLessThanOrEqual(BUDGET / 200);
    },
    600_000,
  );
});
