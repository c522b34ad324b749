/** Virtio functions alone: faults of drivers, failures of the medium, interrupts, resets, snapshots, entropy. */
import { SmmError } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { VirtioBlk, VirtioRng } from '../src/index.ts';
import { buildModel, configWrite, runOnModel } from './support/model.ts';
import { FakeApic } from './support/pci-models.ts';
import type { Access } from './support/qemu-oracle.ts';
import { diskBytes, MemoryDisk } from './support/sata.ts';
import {
  AVAILABLE,
  BAR,
  BDF,
  type Descriptor,
  descriptors,
  MSIX,
  offered,
  placed,
  ROOM,
  request,
  SLOT,
  started,
  TABLE,
  USED,
} from './support/virtio.ts';

const SIZE = 0x2_0000;
const RAM = 0x40_0000;
const FLUSH = 0x200;
const CONFIG_WCE = 0x800;
const INDIRECT = 0x1000_0000;
const NEEDS_RESET = 0x40;

function build(make?: 'rng', disk = new MemoryDisk(diskBytes(SIZE)), seed = 0) {
  const failures: string[] = [];
  const apic = new FakeApic();
  const model = buildModel(RAM, undefined, {
    parts: ({ clock }) => [
      make === 'rng'
        ? new VirtioRng({ clock, slot: SLOT, seed })
        : new VirtioBlk({ disk, clock, slot: SLOT, failed: (e) => failures.push(e.message) }),
    ],
  });
  model.memory.add({
    kind: 'mmio',
    name: 'lapic',
    start: 0xfee0_0000,
    sizeBytes: 0x10_0000,
    priority: 100,
    device: apic,
  });
  const wait = (): void => model.clock.advanceTo(model.clock.now() + 300_000_000);
  const run = (accesses: readonly Access[]): number[] =>
    accesses.flatMap((access) => {
      const results = runOnModel([access], model);
      if (access.kind.startsWith('until')) wait();
      return results;
    });
  const get = (gpa: number, size: 1 | 2 | 4 = 4): number => model.memory.read(gpa, size, 0);
  run([...placed, ...started(make === 'rng' ? 0 : FLUSH | INDIRECT | CONFIG_WCE)]);
  return {
    ...{ model, disk, failures, apic, run, wait, get },
    status: (): number => get(BAR + 0x14, 1),
    set: (gpa: number, value: number, size: 1 | 2 | 4 = 4): void => model.memory.write(gpa, size, value, 0),
    /** Status of a request. */
    ask: (n: number, type: number, sector: number, ...pieces: (readonly [number, number])[]): number => {
      run(request(n, { type, sector, pieces }));
      return get(ROOM - 0x80, 1);
    },
  };
}

const HEADER: Descriptor = [ROOM - 0x100, 16, 1, 1];
const STATUS: Descriptor = [ROOM - 0x80, 1, 2, 0];

describe('a driver that breaks the rules', () => {
  const loop: Descriptor[] = [HEADER, [ROOM, 512, 3, 1]];
  it.each<[string, readonly Access[]]>([
    ['a chain that leads into itself', descriptors(loop)],
    ['a descriptor that is not there', descriptors([[ROOM, 16, 1, 300]])],
    [
      'memory to read after memory to write',
      descriptors([
        [ROOM, 512, 3, 1],
        [ROOM - 0x100, 16, 0, 0],
      ]),
    ],
    ['no status', descriptors([[ROOM - 0x100, 16, 0, 0]])],
    ['half a header', descriptors([[ROOM - 0x100, 8, 1, 1], STATUS])],
    ['an indirect table of half a descriptor', descriptors([[TABLE + 0x1000, 24, 4, 0]])],
    [
      'an indirect table in an indirect table',
      [
        ...descriptors([[TABLE + 0x1000, 16, 4, 0]]),
        ...descriptors([[TABLE + 0x1000, 16, 4, 0]], TABLE + 0x1000),
      ],
    ],
    ['an indirect table that goes on', descriptors([[TABLE + 0x1000, 16, 5, 1], STATUS])],
    [
      'an indirect chain in a loop',
      [...descriptors([[TABLE + 0x1000, 32, 4, 0]]), ...descriptors(loop, TABLE + 0x1000)],
    ],
  ])('%s: it must reset the device, and nothing was done', (_, chain) => {
    const t = build();
    t.run([...chain, ...offered(0)]);
    t.wait();
    expect([t.status(), t.get(USED), t.get(BAR + 0x1000, 1)]).toEqual([0x0f | NEEDS_RESET, 0, 2]);
    t.run(offered(1));
    t.wait();
    expect(t.get(USED)).toBe(0);
    t.run(started(FLUSH));
    t.set(AVAILABLE + 2, 0, 2);
    expect(t.ask(0, 0, 1, [ROOM, 512])).toBe(0);
  });

  it('more chains available than the queue has', () => {
    const t = build();
    t.set(AVAILABLE + 2, 257, 2);
    t.set(BAR + 0x3000, 0, 2);
    t.wait();
    expect(t.status() & NEEDS_RESET).toBe(NEEDS_RESET);
  });

  it('features that were not offered, or without version 1, are not accepted', () => {
    const t = build();
    const negotiated = (low: number, high: number): number => {
      t.run([{ kind: 'write', gpa: BAR + 0x14, size: 1, value: 0 }]);
      t.set(BAR + 0x14, 3, 1);
      t.set(BAR + 0x08, 0);
      t.set(BAR + 0x0c, low);
      t.set(BAR + 0x08, 1);
      t.set(BAR + 0x0c, high);
      t.set(BAR + 0x14, 0x0b, 1);
      return t.status();
    };
    expect([negotiated(FLUSH, 1), negotiated(FLUSH, 0), negotiated(1, 1), negotiated(0, 3)]).toEqual([
      0x0b, 3, 3, 3,
    ]);
  });

  it('notifications before DRIVER_OK, of other queues, and by the device itself do nothing', () => {
    const t = build();
    t.set(BAR + 0x3004, 1, 2);
    expect(t.ask(0, 0, 1, [BAR + 0x3000, 512])).toBe(0);
    expect(t.ask(1, 0, 1, [BAR, 512])).toBe(0);
    expect(t.status()).toBe(0x0f);
    t.set(BAR + 0x14, 0, 1);
    t.run(offered(0));
    t.wait();
    expect(t.get(USED)).toBe(2 << 16);
  });

  it('no leave to be a bus master: nothing happens, also in the middle', () => {
    const t = build();
    t.run([...descriptors([HEADER, [ROOM, 512, 3, 2], STATUS]), ...configWrite(BDF, 4, 2, 2), ...offered(0)]);
    t.wait();
    expect([t.get(USED), t.status()]).toEqual([0, 0x0f]);
    t.run(configWrite(BDF, 4, 2, 6));
    t.set(BAR + 0x3000, 0, 2);
    t.wait();
    expect(t.get(USED)).toBe(1 << 16);
  });
});

describe('requests that fail', () => {
  it.each([
    ['beyond the end', 0, SIZE / 512, [[ROOM, 512]]],
    ['half a sector', 0, 0, [[ROOM, 700]]],
    [
      'gigabytes',
      0,
      0,
      [
        [ROOM, 0xffff_fe00],
        [ROOM, 0x200],
      ],
    ],
    ['to write beyond the end', 1, SIZE / 512 - 1, [[ROOM, 1024]]],
  ] as const)('%s', (_, type, sector, pieces) => {
    const t = build();
    expect(t.ask(0, type, sector, ...pieces)).toBe(1);
    expect(t.status()).toBe(0x0f);
  });

  it('of an unknown type, of a medium that fails, of a disk that is read-only', () => {
    const t = build();
    expect(t.ask(0, 77, 0, [ROOM, 512])).toBe(2);
    t.disk.bad = { from: 0x200, to: 0x400 };
    t.disk.error = new SmmError('FILE', 'the disk is full', 'Make room.');
    expect([t.ask(1, 0, 1, [ROOM, 512]), t.ask(2, 1, 1, [ROOM, 512]), t.ask(3, 0, 2, [ROOM, 512])]).toEqual([
      1, 1, 0,
    ]);
    expect(t.failures).toEqual(['the disk is full', 'the disk is full']);
    const r = build(undefined, new MemoryDisk(diskBytes(SIZE), true));
    expect(r.ask(0, 1, 0, [ROOM, 512])).toBe(1);
    r.set(BAR, 0);
    expect(r.get(BAR + 4) & 0x20).toBe(0x20);
  });

  it('what a medium throws by mistake goes through, and the request is tried again', () => {
    const t = build();
    t.disk.bad = { from: 0, to: 512 };
    t.disk.error = new TypeError('a mistake');
    expect(() => t.ask(0, 0, 0, [ROOM, 512])).toThrow('a mistake');
    t.disk.bad = undefined;
    t.wait();
    expect([t.get(ROOM - 0x80, 1), t.get(ROOM)]).toEqual([0, 0x5a00_0000]);
  });
});

describe('flushes', () => {
  it('come when asked for, and after each write where there is no write-back cache', () => {
    const t = build();
    const flushed = (n: number, type: number): number => {
      const before = t.disk.flushes;
      expect(t.ask(n, type, 0, ...(type === 4 ? [] : [[ROOM, 512] as const]))).toBe(0);
      return t.disk.flushes - before;
    };
    expect([flushed(0, 1), flushed(1, 4)]).toEqual([0, 1]);
    t.set(BAR + 0x2020, 0, 1);
    expect([t.get(BAR + 0x2020, 1), flushed(2, 1)]).toEqual([0, 1]);
    t.set(BAR + 0x2020, 1, 1);
    expect(flushed(3, 1)).toBe(0);
    t.run(started(0));
    t.set(AVAILABLE + 2, 0, 2);
    expect(flushed(0, 1)).toBe(1); // the driver does not know how to flush
  });
});

describe('interrupts', () => {
  it('by pin, until the status is read', () => {
    const t = build();
    const pin = (): number => {
      t.run([{ kind: 'out', port: 0xcf8, size: 4, value: 0x8000_0000 + (BDF << 8) + 4 }]);
      return t.model.io.in(0xcfe, 2, 0) & 8;
    };
    t.run([...descriptors([HEADER, [ROOM, 512, 3, 2], STATUS]), ...offered(0)]);
    t.wait();
    expect(pin()).toBe(8);
    expect([t.get(BAR + 0x1000, 1), t.get(BAR + 0x1000, 1), pin()]).toEqual([1, 0, 0]);
    t.set(AVAILABLE, 1, 2);
    t.run(offered(1));
    t.wait();
    expect([t.get(USED + 2, 2), pin()]).toEqual([2, 0]);
  });

  it('by MSI-X, a vector for the queue and one for faults', () => {
    const t = build();
    t.run(configWrite(BDF, 0x9a, 2, 0x8000));
    for (const vector of [0, 1]) {
      t.set(MSIX + 16 * vector, 0xfee0_0000);
      t.set(MSIX + 16 * vector + 8, 0x50 + vector);
      t.set(MSIX + 16 * vector + 12, 0);
    }
    t.set(BAR + 0x10, 0, 2);
    t.set(BAR + 0x1a, 1, 2);
    t.ask(0, 0, 0, [ROOM, 512]);
    t.run([...descriptors([[ROOM, 16, 1, 300]]), ...offered(1)]);
    t.wait();
    expect(t.apic.messages.map(({ data }) => data)).toEqual([0x51, 0x50]);
    expect(t.get(BAR + 0x1000, 1)).toBe(0);
  });
});

describe('snapshots and resets', () => {
  it('hold requests that wait, the queue and the disk', () => {
    const a = build();
    a.ask(0, 1, 3, [ROOM, 1024]);
    a.run([...descriptors([HEADER, [ROOM, 512, 3, 2], STATUS]), ...offered(1)]);
    const saved = structuredClone({ chipset: a.model.chipset.save(), clock: a.model.clock.save() });
    const b = build();
    b.model.clock.restore(saved.clock);
    b.model.chipset.restore(saved.chipset);
    b.model.clock.restore(saved.clock);
    b.model.window.set(a.model.window);
    for (const each of [a, b]) each.wait();
    expect([b.get(USED), b.get(ROOM)]).toEqual([2 << 16, a.get(ROOM)]);
    expect(Buffer.compare(b.disk.bytes, a.disk.bytes)).toBe(0);
  });

  it('a system reset stops what waits', () => {
    const t = build();
    t.run([...descriptors([HEADER, [ROOM, 512, 3, 2], STATUS]), ...offered(0)]);
    t.model.chipset.reset('system');
    t.wait();
    expect(t.get(USED)).toBe(0);
    t.run(placed);
    expect(t.status()).toBe(0);
  });
});

describe('entropy', () => {
  const bytes = (seed: number, restoreAfter?: boolean): number[] => {
    let t = build('rng', undefined, seed);
    const words: number[] = [];
    for (let n = 0; n < 3; n++) {
      t.run([
        ...descriptors([
          [ROOM, 10, 3, 1],
          [ROOM + 0x100, 4, 2, 0],
        ]),
        ...offered(n),
      ]);
      t.wait();
      expect([t.get(USED), t.get(USED + 8 + 8 * n)]).toEqual([(n + 1) << 16, 14]);
      words.push(t.get(ROOM), t.get(ROOM + 4), t.get(ROOM + 0x100));
      if (restoreAfter === true && n === 0) {
        const other = build('rng', undefined, seed + 1);
        other.model.clock.restore(t.model.clock.save());
        other.model.chipset.restore(structuredClone(t.model.chipset.save()));
        other.model.window.set(t.model.window);
        t = other;
      }
    }
    return words;
  };

  it('follows from the seed, and goes on after a snapshot', () => {
    const first = bytes(1);
    expect(new Set(first).size).toBe(first.length);
    expect(bytes(1)).toEqual(first);
    expect(bytes(1, true)).toEqual(first);
    expect(bytes(2)).not.toEqual(first);
  });

  it('an empty chain gets none, gigabytes get some', () => {
    const t = build('rng');
    t.run([...descriptors([[ROOM, 0, 2, 0]]), ...offered(0)]);
    t.wait();
    t.run([...descriptors([[ROOM, 0xffff_ffff, 2, 0]]), ...offered(1)]);
    t.wait();
    expect([t.get(USED + 8), t.get(USED + 16), t.status()]).toEqual([0, 0x1_0000, 0x0f]);
  });
});
