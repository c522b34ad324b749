import { describe, expect, it } from 'vitest';
import { IoPortSpace, type PioDevice, type UnclaimedPortAccess } from '../src/index.ts';

function recorder(name: string): PioDevice & { log: string[] } {
  const log: string[] = [];
  return {
    name,
    log,
    in: (port, size) => {
      log.push(`in${8 * size} ${port.toString(16)}`);
      return port;
    },
    out: (port, size, value) => {
      log.push(`out${8 * size} ${port.toString(16)} ${value.toString(16)}`);
    },
  };
}

describe('IoPortSpace', () => {
  it('passes_whole_what_fits_and_halves_the_rest_low_half_first', () => {
    const io = new IoPortSpace();
    const wide = recorder('wide');
    const bytes = recorder('bytes');
    io.add({ name: 'wide', first: 0x600, count: 0x80, device: wide });
    io.add({ name: 'bytes', first: 0xb2, count: 2, device: bytes, maxSize: 1 });
    expect(io.in(0x608, 4, 0)).toBe(0x608);
    io.out(0xb2, 2, 0x1234, 0);
    expect(bytes.log).toEqual(['out8 b2 34', 'out8 b3 12']);
    expect(io.in(0x67e, 4, 0)).toBe(0xffff_067e);
    expect(wide.log).toEqual(['in32 608', 'in16 67e']);
  });

  it('unclaimed_reads_all_ones_and_reports_once', () => {
    const seen: UnclaimedPortAccess[] = [];
    const io = new IoPortSpace({ onUnclaimed: (access) => seen.push(access) });
    expect([io.in(0x80, 1, 0), io.in(0x80, 2, 0), io.in(0x80, 4, 5)]).toEqual([0xff, 0xffff, 0xffff_ffff]);
    io.out(0x80, 2, 0x1_0042, 5);
    expect(seen.slice(2)).toEqual([
      { port: 0x80, sizeBytes: 4, value: undefined, attrs: 5 },
      { port: 0x80, sizeBytes: 2, value: 0x42, attrs: 5 },
    ]);
  });

  it('moves_switches_and_prioritises_ranges', () => {
    const io = new IoPortSpace();
    const pm = recorder('pm');
    const fixed = recorder('fixed');
    const handle = io.add({ name: 'pm', first: 0, count: 0x80, device: pm, enabled: false });
    io.add({ name: 'fixed', first: 0x70, count: 2, device: fixed, priority: 1 });
    expect(io.in(0x10, 1, 0)).toBe(0xff);
    handle.set({ enabled: true });
    expect(io.rangeAt(0x70)?.name).toBe('fixed');
    expect(io.rangeAt(0x72)?.name).toBe('pm');
    handle.set({ first: 0x600 });
    expect(io.rangeAt(0x72)).toBeUndefined();
    handle.remove();
    expect(io.in(0x600, 4, 0)).toBe(0xffff_ffff);
  });

  it('names_the_register_that_shows_time_only_where_an_access_reaches_it_whole', () => {
    const io = new IoPortSpace();
    const tickCounter = { offset: 8, size: 4, frequencyHz: 3_579_545, mask: 0xff_ffff } as const;
    const pm = { ...recorder('pm'), tickCounter };
    const heard: (number | undefined)[] = [];
    io.onChange(() => heard.push(io.tickCounter()?.port));
    const handle = io.add({ name: 'pm', first: 0x600, count: 0x80, device: pm, enabled: false });
    handle.set({ enabled: true });
    handle.set({ first: 0xb000 });
    const over = io.add({ name: 'over', first: 0xb00b, count: 1, device: recorder('over'), priority: 1 });
    over.remove();
    handle.remove();
    io.add({ name: 'bytes', first: 0x600, count: 0x80, device: pm, maxSize: 2 });
    expect(heard).toEqual([undefined, 0x608, 0xb008, undefined, 0xb008, undefined, undefined]);
  });

  it('refuses_overlaps_and_ranges_outside', () => {
    const io = new IoPortSpace();
    const device = recorder('d');
    io.add({ name: 'rtc', first: 0x70, count: 2, device });
    expect(() => io.add({ name: 'x', first: 0x71, count: 4, device })).toThrowError(
      expect.objectContaining({
        code: 'BUS_OVERLAP',
        message: 'port ranges overlap: rtc at ports 0x70..0x71 and x at ports 0x71..0x74',
      }),
    );
    expect(() => io.add({ name: 'y', first: 0xffff, count: 2, device })).toThrowError(
      expect.objectContaining({ code: 'BUS_RANGE' }),
    );
    expect(() => io.add({ name: 'rtc', first: 0x90, count: 2, device })).toThrowError(
      expect.objectContaining({ code: 'BUS_NAME' }),
    );
  });
});
