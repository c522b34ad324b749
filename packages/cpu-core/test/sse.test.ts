/** Faults and gates of the SSE instructions, as the Intel SDM lists them. */
import { describe, expect, it } from 'vitest';
import { cpuModel } from '../src/system/models.ts';
import { FlatMachine } from './support/flat-machine.ts';

const [UD, NM, GP] = [6, 7, 13];
const OSFXSR = 0x200;
/** [5008h] as ModRM, SIB and displacement, with xmm0. */
const MISALIGNED = [0x04, 0x25, 0x08, 0x50, 0, 0];
const ALIGNED = [0x04, 0x25, 0x10, 0x50, 0, 0];

function firstFault(code: readonly number[], model = 'max', cr0 = 0, cr4 = OSFXSR): number {
  const m = new FlatMachine({ tier: 'evaluator', model: cpuModel(model) });
  m.load(0x2000, Uint8Array.of(...code, 0xeb, 0xfe));
  m.start(64, 0x2000);
  m.cpu.state.cr0 |= cr0;
  m.cpu.state.cr4 |= cr4;
  let vector = -1;
  m.onFault = (number) => {
    if (vector === -1) vector = number;
  };
  m.cpu.run(1);
  return vector;
}

const PAND = [0x66, 0x0f, 0xdb];
const PSHUFD = [0x66, 0x0f, 0x70];
const ORPS = [0x0f, 0x56];
const MOVLPS = [0x0f, 0x12];
const MOVDDUP = [0xf2, 0x0f, 0x12];

describe('SSE faults', () => {
  it('wants 16-byte operands aligned and lets 8-byte ones be', () => {
    expect(firstFault([...PAND, ...MISALIGNED])).toBe(GP);
    expect(firstFault([...ORPS, ...MISALIGNED])).toBe(GP);
    expect(firstFault([...PSHUFD, ...MISALIGNED, 0x1b])).toBe(GP);
    expect(firstFault([...PSHUFD, ...ALIGNED, 0x1b])).toBe(-1);
    expect(firstFault([...MOVLPS, 0x04, 0x25, 0x01, 0x50, 0, 0])).toBe(-1);
    expect(firstFault([...MOVDDUP, 0x04, 0x25, 0x01, 0x50, 0, 0])).toBe(-1);
  });

  it('is undefined without its CPUID feature, with CR0.EM or without CR4.OSFXSR; #NM with CR0.TS', () => {
    const gates: [feature: string, code: number[]][] = [
      ['sse2', [...PAND, 0xc1]],
      ['sse2', [...PSHUFD, 0xc1, 0]],
      ['sse2', [0x66, 0x0f, 0xd7, 0xc1]],
      ['sse', [...ORPS, 0xc1]],
      ['sse', [...MOVLPS, 0xc1]],
      ['pni', [...MOVDDUP, 0xc1]],
    ];
    for (const [feature, code] of gates) {
      expect(firstFault(code), feature).toBe(-1);
      expect(firstFault(code, `max,-${feature}`), feature).toBe(UD);
      expect(firstFault(code, 'max', 4), feature).toBe(UD);
      expect(firstFault(code, 'max', 0, 0), feature).toBe(UD);
      expect(firstFault(code, 'max', 8), feature).toBe(NM);
    }
  });
});
