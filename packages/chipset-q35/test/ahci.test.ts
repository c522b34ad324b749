/** The SATA controller alone: errors, resets, interrupts, snapshots, and what hostile guests do. */
import { serialize } from 'node:v8';
import { SmmError } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { buildModel, configWrite, runOnModel } from './support/model.ts';
import { FakeApic } from './support/pci-models.ts';
import type { Access } from './support/qemu-oracle.ts';
import {
  ABAR,
  AHCI_BDF,
  BUFFER,
  type Command,
  diskBytes,
  drives,
  issue,
  LISTS,
  MemoryDisk,
  portAt,
  setUp,
} from './support/sata.ts';

const SIZE = 0x2_0000;
const RAM = 0x40_0000;
const IS = { DHRS: 1, PSS: 2, SDBS: 8, OFS: 1 << 24, IFS: 1 << 27, HBFS: 1 << 29, TFES: 1 << 30 };

function build(disk = new MemoryDisk(diskBytes(SIZE))) {
  const failures: string[] = [];
  const disc = new MemoryDisk(diskBytes(SIZE), true);
  const apic = new FakeApic();
  const lines: boolean[] = [];
  const model = buildModel(RAM, undefined, {
    peripherals: {
      sata: {
        drives: drives(disk, disc).map((drive) => ({ ...drive, failed: (e) => failures.push(e.message) })),
      },
      interrupts: {
        deliver: (message) => apic.deliver(message),
        intr: { set: (level) => lines.push(level) },
      },
    },
  });
  model.memory.add({
    kind: 'mmio',
    name: 'lapic',
    start: 0xfee0_0000,
    sizeBytes: 0x10_0000,
    priority: 100,
    device: apic,
  });
  const at = (register: number, port = 0): number => model.memory.read(portAt(port) + register, 4, 0);
  const set = (register: number, value: number, port = 0): void =>
    model.memory.write(portAt(port) + register, 4, value, 0);
  const wait = (): void => model.clock.advanceTo(model.clock.now() + 400_000_000);
  const run = (accesses: readonly Access[]): void => void runOnModel(accesses, model);
  run([...setUp([0, 1])]);
  set(0x10, 0xffff_ffff);
  set(0x10, 0xffff_ffff, 1);
  return {
    ...{ model, disk, disc, apic, failures, lines, at, set, wait, run },
    /** Issues and lets it end. */
    does: (command: Command): number => {
      run(issue(command));
      wait();
      return at(0x10, command.port);
    },
    restart: (port = 0): void => {
      set(0x18, 0x16, port);
      set(0x10, 0xffff_ffff, port);
      set(0x18, 0x17, port);
    },
    dword: (gpa: number): number => model.memory.read(gpa, 4, 0),
  };
}

describe('commands that fail', () => {
  it.each([
    ['a sector that is not there', { command: 0xc8, lba: SIZE / 512 - 1, count: 2 }, 0x1041],
    ['48 bits of sector', { command: 0x25, lba: 2 ** 47, count: 1 }, 0x1041],
    ['cylinder, head, sector 0', { command: 0x20, lba: 0, count: 1, device: 0 }, 0x1041],
    ['a command that nobody knows', { command: 0xff }, 0x0441],
    ['a feature that nobody knows', { command: 0xef, features: 0x99 }, 0x0441],
    ['SMART without its key', { command: 0xb0, features: 0xda }, 0x0441],
    ['a block of three sectors', { command: 0xc6, count: 3 }, 0x0441],
  ] as const)('%s: the port stops with the error until ST is cleared', (_, command, taskFile) => {
    const t = build();
    expect(t.does({ slot: 3, ...command })).toBe(IS.TFES | IS.DHRS);
    expect([t.at(0x20), t.at(0x38), (t.at(0x18) >>> 8) & 0x1f]).toEqual([taskFile, 8, 3]);
    t.run(issue({ command: 0xec, slot: 1 }));
    t.wait();
    expect(t.at(0x38)).toBe(10);
    t.restart();
    expect(t.at(0x38)).toBe(0);
    expect(t.does({ command: 0xec })).toBe(IS.DHRS | IS.PSS);
  });

  it('a queued one says in the log which it was; the others wait for the restart', () => {
    const t = build();
    const queued = { command: 0x60, features: 1, queued: true };
    t.run([
      ...issue({ ...queued, slot: 0, lba: 4, count: 0 }),
      ...issue({ ...queued, slot: 1, lba: 1e6, count: 1 << 3 }),
      ...issue({ ...queued, slot: 2, lba: 6, count: 2 << 3 }),
    ]);
    expect([t.at(0x38), t.at(0x34)]).toEqual([0, 7]);
    t.wait();
    expect(t.at(0x10) >>> 0).toBe(IS.SDBS | IS.TFES);
    expect([t.at(0x34), t.at(0x20)]).toEqual([6, 0x1041]);
    t.restart();
    expect(t.does({ command: 0x2f, lba: 0x10, count: 1 })).toBe(IS.DHRS | IS.PSS);
    expect(t.dword(BUFFER)).toBe(0x1041_0001);
    expect(t.dword(BUFFER + 4) & 0xff_ffff).toBe(1e6); // the sector
    const log = Array.from({ length: 128 }, (_, i) => t.dword(BUFFER + 4 * i));
    const sum = log.flatMap((d) => [d, d >>> 8, d >>> 16, d >>> 24]).reduce((a, b) => (a + b) & 0xff, 0);
    expect(sum).toBe(0);
  });

  it('a medium that cannot be read or written is the drive’s error, and its owner hears of it', () => {
    const t = build();
    t.disk.bad = { from: 0x1000, to: 0x1200 };
    t.disk.error = new SmmError('FILE', 'the disk is full', 'Make room.');
    t.disc.bad = { from: 0, to: 0x800 };
    t.disc.error = t.disk.error;
    t.does({ command: 0xc8, lba: 8, count: 1 });
    expect(t.at(0x20)).toBe(0x4041);
    t.restart();
    t.does({ command: 0xca, lba: 8, count: 1, writes: true });
    expect(t.at(0x20)).toBe(0x0441);
    t.does({ port: 1, command: 0xa0, features: 1, packet: [0x28, 0, 0, 0, 0, 0, 0, 0, 1] });
    expect(t.at(0x20, 1)).toBe(0x3441);
    t.restart(1);
    t.does({ port: 1, command: 0xa0, features: 1, packet: [0x03, 0, 0, 0, 18] });
    expect([t.dword(BUFFER) & 0xff_00ff, t.dword(BUFFER + 12)]).toEqual([0x03_0070, 0x11]);
    expect(t.failures).toEqual(new Array(3).fill('the disk is full'));
  });

  it('what a medium throws by mistake goes through, and the command is tried again', () => {
    const t = build();
    t.disk.bad = { from: 0, to: 512 };
    t.disk.error = new TypeError('a mistake');
    t.run(issue({ command: 0xc8, lba: 0, count: 1 }));
    expect(() => t.wait()).toThrow('a mistake');
    t.disk.bad = undefined;
    t.wait();
    expect(t.at(0x10)).toBe(IS.DHRS);
  });

  it('a disk that is read-only refuses to be written', () => {
    const t = build(new MemoryDisk(diskBytes(SIZE), true));
    t.does({ command: 0x35, lba: 8, count: 1, writes: true });
    expect(t.at(0x20)).toBe(0x0441);
    expect(Buffer.compare(t.disk.bytes, diskBytes(SIZE))).toBe(0);
  });

  it('a CD drive tells what it does not do, and that a tray is out', () => {
    const t = build();
    const sense = (...packet: number[]): number => {
      t.does({ port: 1, command: 0xa0, features: 1, packet });
      const error = t.at(0x20, 1) >>> 12;
      t.restart(1);
      t.does({ port: 1, command: 0xa0, features: 1, packet: [0x03, 0, 0, 0, 18] });
      return (error << 16) | ((t.dword(BUFFER) >>> 16) << 8) | (t.dword(BUFFER + 12) & 0xff);
    };
    expect(sense(0xff)).toBe(0x05_0520);
    expect(sense(0x28, 0, 0, 0, 0x10, 0, 0, 0, 1)).toBe(0x05_0521);
    expect(sense(0x12, 1, 0x80, 0, 36)).toBe(0x05_0524);
    expect(sense(0xa8, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)).toBe(0x05_0524);
    t.does({ port: 1, command: 0xa0, features: 1, packet: [0x1b, 0, 0, 0, 2] });
    expect(sense(0x28, 0, 0, 0, 0, 0, 0, 0, 1)).toBe(0x02_023a);
    t.does({ port: 1, command: 0xa0, features: 1, packet: [0x1b, 0, 0, 0, 3] });
    t.does({ port: 1, command: 0xa0, features: 1, packet: [0] });
    expect(t.at(0x20, 1)).toBe(0x50);
  });
});

describe('flushes', () => {
  it('reach the medium, and every write does where the cache is off or the command says so', () => {
    const t = build();
    const count = (command: Command): number => {
      const before = t.disk.flushes;
      t.does(command);
      return t.disk.flushes - before;
    };
    expect(count({ command: 0xe7 })).toBe(1);
    expect(count({ command: 0xea })).toBe(1);
    expect(count({ command: 0x35, count: 1, writes: true })).toBe(0);
    expect(count({ command: 0x3d, count: 1, writes: true })).toBe(1);
    expect(count({ command: 0x61, features: 1, device: 0xc0, queued: true, writes: true })).toBe(1);
    expect(count({ command: 0xef, features: 0x82 })).toBe(1);
    expect(count({ command: 0x35, count: 1, writes: true })).toBe(1);
    expect(count({ command: 0xef, features: 0x02 })).toBe(0);
    expect(count({ command: 0x35, count: 1, writes: true })).toBe(0);
  });
});

describe('memory that is not as it should be', () => {
  it('a table that is too short, and none at all', () => {
    const t = build();
    for (const prd of [[[BUFFER, 512]], []] as const) {
      t.model.memory.write(BUFFER, 4, 0, 0);
      expect(t.does({ command: 0xc8, lba: 1, count: 2, prd })).toBe(IS.OFS);
      expect(t.at(0x38)).toBe(1);
      t.restart();
    }
  });

  it('no leave to be a bus master, in any part of a command', () => {
    const t = build();
    t.run(configWrite(AHCI_BDF, 4, 2, 2));
    expect(t.does({ command: 0xec })).toBe(IS.HBFS);
    t.run(configWrite(AHCI_BDF, 4, 2, 6));
    t.restart();
    t.run([...issue({ command: 0xec }), ...configWrite(AHCI_BDF, 4, 2, 2)]);
    t.wait();
    expect(t.at(0x10)).toBe(IS.HBFS);
    t.run(configWrite(AHCI_BDF, 4, 2, 6));
    t.restart();
    expect(t.does({ command: 0xec })).toBe(IS.DHRS | IS.PSS);
  });

  it('a FIS that is no command, and a command list where nothing is', () => {
    const t = build();
    t.run(issue({ command: 0xec, prepareOnly: true }));
    t.model.memory.write(LISTS + 0x800, 1, 0x34, 0);
    t.set(0x38, 1);
    expect(t.at(0x10)).toBe(IS.IFS);
    t.restart();
    t.set(0x04, 0xffff_ffff);
    t.set(0x38, 0xffff_ffff);
    t.wait();
    expect(t.at(0x10)).toBe(IS.IFS); // all-ones: no FIS type
  });

  it('data and received FISes that go to the controller itself reach no register', () => {
    const t = build();
    t.set(0x08, ABAR + 0x100);
    expect(t.does({ command: 0xc8, lba: 1, count: 1, prd: [[ABAR + 0x100, 512]] })).toBe(IS.DHRS);
    expect([t.at(0x00), t.at(0x38), t.at(0x14)]).toEqual([LISTS, 0, 0]);
  });

  it('a table of one-byte pieces, and one that lies in its own command list', () => {
    const t = build();
    const table = LISTS + 0x800;
    const prd = Array.from({ length: 512 }, (_, i) => [BUFFER + 511 - i, 1] as const);
    t.run(setUp([0]).slice(0, 0));
    t.run(issue({ command: 0xc8, lba: 1, count: 1, prd: prd.slice(0, 20), prepareOnly: true }));
    t.model.memory.write(LISTS, 4, 5 | (512 << 16), 0);
    prd.forEach(([gpa], i) => {
      t.model.memory.write(table + 0x80 + 16 * i, 4, gpa, 0);
      t.model.memory.write(table + 0x84 + 16 * i, 4, 0, 0);
      t.model.memory.write(table + 0x8c + 16 * i, 4, 0, 0);
    });
    t.set(0x38, 1);
    t.wait();
    expect(t.dword(BUFFER + 508)).toBe(0x0002_005a);
    expect(t.does({ command: 0xc8, lba: 1, count: 1, prd: [[LISTS, 512]] })).toBe(IS.DHRS);
  });

  it('32 MiB in one command end in time, and are bounded by what memory there is', () => {
    const big = new MemoryDisk(new Uint8Array(0x1_0000 * 512));
    const t = build(big);
    const prd = Array.from({ length: 8 }, () => [BUFFER, 0x40_0000] as const);
    expect(t.does({ command: 0x25, count: 0, prd }) >>> 0).toBe(IS.DHRS);
    expect(t.dword(LISTS + 4)).toBe(0x200_0000);
  });
});

describe('resets', () => {
  it('COMRESET, software reset and HBA reset end what is at work and give the signature', () => {
    const t = build();
    const busy = (): void => t.run(issue({ command: 0xc8, lba: 1, count: 1 }));
    busy();
    expect(t.at(0x20) & 0x80).toBe(0x80);
    t.set(0x2c, 0x301);
    t.set(0x2c, 0x300);
    t.wait();
    expect([t.at(0x24), t.at(0x20), t.at(0x38)]).toEqual([0x101, 0x150, 0]);
    const control = (srst: number): void => {
      t.run(issue({ command: 0, prepareOnly: true }));
      t.model.memory.write(LISTS + 0x801, 1, 0, 0);
      t.model.memory.write(LISTS + 0x80f, 1, srst, 0);
      t.set(0x38, 1);
    };
    t.does({ command: 0xec });
    control(4);
    expect(t.at(0x20) & 0x80).toBe(0x80);
    control(0);
    expect([t.at(0x24), t.at(0x20), t.at(0x38)]).toEqual([0x101, 0x150, 0]);
    t.set(0x14, 0xffff_ffff);
    busy();
    t.model.memory.write(ABAR + 4, 4, 0x8000_0003, 0);
    t.wait();
    expect(t.model.memory.read(ABAR + 4, 4, 0)).toBe(0x8000_0000);
    expect([t.at(0x18), t.at(0x14), t.at(0x20), t.at(0x24) >>> 0, t.at(0x38)]).toEqual([
      6, 0, 0x7f, 0xffff_ffff, 0,
    ]);
    expect(t.at(0x00)).toBe(LISTS);
  });

  it('a system reset forgets everything but what is on the disk', () => {
    const t = build();
    t.does({ command: 0xef, features: 3, count: 0x22 });
    t.does({ command: 0x35, lba: 7, count: 1, writes: true });
    t.run(issue({ command: 0xc8, lba: 1, count: 1 }));
    const { bytes } = t.disk;
    t.model.chipset.reset('system');
    t.wait();
    expect(t.disk.bytes).toBe(bytes);
    t.run(setUp([0]));
    expect([t.at(0x24), t.at(0x10), t.at(0x38)]).toEqual([0x101, 1, 0]);
  });

  it('ST cleared drops what waits, and the port goes on from there', () => {
    const t = build();
    t.run(issue({ command: 0x60, features: 1, queued: true }));
    t.set(0x18, 0x16);
    t.wait();
    expect([t.at(0x10), t.at(0x34), t.at(0x18) & 0x8000]).toEqual([0, 0, 0]);
    t.set(0x18, 0x17);
    expect(t.does({ command: 0x60, features: 1, queued: true })).toBe(IS.SDBS);
  });
});

describe('interrupts', () => {
  it('by pin, as long as a port has news that is enabled', () => {
    const t = build();
    const line = (): boolean => (t.model.io.in(0xcfc + 2, 2, 0) & 8) !== 0;
    t.run([{ kind: 'out', port: 0xcf8, size: 4, value: 0x8000_0000 + (AHCI_BDF << 8) + 4 }]);
    t.does({ command: 0xec });
    expect(line()).toBe(false);
    t.set(0x14, 1);
    expect(line()).toBe(false);
    t.model.memory.write(ABAR + 4, 4, 2, 0);
    expect([line(), t.model.memory.read(ABAR + 8, 4, 0)]).toEqual([true, 1]);
    t.set(0x10, 1);
    expect([line(), t.model.memory.read(ABAR + 8, 4, 0)]).toEqual([false, 0]);
  });

  it('by message, one for each event', () => {
    const t = build();
    t.run([
      ...configWrite(AHCI_BDF, 0x84, 4, 0xfee0_0000),
      ...configWrite(AHCI_BDF, 0x8c, 2, 0x41),
      ...configWrite(AHCI_BDF, 0x82, 2, 1),
    ]);
    t.set(0x14, 0xffff_ffff);
    t.model.memory.write(ABAR + 4, 4, 2, 0);
    t.apic.messages.length = 0;
    t.does({ command: 0xc8, count: 1 });
    expect(t.apic.messages).toEqual([{ address: 0xfee0_0000, data: 0x41, requester: AHCI_BDF }]);
    t.set(0x10, 0xffff_ffff);
    t.does({ command: 0xc8, count: 1 });
    expect(t.apic.messages).toHaveLength(2);
  });

  it('the index and data ports reach the same registers', () => {
    const t = build();
    t.run([...configWrite(AHCI_BDF, 0x20, 4, 0xc001), ...configWrite(AHCI_BDF, 4, 2, 7)]);
    t.model.io.out(0xc010, 4, 0x100, 0);
    expect(t.model.io.in(0xc014, 4, 0)).toBe(LISTS);
    t.model.io.out(0xc014, 4, 0x1234_5400, 0);
    expect(t.at(0)).toBe(0x1234_5400);
  });
});

describe('time and snapshots', () => {
  it('a command takes virtual time, more for more bytes', () => {
    const t = build();
    const took = (count: number): number => {
      const began = t.model.clock.now();
      t.set(0x10, 0xffff_ffff);
      t.run(issue({ command: 0x25, count }));
      while (t.at(0x38) !== 0) t.model.clock.advanceTo(t.model.clock.now() + 100);
      return t.model.clock.now() - began;
    };
    expect(took(1)).toBeGreaterThan(10_000);
    expect(took(100) - took(1)).toBeGreaterThan(99 * 512);
  });

  it('hold commands that wait, settings, sense and the disk, and go on from there', () => {
    const a = build();
    a.does({ command: 0xef, features: 0x82 });
    a.does({ port: 1, command: 0xa0, features: 1, packet: [0xff] });
    const queued = { command: 0x61, features: 1, queued: true, writes: true };
    a.run([...issue({ ...queued, lba: 3 }), ...issue({ ...queued, slot: 1, count: 8, lba: 4 })]);
    const saved = structuredClone({ chipset: a.model.chipset.save(), clock: a.model.clock.save() });
    const b = build();
    b.model.clock.restore(saved.clock);
    b.model.chipset.restore(saved.chipset);
    b.model.clock.restore(saved.clock);
    b.model.window.set(a.model.window);
    for (const each of [a, b]) each.wait();
    expect(b.at(0x10)).toBe(IS.DHRS | IS.SDBS);
    expect(b.disk.flushes).toBe(2);
    expect(Buffer.compare(b.disk.bytes, a.disk.bytes)).toBe(0);
    expect(Buffer.compare(serialize(b.model.chipset.save()), serialize(a.model.chipset.save()))).toBe(0);
    b.restart(1);
    b.does({ port: 1, command: 0xa0, features: 1, packet: [0x03, 0, 0, 0, 18] });
    expect(b.dword(BUFFER + 12) & 0xff).toBe(0x20);
  });
});
