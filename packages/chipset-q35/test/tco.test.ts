/**
 * The watchdog against QEMU's, whose virtual time is counted in instructions here, and by the data sheet where QEMU
 * has less.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { buildModel, configWrite, runOnModel } from './support/model.ts';
import { type Access, oracleMissing, runOnQemu, type Size } from './support/qemu-oracle.ts';

const missing = oracleMissing();
const runs = sized(6, 40);
const ARGS = ['-m', '64', '-icount', 'shift=8,sleep=off', '-global', 'ICH9-LPC.noreboot=false'];
/** Two instructions of 256 ns. */
const LOOP_NS = 512;
/** About what an access costs there. */
const ACCESS_NS = 10_000;

const inp = (port: number, size: Size = 2): Access => ({ kind: 'in', port: 0x660 + port, size });
const out = (port: number, value: number, size: Size = 2): Access => ({
  ...{ kind: 'out', port: 0x660 + port },
  ...{ size, value },
});
const wait = (ms: number): Access => ({ kind: 'wait', loops: Math.floor((ms * 1e6) / LOOP_NS) });
const SMI_EN = (value: number): Access => ({ kind: 'out', port: 0x630, size: 4, value });
/** Where the probe's SMI handler leaves its mark. */
const SMI_SEEN: Access = { kind: 'read', gpa: 0x6_001a, size: 1 };
const SMI_FORGET: Access = { kind: 'write', gpa: 0x6_001a, size: 1, value: 0 };
const ON: Access[] = [...configWrite(0xf8, 0x40, 4, 0x601), ...configWrite(0xf8, 0x44, 1, 0x80)];
const REBOOT: Access[] = [
  ...configWrite(0xf8, 0xf0, 4, 0xfed1_c001),
  { kind: 'write', gpa: 0xfed1_f410, size: 4, value: 0 },
];
const [RLD, DAT_IN, STS1, STS2, CNT1, CNT2, TMR] = [0x00, 0x02, 0x04, 0x06, 0x08, 0x0a, 0x12];
const start = (preset: number): Access[] => [out(TMR, preset), out(CNT1, 0), out(RLD, 0)];

const build = () => buildModel(0x10_0000);

/** Carries accesses out here: time passes, an SMI leaves its mark, a reset is one. */
function run(accesses: readonly Access[], model = build()): number[] {
  return accesses.flatMap((access) => {
    const smis = model.smis.length;
    const resets = model.resets.length;
    const ns = access.kind === 'wait' ? access.loops * LOOP_NS : ACCESS_NS;
    model.clock.advanceTo(model.clock.now() + ns);
    const results = runOnModel([access], model);
    if (model.smis.length > smis) model.window[0x6_001a] = 1;
    if (model.resets.length > resets) model.chipset.reset();
    return results;
  });
}

function compare(accesses: readonly Access[]): void {
  const all = [...ON, ...accesses];
  expect(run(all).map((v) => v.toString(16))).toEqual(runOnQemu(all, ARGS).map((v) => v.toString(16)));
}

const ON_QEMU = `as on QEMU ${missing ?? ''}`;

it('the resume well is kept over a system reset, and empty at power-on', () => {
  const model = build();
  const kept = [inp(STS2), inp(0x0c, 1), inp(0x0d, 1), inp(0x0e, 1)];
  run([...ON, ...REBOOT, ...start(2), wait(2600), ...ON], model);
  run([out(0x0c, 0x5a, 1), out(0x0d, 0xa5, 1), out(0x0e, 0x3c, 1)], model);
  model.chipset.reset('system');
  expect(run([...ON, ...kept], model)).toEqual([6, 0x5a, 0xa5, 0x3c]);
  model.chipset.reset('power-on');
  expect(run([...ON, ...kept], model)).toEqual([0, 0, 0, 0]);
});

describe.skipIf(missing !== undefined)(`the watchdog ${ON_QEMU}`, () => {
  it('has its registers', () => {
    const words = [RLD, STS1, STS2, CNT1, CNT2, TMR];
    const bytes = [0x02, 0x03, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x14, 0x1f];
    const read = [...words.map((r) => inp(r)), ...bytes.map((r) => inp(r, 1))];
    compare([
      ...read,
      ...bytes.map((r) => out(r, 0xff, 1)),
      ...[out(TMR, 0x3ff), out(CNT2, 0xffff), out(STS1, 0x06), out(CNT1, 0xefff)],
      ...read,
      ...[...bytes.map((r) => out(r, 0, 1)), out(TMR, 0), out(CNT2, 0), out(STS1, 0x06), out(CNT1, 0x800)],
      ...read,
    ]);
  });

  it('counts, runs out, is reloaded and halted, and tells twice, at random', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(310, 730, 1270).map(wait) },
      { weight: 2, arbitrary: fc.constant(out(RLD, 0x1)) },
      { weight: 1, arbitrary: fc.constantFrom(2, 3, 5).map((v) => out(TMR, v)) },
      { weight: 1, arbitrary: fc.constantFrom(0, 0x800, 0, 0x1000).map((v) => out(CNT1, v)) },
      { weight: 1, arbitrary: fc.constant(out(STS1, 0x08)) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 8, maxLength: 40 }), (steps) => {
        compare([...start(2), ...steps.flatMap((s) => [s, inp(RLD), inp(STS1), inp(STS2), inp(CNT1)])]);
      }),
      { numRuns: runs, endOnFailure: true },
    );
  });

  it.each([0, 1])('does not start with preset %i', (preset) => {
    compare([
      ...start(preset),
      inp(RLD),
      wait(1300),
      inp(RLD),
      inp(STS1),
      out(RLD, 7),
      inp(RLD),
      wait(700),
      inp(RLD),
    ]);
  });

  it('resets at the second time-out, and what survives says so', () => {
    compare([
      ...[...REBOOT, ...start(2), out(0x0c, 0x5a, 1), wait(1300), inp(STS1), inp(STS2), wait(1300)],
      ...[inp(STS2), ...ON, inp(STS2), inp(0x0c, 1), wait(1300), inp(STS2), out(STS2, 6), inp(STS2)],
    ]);
  });

  it.each([0, 1, 0x2000, 0x2001])('raises an SMI at a time-out with SMI_EN %i', (enable) => {
    compare([SMI_EN(enable), SMI_FORGET, ...start(3), wait(1700), SMI_SEEN, wait(200), SMI_SEEN, inp(STS1)]);
  });

  it('raises one for what the OS sends, and freezes its enable bit by TCO_LOCK', () => {
    const enables: Access[] = [0x2001, 0x0001, 0x2000, 0].flatMap((v) => [
      SMI_EN(v),
      { kind: 'in', port: 0x630, size: 4 } as const,
    ]);
    compare([
      ...[SMI_EN(0x2000), SMI_FORGET, out(DAT_IN, 0x33, 1), SMI_SEEN, inp(STS1), inp(DAT_IN, 1)],
      ...[...enables, SMI_EN(0x2000), out(CNT1, 0x1000), ...enables, out(CNT1, 0), ...enables, inp(CNT1)],
    ]);
  });
});

describe('the watchdog by the data sheet', () => {
  it('clears the status bits that are written, no others', () => {
    const bits = [out(DAT_IN, 1, 1), out(0x03, 1, 1), ...start(2), wait(1300)];
    expect(run([...ON, ...bits, inp(STS1), out(STS1, 2), inp(STS1), out(STS1, 8), inp(STS1)])).toEqual([
      14, 12, 4,
    ]);
  });

  it('sends nothing to SMM without TCO_EN', () => {
    const model = build();
    run([...ON, SMI_EN(1), out(DAT_IN, 1, 1)], model);
    expect(model.smis).toEqual([]);
  });

  it('stands after a reset, with its registers as new but for the resume well', () => {
    const model = build();
    run([...ON, ...start(2), out(0x0d, 0x77, 1), out(CNT1, 0x1000), wait(1300)], model);
    model.chipset.reset();
    const registers = [inp(STS1), inp(CNT1), inp(TMR), inp(0x0d, 1)];
    expect(run([...ON, ...registers, wait(10_000), inp(STS1)], model)).toEqual([0, 0, 4, 0x77, 0]);
    expect(model.resets).toEqual([]);
  });

  it('asks for a system reset, once', () => {
    const model = build();
    run([...ON, ...REBOOT, ...start(2), wait(60_000)], model);
    expect(model.resets).toEqual(['system']);
  });
});

describe('a snapshot', () => {
  it('at any moment goes on as if it had not been taken', () => {
    const steps = [
      ...ON,
      ...REBOOT,
      SMI_EN(0x2000),
      ...start(3),
      wait(1000),
      wait(1000),
      inp(RLD),
      wait(1000),
    ];
    const rest = [inp(RLD), inp(STS1), wait(900), inp(STS2), wait(900), ...ON, inp(STS2)];
    for (let at = 0; at <= steps.length; at++) {
      const model = build();
      run(steps.slice(0, at), model);
      const saved = structuredClone([model.chipset.save(), model.clock.save()] as const);
      const copy = build();
      copy.chipset.restore(saved[0]);
      copy.clock.restore(saved[1]);
      const after = [...steps.slice(at), ...rest];
      expect(run(after, copy), `at ${at}`).toEqual(run(after, model));
      expect(copy.resets).toEqual(model.resets);
      expect(copy.chipset.save()).toEqual(model.chipset.save());
    }
  });
});
