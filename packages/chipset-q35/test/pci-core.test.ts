/** The PCI core by the specification, where QEMU has no device that shows it. */
import { type MmioDevice, newResolution, TX_DMA, TX_SMM } from '@smm/bus';
import type { SmramRange } from '@smm/x86-defs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  advancedFeatures,
  expressCapability,
  Msi,
  Msix,
  type PciCapability,
  PciDevice,
  type PciDeviceOptions,
} from '../src/index.ts';
import { buildModel, configWrite, runOnModel } from './support/model.ts';
import { FakeApic } from './support/pci-models.ts';

const MIB = 0x10_0000;
const RAM = 4 * MIB;
const IDENTITY = {
  vendorId: 0x1234,
  deviceId: 0x5678,
  revision: 1,
  classCode: 0xff_0000,
  multifunction: false,
};

/** A function whose INTx and DMA the test drives. */
class Probe extends PciDevice {
  constructor(options: Partial<PciDeviceOptions> = {}) {
    super({ ...IDENTITY, name: 'probe', place: { device: 3, function: 0 }, interruptPin: 1, ...options });
  }

  intx(level: boolean): void {
    this.setIntx(level);
  }

  dma(gpa: number, bytes: Uint8Array): boolean {
    return this.dmaWrite(gpa, bytes);
  }

  fetch(gpa: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.dmaRead(gpa, bytes);
    return bytes;
  }
}

const answering = (name: string, value: number): MmioDevice => ({
  name,
  read: (offset) => (value + offset) >>> 0,
  write: () => {},
});

function build(probes: readonly Probe[], smram: readonly SmramRange[] = []) {
  const apic = new FakeApic();
  const interrupts = { deliver: apic.deliver.bind(apic), intr: { set: () => {} } };
  const model = buildModel(RAM, () => smram, { peripherals: { interrupts }, parts: () => probes });
  const place = { start: 0xfee0_0000, sizeBytes: MIB, priority: 100 };
  model.memory.add({ kind: 'mmio', name: 'lapic', ...place, device: apic });
  const set = (bdf: number, offset: number, size: 1 | 2 | 4, value: number) =>
    runOnModel(configWrite(bdf, offset, size, value), model);
  const pinAsks = (pin: number) => (model.chipset.devices.ioapic!.save().lines >>> pin) & 1;
  return { ...model, apic, set, pinAsks };
}

describe('ranges', () => {
  const bars: PciDeviceOptions['bars'] = [
    { index: 0, kind: 'io', sizeBytes: 16, device: answering('ports', 0x1000) },
    { index: 2, kind: 'memory64', prefetchable: true, sizeBytes: 2 ** 33, device: answering('wide', 0x2000) },
    { index: 4, kind: 'memory32', sizeBytes: 0x1000, device: answering('narrow', 0x3000) },
  ];

  it('of_more_than_4_GiB_are_sized_and_placed_above_4_GiB', () => {
    const probe = new Probe({ bars });
    const { memory, set } = build([probe]);
    set(0x18, 0x18, 4, 0xffff_ffff);
    set(0x18, 0x1c, 4, 0xffff_ffff);
    expect([probe.register('BAR2'), probe.register('BAR3')]).toEqual([0xc, 0xffff_fffe]);
    set(0x18, 0x1c, 4, 0x0000_0106);
    set(0x18, 0x04, 2, 2);
    expect(memory.read(0x106_0000_0010, 4, 0)).toBe(0x2010);
    expect(memory.read(0x107_ffff_fffc, 4, 0)).toBe((0x2000 + 0x1_ffff_fffc) >>> 0);
    expect(memory.read(0x108_0000_0000, 4, 0)).toBe(0xffff_ffff);
  });

  it('of_64_bit_beyond_the_address_space_are_not_decoded', () => {
    const { memory, set } = build([new Probe({ bars })]);
    const version = memory.version;
    set(0x18, 0x04, 2, 2);
    for (const high of [0x0010_0000, 0x8000_0000, 0xffff_fffe]) set(0x18, 0x1c, 4, high);
    expect(memory.version).toBe(version);
  });

  it('of_ports_move_and_end_at_FFFFh', () => {
    const { io, set } = build([new Probe({ bars })]);
    set(0x18, 0x04, 2, 1);
    const seen = [0xc000, 0xfff0, 0x1_0000, 0].map((first) => {
      set(0x18, 0x10, 4, first);
      return [0xc004, 0xfff4, 0x0004].map((port) => io.in(port, 2, 0));
    });
    expect(seen).toEqual([
      [0x1004, 0xffff, 0xffff],
      [0xffff, 0x1004, 0xffff],
      [0xffff, 0xffff, 0xffff],
      [0xffff, 0xffff, 0xffff],
    ]);
  });

  it('lie_below_RAM_and_SMRAM_wherever_the_guest_puts_them', () => {
    const tseg: SmramRange = {
      ...{ name: 'tseg', start: 3 * MIB, sizeBytes: MIB, ramStart: 3 * MIB, inSmm: true },
      ...{ outside: 'hole', locked: true },
    };
    const { memory, set, window } = build([new Probe({ bars })], [tseg]);
    window.fill(0x77, 3 * MIB, RAM);
    set(0x18, 0x04, 2, 7);
    const at = newResolution();
    for (const start of [2 * MIB, 3 * MIB, 0xa_0000, 0xf_f000]) {
      set(0x18, 0x20, 4, start);
      for (const smm of [false, true]) {
        memory.resolve(start, smm, at);
        expect(at.device?.name, start.toString(16)).not.toBe('narrow');
      }
    }
    expect(memory.read(3 * MIB, 4, TX_SMM)).toBe(0x7777_7777);
    set(0x18, 0x20, 4, RAM);
    expect(memory.read(RAM, 4, 0)).toBe(0x3000);
  });

  it.each([
    { index: 5, kind: 'memory64', sizeBytes: 0x1000 },
    { index: 0, kind: 'memory32', sizeBytes: 0x1800 },
    { index: 0, kind: 'io', sizeBytes: 512 },
  ] as const)('that cannot be are refused: $kind $sizeBytes at $index', (bar) => {
    const device = answering('x', 0);
    expect(() => new Probe({ bars: [{ ...bar, device }] })).toThrowError(
      expect.objectContaining({ code: 'PCI_BAR' }),
    );
  });
});

describe('ECAM and CF8h', () => {
  it('see_the_same_function', () => {
    const probe = new Probe();
    const { memory, io, set } = build([probe]);
    set(0, 0x60, 4, 0xb000_0001);
    memory.write(0xb001_8004, 2, 0x0406, 0);
    io.out(0xcf8, 4, 0x8000_1804, 0);
    expect([io.in(0xcfc, 2, 0), memory.read(0xb001_8000, 4, 0)]).toEqual([0x0406, 0x5678_1234]);
    expect([memory.read(0xb001_8100, 4, 0), memory.read(0xb011_8000, 4, 0)]).toEqual([
      0xffff_ffff, 0xffff_ffff,
    ]);
  });
});

describe('interrupt pins', () => {
  it('shared_by_functions_and_devices_are_up_while_any_asks', () => {
    const functions = [0, 1].map((n) => new Probe({ name: `probe${n}`, place: { device: 3, function: n } }));
    const other = new Probe({ name: 'other', place: { device: 7, function: 0 } }); // (7 + 0) % 4 as device 3
    const all = [...functions, other];
    const { pinAsks } = build(all);
    const step = fc.record({ which: fc.nat({ max: 2 }), level: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const levels = [false, false, false];
        for (const probe of all) probe.reset('system');
        for (const { which, level } of steps) {
          all[which]!.intx(level);
          levels[which] = level;
          expect(pinAsks(23)).toBe(levels.includes(true) ? 1 : 0);
        }
      }),
    );
  });

  it('follow_a_route_that_changes_while_they_are_up', () => {
    const probe = new Probe();
    const { set, pinAsks } = build([probe]);
    set(0xf8, 0x6b, 1, 0x0a);
    probe.intx(true);
    expect([pinAsks(23), pinAsks(10), pinAsks(11)]).toEqual([1, 1, 0]);
    set(0xf8, 0x6b, 1, 0x0b);
    expect([pinAsks(10), pinAsks(11)]).toEqual([0, 1]);
    set(0xf8, 0x6b, 1, 0x8b);
    expect([pinAsks(23), pinAsks(10), pinAsks(11)]).toEqual([1, 0, 0]);
  });

  it('are_silent_while_messages_replace_them', () => {
    const msi = new Msi({ offset: 0x40, vectors: 1, address64: false, maskable: false });
    const probe = new Probe({ capabilities: [msi] });
    const { set, pinAsks } = build([probe]);
    probe.intx(true);
    set(0x18, 0x42, 2, 1);
    expect([pinAsks(23), probe.register('STATUS') & 8]).toEqual([0, 0]);
    set(0x18, 0x42, 2, 0);
    expect([pinAsks(23), probe.register('STATUS') & 8]).toEqual([1, 8]);
  });
});

describe('messages', () => {
  it('of_many_vectors_share_what_is_granted_and_wait_while_masked', () => {
    const msi = new Msi({ offset: 0x40, vectors: 8, address64: true, maskable: true });
    const probe = new Probe({ capabilities: [msi] });
    const { set, apic } = build([probe]);
    set(0x18, 0x04, 2, 4);
    set(0x18, 0x44, 4, 0xfee0_0000);
    set(0x18, 0x4c, 2, 0x47);
    set(0x18, 0x42, 2, 0x0021); // 4 granted
    for (const v of [0, 3, 5]) msi.raise(v);
    expect(apic.messages.map(({ data, requester }) => [data, requester])).toEqual([
      [0x44, 0x18],
      [0x47, 0x18],
      [0x45, 0x18],
    ]);
    set(0x18, 0x50, 4, 0b0110);
    msi.raise(1);
    msi.raise(2);
    expect([probe.register('MSI_PENDING'), apic.messages.length]).toEqual([0b0110, 3]);
    set(0x18, 0x50, 4, 0b0010);
    expect([probe.register('MSI_PENDING'), apic.messages.at(-1)!.data]).toEqual([0b0010, 0x46]);
    set(0x18, 0x42, 2, 0x0071); // more than there are: 8
    expect(probe.register('MSI_CONTROL') & 0x70).toBe(0x30);
  });

  it('and_whatever_else_a_function_writes_carry_its_requester_id_and_leave', () => {
    const probe = new Probe({ place: { device: 4, function: 2 }, name: 'four' });
    const { set, apic, window } = build([probe]);
    const dword = Uint8Array.of(0x51, 0, 0, 0);
    expect([probe.dma(0xfee0_0000, dword), probe.fetch(0, 2)]).toEqual([false, Uint8Array.of(0xff, 0xff)]);
    set(0x22, 0x04, 2, 4);
    window.set([1, 2], 0x100);
    expect([probe.dma(0xfee0_3000, dword), probe.fetch(0x100, 2)]).toEqual([true, Uint8Array.of(1, 2)]);
    expect(apic.messages).toEqual([{ address: 0xfee0_3000, data: 0x51, requester: 0x22 }]);
  });
});

describe('function-level reset', () => {
  const capabilities: readonly [string, () => PciCapability, number, number][] = [
    ['PCI Express', () => expressCapability(0x60), 0x68, 0x8000],
    ['Advanced Features', () => advancedFeatures(0x60), 0x64, 1],
  ];

  it.each(capabilities)(
    'by %s puts one function back, and its interrupt down',
    (_name, make, offset, value) => {
      const bars: PciDeviceOptions['bars'] = [
        { index: 0, kind: 'memory32', sizeBytes: 0x1000, device: answering('one', 0x1000) },
      ];
      const probe = new Probe({ bars, capabilities: [make()] });
      const other = new Probe({ name: 'other', place: { device: 7, function: 0 }, bars });
      const { set, memory, pinAsks, chipset } = build([probe, other]);
      const fresh = probe.save();
      for (const [bdf, start] of [
        [0x18, 0xe000_0000],
        [0x38, 0xe001_0000],
      ] as const) {
        set(bdf, 0x10, 4, start);
        set(bdf, 0x3c, 1, 11);
        set(bdf, 0x04, 2, 6);
      }
      probe.intx(true);
      const before = other.save();
      set(0x18, offset, 2, value);
      expect(probe.save()).toEqual(fresh);
      expect([memory.read(0xe000_0000, 4, 0), memory.read(0xe001_0000, 4, 0)]).toEqual([0xffff_ffff, 0x1000]);
      expect([other.save(), pinAsks(23)]).toEqual([before, 0]);
      expect(chipset.devices.lpc.register('PIRQEFGH_ROUT')).toBe(0x8080_8080);
    },
  );
});

describe('a snapshot of a function', () => {
  it('has_ranges_INTx_table_and_pending_messages_in_any_machine', () => {
    const make = () => {
      const msix = new Msix({ offset: 0x80, vectors: 40, bar: 0, tableOffset: 0, pbaOffset: 0x800 });
      const bars: PciDeviceOptions['bars'] = [
        { index: 0, kind: 'memory32', sizeBytes: 0x1000, device: msix },
      ];
      const probe = new Probe({ bars, capabilities: [msix] });
      return { msix, probe, ...build([probe]) };
    };
    const a = make();
    a.set(0x18, 0x10, 4, 0xe000_0000);
    a.set(0x18, 0x04, 2, 6);
    a.set(0x18, 0x82, 2, 0x8000);
    for (const [offset, value] of [
      [0x230, 0xfee0_0000],
      [0x238, 0x77],
    ] as const) {
      a.memory.write(0xe000_0000 + offset, 4, value, 0);
    }
    a.msix.raise(35);
    a.probe.intx(true);
    const saved = structuredClone(a.chipset.save());
    for (const dirty of [false, true]) {
      const b = make();
      if (dirty) {
        b.probe.intx(true);
        b.set(0x18, 0x10, 4, 0xd000_0000);
        b.set(0x18, 0x04, 2, 2);
      }
      b.chipset.restore(saved);
      expect(b.chipset.save()).toEqual(saved);
      expect([b.memory.read(0xe000_0804, 4, 0), b.pinAsks(23), b.apic.messages]).toEqual([8, 0, []]);
      expect(b.memory.read(0xd000_0804, 4, TX_DMA)).toBe(0xffff_ffff);
      b.memory.write(0xe000_023c, 4, 0, 0);
      expect(b.apic.messages.map(({ data }) => data)).toEqual([0x77]);
      b.set(0x18, 0x82, 2, 0);
      expect(b.pinAsks(23)).toBe(1);
    }
  });
});
