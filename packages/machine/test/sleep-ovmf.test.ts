/**
 * S3 with firmware that nobody here wrote: Debian's OVMF starts an application that sleeps, resumes by its boot script,
 * sets SMBASE of every processor again and goes to the application's waking vector.
 */
import { describe, expect, it } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { Boot, type BootOptions, decodeSnapshot, encodeSnapshot, runBoot } from '../src/index.ts';
import { efiSleeper } from './efi-sleeper.ts';
import { type Architecture, ovmfMissing, readOvmf } from './ovmf.ts';

const missing = ovmfMissing();

const VARIANTS: readonly (readonly [Architecture, Partial<BootOptions>])[] = [
  ['ia32', {}],
  ...(FULL
    ? ([
        ['x64', {}],
        ['x64', { accelerator: 'kvm' }],
        ['ia32', { accelerator: 'kvm', kvm: { ept: false } }],
      ] as const)
    : []),
];

/** A boot, and what it has sent over the serial port since the firmware cleared the screen. */
function sleeper(
  architecture: Architecture,
  options: Partial<BootOptions>,
): { boot: Boot; said: () => string } {
  let serial = '';
  const boot = new Boot({
    ...readOvmf(architecture),
    ...{ cpus: 2, kernel: { image: efiSleeper(architecture === 'x64' ? 64 : 32) } },
    ...options,
    serial: (byte) => {
      serial += String.fromCharCode(byte);
    },
  });
  return { boot, said: () => serial.slice(serial.lastIndexOf('H') + 1) };
}

const BUDGET = 3_000_000_000;

describe.skipIf(missing !== undefined)(`OVMF sleeps and resumes ${missing ?? ''}`, () => {
  it.each(VARIANTS)('%s %j', (architecture, options) => {
    const { boot, said } = sleeper(architecture, options);
    const { machine } = boot;
    expect([boot.run(BUDGET, () => machine.suspended), said()]).toEqual(['budget', 'S']);
    const asleep = FULL ? encodeSnapshot(machine.save()) : undefined;
    const relocatedFirst = machine.smmEntries.map((count) => count > 0);
    const report = runBoot(boot, { budget: BUDGET });
    expect([report.outcome, said(), report.sleeps.length]).toEqual(['powered-off', 'SWM', 1]);
    const [sleep] = report.sleeps;
    expect([sleep!.wokenBy, relocatedFirst]).toEqual(['RTC', [true, true]]);
    const again = [...sleep!.relocated].sort(([a], [b]) => a - b);
    expect(again).toEqual(machine.processors.map(({ state }, index) => [index, state.smbase]));
    if (asleep === undefined) return;
    const other = sleeper(architecture, options);
    other.boot.machine.restore(decodeSnapshot(asleep));
    expect([runBoot(other.boot, { budget: BUDGET }).outcome, other.said()]).toEqual(['powered-off', 'WM']);
    expect(encodeSnapshot(other.boot.machine.save())).toEqual(encodeSnapshot(machine.save()));
  });
});
