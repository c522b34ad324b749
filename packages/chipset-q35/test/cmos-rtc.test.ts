import { VirtualClock } from '@smm/bus';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type CivilTime, CmosRtc, q35RamLayout } from '../src/index.ts';
import { type Access, oracleMissing, runOnQemu } from './support/qemu-oracle.ts';

vi.setConfig({ testTimeout: 60_000 }); // QEMU on a loaded host

const MIB = 0x10_0000;
const START: CivilTime = { year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5 };
const missing = oracleMissing();

function device(ramMib = 256, cpuCount = 1, start = START) {
  const clock = new VirtualClock();
  const rtc = new CmosRtc({ clock }, { ...q35RamLayout(ramMib * MIB), cpuCount }, start);
  const read = (index: number) => {
    rtc.out(0x70, 1, index, 0);
    return rtc.in(0x71, 1, 0);
  };
  const write = (index: number, value: number) => {
    rtc.out(0x70, 1, index, 0);
    rtc.out(0x71, 1, value, 0);
  };
  const time = () => [0x32, 9, 8, 7, 4, 2, 0].map((i) => read(i).toString(16).padStart(2, '0')).join(' ');
  return { clock, rtc, read, write, time };
}

describe.skipIf(missing !== undefined)(`CMOS contents equal QEMU's q35 ${missing ?? ''}`, () => {
  /** Equipment byte and boot order: QEMU tells of a PS/2 mouse and of boot devices that this chipset does not have. */
  const DIFFERENT = [0x14, 0x38, 0x3d];
  it.each([
    { mib: 64, cpus: 1 },
    { mib: 512, cpus: 8 },
    { mib: 2048, cpus: 2 },
    { mib: 2815, cpus: 1 },
    { mib: 2816, cpus: 32 },
    { mib: 5000, cpus: 3 },
  ])('-m $mib -smp $cpus', ({ mib, cpus }) => {
    const indexes = Array.from({ length: 128 }, (_, i) => i).filter((i) => !DIFFERENT.includes(i));
    const accesses = indexes.flatMap((i): Access[] => [
      { kind: 'out', port: 0x70, size: 1, value: i },
      { kind: 'in', port: 0x71, size: 1 },
    ]);
    const qemu = runOnQemu(accesses, [
      ...['-m', `${mib}`, '-smp', `${cpus}`, '-rtc', 'base=2026-01-02T03:04:05,clock=vm'],
    ]);
    const ours = device(mib, cpus);
    const show = (values: number[]) => values.map((v, i) => `${indexes[i]!.toString(16)}: ${v.toString(16)}`);
    // The second may have passed on a slow host; all other bytes are exact.
    expect(qemu[0]).toBeGreaterThanOrEqual(0x05);
    expect(qemu[0]).toBeLessThanOrEqual(0x25);
    expect(show(indexes.map(ours.read)).slice(1)).toEqual(show(qemu).slice(1));
  });
});

describe('CmosRtc', () => {
  it('time_follows_the_virtual_clock_over_a_leap_day', () => {
    const { clock, time, read } = device(256, 1, {
      year: 2024,
      month: 2,
      day: 28,
      hour: 23,
      minute: 59,
      second: 59,
    });
    expect([time(), read(6)]).toEqual(['20 24 02 28 23 59 59', 4]);
    clock.advanceTo(1e9);
    expect([time(), read(6)]).toEqual(['20 24 02 29 00 00 00', 5]);
    clock.advanceTo(86_401e9);
    expect([time(), read(6)]).toEqual(['20 24 03 01 00 00 00', 6]);
  });

  it('agrees_with_the_host_calendar_for_random_times', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('1970-01-01'), max: new Date('2399-12-31'), noInvalidDate: true }),
        (date) => {
          const { time, read } = device(256, 1, {
            year: date.getUTCFullYear(),
            month: date.getUTCMonth() + 1,
            day: date.getUTCDate(),
            hour: date.getUTCHours(),
            minute: date.getUTCMinutes(),
            second: date.getUTCSeconds(),
          });
          const iso = date.toISOString();
          expect(`${time().replace(' ', '')}`.split(' ').join('')).toBe(
            iso.slice(0, 19).replaceAll(/[-T:]/g, ''),
          );
          expect(read(6)).toBe(date.getUTCDay() + 1);
        },
      ),
    );
  });

  it('SET_stops_the_clock_and_new_time_runs_from_its_release', () => {
    const { clock, write, time } = device();
    write(0x0b, 0x82);
    clock.advanceTo(5e9);
    expect(time()).toBe('20 26 01 02 03 04 05');
    write(0, 0x58);
    write(9, 0x30);
    write(0x0b, 0x02);
    expect(time()).toBe('20 30 01 02 03 04 58');
    clock.advanceTo(8e9);
    expect(time()).toBe('20 30 01 02 03 05 01');
  });

  it('binary_mode_and_update_in_progress', () => {
    const { clock, read, write } = device(256, 1, { ...START, second: 45 });
    write(0x0b, 0x06);
    expect(read(0)).toBe(45);
    expect(read(0x0a)).toBe(0x26);
    clock.advanceTo(999_900_000);
    expect(read(0x0a)).toBe(0xa6);
    clock.advanceTo(1e9);
    expect([read(0x0a), read(0)]).toEqual([0x26, 46]);
  });

  it('shutdown_status_survives_reset_and_snapshots_restore', () => {
    const a = device();
    a.write(0x0f, 0xfe);
    a.write(0x7f, 0x42);
    a.rtc.reset();
    expect(a.read(0x0f)).toBe(0xfe);
    const saved = structuredClone(a.rtc.save());
    const b = device(64);
    b.rtc.restore(saved);
    expect([b.read(0x0f), b.read(0x7f), b.read(0x35), b.time()]).toEqual([0xfe, 0x42, 0x0f, a.time()]);
  });

  it('RTC_interrupts_and_12_hour_mode_are_loud', () => {
    const { write } = device();
    expect(() => write(0x0b, 0x42)).toThrowError(expect.objectContaining({ code: 'RTC_INTERRUPT' }));
    expect(() => write(0x0b, 0x00)).toThrowError(expect.objectContaining({ code: 'RTC_12H' }));
  });
});
