/**
 * Firmware that is no UEFI: SeaBIOS and qboot as Debian ships them (packages seabios and qemu-system-data). Where QEMU
 * 7.2 ends with the same images and no disk, was measured: SeaBIOS says so and halts, qboot halts behind its last call.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Boot, runBoot } from '../src/index.ts';

const SEABIOS = ['/usr/share/seabios/bios-256k.bin', '/usr/share/seabios/bios.bin'];
const QBOOT = '/usr/share/qemu/qboot.rom';
/** Where the image of qemu-system-data 7.2 ends. */
const QBOOT_END = 0xf01e1n;

const missing = [...SEABIOS, QBOOT].find((path) => !existsSync(path));

describe.skipIf(missing !== undefined)(missing === undefined ? 'BIOS' : `(skipped: no ${missing})`, () => {
  it.each(SEABIOS)('%s finds nothing to boot, and says so on both ports', (path) => {
    let serial = '';
    const boot = new Boot({
      code: readFileSync(path),
      cpus: 2,
      serial: (byte) => {
        serial += String.fromCharCode(byte);
      },
    });
    const report = runBoot(boot, { until: 'shell', budget: 100_000_000 });
    expect(report).toMatchObject({ outcome: 'unbootable', phase: 'BIOS' });
    expect(report.summary).toContain('No bootable device.');
    expect(serial).toContain('No bootable device.');
    expect(report.debugLines[0]).toMatch(/^SeaBIOS \(version/);
    expect(report.debugLines).toContain('Moving pm_base to 0x600'); // by the tables that QEMU gives too
    expect(report.debugLines).toContain('Found 2 cpu(s) max supported 2 cpu(s)');
    const smm = path.includes('256k'); // the smaller image is built without it
    expect(report.cpus.map(({ smbase, smmEntries }) => [smbase, smmEntries])).toEqual(
      smm
        ? [
            [0xa_0000, 1],
            [0x3_0000, 0],
          ]
        : [
            [0x3_0000, 0],
            [0x3_0000, 0],
          ],
    );
    expect([...report.smisByCommand]).toEqual(smm ? [[0, 1]] : []);
    expect([...report.smisByPhase]).toEqual(smm ? [['BIOS', 1]] : []);
  });

  it('SeaBIOS keeps silent on COM1 where a window would show its texts', () => {
    let bytes = 0;
    const boot = new Boot({ code: readFileSync(SEABIOS[0]!), serialConsole: false, serial: () => bytes++ });
    const report = runBoot(boot, { until: 'prompt', budget: 100_000_000 });
    expect(report.outcome).toBe('unbootable'); // from the debug port
    expect(bytes).toBe(0);
  });

  it('qboot without a kernel comes to its end', () => {
    const boot = new Boot({ code: readFileSync(QBOOT), cpus: 2 });
    const report = runBoot(boot, { budget: 100_000_000 });
    expect(report.outcome).toBe('idle');
    expect(report.cpus.map(({ rip, idle }) => [rip, idle])).toEqual([
      [QBOOT_END, 'halted'],
      [0xfff0n, 'wait-for-sipi'],
    ]);
  });
});
