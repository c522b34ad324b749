/** S3 of the whole chipset, beside QEMU's: who wakes, and what firmware finds then. */
import { describe, expect, it } from 'vitest';
import { buildModel, configRead, configWrite, runOnModel } from './support/model.ts';
import { type Access, oracleMissing, runOnQemu, type Size } from './support/qemu-oracle.ts';

const missing = oracleMissing();

const io = (port: number, size: Size): Access => ({ kind: 'in', port, size });
const out = (port: number, size: Size, value: number): Access => ({ kind: 'out', port, size, value });
const cmos = (index: number): Access[] => [out(0x70, 1, index), io(0x71, 1)];
const setCmos = (index: number, value: number): Access[] => [out(0x70, 1, index), out(0x71, 1, value)];

const PM_ON: Access[] = [...configWrite(0xf8, 0x40, 4, 0x601), ...configWrite(0xf8, 0x44, 1, 0x80)];
/** An alarm every second. */
const ALARM: Access[] = [1, 3, 5].flatMap((index) => setCmos(index, 0xff));
const AIE: Access[] = setCmos(0x0b, 0x22);
const SLEEP: Access[] = [out(0x604, 2, 0x401), out(0x604, 2, 0x2401)];
/** PM1_STS without TMROF, which is set from the start on QEMU. */
const PM1_STS: Access[] = [out(0x600, 2, 1), io(0x600, 2)];

type Model = ReturnType<typeof buildModel>;

const build = (): Model => buildModel(0x10_0000, () => []);

/** Carries out accesses; sleeps as a machine does, a second at a time. */
function run(accesses: readonly Access[], model: Model): number[] {
  return accesses.flatMap((access) => {
    const results = runOnModel([access], model);
    if (model.sleeps.pop() === 1) {
      model.chipset.suspend();
      for (let seconds = 0; model.chipset.suspended && seconds < 5; seconds++)
        model.clock.advanceTo(model.clock.now() + 1e9);
    }
    return results;
  });
}

describe.skipIf(missing !== undefined)(`S3 as on QEMU ${missing ?? ''}`, () => {
  it('is ended by the alarm, tells of it, resets what has lost its power and keeps RAM', () => {
    const awake: Access[] = [
      ...[...cmos(0x0f), ...configRead(0xf8, 0x40, 4), ...configRead(0, 0x9c, 4)],
      ...[...PM_ON, ...PM1_STS, io(0x630, 4), ...cmos(1), ...cmos(0x7f), out(0x600, 2, 0xffff), ...PM1_STS],
      { kind: 'read', gpa: 0x7_0000, size: 4 },
    ];
    const accesses: Access[] = [
      ...[...PM_ON, ...ALARM, ...AIE, ...setCmos(0x7f, 0x42), ...configWrite(0, 0x9d, 1, 0x1a)],
      { kind: 'write', gpa: 0x7_0000, size: 4, value: 0xcafe_f00d },
      ...[out(0x630, 4, 0x21), out(0x600, 2, 0xffff), out(0x602, 2, 0x400)],
      ...[...SLEEP, ...awake, ...ALARM, ...AIE, out(0x602, 2, 0x400), ...SLEEP, ...awake],
    ];
    expect(run(accesses, build()).map((v) => v.toString(16))).toEqual(
      runOnQemu(accesses, ['-m', '64']).map((v) => v.toString(16)),
    );
  });

  it('takes RTC_EN for the alarm to end it', () => {
    const sleeps = (enable: number): Access[] => [
      ...[...PM_ON, ...ALARM, ...AIE, out(0x600, 2, 0xffff), out(0x602, 2, enable), ...SLEEP],
      ...cmos(0x0f),
    ];
    expect(runOnQemu(sleeps(0x400), ['-m', '64'])).toEqual([0xfe]);
    // That it sleeps on there shows in no output: the run would have to be killed.
    const model = build();
    run(sleeps(0), model);
    expect([model.chipset.suspended, model.chipset.mayWake]).toEqual([true, false]);
  });
});

describe('S3 by the data sheet', () => {
  it('keeps the alarm and its flag, and tells whether it may end', () => {
    const model = build();
    const may = (): boolean => model.chipset.mayWake;
    run([...PM_ON, out(0x602, 2, 0x400)], model);
    expect(may()).toBe(false);
    run([...ALARM, ...AIE], model);
    expect(may()).toBe(true);
    run([...SLEEP, ...PM_ON], model);
    // IRQ 8 is up until register C is read: nothing more comes while awake, an alarm wakes all the same.
    expect([model.chipset.suspended, may()]).toEqual([false, false]);
    run([...SLEEP, ...PM_ON], model);
    expect(model.chipset.suspended).toBe(false);
    expect(run([...cmos(0x0b), ...cmos(0x0c), io(0x602, 2)], model)).toEqual([0x22, 0xf0, 0x400]);
    run([out(0x602, 2, 0)], model);
    expect(may()).toBe(false);
    run([out(0x628, 4, 1)], model);
    expect(may()).toBe(true);
  });

  it('ends at a periodic or update interrupt as well: RTC_STS follows IRQ 8', () => {
    for (const enable of [0x42, 0x12]) {
      const model = build();
      run([...PM_ON, ...setCmos(0x0b, enable), out(0x602, 2, 0x400), ...SLEEP], model);
      expect(model.chipset.suspended).toBe(false);
    }
  });
});
