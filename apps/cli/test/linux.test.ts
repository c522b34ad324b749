/**
 * Debian's Linux, unmodified, behind Debian's OVMF: it boots, sets variables, suspends, wakes and turns itself off.
 * The guests are made by `node scripts/guests/build.mjs`.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { Boot, type BootOptions, type BootReport, runBoot } from '@smm/machine';
import { describe, expect, it, vi } from 'vitest';
import { FULL, sized } from '../../../tests/support/form.ts';
import { GUESTS, type GuestName, guestFiles, guestsFolder } from '../src/guests/files.ts';
import { GUEST_ROWS, guestResult, guestRows } from '../src/guests/rows.ts';
import { EXPLAINED, linesOf, serialOfQemu, without } from './linux-text.ts';

vi.setConfig({ testTimeout: 1_800_000 });

const FOLDER = guestsFolder(process.env, homedir());
const OVMF = '/usr/share/OVMF';
const FIRMWARE = { amd64: 'OVMF', i386: 'OVMF32' } as const;

function missing(): string | undefined {
  try {
    for (const name of Object.keys(GUESTS) as GuestName[]) guestFiles(FOLDER, name);
  } catch {
    return '(skipped: needs the guests of scripts/guests/build.mjs)';
  }
  const images = Object.values(FIRMWARE).map((name) => `${OVMF}/${name}_CODE_4M.secboot.fd`);
  return images.every(existsSync) ? undefined : '(skipped: needs the packages ovmf and ovmf-ia32)';
}

interface Done {
  readonly report: BootReport;
  readonly serial: string;
  readonly vars: Uint8Array;
  /** Of memory, flash, processors and devices at the end. */
  readonly hash: string;
}

function boot(name: GuestName, more: Partial<BootOptions>, cycles = 1): Done {
  const files = guestFiles(FOLDER, name);
  const image = (kind: string): Uint8Array => readFileSync(`${OVMF}/${FIRMWARE[name]}_${kind}.fd`);
  const serial: number[] = [];
  const guest = new Boot({
    code: image('CODE_4M.secboot'),
    vars: image('VARS_4M'),
    memoryMiB: 512,
    startTime: { year: 2026, month: 1, day: 1, hour: 0, minute: 0, second: 0 },
    kernel: {
      image: readFileSync(files.kernel),
      initrd: readFileSync(files.initrd),
      commandLine: `${readFileSync(files.commandLine, 'utf8')} s3cycles=${cycles}`,
    },
    serial: (byte) => serial.push(byte),
    ...more,
  });
  const report = runBoot(guest, { budget: 30_000_000_000 });
  const hash = createHash('sha256').update(guest.machine.bytes).digest('hex');
  return { report, serial: Buffer.from(serial).toString('latin1'), vars: guest.vars(), hash };
}

const skip = missing();

const SHORT = [
  ['amd64', { cpus: 2 }],
  ['i386', { cpus: 2 }],
] as const;
const LONG: readonly (readonly [GuestName, Partial<BootOptions>])[] = [
  ...(['amd64', 'i386'] as const).flatMap((name) =>
    [1, 2, 4].map((cpus): [GuestName, Partial<BootOptions>] => [name, { cpus }]),
  ),
  ...(['amd64', 'i386'] as const).flatMap((name) => [
    [name, { cpus: 2, accelerator: 'kvm' as const }] as const,
    [name, { cpus: 2, accelerator: 'kvm' as const, kvm: { ept: false } }] as const,
  ]),
  ['i386', { cpus: 2, cpu: 'qemu32' }],
];

describe.skipIf(skip !== undefined)(`Linux ${skip ?? ''}`, () => {
  it.each(sized<typeof LONG>(SHORT, LONG))(
    '%s, %j: every row passes, and it turns itself off',
    (name, more) => {
      const { report, serial } = boot(name, more);
      expect(report.outcome, `${report.summary}\n${serial.slice(-2000)}`).toBe('powered-off');
      const rows = guestRows(serial);
      expect(rows.filter(({ passed }) => !passed)).toEqual([]);
      expect(rows.map((row) => row.name)).toEqual([...GUEST_ROWS]);
      expect(serial).toContain(`ROW boot: PASS cpus=${more.cpus}`);
      expect(guestResult(serial, report.summary)).toMatch(/^Linux \d+\.\d+ boots, S3 works, variables work$/);
      expect(serial).not.toMatch(/ACPI (BIOS )?(Error|Warning)|Call Trace|unchecked MSR/);
      expect(report.phase).toBe('OS');
    },
  );

  if (!FULL) return;

  it("prints QEMU's lines with one CPU and time that counts instructions, but for those that are explained", () => {
    const files = guestFiles(FOLDER, 'amd64');
    const theirs = linesOf(serialOfQemu(files));
    const ours = linesOf(boot('amd64', { cpus: 1 }, 0).serial);
    const differing = [...without(ours, theirs), ...without(theirs, ours)];
    const explains = (line: string) => EXPLAINED.findIndex(([pattern]) => pattern.test(line));
    expect(differing.filter((line) => explains(line) < 0)).toEqual([]);
    expect(new Set(differing.map(explains)).size, 'rows that explain something').toBe(EXPLAINED.length);
    expect(ours.length).toBeGreaterThan(300);
  });

  it('the same options end in the same state, and a second boot finds the variables', () => {
    const [first, again] = [boot('amd64', { cpus: 2 }, 0), boot('amd64', { cpus: 2 }, 0)];
    expect(again).toEqual(first);
    const { serial } = boot('amd64', { cpus: 2, vars: first.vars }, 0);
    expect(guestRows(serial)).toContainEqual({ name: 'persist', passed: true, verdict: 'PASS' });
  });
});
