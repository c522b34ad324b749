/**
 * Vector instructions of hot loops under every tier: checks, alignment, page borders, code under them, and helpers that
 * see their registers.
 */
import { describe, expect, test } from 'vitest';
import { stateHash } from '../src/engine/state-hash.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import * as L from '../src/layout.ts';
import { amd64Codec } from './support/amd64-codec.ts';
import { assemble } from './support/assemble.ts';
import { type Bits, DEVICE, FlatMachine } from './support/flat-machine.ts';
import { Random } from './support/random.ts';
import { EVALUATOR, INTERPRETER, VARIANTS } from './support/tier-compare.ts';
import type { Variant } from './support/tier-world.ts';

const AT = 0x1000;
/** Times that a block runs until it is translated by default: the threshold, and a quarter of it in the queue. */
const HOT = 12_600;
const interpreter = new Interpreter();

/** Opcodes behind 66 0F of instructions that the assembler does not know. */
const OPCODES: Readonly<Record<string, number>> = {
  paddb: 0xfc,
  paddw: 0xfd,
  paddd: 0xfe,
  paddq: 0xd4,
  psubb: 0xf8,
  psubw: 0xf9,
  psubd: 0xfa,
  por: 0xeb,
  punpckldq: 0x62,
};
const encoded = (source: string): string =>
  source.replace(/\b(p[a-z]+) xmm(\d), xmm(\d)/g, (text, name: string, to: string, from: string) =>
    name in OPCODES ? `db 0x66, 0x0f, ${OPCODES[name]}, ${0xc0 | (Number(to) << 3) | Number(from)}` : text,
  );

function machine({ tier, translator }: Variant, bits: Bits, source: string): FlatMachine {
  const m = new FlatMachine({
    tier,
    ...(translator && { translator }),
    interpreter,
    ports: { saveState: amd64Codec() },
    ram: 1 << 20,
    cache: 2 << 20,
  });
  m.load(AT, assemble(encoded(source), { bits, org: AT }));
  m.start(bits, AT, 0x8000);
  const random = new Random(7);
  for (let half = 0; half < 32; half++) m.cpu.state.set64(L.ST_XMM + half * 8, random.value());
  for (let at = 0x5f00; at < 0x6100; at++) m.ram[at] = random.next();
  sse(m, 0, 0x200);
  return m;
}

/** Sets CR0.TS (8) or not, CR4.OSFXSR (200h) or not. */
function sse(m: FlatMachine, ts: number, osfxsr: number): void {
  const { state } = m.cpu;
  state.cr0 = (state.cr0 & ~8) | ts;
  state.cr4 = (state.cr4 & ~0x200) | osfxsr;
  m.cpu.modeChanged();
}

/** Runs until the first fault or the end of the budget: RIP there, vector (-1: none), state before delivery. */
function until(m: FlatMachine, budget: number): string {
  const { state } = m.cpu;
  state.set32(L.ST_BUDGET, budget);
  state.set32(L.ST_EXIT_REQUEST, 0);
  m.cpu.tier.run();
  const fault = state.get32(L.ST_EXIT) === L.EXIT_FAULT ? m.cpu.pendingFault : undefined;
  const used = budget - (state.get32(L.ST_BUDGET) | 0);
  state.views.f64[(state.base + L.ST_RETIRED) >>> 3]! += used;
  const hash = stateHash(m.cpu, [[0x5f00, 0x2100]]);
  return [used, state.rip, fault?.vector, fault?.errorCode, hash].join(' ');
}

const TIERS = [INTERPRETER, ...VARIANTS].map((variant) => [variant.name, variant] as const);

/** What the evaluator showed, by bits and program. */
const shown = new Map<string, unknown[]>();

/** That a translator had something to translate, and did. */
function expectTranslated({ engine }: FlatMachine, { tier }: Variant): void {
  if (tier === 'translator') expect(engine.translations!.compiled).toBeGreaterThan(0);
}

describe.each(TIERS)('%s', (_name, variant) => {
  describe.each([16, 32, 64] as const)('%i-bit', (bits) => {
    const si = { 16: 'si', 32: 'esi', 64: 'rsi' }[bits];
    /** The same on the evaluator and on this tier. */
    const both = (source: string, act: (m: FlatMachine) => unknown[]): unknown[] => {
      const key = `${bits} ${source}`;
      const expected = shown.get(key) ?? act(machine(EVALUATOR, bits, source));
      shown.set(key, expected);
      const m = machine(variant, bits, source);
      expect(act(m)).toEqual(expected);
      expectTranslated(m, variant);
      return expected;
    };

    test('an address that is no multiple of 16 is #GP, before the page is asked for', () => {
      for (const insn of ['movdqa xmm1, [@]', 'movaps [@], xmm2', 'pxor xmm1, [@]', 'movdqa [@], xmm1']) {
        const source = `again: paddd xmm1, xmm2\n${insn.replace('@', si)}\npsubb xmm2, xmm1\njmp again`;
        const seen = both(source, (m) => {
          m.cpu.state.setGpr64(6, 0x6000n);
          const all = [until(m, 4 * HOT)];
          for (const to of [0x6001, 0x6008, 0x7ff8, 0x6ff0]) {
            m.cpu.state.setGpr64(6, BigInt(to));
            m.map = (page) => (page === 0x7000 ? -1 : page);
            m.cpu.memory.flush(undefined, true);
            all.push(until(m, 50));
          }
          return all;
        });
        expect(seen.map((line) => String(line).split(' ')[2])).toEqual(['', '13', '13', '13', '']);
      }
    });

    test('what crosses into a page that is missing changes nothing', () => {
      for (const insn of ['movdqu [@], xmm1', 'movdqu xmm2, [@]', 'movups xmm1, [@]', 'movups [@], xmm2']) {
        const source = `again: paddw xmm1, xmm2\n${insn.replace('@', si)}\npsubd xmm2, xmm1\njmp again`;
        const seen = both(source, (m) => {
          m.cpu.state.setGpr64(6, 0x6001n);
          const all = [until(m, 4 * HOT)];
          m.map = (page) => (page === 0x6000 ? -1 : page);
          for (const to of [0x5fe3, 0x5ff9]) {
            m.cpu.memory.flush(undefined, true);
            m.cpu.state.setGpr64(6, BigInt(to));
            all.push(until(m, 50));
          }
          return all;
        });
        expect(seen.map((line) => String(line).split(' ')[2])).toEqual(['', '', '14']);
      }
    });

    test('what begins on a device and faults behind it does not reach the device', () => {
      for (const insn of ['movdqu xmm1, [@]', 'movdqu [@], xmm1']) {
        const source = `again: paddd xmm1, xmm2\n${insn.replace('@', si)}\njmp again`;
        const seen = both(source, (m) => {
          m.cpu.state.setGpr64(6, 0x5ff3n);
          const plain = until(m, 3 * HOT);
          m.map = (page) => (page === 0x6000 ? -1 : page === 0x5000 ? DEVICE : page);
          m.cpu.memory.flush(undefined, true);
          const fault = until(m, 50);
          m.cpu.state.setGpr64(6, 0x5fe0n);
          return [plain, fault, m.accesses.length, until(m, 3), m.accesses.length];
        });
        expect(seen[2]).toBe(0);
        expect(seen[4]).toBe(4);
      }
    });

    test('SSE that is switched off in a hot loop is #NM or #UD at once, and goes on when it is on again', () => {
      const source = `again: paddq xmm1, xmm2\nmovdqu [0x6000], xmm1\npxor xmm2, xmm1\njmp again`;
      const seen = both(source, (m) => {
        const all = [until(m, 4 * HOT)];
        for (const [ts, osfxsr] of [
          [8, 0x200],
          [0, 0],
          [8, 0],
        ] as const) {
          sse(m, ts, osfxsr);
          all.push(until(m, 50));
          sse(m, 0, 0x200);
          all.push(until(m, 50));
        }
        const snapshot = m.cpu.save();
        sse(m, 8, 0x200);
        m.cpu.restore(snapshot);
        all.push(until(m, 51));
        return all;
      });
      const vectors = seen.map((line) => String(line).split(' ')[2]);
      expect(vectors).toEqual(['', '7', '', '6', '', '6', '', '']);
    });

    test('CLTS and MOV CR0 in a loop count at once', () => {
      const wide = bits === 64 ? 'rax' : 'eax';
      const source = `again: clts\npaddd xmm1, xmm2\nmov ${wide}, cr0\nor eax, 8\nmov cr0, ${wide}\ndec ecx\njnz again\npor xmm3, xmm1`;
      const seen = both(source, (m) => {
        m.cpu.state.setGpr64(1, BigInt(HOT));
        return [until(m, 7 * HOT + 10)];
      });
      expect(String(seen[0]).split(' ')[2]).toBe('7');
    });

    test('SMM begins without SSE, and RSM brings it back', () => {
      const source = `again: paddd xmm1, xmm2\npsubw xmm2, xmm1\ninc ecx\njmp again`;
      both(source, (m) => {
        const smm = assemble('mov eax, cr4\nadd ebx, eax\nrsm', { bits: 16, org: 0x8000 });
        m.cpu.state.smbase = 0x2_0000;
        m.load(0x2_8000, smm);
        const all: string[] = [];
        for (let n = 0; n < 4; n++) {
          all.push(
            `${m.cpu.run((n === 0 ? 5 : 1) * HOT).retired} ${stateHash(m.cpu)} ${m.cpu.state.mode & L.MODE_SSE}`,
          );
          m.cpu.raiseSmi();
          m.cpu.run(1);
          all.push(`${stateHash(m.cpu)} ${m.cpu.state.mode & L.MODE_SSE}`);
        }
        return all;
      });
    });

    test('FXSAVE and FXRSTOR in a hot loop see and set the registers', () => {
      const source = `again: paddd xmm1, xmm2
        add ecx, 1
        fxsave [0x7000]
        pxor xmm2, xmm1
        psubw xmm1, xmm2
        add edx, ecx
        fxrstor [0x7000]
        punpckldq xmm2, xmm1
        xor ebx, edx
        add ebx, 3
        sub edx, ebx
        add edi, 7
        add ebp, edi
        jmp again`;
      both(source, (m) => [until(m, 14 * HOT), until(m, 3001), until(m, 17)]);
    });

    test('16 bytes written onto the code that runs change it', () => {
      // The immediate of the addition is part of the vector. It is written onto data until the loop is hot, then onto
      // the code.
      const di = { 16: 'di', 32: 'edi', 64: 'rdi' }[bits];
      const source = `patched: add ecx, 0x12345678
        times 16 nop
        movdqu xmm0, [${di}]
        paddb xmm0, xmm7
        movdqu [${di}], xmm0
        jmp patched`;
      both(source, (m) => {
        m.cpu.state.set64(L.ST_XMM + 7 * 16, bits === 16 ? 0x100_0000n : 0x1_0000n);
        m.cpu.state.set64(L.ST_XMM + 7 * 16 + 8, 0n);
        m.cpu.state.setGpr64(7, 0x6000n);
        const plain = until(m, 21 * HOT);
        m.cpu.state.setGpr64(7, BigInt(AT));
        return [plain, until(m, 5000), until(m, 333)];
      });
    });
  });

  test('what runs over the end of the address space is #GP', () => {
    for (const insn of ['movdqu xmm1, [rsi]', 'movdqu [rsi], xmm1', 'mov rax, [rsi]']) {
      const seen = [EVALUATOR, variant].map((one) => {
        const m = machine(one, 64, `again: ${insn}\njmp again`);
        // The last page lies before the first in RAM.
        m.map = (page) => (page < 0 ? 0x1_0000 : page < 0x1000 ? 0x1_1000 : page);
        m.cpu.state.setGpr64(6, BigInt.asUintN(64, -16n));
        const all = [until(m, 2 * HOT)];
        if (one !== EVALUATOR) expectTranslated(m, one);
        m.cpu.state.setGpr64(6, BigInt.asUintN(64, -4n));
        all.push(until(m, 50));
        return all;
      });
      expect(seen[1]).toEqual(seen[0]);
      expect(seen[0]!.map((line) => line.split(' ')[2])).toEqual(['', '13']);
    }
  });
});
