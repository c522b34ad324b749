/**
 * What Linux prints on QEMU 7.2 with one CPU and time that counts instructions (`-icount shift=3`), and which of its
 * lines may be others here.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { inScratch } from '../../../tests/support/qemu.ts';
import type { GuestFiles } from '../src/guests/files.ts';

const CODE = '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd';
const VARS = '/usr/share/OVMF/OVMF_VARS_4M.fd';

/** Lines that one has and the other has not, or otherwise, and why. A row that explains nothing is an error. */
export const EXPLAINED: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/^ACPI: (RSDP|XSDT|FACP|DSDT|APIC|HPET|MCFG|WAET) 0x/, "tables have our OEM's name; the DSDT is shorter"],
  [/^ACPI: Reserving \w+ table memory/, 'so they lie elsewhere'],
  [/^efi: SMBIOS=/, 'and so does what the firmware allocates after them'],
  [
    /^Memory: |^efi: Freeing EFI boot services memory|^Freeing initrd memory/,
    'by a page; and when a worker has freed it',
  ],
  [/^ACPI: Enabled \d GPEs/, 'there is no event for PCI hot-plug'],
  [/^pci 0000:00:1f\.[23]: /, 'the SATA and SMBus functions are not on this machine'],
  [
    /^(system 00:0|pnp: PnP ACPI: found|00:0\d: ttyS0|rtc_cmos 00:0)/,
    'there is no PS/2 mouse to count; COM1 is first',
  ],
  [/^(i8042: PNP|serio: i8042 AUX|input: AT Translated)/, 'there is no PS/2 mouse'],
  [/^audit: type=2000/, 'the time of day'],
  [/^sched_clock: Marking stable/, 'figures of time'],
];

/** The serial text of a guest that does not suspend, on QEMU; takes a minute or more. */
export function serialOfQemu(files: GuestFiles): string {
  const append = `${readFileSync(files.commandLine, 'utf8')} s3cycles=0`;
  return inScratch((path) => {
    copyFileSync(VARS, path('vars'));
    const args = [
      ...['-machine', 'q35,smm=on', '-accel', 'tcg', '-cpu', 'qemu64', '-m', '512', '-nodefaults'],
      ...['-no-user-config', '-display', 'none', '-icount', 'shift=3,sleep=off'],
      ...['-rtc', 'base=2026-01-01T00:00:00,clock=vm', '-global', 'cfi.pflash01.secure=on'],
      ...['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${CODE}`],
      ...['-drive', `if=pflash,format=raw,unit=1,file=${path('vars')}`, '-serial', `file:${path('serial')}`],
      ...['-kernel', files.kernel, '-initrd', files.initrd, '-append', append],
    ];
    const { status, stderr } = spawnSync('qemu-system-x86_64', args, {
      encoding: 'utf8',
      timeout: 1_500_000,
    });
    if (status !== 0) throw new Error(`QEMU ended with ${status}: ${stderr}`);
    return readFileSync(path('serial'), 'latin1');
  });
}

/** Lines without their time stamps, control sequences and uptimes. */
export function linesOf(serial: string): string[] {
  return serial
    .replaceAll('\r', '')
    .replaceAll(/\p{Cc}\[[0-9;=?]*[A-Za-z]/gu, '')
    .split('\n')
    .map((line) => line.replace(/^\[ *\d+\.\d+\] /, '').replace(/\(uptime [\d.]+\)/, '(uptime)'));
}

/** Lines of `a` that are not in `b`, each as often as it is missing there. */
export function without(a: readonly string[], b: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of b) left.set(line, (left.get(line) ?? 0) + 1);
  return a.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}
