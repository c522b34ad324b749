/** Every register, generated from the table; and the table against lists that were written elsewhere. */
import { TX_DEBUG } from '@smm/bus';
import { APIC_REGISTERS, x2apicMsr } from '@smm/xapic';
import { describe, expect, it } from 'vitest';
import { enable, enterX2apic, makeRig } from './rig.ts';

const hex = (n: number) => `0x${n.toString(16)}`;
const ALL_SLOTS = Array.from({ length: 64 }, (_, slot) => slot);

describe('the table against other lists', () => {
  it('reads in xAPIC mode what KVM 2015 reads: mask 43FF01FFFFFFE70Ch, bit n is offset n x 10h', () => {
    let mask = 0n;
    for (const row of APIC_REGISTERS) {
      if ((row.access !== 'rw' && row.access !== 'ro') || row.name === 'LVT_CMCI') continue;
      for (let i = 0; i < row.count; i++) mask |= 1n << BigInt((row.offset >> 4) + i);
    }
    expect(mask.toString(16)).toBe('43ff01ffffffe70c');
  });

  it('has no two registers at one offset, and every offset is 16-byte aligned', () => {
    const slots = APIC_REGISTERS.flatMap((row) =>
      Array.from({ length: row.count }, (_, i) => row.offset / 16 + i),
    );
    expect(new Set(slots).size).toBe(slots.length);
    expect(slots.every(Number.isInteger)).toBe(true);
  });

  // Values after RESET as QEMU and KVM sources give them, typed in from there.
  it.each([
    [0x20, 0x0000_0000],
    [0x30, 0x0005_0014],
    [0x80, 0],
    [0x90, 0],
    [0xa0, 0],
    [0xd0, 0],
    [0xe0, 0xffff_ffff],
    [0xf0, 0xff],
    [0x100, 0],
    [0x1f0, 0],
    [0x270, 0],
    [0x280, 0],
    [0x300, 0],
    [0x310, 0],
    [0x320, 0x1_0000],
    [0x330, 0x1_0000],
    [0x340, 0x1_0000],
    [0x350, 0x1_0000],
    [0x360, 0x1_0000],
    [0x370, 0x1_0000],
    [0x380, 0],
    [0x390, 0],
    [0x3e0, 0],
  ])('offset %s is %s after reset', (offset, value) => {
    const { cpus } = makeRig(1);
    expect(cpus[0]!.apic.read(offset, 4, 0)).toBe(value);
  });
});

describe.each(APIC_REGISTERS.filter((row) => row.name !== 'LVT_CMCI'))('$name in xAPIC mode', (row) => {
  const words = Array.from({ length: row.count }, (_, i) => row.offset + i * 16);

  it(row.access === 'none' || row.access === 'wo' ? 'reads 0' : 'reads its reset value', () => {
    const { cpus } = makeRig(1);
    for (const offset of words) {
      const expected = row.name === 'LVR' ? 0x5_0014 : row.access === 'none' ? 0 : row.reset;
      expect(cpus[0]!.apic.read(offset, 4, 0)).toBe(expected);
    }
  });

  it(row.access === 'rw' ? `keeps only the bits ${hex(row.mask)}` : 'stores nothing', () => {
    const { cpus } = makeRig(1);
    const { apic } = cpus[0]!;
    enable(apic);
    for (const offset of words) {
      if (row.name === 'INITIAL_COUNT' || row.name === 'ICR_LOW' || row.name === 'SVR') continue;
      const before = apic.read(offset, 4, TX_DEBUG);
      for (const value of [0xffff_ffff, 0, 0xa5a5_5a5a]) {
        apic.write(offset, 4, value, 0);
        const kept = row.access === 'rw' ? ((before & ~row.mask) | (value & row.mask)) >>> 0 : before;
        expect(hex(apic.read(offset, 4, TX_DEBUG))).toBe(hex(row.name === 'ESR' ? 0 : kept));
      }
    }
  });

  it('changes no other register when it is written, or only those it commands', () => {
    const { cpus } = makeRig(1);
    const { apic } = cpus[0]!;
    enable(apic);
    const snapshot = () => ALL_SLOTS.map((slot) => apic.read(slot * 16, 4, TX_DEBUG));
    const before = snapshot();
    apic.write(row.offset, 4, row.mask & ~0x100, 0);
    // Timer registers show each other; clearing SVR's enable bit masks the LVT; TPR shows in PPR.
    const allowed: Record<string, number[]> = {
      SVR: [0x32, 0x33, 0x34, 0x35, 0x36, 0x37],
      TPR: [0x0a],
      INITIAL_COUNT: [0x39],
    };
    const changed = snapshot().flatMap((value, slot) => (value === before[slot] ? [] : [slot]));
    const others = changed.filter(
      (slot) => slot !== row.offset >> 4 && !(allowed[row.name] ?? []).includes(slot),
    );
    expect(others).toEqual([]);
  });

  it(
    row.access === 'none' ? 'records an illegal register address in ESR' : 'is no illegal register address',
    () => {
      for (const write of [false, true]) {
        const { cpus } = makeRig(1);
        const { apic } = cpus[0]!;
        if (write) apic.write(row.offset, 4, row.name === 'ICR_LOW' ? 0x40 : 0, 0);
        else apic.read(row.offset, 4, 0);
        apic.writeRegister('ESR', 0);
        expect(apic.read(0x280, 4, 0) & 0x80).toBe(row.access === 'none' ? 0x80 : 0);
      }
    },
  );
});

describe.each(APIC_REGISTERS.filter((row) => row.name !== 'LVT_CMCI'))('$name in x2APIC mode', (row) => {
  const msr = x2apicMsr(row);

  it(`MSR ${hex(msr)}: RDMSR ${row.x2apic === 'rw' || row.x2apic === 'ro' ? 'reads' : 'is #GP'}`, () => {
    const { cpus } = makeRig(3);
    const { apic } = cpus[2]!;
    enterX2apic(apic);
    const value = apic.readMsr(msr);
    if (row.x2apic === 'none' || row.x2apic === 'wo') {
      expect(value).toBeUndefined();
    } else {
      const expected: Record<string, bigint> = { ID: 2n, LVR: 0x5_0014n, LDR: 4n };
      expect(value).toBe(expected[row.name] ?? BigInt(row.reset));
    }
  });

  it(`MSR ${hex(msr)}: WRMSR takes the bits ${hex(row.x2apic === 'rw' || row.x2apic === 'wo' ? row.x2mask : 0)} and faults on any other`, () => {
    for (let bit = 0n; bit < 64n; bit++) {
      const { cpus } = makeRig(1);
      const { apic } = cpus[0]!;
      enterX2apic(apic);
      const writable = row.x2apic === 'rw' || row.x2apic === 'wo';
      const isDestination = row.name === 'ICR_LOW' && bit >= 32n;
      const allowed = writable && (isDestination || ((BigInt(row.x2mask) >> bit) & 1n) === 1n);
      expect([bit, apic.writeMsr(msr, 1n << bit)]).toEqual([bit, allowed]);
    }
  });
});

describe('addresses', () => {
  it('every slot without a row is an illegal register address', () => {
    for (let slot = 0; slot < 256; slot++) {
      const known = APIC_REGISTERS.some(
        (row) =>
          row.access !== 'none' &&
          row.name !== 'LVT_CMCI' &&
          slot >= row.offset >> 4 &&
          slot < (row.offset >> 4) + row.count,
      );
      if (known) continue;
      const { cpus } = makeRig(1);
      const { apic } = cpus[0]!;
      expect(apic.read(slot * 16, 4, 0)).toBe(0);
      apic.writeRegister('ESR', 0);
      expect([slot, apic.read(0x280, 4, 0)]).toEqual([slot, 0x80]);
    }
  });

  it('every x2APIC MSR without a row is #GP both ways', () => {
    const { cpus } = makeRig(1);
    const { apic } = cpus[0]!;
    enterX2apic(apic);
    for (let msr = 0x800; msr <= 0x8ff; msr++) {
      const row = APIC_REGISTERS.find(
        (candidate) => msr >= x2apicMsr(candidate) && msr < x2apicMsr(candidate) + candidate.count,
      );
      if (row !== undefined && row.x2apic !== 'none' && row.name !== 'LVT_CMCI') continue;
      expect([msr, apic.readMsr(msr), apic.writeMsr(msr, 0n)]).toEqual([msr, undefined, false]);
    }
  });

  it('debug_reads_change_nothing_and_tell_nobody', () => {
    const seen: number[] = [];
    const { cpus } = makeRig(1, { observer: { access: (_apic, _write, offset) => void seen.push(offset) } });
    const { apic } = cpus[0]!;
    const before = apic.save();
    for (let offset = 0; offset < 0x1000; offset += 4) {
      apic.read(offset, 4, TX_DEBUG);
      apic.write(offset, 4, 0xffff_ffff, TX_DEBUG);
    }
    expect(apic.save()).toEqual(before);
    expect(seen).toEqual([]);
  });

  it('narrow_reads_give_bytes_of_the_register_and_narrow_writes_are_lost', () => {
    const { cpus } = makeRig(6);
    const { apic } = cpus[5]!;
    expect([0, 1, 2, 3].map((byte) => apic.read(0x20 + byte, 1, 0))).toEqual([0, 0, 0, 5]);
    expect(apic.read(0x22, 2, 0)).toBe(0x0500);
    expect(apic.read(0x23, 2, 0)).toBe(0);
    expect(apic.read(0x24, 4, 0)).toBe(0);
    apic.write(0x80, 1, 0x40, 0);
    apic.write(0x84, 4, 0x40, 0);
    expect(apic.read(0x80, 4, 0)).toBe(0);
  });

  it('a seventh LVT entry brings CMCI, and LVR says so', () => {
    const { cpus } = makeRig(1, {}, { lvtCount: 7, eoiBroadcastSuppression: true });
    const { apic } = cpus[0]!;
    expect(apic.read(0x30, 4, 0)).toBe(0x0106_0014);
    enable(apic);
    apic.write(0x2f0, 4, 0xffff_ffff, 0);
    expect(apic.read(0x2f0, 4, 0)).toBe(0x1_07ff);
    apic.write(0xf0, 4, 0xffff_ffff, 0);
    expect(apic.read(0xf0, 4, 0)).toBe(0x13ff);
  });
});
