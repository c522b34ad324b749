/** The devices around the core, composed as a machine with OVMF in flash has them. */
import { IoPortSpace, PhysicalAddressSpace, TX_SMM, VirtualClock } from '@smm/bus';
import type { SmramRange } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { type IoApicMessage, type PeripheralOptions, Q35Chipset } from '../src/index.ts';

const MIB = 0x10_0000;
const RAM = 32 * MIB;
/** Sizes of OVMF's images. */
const CODE = 3_653_632;
const VARS = 540_672;
const TSEG: SmramRange = {
  name: 'tseg',
  start: 16 * MIB,
  sizeBytes: 16 * MIB,
  ramStart: 16 * MIB,
  inSmm: true,
  outside: 'hole',
  locked: true,
};

function build(
  change: (all: PeripheralOptions) => PeripheralOptions = (all) => all,
  smram: SmramRange[] = [],
) {
  const bytes = new Uint8Array(RAM + VARS + CODE);
  for (let i = 0; i < VARS + CODE; i++) bytes[RAM + i] = (i >>> 8) ^ i;
  const seen = {
    sent: [] as IoApicMessage[],
    intr: false,
    serial: '',
    written: [] as number[][],
    resets: [] as string[],
  };
  const memory = new PhysicalAddressSpace({ ram: bytes });
  const io = new IoPortSpace();
  const clock = new VirtualClock();
  const all: PeripheralOptions = {
    flash: { varsBytes: VARS, bytes, written: (at, size) => seen.written.push([at, size]) },
    fwCfg: {},
    serial: {
      transmit: (byte) => {
        seen.serial += String.fromCharCode(byte);
      },
    },
    keyboard: {},
    cpuHotplug: true,
    interrupts: {
      deliver: (message) => seen.sent.push(message),
      intr: {
        set: (level) => {
          seen.intr = level;
        },
      },
    },
  };
  const chipset = new Q35Chipset(
    {
      memory,
      io,
      clock,
      decodeSmram: () => smram,
      smi: () => {},
      reset: (kind) => seen.resets.push(kind),
    },
    {
      ram: { hostOffset: 0, sizeBytes: RAM },
      rom: { hostOffset: RAM, sizeBytes: VARS + CODE },
      cpuCount: 2,
      peripherals: change(all),
    },
  );
  const write = (port: number, ...values: number[]) => {
    for (const value of values) io.out(port, 1, value, 0);
  };
  return { bytes, seen, memory, io, clock, chipset, write, read: (port: number) => io.in(port, 1, 0) };
}

/** Vectors 08h and 70h, everything but the PIT allowed. */
function enablePic({ write }: ReturnType<typeof build>): void {
  write(0x20, 0x11);
  write(0x21, 0x08, 0x04, 0x01, 0x01);
  write(0xa0, 0x11);
  write(0xa1, 0x70, 0x02, 0x01, 0x00);
}

describe('flash', () => {
  it('lies_below_4_GiB_variables_under_code_and_at_E0000h_the_end_of_the_code', () => {
    const { memory, bytes } = build();
    expect(2 ** 32 - CODE - VARS).toBe(0xffc0_0000);
    for (const [gpa, at] of [
      [0xffc0_0000, 0],
      [0xffc8_4000, VARS],
      [0xffff_fff0, VARS + CODE - 16],
      [0xe_0000, VARS + CODE - 0x2_0000],
    ] as const) {
      expect(memory.read(gpa, 1, 0)).toBe(bytes[RAM + at]);
      expect(memory.read(gpa, 1, TX_SMM)).toBe(bytes[RAM + at]);
    }
  });

  it('is_programmed_from_SMM_alone_and_the_code_never', () => {
    const { memory, seen, bytes } = build();
    const program = (gpa: number, value: number, attrs: number) => {
      for (const v of [0x10, value, 0xff]) memory.write(gpa, 1, v, attrs);
      return memory.read(gpa, 1, attrs);
    };
    const before = bytes[RAM + 0x40];
    expect(program(0xffc0_0040, 0x5a, 0)).toBe(before);
    expect(program(0xffc0_0040, 0x5a, TX_SMM)).toBe(0x5a);
    expect(program(0xffc8_4040, 0x5a, TX_SMM)).toBe(bytes[RAM + VARS + 0x40]);
    expect(seen.written).toEqual([[RAM + 0x40, 1]]);
  });

  it.each([0, 0x800, CODE + VARS, 0x1234])('of %i bytes of variables is refused', (varsBytes) => {
    expect(() => build((all) => ({ ...all, flash: { ...all.flash!, varsBytes } }))).toThrow(/do not fit/);
  });
});

describe('interrupts', () => {
  it('reach_the_8259_and_the_IO_APIC', () => {
    const pc = build();
    enablePic(pc);
    const entry = (pin: number, low: number) => {
      pc.memory.write(0xfec0_0000, 4, 0x10 + 2 * pin, 0);
      pc.memory.write(0xfec0_0010, 4, low, 0);
    };
    entry(4, 0x34);
    entry(2, 0x30);
    pc.write(0x3f9, 0x02); // transmitter empty
    expect([pc.seen.intr, pc.seen.sent.map((m) => m.vector)]).toEqual([true, [0x34]]);
    expect(pc.chipset.acknowledgeInterrupt()).toBe(0x0c);
    pc.write(0x20, 0x20);
    pc.chipset.devices.keyboard!.keyboard.key('KeyA', true);
    expect(pc.chipset.acknowledgeInterrupt()).toBe(0x09);
    pc.write(0x43, 0x34); // PIT: line 0, pin 2
    pc.write(0x40, 0x00, 0x10);
    pc.clock.advanceTo(1e7);
    expect(pc.seen.sent.filter((m) => m.vector === 0x30).length).toBe(
      Math.floor((1e7 * 1.193182e-3) / 0x1000),
    );
  });

  it('of_the_8254_and_the_RTC_give_way_to_the_HPET', () => {
    const pc = build();
    enablePic(pc);
    pc.write(0x21, 0x00);
    const hpet = (offset: number, value: number) => pc.memory.write(0xfed0_0000 + offset, 4, value, 0);
    hpet(0x100, 0x104);
    hpet(0x108, 100_000);
    hpet(0x010, 3);
    pc.write(0x43, 0x34); // 8254: would tick before the millisecond
    pc.write(0x40, 0x00, 0x02);
    pc.clock.advanceTo(999_999);
    expect(pc.seen.intr).toBe(false);
    pc.clock.advanceTo(1_000_000);
    expect([pc.seen.intr, pc.chipset.acknowledgeInterrupt()]).toEqual([true, 0x08]);
    pc.write(0x20, 0x20);
    hpet(0x010, 1);
    pc.clock.advanceTo(2_000_000);
    expect([pc.seen.intr, pc.chipset.acknowledgeInterrupt()]).toEqual([true, 0x08]);
    pc.write(0x20, 0x20);
    pc.write(0x70, 0x0b);
    pc.write(0x71, 0x12);
    pc.write(0x21, 0x01);
    pc.clock.advanceTo(1_000_000_000);
    expect([pc.seen.intr, pc.chipset.acknowledgeInterrupt()]).toEqual([true, 0x70]);
  });

  it('go_nowhere_without_controllers', () => {
    const { write, chipset, read } = build(({ interrupts: _interrupts, ...others }) => others);
    write(0x3f9, 0x02);
    expect(read(0x3fa)).toBe(0x02);
    expect(() => chipset.acknowledgeInterrupt()).toThrow(/no interrupt controller/);
  });
});

describe('fw_cfg DMA', () => {
  it('cannot_read_or_write_closed_TSEG', () => {
    const { memory, io, bytes } = build(undefined, [TSEG]);
    const dma = (control: number, length: number, address: number) => {
      for (const [i, v] of [control, length, 0, address].entries()) {
        const swapped = ((v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24)) >>> 0;
        memory.write(0x8000 + 4 * i, 4, swapped, 0);
      }
      io.out(0x514, 4, 0, 0);
      io.out(0x518, 4, 0x0080_0000, 0);
    };
    bytes.fill(0x11, 16 * MIB, 16 * MIB + 16);
    dma(0x0000_000a, 4, 16 * MIB); // signature into TSEG
    expect([...bytes.subarray(16 * MIB, 16 * MIB + 4)]).toEqual([0x11, 0x11, 0x11, 0x11]);
    // TSEG into a writable file, and the file out again: all-ones instead of the contents.
    io.out(0x510, 2, 0x19, 0);
    const directory = Uint8Array.from({ length: 4 + 8 * 64 }, () => io.in(0x511, 1, 0));
    const text = new TextDecoder('latin1').decode(directory);
    const key = directory[Math.floor((text.indexOf('etc/smi/requested') - 4) / 64) * 64 + 4 + 5]!;
    dma((key << 16) | 0x18, 8, 16 * MIB);
    dma((key << 16) | 0x0a, 8, 0x9000);
    expect([...bytes.subarray(0x9000, 0x9008)]).toEqual(new Array(8).fill(0xff));
  });
});

describe('the set of devices', () => {
  it('is_empty_unless_asked_for', () => {
    const { io, memory, chipset } = build(() => ({}));
    for (const port of [0x20, 0x40, 0x60, 0x61, 0x64, 0xa1, 0x3fd, 0x4d0, 0x511, 0xcd8]) {
      expect(io.in(port, 1, 0)).toBe(0xff);
    }
    for (const gpa of [0xfec0_0010, 0xfed0_0000]) expect(memory.read(gpa, 4, 0)).toBe(0xffff_ffff);
    const names = new Set(chipset.parts.map(({ name }) => name));
    const all = build().chipset.parts.map(({ name }) => name);
    expect(all.filter((name) => !names.has(name))).toEqual([
      ...['i8259', 'ioapic', 'i8254', 'hpet', 'pflash0', 'pflash1'],
      ...['fw-cfg', 'smi-features', 'com1', 'i8042', 'cpu-hotplug'],
    ]);
  });

  it('resets_together_and_negotiates_again', () => {
    const { chipset, io, write, read } = build();
    io.out(0xcd8, 4, 0, 0);
    expect(io.in(0xcd8, 1, 0)).toBe(0);
    write(0x3ff, 0x5a);
    write(0x64, 0xaa);
    chipset.reset();
    expect([io.in(0xcd8, 1, 0), read(0x3ff), read(0x64)]).toEqual([3, 0, 0x18]);
  });

  it('asks_for_a_reset_of_the_processors_through_the_keyboard_controller', () => {
    const { seen, write } = build();
    write(0x64, 0xfe);
    expect(seen.resets).toEqual(['cpu']);
  });

  it('comes_back_from_a_snapshot_of_the_same_machine_only', () => {
    const a = build();
    enablePic(a);
    a.write(0x3ff, 0xa5);
    a.chipset.devices.keyboard!.keyboard.key('Enter', true);
    const state = structuredClone(a.chipset.save());
    const b = build();
    b.chipset.restore(state);
    expect([b.read(0x3ff), b.seen.intr, b.chipset.acknowledgeInterrupt(), b.read(0x60)]).toEqual([
      0xa5,
      true,
      0x09,
      0x5a,
    ]);
    const c = build(({ keyboard: _keyboard, ...others }) => others);
    expect(() => c.chipset.restore(state)).toThrow(/i8042, which this one lacks/);
  });

  it('prints', () => {
    const { seen, write } = build();
    for (const c of 'Shell> ') write(0x3f8, c.charCodeAt(0));
    expect(seen.serial).toBe('Shell> ');
  });
});
