/**
 * Disks whose commands lie in SMRAM, flash and registers, or lead there: nothing of SMRAM gets onto a disk, nothing of
 * a disk gets into SMRAM or flash, and the machine goes on.
 */
import { DirectDisk, MemoryStore } from '@smm/block';
import { Ahci, sataDevice, VirtioBlk } from '@smm/chipset-q35';
import { expect, it } from 'vitest';
import { attacks, SECRET, TSEG } from './attacks/support/attack.ts';
import { CONFIGURATIONS, machineFor } from './attacks/support/run-here.ts';

const ABAR = 0xe000_0000;
const VIRTIO_BAR = 0xe010_0000;
const PORT = ABAR + 0x100;
const SIZE = 0x8_0000;
/** Free RAM for lists and tables. */
const ROOM = 0x60_0000;
const VARS = 0xfffe_0000;

/** A machine whose SMRAM is locked, with the secret in it, and two disks full of AAh. */
function locked(configuration: (typeof CONFIGURATIONS)[number]) {
  const images = [0, 1].map(() => new MemoryStore(new Uint8Array(SIZE).fill(0xaa)));
  const [sata, virtio] = images.map((image) => new DirectDisk(image));
  const attack = attacks().find(({ name }) => name === 'dma-to-secure-flash')!;
  const machine = machineFor(attack, configuration, ({ clock }) => [
    new Ahci({ clock, devices: [sataDevice({ kind: 'disk', disk: sata! }, 0)] }),
    new VirtioBlk({ clock, slot: 3, disk: virtio! }),
  ]);
  machine.run({ instructions: 20_000_000, until: () => machine.log.at(-1) === 'end' });
  const { space, ports } = machine;
  const config = (bdf: number, offset: number, size: 2 | 4, value: number): void => {
    ports.out(0xcf8, 4, 0x8000_0000 + (bdf << 8) + (offset & 0xfc), 0);
    ports.out(0xcfc + (offset & 3), size, value, 0);
  };
  const set = (gpa: number, value: number, size: 1 | 2 | 4 = 4): void =>
    space.write(gpa, size, value >>> 0, 0);
  /** Lets the devices work. */
  const work = (): void => {
    const until = machine.clock.now() + 4_000_000;
    machine.run({ instructions: 2_000_000, until: () => machine.clock.now() >= until });
  };
  /** What the SMI handler says of the secrets: `s` that all are where they were. */
  const handler = (): string => {
    ports.out(0xb2, 1, 0, 0);
    let rounds = 0;
    machine.run({ instructions: 10_000, until: () => ++rounds > 50 });
    ports.out(0x402, 1, 10, 0);
    return machine.log.at(-1)!;
  };
  return { machine, config, set, work, handler, images };
}

it.each(CONFIGURATIONS.filter(({ tier }) => tier === 'interpreter'))(
  'under $accelerator',
  (configuration) => {
    const { machine, config, set, work, handler, images } = locked(configuration);
    expect(handler()).toBe('s');
    const flash = machine.bytes.slice(machine.plan.romOffset, machine.plan.romOffset + 0x2_0000);
    const targets = [
      TSEG,
      TSEG + 0x100 - 0x200,
      0xa_0000,
      VARS,
      0xfee0_0000,
      0xfec0_0000,
      ABAR + 0x100,
      VIRTIO_BAR,
    ];
    config(0xfa, 0x24, 4, ABAR);
    config(0xfa, 0x04, 2, 6);
    config(0x18, 0x20, 4, VIRTIO_BAR);
    config(0x18, 0x04, 2, 6);

    /** Restarts the port with these places, and issues what is in slots. */
    const sata = (list: number, received: number, slots: number): void => {
      set(PORT + 0x18, 0x06);
      set(PORT + 0x00, list);
      set(PORT + 0x08, received);
      set(PORT + 0x18, 0x17);
      set(PORT + 0x38, slots);
      work();
    };
    const command = (fis: number, write: boolean, table: number, data: number): void => {
      set(ROOM, 5 | (write ? 0x40 : 0) | (1 << 16));
      set(ROOM + 8, table);
      set(ROOM + 12, 0);
      set(ROOM + 0x400, 0x27 | 0x8000 | (fis << 16));
      set(ROOM + 0x404, 0x4000_0000);
      set(ROOM + 0x408, 0);
      set(ROOM + 0x40c, 8);
      set(ROOM + 0x480, data);
      set(ROOM + 0x484, 0);
      set(ROOM + 0x48c, 4095);
    };
    for (const target of targets) {
      for (const [fis, write] of [
        [0x25, false],
        [0x35, true],
      ] as const) {
        command(fis, write, ROOM + 0x400, target);
        sata(ROOM, ROOM + 0x1000, 1);
        sata(ROOM, target & ~0xff, 1); // received FISes
        sata(target & ~0x3ff, ROOM + 0x1000, 0xffff_ffff); // the list itself
        command(fis, write, target & ~0x7f, target);
        sata(ROOM, ROOM + 0x1000, 1); // the table
      }
    }

    /** Negotiates anew with rings at these places, and lets the device look for chains. */
    const virtio = (table: number, available: number, used: number): void => {
      const common = (offset: number, value: number, size: 1 | 2 | 4 = 4): void =>
        set(VIRTIO_BAR + offset, value, size);
      for (const [offset, value, size] of [
        ...([
          [0x14, 0, 1],
          [0x14, 3, 1],
          [0x08, 0, 4],
          [0x0c, 0x1000_0000, 4],
          [0x08, 1, 4],
          [0x0c, 1, 4],
        ] as const),
        ...([
          [0x14, 0x0b, 1],
          [0x16, 0, 2],
          [0x20, table, 4],
          [0x28, available, 4],
          [0x30, used, 4],
        ] as const),
        ...([
          [0x1c, 1, 2],
          [0x14, 0x0f, 1],
          [0x3000, 0, 2],
        ] as const),
      ])
        common(offset, value, size);
      work();
    };
    for (const target of targets) {
      for (const type of [0, 1]) {
        set(ROOM + 0x2000, type);
        for (const at of [4, 8, 12]) set(ROOM + 0x2000 + at, 0);
        const rows = [
          [ROOM + 0x2000, 16, 1, 1],
          [target, 4096, type === 0 ? 3 : 1, 2],
          [target, 1, 2, 0],
        ] as const;
        rows.forEach(([gpa, length, flags, next], i) => {
          [gpa, 0, length, flags | (next << 16)].forEach((word, j) => {
            set(ROOM + 0x3000 + 16 * i + 4 * j, word);
          });
        });
        set(ROOM + 0x4000, 0x1_0000);
        set(ROOM + 0x4004, 0);
        virtio(ROOM + 0x3000, ROOM + 0x4000, ROOM + 0x5000);
        virtio(target, ROOM + 0x4000, ROOM + 0x5000);
        virtio(ROOM + 0x3000, target, ROOM + 0x5000);
        virtio(ROOM + 0x3000, ROOM + 0x4000, target);
      }
    }

    expect(handler()).toBe('s');
    for (const { bytes } of images) {
      expect(
        bytes.some((byte) => byte !== 0xaa),
        'what was read from there was written',
      ).toBe(true);
      expect(Buffer.from(bytes).toString('latin1')).not.toContain(SECRET.slice(0, 8));
    }
    const after = machine.bytes.slice(machine.plan.romOffset, machine.plan.romOffset + 0x2_0000);
    expect(Buffer.compare(after, flash)).toBe(0);
    // Both still work.
    command(0x25, false, ROOM + 0x400, ROOM + 0x8000);
    sata(ROOM, ROOM + 0x1000, 1);
    expect([machine.space.read(PORT + 0x10, 4, 0) & 1, machine.space.read(PORT + 0x38, 4, 0)]).toEqual([
      1, 0,
    ]);
  },
);
