/** Events and rules that QEMU does not show: shadows, limits, double and triple faults, MSR masks, strings. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as L from '../src/layout.ts';
import { cpuModel } from '../src/system/models.ts';
import { readMsr, writeMsr } from '../src/system/msr.ts';
import { MSRS } from '../src/system/msr-table.ts';
import { assemble } from './support/assemble.ts';
import { type Bits, FlatMachine } from './support/flat-machine.ts';

function machine(code: string, bits: Bits = 32, pending = -1) {
  const m: FlatMachine = new FlatMachine({ tier: 'evaluator', ram: 1 << 20, model: cpuModel('qemu64') });
  m.load(0x1000, assemble(code, { bits, org: 0x1000 }));
  m.start(bits, 0x1000);
  const apic = { ...m.cpu.ports.apic, pendingVector: () => pending, acknowledge: () => pending };
  m.cpu.ports.apic = apic;
  const seen: [number, string][] = [];
  m.cpu.ports.observer = {
    interruptDelivered: (_cpu, vector, _kind, _error, rip) => void seen.push([vector, rip.toString(16)]),
  };
  return { m, seen, s: m.cpu.state };
}

describe('shadows (real mode, an interrupt always pending)', () => {
  it('STI lets exactly one more instruction run', () => {
    const { m, seen } = machine('sti\nnop\nnop\nnop', 16, 0x20);
    m.cpu.run(10);
    expect(seen[0]).toEqual([0x20, '1002']);
  });

  it('MOV SS lets exactly one more instruction run', () => {
    const { m, seen, s } = machine('mov ss, ax\nmov sp, bx\nnop', 16, 0x20);
    m.cpu.run(1);
    s.rflags |= 0x200;
    m.cpu.run(9);
    expect(seen[0]).toEqual([0x20, '1004']);
  });

  it('STI then HLT wakes', () => {
    const { m, seen } = machine('sti\nhlt\nnop', 16, 0x20);
    m.view.setUint16(0x80, 0x2000, true);
    m.load(0x2000, Uint8Array.of(0xf4));
    expect(m.cpu.run(10)).toEqual({ reason: 'halted', retired: 3 });
    expect(seen).toEqual([[0x20, '1002']]);
  });
});

describe('events in a row', () => {
  /** So many interrupts are pending at 1000h, each taken through a gate of this type, which leads there again. */
  function storm(pendingEvents: number, gate: 'trap' | 'interrupt') {
    const { m, seen, s } = machine('again: inc eax\njmp again');
    const idt = 0x4000;
    m.view.setBigUint64(0x3008, 0x00cf_9b00_0000_ffffn, true);
    s.set64(L.ST_GDTR_BASE, 0x3000n);
    s.set32(L.ST_GDTR_LIMIT, 15);
    const type = gate === 'trap' ? 0x8f00n : 0x8e00n;
    m.view.setBigUint64(idt + 0x20 * 8, (type << 32n) | (8n << 16n) | 0x1000n, true);
    s.set64(L.ST_IDTR_BASE, BigInt(idt));
    s.set32(L.ST_IDTR_LIMIT, 0x21 * 8 - 1);
    s.rflags |= 0x200;
    let left = pendingEvents;
    const apic = {
      ...m.cpu.ports.apic,
      pendingVector: () => (left > 0 ? 0x20 : -1),
      acknowledge: () => {
        left--;
        return 0x20;
      },
    };
    m.cpu.ports.apic = apic;
    return { cpu: m.cpu, seen, s };
  }

  it.each([0, 1, 31])('%i through gates that leave interrupts on take no time', (count) => {
    const { cpu, seen, s } = storm(count, 'trap');
    expect(cpu.run(1)).toEqual({ reason: 'budget', retired: 1 });
    expect([seen.length, s.gpr64(0), s.gpr64(4)]).toEqual([count, 1n, BigInt(0x8000 - 12 * count)]);
  });

  it.each([
    [32, 1],
    [63, 1],
    [64, 2],
    [100, 3],
  ])('of %i, each 32 take the time of an instruction: %i', (count, waited) => {
    const { cpu, seen, s } = storm(count, 'trap');
    for (let i = 1; i <= waited; i++) {
      expect(cpu.run(1)).toEqual({ reason: 'budget', retired: 1 });
      expect([seen.length, s.gpr64(0)]).toEqual([32 * i, 0n]);
    }
    expect(cpu.run(1)).toEqual({ reason: 'budget', retired: 1 });
    expect([seen.length, s.gpr64(0), cpu.retiredNow()]).toEqual([count, 1n, waited + 1]);
  });

  it('that never end do not hang the run, and no instruction gets its turn', () => {
    const { cpu, seen, s } = storm(Number.POSITIVE_INFINITY, 'trap');
    expect(cpu.run(10)).toEqual({ reason: 'budget', retired: 10 });
    expect([seen.length, s.gpr64(0)]).toEqual([320, 0n]);
  });

  it('through gates that turn interrupts off there are none: one is taken', () => {
    const { cpu, seen, s } = storm(Number.POSITIVE_INFINITY, 'interrupt');
    expect(cpu.run(11)).toEqual({ reason: 'budget', retired: 11 });
    expect([seen.length, s.gpr64(0)]).toEqual([1, 6n]);
  });
});

describe('double and triple faults', () => {
  it('shuts down without an IDT', () => {
    const { m, s, seen } = machine('ud2');
    s.set32(L.ST_IDTR_LIMIT, 0);
    expect(m.cpu.run(5)).toEqual({ reason: 'shutdown', retired: 0 });
    expect(seen.map(([vector]) => vector)).toEqual([6, 13, 8]);
  });
});

describe('segment limits and rights', () => {
  it.each<[string, number, number, string, number | undefined]>([
    ['last byte', 0x93, 0xfff, 'mov al, [fs:0xfff]', undefined],
    ['word over the end', 0x93, 0xfff, 'mov ax, [fs:0xfff]', 13],
    ['expand-down: below', 0x4097, 0xfff, 'mov al, [fs:0xfff]', 13],
    ['expand-down: above', 0x4097, 0xfff, 'mov al, [fs:0x1000]', undefined],
    ['expand-down 16-bit: top', 0x97, 0xfff, 'mov al, [fs:0x10000]', 13],
    ['read-only written', 0x91, 0xfff, 'mov [fs:0], al', 13],
    ['execute-only read', 0x99, 0xfff, 'mov al, [fs:0]', 13],
    ['null', 0, 0, 'mov al, [fs:0]', 13],
  ])('%s', (_name, attributes, limit, code, vector) => {
    const { m, s, seen } = machine(code);
    s.setSegAttr(4, attributes);
    s.setSegLimit(4, limit);
    m.cpu.modeChanged();
    s.set32(L.ST_IDTR_LIMIT, 0);
    m.cpu.run(1);
    expect(seen[0]?.[0]).toBe(vector);
  });
});

describe('MSR table', () => {
  const { m } = machine('nop');
  const writable = MSRS.filter(
    (row) => row.slot >= 0 && !row.readOnly && readMsr(m.cpu, row.number) !== undefined,
  );
  it('has distinct numbers and room in the state page', () => {
    expect(new Set(MSRS.map((row) => row.number)).size).toBe(MSRS.length);
    expect(Math.max(...MSRS.map((row) => row.slot))).toBeLessThan(128);
  });
  it.each(writable.map((row) => [row.name, row] as const))('%s: reset, reserved bits', (_name, row) => {
    expect(readMsr(m.cpu, row.number)).toBe(row.reset);
    const reserved = row.reserved | (row.reservedFor?.(m.cpu.model) ?? 0n);
    for (let bit = 0n; bit < 64n; bit++) {
      if (reserved & (1n << bit)) expect(writeMsr(m.cpu, row.number, row.reset | (1n << bit))).toBe(false);
    }
    expect(readMsr(m.cpu, row.number)).toBe(row.reset);
    expect(writeMsr(m.cpu, row.number, row.reset)).toBe(true);
  });
  it('refuses unknown and read-only MSRs', () => {
    expect(readMsr(m.cpu, 0x1234_5678)).toBeUndefined();
    expect(writeMsr(m.cpu, 0xfe, 0x508n)).toBe(false);
    expect(readMsr(m.cpu, 0x9e)).toBeUndefined(); // SMBASE outside SMM
  });
});

describe('string instructions against a byte-by-byte model', () => {
  const programs = ['rep movsb', 'rep movsw', 'rep movsd', 'rep stosb', 'rep stosd'].map((text) => ({
    size: { b: 1, w: 2, d: 4 }[text.at(-1)!]!,
    moves: text.includes('movs'),
    bytes: assemble(text, { bits: 32, org: 0x1000 }),
  }));
  const { m, s } = machine('nop');
  it('copies, repeats and counts alike whatever the budget', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...programs),
        fc.integer({ min: 0, max: 3000 }),
        fc.integer({ min: 0, max: 9000 }),
        fc.integer({ min: 0, max: 9000 }),
        fc.boolean(),
        fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 4 }),
        (program, count, from, to, down, budgets) => {
          const base = 0x1_0000;
          for (let i = 0; i < 0x8000; i++) m.ram[base - 0x2000 + i] = (i * 7 + (i >> 8)) & 0xff;
          const model = m.ram.slice();
          m.load(0x1000, program.bytes);
          m.start(32, 0x1000);
          s.rflags = down ? 0x402 : 2;
          s.setGpr64(0, 0xa1b2_c3d4n);
          s.setGpr64(1, BigInt(count));
          s.setGpr64(6, BigInt(base + from));
          s.setGpr64(7, BigInt(base + to));
          let [si, di] = [base + from, base + to];
          for (let i = 0; i < count; i++) {
            const value = program.moves
              ? model.slice(si, si + program.size)
              : Uint8Array.of(0xd4, 0xc3, 0xb2, 0xa1).slice(0, program.size);
            model.set(value, di);
            const step = down ? -program.size : program.size;
            if (program.moves) si += step;
            di += step;
          }
          let left = Math.max(count, 1);
          for (let turn = 0; left > 0; turn++) {
            const budget = Math.min(budgets[turn % budgets.length]!, left);
            expect(m.cpu.run(budget).retired).toBe(budget);
            left -= budget;
            if (left > 0) expect([s.gpr32(1), s.rip]).toEqual([left, 0x1000n]);
          }
          expect([s.gpr32(1), s.gpr32(6), s.gpr32(7)]).toEqual([0, si, di]);
          expect(
            Buffer.compare(
              m.ram.subarray(base - 0x2000, base + 0x6000),
              model.subarray(base - 0x2000, base + 0x6000),
            ),
          ).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});
