/** x87 instructions in their surroundings: faults, gates, pointers, images, as the Intel SDM describes them. */
import { UnmodelledError } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import * as L from '../src/layout.ts';
import { cpuModel } from '../src/system/models.ts';
import { assembleWithNasm, HAS_NASM } from './support/assemble.ts';
import { type Bits, FlatMachine, type FlatMachineOptions } from './support/flat-machine.ts';

const CODE = 0x2000;
const NE = 0x20;
const [UD, NM, MF, PF] = [6, 7, 16, 14];

const assembled = new Map<string, Uint8Array>();

/** Machine code; @smm/asm has no x87 instructions. */
function assemble(code: string, bits: Bits): Uint8Array {
  const source = `bits ${bits}\norg ${CODE}\n${code}\n`;
  let bytes = assembled.get(source);
  if (!bytes) {
    bytes = assembleWithNasm(source);
    assembled.set(source, bytes);
  }
  return bytes;
}

interface Ran {
  readonly m: FlatMachine;
  /** First exception, or -1. */
  readonly vector: number;
}

/** Runs all of `code`, initialized by FNINIT. `before`: last changes. */
function run(
  code: string,
  bits: Bits = 64,
  options: FlatMachineOptions = {},
  before: (m: FlatMachine) => void = () => {},
): Ran {
  const m = new FlatMachine({ tier: 'evaluator', ...options });
  m.load(CODE, assemble(code, bits));
  m.start(bits, CODE);
  const s = m.cpu.state;
  s.cr0 |= NE;
  s.set32(L.ST_FCW, 0x37f);
  s.set32(L.ST_FTW, 0xffff);
  before(m);
  let vector = -1;
  m.onFault = (number) => {
    if (vector === -1) vector = number;
  };
  m.cpu.run(code.split('\n').length);
  return { m, vector };
}

describe.skipIf(!HAS_NASM)(`x87 arithmetic${HAS_NASM ? '' : ' (skipped: needs nasm)'}`, () => {
  it.each(['evaluator', 'interpreter'] as const)(
    'converts, scales and stores as a C compiler has it done (%s)',
    (tier) => {
      // (double)(uint32 10) * 1.5f, and rounding to an integer.
      const code = [
        'push 10',
        'fild qword [rsp]',
        'mov dword [0x5000], 0x3fc00000',
        'fmul dword [0x5000]',
        'fst qword [0x5008]',
        'fistp qword [0x5010]',
        'fldz',
        'fld1',
        'fcomip st0, st1',
        'seta al',
      ].join('\n');
      const { m, vector } = run(code, 64, { tier });
      expect(vector).toBe(-1);
      expect(m.view.getFloat64(0x5008, true)).toBe(15);
      expect(m.view.getBigInt64(0x5010, true)).toBe(15n);
      expect(m.cpu.state.gpr8(0)).toBe(1);
    },
  );

  it('computes doubles as the host does when precision control says 53 bits', () => {
    const values = [1, 3, 0.1, 1e300, -7.25, 1e-300, 2 ** 52 + 1, 1 / 3];
    for (const a of values) {
      for (const b of values) {
        const { m } = run(
          'fldcw [0x5000]\nfld qword [0x5008]\nfmul qword [0x5010]\nfstp qword [0x5018]\nfld qword [0x5008]\nfdiv qword [0x5010]\nfstp qword [0x5020]',
          64,
          {},
          ({ view }) => {
            view.setUint16(0x5000, 0x27f, true);
            view.setFloat64(0x5008, a, true);
            view.setFloat64(0x5010, b, true);
          },
        );
        expect(m.view.getFloat64(0x5018, true)).toBe(a * b);
        expect(m.view.getFloat64(0x5020, true)).toBe(a / b);
      }
    }
  });

  it('leaves transcendental functions out, loudly', () => {
    for (const name of ['f2xm1', 'fyl2x', 'fptan', 'fpatan', 'fyl2xp1', 'fsincos', 'fsin', 'fcos']) {
      expect(() => run(name), name).toThrow(UnmodelledError);
    }
  });
});

describe.skipIf(!HAS_NASM)(`x87 faults${HAS_NASM ? '' : ' (skipped: needs nasm)'}`, () => {
  it('raises #NM for CR0.TS and CR0.EM, also before #MF and #PF', () => {
    for (const bit of [4, 8]) {
      const set = ({ cpu }: FlatMachine): void => {
        cpu.state.cr0 |= bit;
        cpu.state.set32(L.ST_FSW, 0x8081);
        cpu.state.set32(L.ST_FCW, 0x37e);
      };
      for (const code of [
        'fld1',
        'fadd st0, st1',
        'fldcw [0x5000]',
        'fnstsw ax',
        'fninit',
        'fld dword [0x5000]',
      ]) {
        expect(run(code, 64, {}, set).vector, code).toBe(NM);
      }
    }
  });

  it('raises #NM for WAIT only with CR0.TS and CR0.MP', () => {
    const withBits = (bits: number): number =>
      run('fwait', 64, {}, ({ cpu }) => {
        cpu.state.cr0 |= bits;
      }).vector;
    expect([withBits(8), withBits(2), withBits(10)]).toEqual([-1, -1, NM]);
  });

  it('raises #MF at the next waiting instruction, with its RIP', () => {
    const waiting = ['fwait', 'fld1', 'fldcw [0x5000]', 'fnop', 'emms', 'frstor [0x5000]'];
    for (const next of waiting) {
      // 0 / 0 with the invalid operation unmasked
      const { m, vector } = run(`fldcw [0x5000]\nfldz\nfdiv st0, st0\nnop\n${next}`, 64, {}, ({ view }) => {
        view.setUint16(0x5000, 0x37e, true);
      });
      expect(vector, next).toBe(MF);
      expect(m.cpu.state.get32(L.ST_FSW) & 0x80ff, next).toBe(0x8081);
    }
    for (const next of [
      'fnstsw ax',
      'fnstcw [0x5000]',
      'fnclex',
      'fninit',
      'fnstenv [0x5000]',
      'fnsave [0x5000]',
    ]) {
      const { vector } = run(`fldcw [0x5000]\nfldz\nfdiv st0, st0\n${next}\nnop`, 64, {}, ({ view }) => {
        view.setUint16(0x5000, 0x37e, true);
      });
      expect(vector, next).toBe(-1);
    }
  });

  it('does not model external error reporting: an exception with CR0.NE clear is loud', () => {
    const clear = ({ cpu }: FlatMachine): void => {
      cpu.state.cr0 &= ~NE;
      cpu.state.set32(L.ST_FCW, 0x37e);
    };
    expect(() => run('fldz\nfdiv st0, st0\nfwait', 64, {}, clear)).toThrow(UnmodelledError);
  });

  it('changes nothing when the operand faults', () => {
    const missing = (m: FlatMachine): void => {
      m.map = (page) => (page === 0x6000 ? -1 : page);
      m.cpu.state.set32(L.ST_FSW, 0x200);
    };
    const codes = ['fld qword [0x5ffc]', 'fild word [0x5fff]', 'fld tword [0x5ff8]', 'fnsave [0x5fe0]'];
    codes.push(
      'fstp tword [0x5ff8]',
      'fistp dword [0x6000]',
      'fbstp [0x5ffa]',
      'fnstenv [0x5ff0]',
      'fadd dword [0x5ffe]',
    );
    for (const code of codes) {
      const { m, vector } = run(code, 64, {}, missing);
      expect(vector, code).toBe(PF);
      const { state } = m.cpu;
      expect([state.get32(L.ST_FSW), state.get32(L.ST_FTW), state.get64(L.ST_FIP)], code).toEqual([
        0x200,
        0xffff,
        0n,
      ]);
      expect(
        m.ram.subarray(0x5fe0, 0x6000).every((byte) => byte === 0),
        code,
      ).toBe(true);
    }
  });

  it('knows FISTTP by SSE3, FCMOVcc and FCOMI by CMOV', () => {
    const gates: [feature: string, code: string][] = [
      ['pni', 'fisttp dword [0x5000]'],
      ['cmov', 'fcmovb st0, st1'],
      ['cmov', 'fcomi st0, st1'],
      ['cmov', 'fucomip st0, st1'],
    ];
    for (const [feature, code] of gates) {
      expect(run(code, 64, { model: cpuModel(`max,-${feature}`) }).vector, code).toBe(UD);
      expect(run(code).vector, code).toBe(-1);
    }
  });
});

describe.skipIf(!HAS_NASM)(`x87 images${HAS_NASM ? '' : ' (skipped: needs nasm)'}`, () => {
  const unmaskedDivision = (view: DataView): void => view.setUint16(0x5000, 0x37b, true);

  it('keeps the pointers of the last non-control instruction and the opcode of the last unmasked exception', () => {
    const code = 'fldcw [0x5000]\nfld1\nfidiv dword [0x5010]\nfnop\nfnstenv [0x6000]';
    const { m } = run(code.replace('fnop\n', ''), 32, {}, ({ view }) => unmaskedDivision(view));
    const words = Array.from({ length: 7 }, (_, i) => m.view.getUint32(0x6000 + i * 4, true));
    // FLDCW takes 6 bytes, FLD1 2; FIDIV m32 is DA /6.
    expect(words).toEqual([
      0xffff_037b,
      0xffff_b884,
      0xffff_3fff,
      CODE + 8,
      (0x235 << 16) | 8,
      0x5010,
      0xffff_0010,
    ]);
    expect(m.cpu.state.get32(L.ST_FCW)).toBe(0x37f);
    expect(m.cpu.state.get32(L.ST_FSW) & 0x8080).toBe(0);
  });

  it('stores linear pointers in real mode', () => {
    const code = 'fldcw [0x5000]\nfld1\nfidiv dword [0x5010]\nfnstenv [0x6000]\nfnclex\no32 fnstenv [0x6010]';
    const { m } = run(code, 16, {}, ({ view, cpu }) => {
      unmaskedDivision(view);
      cpu.state.setSegSelector(3, 0x1000); // base stays 0
    });
    const short = Array.from({ length: 7 }, (_, i) => m.view.getUint16(0x6000 + i * 2, true));
    expect(short).toEqual([0x37b, 0xb884, 0x3fff, CODE + 6, 0x236, 0x5010, 0x1000]);
    const wide = Array.from({ length: 7 }, (_, i) => m.view.getUint32(0x6010 + i * 4, true));
    expect(wide.slice(3)).toEqual([CODE + 6, 0x236, 0x5010, 0x1000]);
  });

  it('goes through FXSAVE and FXRSTOR unchanged', () => {
    const code = [
      'fldcw [0x5000]',
      'fldpi',
      'fld1',
      'fidiv dword [0x5010]',
      'fxsave64 [0x6000]',
      'fninit',
      'fxrstor64 [0x6000]',
      'fnsave [0x7000]',
    ].join('\n');
    const { m } = run(code, 64, {}, (machine) => {
      machine.cpu.state.cr4 |= 0x200;
      unmaskedDivision(machine.view);
    });
    expect(m.view.getBigUint64(0x6008, true)).toBe(BigInt(CODE + 11));
    expect(m.view.getBigUint64(0x6010, true)).toBe(0x5010n);
    expect(m.view.getUint16(0x6006, true)).toBe(0x234);
    expect(m.view.getUint8(0x6004)).toBe(0xc0);
    const words = Array.from({ length: 3 }, (_, i) => m.view.getUint16(0x7000 + i * 4, true));
    expect(words).toEqual([0x37b, 0xb084, 0x0fff]);
    expect(m.view.getBigUint64(0x701c + 10, true)).toBe(0xc90f_daa2_2168_c235n);
  });
});
