/** Disks of a boot: their places, what the firmware is told of them, and what snapshots and power-on do to them. */
import { type ByteStore, DirectDisk, MemoryStore, OverlayDisk } from '@smm/block';
import { describe, expect, it } from 'vitest';
import { Boot, type BootDisk, type BootOptions, decodeSnapshot, encodeSnapshot } from '../src/index.ts';

const CODE = new Uint8Array(0x1_0000);
const image = (): MemoryStore => new MemoryStore(new Uint8Array(0x1_0000).fill(1));
const direct = (disk: ByteStore = image()) => new DirectDisk(disk);

function boot(disks: readonly BootDisk[], more: Partial<BootOptions> = {}): Boot {
  return new Boot({ code: CODE, vars: new Uint8Array(0x1000), cpus: 1, memoryMiB: 64, disks, ...more });
}

/** Vendor and device of a function of bus 0. */
function idOf({ machine: { ports } }: Boot, device: number, fn = 0): string {
  ports.out(0xcf8, 4, 0x8000_0000 + ((device << 3) | fn) * 256, 0);
  return ports.in(0xcfc, 4, 0).toString(16);
}

/** A file of fw_cfg, by its directory. */
function fileOf({ machine: { ports } }: Boot, name: string): string {
  const bytes = (key: number, count: number): Uint8Array => {
    ports.out(0x510, 2, key, 0);
    return Uint8Array.from({ length: count }, () => ports.in(0x511, 1, 0));
  };
  const count = new DataView(bytes(0x19, 4).buffer).getUint32(0);
  const directory = bytes(0x19, 4 + 64 * count);
  for (let at = 4; at < directory.length; at += 64) {
    const view = new DataView(directory.buffer, at, 64);
    const text = new TextDecoder().decode(directory.subarray(at + 8, at + 64)).replace(/\0.*/s, '');
    if (text === name) return new TextDecoder().decode(bytes(view.getUint16(4), view.getUint32(0)));
  }
  return expect.unreachable(`no file ${name}`);
}

describe('places', () => {
  it('named ones first, then in order; the firmware is told the order of booting', () => {
    const found = boot([
      { bus: 'virtio', disk: direct(), bootIndex: 2 },
      { bus: 'sata', disk: direct(), bootIndex: 1 },
      { bus: 'sata', disk: direct(), port: 0 },
      { bus: 'virtio', disk: direct(), slot: 1, bootIndex: 0 },
      { bus: 'sata', kind: 'cd', disk: direct(), port: 4, bootIndex: 3 },
    ]);
    expect(fileOf(found, 'bootorder')).toBe(
      [
        '/pci@i0cf8/scsi@1/disk@0,0',
        '/pci@i0cf8/pci8086,2922@1f,2/drive@1/disk@0',
        '/pci@i0cf8/scsi@2/disk@0,0',
        '/pci@i0cf8/pci8086,2922@1f,2/drive@4/disk@0\0',
      ].join('\n'),
    );
    expect([idOf(found, 1), idOf(found, 2), idOf(found, 3), idOf(found, 0x1f, 2)]).toEqual([
      ...['10421af4', '10421af4', 'ffffffff', '29228086'],
    ]);
  });

  it('without disks there is neither controller nor order; entropy has a place of its own', () => {
    const found = boot([], { rng: { seed: 1 } });
    expect([idOf(found, 0x1f, 2), idOf(found, 1), fileOf(found, 'bootorder')]).toEqual([
      ...['ffffffff', '10441af4', ''],
    ]);
  });

  it.each<[string, readonly BootDisk[], Partial<BootOptions>, string]>([
    [
      'one port twice',
      [
        { bus: 'sata', disk: direct(), port: 1 },
        { bus: 'sata', disk: direct(), port: 1 },
      ],
      {},
      'DISK_PLACE',
    ],
    [
      'seven disks',
      Array.from({ length: 7 }, () => ({ bus: 'sata', disk: direct() }) as const),
      {},
      'DISK_PLACE',
    ],
    ['one slot twice', [{ bus: 'virtio', disk: direct(), slot: 3 }], { rng: { slot: 3 } }, 'DISK_PLACE'],
    ['port 6', [{ bus: 'sata', disk: direct(), port: 6 }], {}, 'OPTION_VALUE'],
    ['no bus', [{ disk: direct() } as unknown as BootDisk], {}, 'OPTION_VALUE'],
    ['no disk', [{ bus: 'sata' } as unknown as BootDisk], {}, 'OPTION_VALUE'],
  ])('%s is refused', (_, disks, more, code) => {
    expect(() => boot(disks, more)).toThrow(expect.objectContaining({ code }));
  });
});

describe.each(['sata', 'virtio'] as const)('snapshots with a %s disk', (bus) => {
  const read = (disk: ByteStore): number => {
    const bytes = new Uint8Array(1);
    disk.read(512, bytes);
    return bytes[0]!;
  };

  it('hold what an overlay has; power-on forgets it', () => {
    const first = new OverlayDisk(image());
    const a = boot([{ bus, disk: first }]);
    first.write(512, new Uint8Array(512).fill(7));
    const file = encodeSnapshot(a.machine.save());
    const second = new OverlayDisk(image());
    const b = boot([{ bus, disk: second }]);
    b.machine.restore(decodeSnapshot(file));
    expect(read(second)).toBe(7);
    expect(Buffer.compare(encodeSnapshot(b.machine.save()), file)).toBe(0);
    b.machine.reset();
    expect(read(second)).toBe(1);
  });

  it('are refused where an image was written otherwise, and nothing has changed then', () => {
    const disk = direct();
    const a = boot([{ bus, disk }]);
    const saved = a.machine.save();
    a.machine.restore(saved);
    a.machine.clock.advanceTo(1000);
    disk.write(512, new Uint8Array(512).fill(7));
    a.machine.space.write(0x1000, 4, 0x55, 0);
    expect(() => a.machine.restore(saved)).toThrow(expect.objectContaining({ code: 'SNAPSHOT_DISK' }));
    expect([read(disk), a.machine.space.read(0x1000, 4, 0), a.machine.clock.now()]).toEqual([7, 0x55, 1000]);
    a.machine.restore(a.machine.save());
  });
});
