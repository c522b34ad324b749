/** An instruction is one row: the decoder, all tiers, the flag analysis and the feature check know it from there. */
import { expect, test, vi } from 'vitest';
import { decode } from '../src/decode/decode.ts';
import { FLAGS_KEEPS, flagUse } from '../src/engine/flag-use.ts';
import { coldFormsOf, formKey } from '../src/engine/wasm/forms.ts';
import { Insn } from '../src/insn.ts';
import * as L from '../src/layout.ts';
import type { Operation } from '../src/operations/operation.ts';
import { ENDS_BLOCK, OP_NAMES } from '../src/ops.ts';
import { cpuModel } from '../src/system/models.ts';
import { FlatMachine } from './support/flat-machine.ts';

/** Two instructions that no processor has, on free opcodes. */
const ROWS = vi.hoisted(
  (): Readonly<Record<string, Operation>> => ({
    /** PSHUFD by another name. */
    REORDER: {
      does: 'vector.shuffle32',
      flags: 'keeps',
      mayFault: false,
      traits: ['vector'],
      at: [['0F 0A', 'Vx,Wx,Ub', '66', 'popcnt']],
    },
    /** Rare, and the last of its block. */
    REORDER_END: { helper: 'misc.execSalc', ends: true, at: [['0F 0C', '', 'F3']] },
  }),
);

vi.mock('../src/operations/sse.ts', async (original) => {
  const { SSE, ...rest } = await original<{ SSE: object }>();
  return { ...rest, SSE: { ...SSE, ...ROWS } };
});

/** reorder xmm1, xmm2, 1Bh: the doublewords of xmm2 from the last to the first. */
const CODE = Uint8Array.of(0x66, 0x0f, 0x0a, 0xca, 0x1b);

test('an added row is decoded, has forms and is judged by its own words', () => {
  const insn = new Insn();
  expect(decode(CODE, 0, CODE.length, 64, insn)).toBe(5);
  expect(OP_NAMES[insn.op]).toBe('REORDER');
  expect(flagUse(insn)).toBe(FLAGS_KEEPS);
  for (const model of ['flat32', 'flat64', 'general'] as const) {
    const functions = new Set(coldFormsOf(model).map((form) => formKey(form.insn, false, true)));
    expect(functions.has(formKey(insn, false, true))).toBe(true);
  }
  expect(ENDS_BLOCK.has(insn.op)).toBe(false);
  decode(Uint8Array.of(0xf3, 0x0f, 0x0c), 0, 3, 64, insn);
  expect(ENDS_BLOCK.has(insn.op)).toBe(true);
  expect(flagUse(insn)).not.toBe(FLAGS_KEEPS);
});

test.each(['evaluator', 'interpreter', 'translator'] as const)('it runs on tier %s', (tier) => {
  const m = new FlatMachine({ tier, translator: { threshold: 3 } });
  m.load(0x2000, Uint8Array.of(...CODE, 0xeb, 0x100 - CODE.length - 2));
  m.start(64, 0x2000);
  m.cpu.state.cr4 |= 0x200;
  m.cpu.modeChanged();
  m.cpu.state.set64(L.ST_XMM + 32, 0x1111_1111_2222_2222n);
  m.cpu.state.set64(L.ST_XMM + 40, 0x3333_3333_4444_4444n);
  m.cpu.run(40);
  expect(m.cpu.state.get64(L.ST_XMM + 16).toString(16)).toBe('4444444433333333');
  expect(m.cpu.state.get64(L.ST_XMM + 24).toString(16)).toBe('2222222211111111');
  if (tier === 'translator') expect(m.engine.translations!.compiled).toBeGreaterThan(0);
});

test('a processor without its feature raises #UD, though another has run the same code', () => {
  const m = new FlatMachine({
    tier: 'interpreter',
    processors: 2,
    models: [cpuModel('max'), cpuModel('max,-popcnt')],
  });
  m.load(0x2000, Uint8Array.of(...CODE, 0xeb, 0xfe));
  const vectors: number[] = [];
  m.onFault = (vector) => vectors.push(vector);
  for (const [n, cpu] of m.cpus.entries()) {
    m.start(64, 0x2000, 0x8000, cpu);
    cpu.state.cr4 |= 0x200;
    cpu.modeChanged();
    cpu.run(1);
    expect(vectors.slice(0, 1), `processor ${n}`).toEqual(n === 0 ? [] : [6]);
  }
});
