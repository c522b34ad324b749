/** Runs a Linux guest in a process of its own, so that several run at a time. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GUESTS, type GuestFiles, type GuestName } from './files.ts';

/** What a guest runs on. */
export interface GuestConfiguration {
  readonly guest: GuestName;
  readonly accelerator: 'tcg' | 'kvm';
  /** Host profile of `kvm`. */
  readonly host: string | undefined;
  readonly cpus: number;
  /** The firmware boots it from a disk; else it is given the kernel. */
  readonly disk: boolean;
}

/** Of what `smm boot --json` prints, that which is looked at. */
export interface GuestReport {
  readonly outcome: string;
  readonly summary: string;
  readonly stuck: { readonly at: string } | null;
  readonly cpus: readonly { readonly smbase: string }[];
}

/** What became of it. */
export interface GuestRun {
  /** Undefined: it ended without. */
  readonly report: GuestReport | undefined;
  /** Everything on its serial port. */
  readonly serial: string;
  /** What the process said on standard error, where there is no report. */
  readonly errors: string;
}

/** MiB of guest memory: what the guests were measured with. */
const MEMORY_MIB = 512;
/** Instructions: several times what any configuration was seen to need. */
const BUDGET = 30_000_000_000;

/** The arguments of `smm` for a run. */
export function guestArguments(
  { guest, accelerator, host, cpus, disk }: GuestConfiguration,
  files: GuestFiles,
  serial: string,
): string[] {
  const append = `${readFileSync(files.commandLine, 'utf8')} s3cycles=1`;
  const system = disk
    ? [
        ...['-drive', `if=none,id=d,format=raw,snapshot=on,file=${files.disk.replaceAll(',', ',,')}`],
        ...['-device', 'ide-hd,drive=d,bus=ide.0,bootindex=1'],
      ]
    : ['-kernel', files.kernel, '-initrd', files.initrd, '-append', append];
  return [
    ...['boot', '--firmware', GUESTS[guest].firmware, '--no-save', '--json', '--budget', String(BUDGET)],
    ...['-smp', String(cpus), '-m', String(MEMORY_MIB), '-serial', `file:${serial}`, '-accel', accelerator],
    ...(host === undefined ? [] : ['--host', host]),
    ...['-rtc', 'base=2026-01-01T00:00:00'],
    ...system,
  ];
}

/** Runs one to its end. */
export async function runGuest(configuration: GuestConfiguration, files: GuestFiles): Promise<GuestRun> {
  const folder = mkdtempSync(join(tmpdir(), 'smm-guest-'));
  const serial = join(folder, 'serial');
  try {
    const args = guestArguments(configuration, files, serial);
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const texts = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      texts.out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      texts.err += text;
    });
    const stop = (): void => void child.kill();
    process.once('exit', stop);
    await new Promise((resolve) => child.once('close', resolve));
    process.off('exit', stop);
    return {
      report: texts.out === '' ? undefined : (JSON.parse(texts.out) as GuestReport),
      serial: readFileSync(serial, 'latin1'),
      errors: texts.err,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
