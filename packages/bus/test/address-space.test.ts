import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type MmioDevice,
  newResolution,
  PhysicalAddressSpace,
  type Region,
  type RegionVisibility,
  TX_DEBUG,
  TX_SMM,
  type UnclaimedAccess,
} from '../src/index.ts';

function recorder(name: string, answer = 0): MmioDevice & { log: string[] } {
  const log: string[] = [];
  return {
    name,
    log,
    read: (offset, size) => {
      log.push(`r${size} ${offset.toString(16)}`);
      return answer;
    },
    write: (offset, size, value) => {
      log.push(`w${size} ${offset.toString(16)} ${value.toString(16)}`);
    },
  };
}

function space(bytes = 0x10000) {
  const ram = new Uint8Array(bytes);
  const written: [number, number][] = [];
  const unclaimed: UnclaimedAccess[] = [];
  const bus = new PhysicalAddressSpace({
    ram,
    written: (offset, size) => written.push([offset, size]),
    onUnclaimed: (access) => unclaimed.push(access),
  });
  return { ram, written, unclaimed, bus };
}

describe('PhysicalAddressSpace', () => {
  it('smram_is_ram_in_smm_and_a_hole_outside', () => {
    const { bus, ram, unclaimed } = space();
    bus.add({ kind: 'ram', name: 'ram', start: 0, sizeBytes: 0x8000, hostOffset: 0x100 });
    bus.add({
      kind: 'hole',
      name: 'tseg',
      start: 0x4000,
      sizeBytes: 0x1000,
      priority: 1,
      visible: 'normal-only',
    });
    bus.write(0x4010, 4, 0xdead_beef, TX_SMM);
    expect(ram.slice(0x4110, 0x4114)).toEqual(Uint8Array.of(0xef, 0xbe, 0xad, 0xde));
    expect(bus.read(0x4010, 4, TX_SMM)).toBe(0xdead_beef);
    expect(bus.read(0x4010, 4, 3)).toBe(0xffff_ffff);
    bus.write(0x4010, 2, 0x1_2345, 3);
    expect(bus.read(0x4010, 4, TX_SMM)).toBe(0xdead_beef);
    expect(unclaimed).toEqual([
      { gpa: 0x4010, sizeBytes: 4, value: undefined, attrs: 3, name: 'tseg' },
      { gpa: 0x4010, sizeBytes: 2, value: 0x2345, attrs: 3, name: 'tseg' },
    ]);
    bus.read(0x4010, 4, TX_DEBUG);
    expect(unclaimed).toHaveLength(2);
  });

  it('flash_is_read_from_memory_and_written_to_the_device', () => {
    const { bus, ram } = space();
    const flash = recorder('pflash', 0x80);
    ram[0x20] = 0xaa;
    const handle = bus.add({
      kind: 'mmio',
      name: 'flash',
      start: 0xffff_0000,
      sizeBytes: 0x1_0000,
      device: flash,
      hostOffset: 0,
    });
    const at = newResolution();
    bus.resolve(0xffff_0020, false, at);
    expect(at).toMatchObject({
      kind: 'ram',
      hostOffset: 0x20,
      writable: false,
      device: flash,
      lastAddress: 0xffff_ffff,
    });
    expect(bus.read(0xffff_0020, 1, 0)).toBe(0xaa);
    bus.write(0xffff_0020, 1, 0x70, 0);
    expect(ram[0x20]).toBe(0xaa);
    handle.set({ hostOffset: undefined }); // status mode: reads come from the device
    expect(bus.read(0xffff_0020, 1, 0)).toBe(0x80);
    expect(flash.log).toEqual(['w1 20 70', 'r1 20']);
  });

  it('splits_accesses_that_cross_pieces_into_bytes', () => {
    const { bus, ram, unclaimed } = space();
    const device = recorder('dev', 0x11);
    bus.add({ kind: 'ram', name: 'ram', start: 0, sizeBytes: 0x1000, hostOffset: 0 });
    bus.add({ kind: 'mmio', name: 'dev', start: 0x1000, sizeBytes: 1, device });
    ram.set([0x55, 0x66], 0xffe);
    expect(bus.read(0xffe, 4, 0)).toBe(0xff11_6655);
    expect(unclaimed).toMatchObject([{ gpa: 0x1001, sizeBytes: 1 }]);
    bus.write(0xfff, 2, 0xabcd, 0);
    expect(ram[0xfff]).toBe(0xcd);
    expect(device.log).toEqual(['r1 0', 'w1 0 ab']);
  });

  it('block_copies_cross_ram_rom_and_devices_and_report_what_was_written', () => {
    const { bus, ram, written, unclaimed } = space();
    const device = recorder('dev', 0x7777);
    bus.addAll([
      { kind: 'ram', name: 'low', start: 0, sizeBytes: 0x100, hostOffset: 0x200 },
      { kind: 'mmio', name: 'dev', start: 0x100, sizeBytes: 2, device, deviceOffset: 0x40 },
      { kind: 'ram', name: 'rom', start: 0x102, sizeBytes: 0x10, hostOffset: 0, readonly: true },
    ]);
    bus.writeBlock(0xfe, Uint8Array.of(1, 2, 3, 4, 5), 0);
    expect(written).toEqual([[0x2fe, 2]]);
    expect(device.log).toEqual(['w2 40 403']);
    expect(unclaimed).toMatchObject([{ gpa: 0x102, value: 5, name: 'rom' }]);
    expect(ram[0]).toBe(0);
    const back = new Uint8Array(6);
    bus.readBlock(0xfe, back, 0);
    expect([...back]).toEqual([1, 2, 0x77, 0x77, 0, 0]);
  });

  it('refuses_overlaps_with_all_conflicts_at_once', () => {
    const { bus } = space();
    const ram = (name: string, start: number, extra: object = {}): Region => ({
      kind: 'ram',
      name,
      start,
      sizeBytes: 0x1000,
      hostOffset: 0,
      ...extra,
    });
    bus.add(ram('a', 0));
    expect(() => bus.addAll([ram('b', 0xfff), ram('c', 0x1800), ram('d', 0x5000)])).toThrowError(
      expect.objectContaining({
        code: 'BUS_OVERLAP',
        message: expect.stringContaining('a at 0x0..0xfff and b at 0xfff..0x1ffe'),
        details: {
          conflicts: [
            { a: 'a', b: 'b' },
            { a: 'b', b: 'c' },
          ],
        },
      }),
    );
    bus.addAll([ram('d', 0x5000)]); // nothing of the failed batch stayed
    bus.add(ram('over', 0, { priority: 1 }));
    bus.add(ram('s', 0x9000, { visible: 'smm-only' }));
    bus.add(ram('n', 0x9000, { visible: 'normal-only' }));
    expect(() => bus.add(ram('d', 0x20000))).toThrowError(expect.objectContaining({ code: 'BUS_NAME' }));
    expect(() => bus.add(ram('far', 0x20000, { hostOffset: 0xf001 }))).toThrowError(
      expect.objectContaining({ code: 'BUS_RANGE' }),
    );
  });

  it('tells_which_view_changed_and_batches', () => {
    const { bus } = space();
    const seen: string[] = [];
    bus.onChange((change) => seen.push(`${change.normal ? 'N' : '-'}${change.smm ? 'S' : '-'}`));
    const handle = bus.add({
      kind: 'ram',
      name: 'smram',
      start: 0xa0000,
      sizeBytes: 0x2000,
      hostOffset: 0,
      visible: 'smm-only',
      enabled: false,
    });
    expect([seen.length, bus.version]).toEqual([0, 0]);
    handle.set({ enabled: true });
    handle.set({ enabled: true });
    bus.update(() => {
      handle.set({ visible: 'always' });
      handle.set({ start: 0xb0000 });
    });
    handle.remove();
    expect(seen).toEqual(['-S', 'NS', 'NS']);
    expect(bus.version).toBe(3);
  });

  it('resolves_like_a_linear_search_for_random_maps', () => {
    const visibility = fc.constantFrom<RegionVisibility>('always', 'smm-only', 'normal-only');
    const region = fc.record({
      start: fc.integer({ min: 0, max: 40 }),
      sizeBytes: fc.integer({ min: 1, max: 20 }),
      priority: fc.integer({ min: 0, max: 3 }),
      visible: visibility,
      enabled: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(region, { maxLength: 8 }), (rows) => {
        const { bus } = space();
        const regions = rows.map((row, i) => ({
          ...row,
          kind: 'ram' as const,
          name: `r${i}`,
          hostOffset: 0x100 * i,
        }));
        for (const r of regions) {
          const handle = bus.add({ ...r, enabled: false });
          handle.set({ enabled: r.enabled });
        }
        const at = newResolution();
        for (const smm of [false, true]) {
          for (let gpa = 0; gpa < 64; gpa++) {
            bus.resolve(gpa, smm, at);
            const hidden = smm ? 'normal-only' : 'smm-only';
            const best = regions
              .filter(
                (r) => r.enabled && r.visible !== hidden && gpa >= r.start && gpa < r.start + r.sizeBytes,
              )
              .reduce<(typeof regions)[number] | undefined>(
                (a, b) => (a === undefined || b.priority >= a.priority ? b : a),
                undefined,
              );
            expect(at.name).toBe(best?.name ?? '');
            expect(at.hostOffset).toBe(best === undefined ? -1 : best.hostOffset + gpa - best.start);
            const next = newResolution();
            bus.resolve(Math.min(at.lastAddress, 2 ** 53), smm, next);
            expect(next.name).toBe(at.name);
          }
          let expected = 0;
          for (const piece of bus.pieces(smm)) {
            expect(piece.start).toBe(expected);
            expected = piece.lastAddress + 1;
          }
          expect(expected).toBe(Number.POSITIVE_INFINITY);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('blocks_reach_a_device_as_aligned_dwords_where_they_fit', () => {
    const seen: string[] = [];
    const device = {
      name: 'wide',
      read: (offset: number, size: number) => {
        seen.push(`read ${offset} ${size}`);
        return 0x0403_0201;
      },
      write: (offset: number, size: number, value: number) =>
        seen.push(`${offset} ${size} ${value.toString(16)}`),
    };
    const space = new PhysicalAddressSpace({ ram: new Uint8Array(16) });
    space.add({ kind: 'mmio', name: 'wide', start: 0x1000, sizeBytes: 0x100, device });
    space.writeBlock(0x1003, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 0);
    expect(seen).toEqual(['3 1 1', '4 4 5040302', '8 2 706', '10 1 8']);
    seen.length = 0;
    const bytes = new Uint8Array(7);
    space.readBlock(0x1004, bytes, 0);
    expect([seen, [...bytes]]).toEqual([
      ['read 4 4', 'read 8 2', 'read 10 1'],
      [1, 2, 3, 4, 1, 2, 1],
    ]);
  });
});
