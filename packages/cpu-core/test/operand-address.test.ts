/**
 * Addresses of memory operands in helpers: doubles where they are exact must give what 64-bit arithmetic gives, faults
 * included.
 */
import { SEG_FS } from '@smm/x86-defs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decode } from '../src/decode/decode.ts';
import { Insn } from '../src/insn.ts';
import * as L from '../src/layout.ts';
import { effectiveOffset, operandAddress, segmentedAddress } from '../src/system/operands.ts';
import { type Bits, FlatMachine } from './support/flat-machine.ts';

const edges = [
  0n,
  1n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_fff0n,
  0x7fff_ffff_fff0n,
  0x8000_0000_0000n,
  0xffff_8000_0000_0000n,
  0xffff_ffff_ffff_fff8n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0x4000_0000_0000_0001n,
];
const register = fc.oneof(
  fc.constantFrom(...edges),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.bigInt({ min: 0n, max: 0xffffn }),
);

const machines = new Map<Bits, FlatMachine>(
  ([16, 32, 64] as const).map((bits) => {
    const m = new FlatMachine({ tier: 'evaluator', ram: 1 << 16, cache: 1 << 20 });
    m.start(bits, 0x1000);
    return [bits, m];
  }),
);

it('is the same by doubles and by bigints', () => {
  const outcomes = { address: 0, fault: 0 };
  fc.assert(
    fc.property(
      fc.constantFrom<Bits[]>(16, 32, 64),
      fc.array(register, { minLength: 16, maxLength: 16 }),
      // SGDT with any ModRM byte, SIB byte and displacement; prefixes for the address size, segments and REX.XB.
      fc.record({
        prefixes: fc.subarray([0x67, 0x64, 0x36]),
        rex: fc.nat(3),
        modrm: fc.tuple(fc.nat(2), fc.nat(7)).map(([mod, rm]) => (mod << 6) | rm),
        tail: fc.uint8Array({ minLength: 5, maxLength: 5 }),
      }),
      fc.record({ fs: register, limit: fc.constantFrom(0xffff, 0xffff_ffff, 0x8000_0000) }),
      fc.constantFrom(1, 2, 8, 16),
      fc.constantFrom(0, 2, 8),
      (bits, gprs, { prefixes, rex, modrm, tail }, { fs, limit }, size, displacement) => {
        const { cpu } = machines.get(bits)!;
        const { state } = cpu;
        gprs.forEach((value, n) => {
          state.setGpr64(n, value);
        });
        state.set64(L.ST_SEG_BASE + SEG_FS * 8, bits === 64 ? fs : fs & 0xffff_ffffn);
        for (let segment = 0; segment < 6; segment++) state.setSegLimit(segment, limit);
        state.rip = 0x1000n;
        const bytes = Uint8Array.from([
          ...prefixes,
          ...(bits === 64 ? [0x40 | rex] : []),
          0x0f,
          0x01,
          modrm,
          ...tail,
        ]);
        const insn = new Insn();
        expect(decode(bytes, 0, bytes.length, bits, insn)).toBeGreaterThan(0);
        const attempt = (address: () => number): number | string => {
          try {
            return address();
          } catch (error) {
            if (error !== cpu.pendingFault) throw error;
            return `vector ${cpu.pendingFault.vector}`;
          }
        };
        const ours = attempt(() => operandAddress(cpu, insn, size, true, displacement));
        const exact = attempt(() => {
          const offset = effectiveOffset(cpu, insn) + BigInt(displacement);
          return segmentedAddress(
            cpu,
            insn.segment,
            BigInt.asUintN(insn.addressSize * 8, offset),
            size,
            true,
          );
        });
        expect(ours).toBe(exact);
        outcomes[typeof exact === 'number' ? 'address' : 'fault']++;
      },
    ),
    { numRuns: 4000, seed: 3 },
  );
  expect(Math.min(outcomes.address, outcomes.fault)).toBeGreaterThan(500);
});
