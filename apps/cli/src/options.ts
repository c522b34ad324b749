/** Options that describe a configuration, declared once for every subcommand, and how they become one. */
import { HOSTS, type KvmOptions, quirksInForce, type RelocationOptions, type Schedule } from '@smm/machine';
import type { Command } from 'commander';
import type { Io } from './io.ts';
import {
  checkCpus,
  oneOf,
  parseAccel,
  parseMachine,
  parseMemory,
  parseSmp,
  wholeNumber,
} from './qemu-values.ts';
import { UsageError } from './usage-error.ts';

/** Options of a configuration as the parser leaves them. */
export interface ConfigurationFlags {
  readonly smp?: string;
  readonly memory?: string;
  readonly cpu?: string;
  readonly accel?: string;
  readonly machine?: string;
  readonly host?: string;
  readonly quirk?: readonly string[];
  readonly bitness?: string;
  readonly edk2?: string;
  readonly tseg?: string;
  readonly rom?: string;
  readonly wait?: boolean;
  readonly s3?: boolean;
  readonly seed?: string;
  readonly slice?: string;
}

/** Collects a value once; a second time is a mistake, for the options would overlap. */
export function once(option: string): (value: string, previous: string | undefined) => string {
  return (value, previous) => {
    if (value === '' && option !== '--until')
      throw new UsageError(
        `${option} '' is empty: it names nothing`,
        `Give ${option} a value, or leave it out.`,
      );
    if (previous === undefined) return value;
    throw new UsageError(`${option} is given twice, as ${previous} and as ${value}`, `Give ${option} once.`);
  };
}

/** Declares what describes the guest: firmware, processors, memory. */
export function guestOptions(command: Command): Command {
  return command
    .option('-m, --memory <size>', 'guest memory: MiB, or with M or G (default: 2048)', once('-m'))
    .option('--cpu <model>', "CPU model with features, '-cpu coreduo,-nx' (default by bitness)", once('-cpu'))
    .option(
      '--bitness <width>',
      '32 (qemu-system-i386) or 64 (qemu-system-x86_64) (default: 64)',
      once('--bitness'),
    )
    .option(
      '--edk2 <shape>',
      'firmware: 2015 (PiSmmCpuDxeSmm) or 2024 (SmmRelocationLib) (default: 2015)',
      once('--edk2'),
    )
    .option('--tseg <MiB>', 'size of TSEG: 1, 2 or 8 (default: 8)', once('--tseg'))
    .option('--s3', 'firmware that sleeps in S3 once and relocates again (shape 2015)')
    .option('--no-wait', 'firmware whose BSP does not wait for mRebased: a race on purpose')
    .option('--rom <file>', 'a flash image instead of our firmware (also -bios)', once('--rom'));
}

/** Declares what describes the host: accelerator, kernel, quirks. */
export function hostOptions(command: Command): Command {
  return kernelOptions(
    command
      .option(
        '--accel <name>',
        "tcg, or kvm with options, '-accel kvm,ept=0' (default: tcg; kvm with --host)",
        once('-accel'),
      )
      .option('--machine <type>', 'q35, with kernel_irqchip=on|off', once('-machine')),
  );
}

/** Declares the host's kernel and its faults. */
export function kernelOptions(command: Command): Command {
  return command
    .option(
      '--host <name>',
      `${HOSTS.map(({ name }) => name).join(', ')} (default: linux-current)`,
      once('--host'),
    )
    .option('--quirk <list>', "add or remove known faults: +Q1, -Q1,+Q2; see 'smm quirks'", collectQuirks);
}

/** Declares the number of CPUs. */
export function smpOption(command: Command, fallback: number): Command {
  return command.option('--smp <n>', `number of CPUs, 1 to 255 (default: ${fallback})`, once('-smp'));
}

/** Declares the order in which CPUs take turns. */
export function scheduleOptions(command: Command): Command {
  return command
    .option(
      '--seed <n>',
      'turns of the CPUs: 0 in order, else drawn from this seed (default: 0)',
      once('--seed'),
    )
    .option('--slice <n>', 'instructions per turn (default: 10000)', once('--slice'));
}

function collectQuirks(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), ...value.split(',').filter((item) => item !== '')];
}

/**
 * Makes a configuration of the options. Throws `UsageError`s, and `SmmError`s of the libraries for names that they do
 * not know.
 */
export function configurationOf(flags: ConfigurationFlags, io: Io, cpusByDefault = 1): RelocationOptions {
  const { accelerator, kvm } = acceleratorOf(flags);
  const { host, quirk: quirks } = flags;
  quirksInForce({ accelerator, host, quirks });
  const schedule = scheduleOf(flags);
  return {
    cpus: flags.smp === undefined ? checkCpus(cpusByDefault) : parseSmp(flags.smp),
    memoryMiB: flags.memory === undefined ? 2048 : parseMemory(flags.memory),
    accelerator,
    ...(Object.keys(kvm).length > 0 && { kvm }),
    ...(host !== undefined && { host }),
    ...(quirks !== undefined && { quirks }),
    ...(flags.cpu !== undefined && { cpu: flags.cpu }),
    bitness: flags.bitness === undefined ? 64 : bitnessOf(flags.bitness),
    ...firmwareOf(flags, io),
    ...(schedule !== undefined && { schedule }),
  };
}

/** `--bitness 32|64`. */
export function bitnessOf(text: string): 32 | 64 {
  return oneOf('--bitness', text, ['32', '64']) === '32' ? 32 : 64;
}

/** `--tseg 1|2|8`. */
export function tsegOf(text: string): 1 | 2 | 8 {
  const word = oneOf('--tseg', text, ['1', '2', '8']);
  return word === '1' ? 1 : word === '2' ? 2 : 8;
}

/** Accelerator and options of the KVM model, from -accel, -machine and --host. */
export function acceleratorOf(flags: ConfigurationFlags): {
  accelerator: 'tcg' | 'kvm';
  kvm: Partial<KvmOptions>;
} {
  const accel = flags.accel === undefined ? undefined : parseAccel(flags.accel);
  const machine = flags.machine === undefined ? undefined : parseMachine(flags.machine);
  if (accel?.accelerator !== undefined && machine?.accelerator !== undefined) {
    throw new UsageError(
      `-accel ${flags.accel} and -machine ${flags.machine} both name an accelerator`,
      'Name it once, by -accel.',
    );
  }
  if (accel?.kvm.kernelIrqchip !== undefined && machine?.kvm.kernelIrqchip !== undefined) {
    throw new UsageError('kernel_irqchip is given by -accel and by -machine', 'Give it once.');
  }
  const kvm = { ...accel?.kvm, ...machine?.kvm };
  const accelerator =
    accel?.accelerator ?? machine?.accelerator ?? (flags.host === undefined ? 'tcg' : 'kvm');
  if (accelerator === 'tcg' && flags.host !== undefined) {
    throw new UsageError(
      `--host ${flags.host} chooses a KVM host, but the accelerator is tcg`,
      'Leave out --host, or use -accel kvm.',
    );
  }
  if (accelerator === 'tcg' && Object.keys(kvm).length > 0) {
    throw new UsageError(
      'kernel_irqchip is an option of KVM, but the accelerator is tcg',
      'Add -accel kvm, or leave it out.',
    );
  }
  return { accelerator, kvm };
}

/** Turns of the CPUs, from --seed and --slice. */
export function scheduleOf({ seed, slice }: ConfigurationFlags): Schedule | undefined {
  if (seed === undefined && slice === undefined) return undefined;
  const length = slice === undefined ? 10_000 : wholeNumber('--slice', slice);
  if (length < 1)
    throw new UsageError(`--slice ${length}: a turn has at least one instruction`, 'Use --slice 1 or more.');
  return { seed: seed === undefined ? 0 : wholeNumber('--seed', seed), slice: length };
}

type FirmwareChoice = Pick<RelocationOptions, 'rom' | 'edk2' | 'tsegMb' | 'waitForRebased' | 's3'>;

function firmwareOf(flags: ConfigurationFlags, io: Io): FirmwareChoice {
  const { rom, edk2, tseg, wait, s3 } = flags;
  if (rom !== undefined) {
    const clash =
      edk2 !== undefined
        ? '--edk2'
        : tseg !== undefined
          ? '--tseg'
          : wait === false
            ? '--no-wait'
            : s3 === true
              ? '--s3'
              : undefined;
    if (clash !== undefined) {
      throw new UsageError(
        `${clash} chooses our firmware, and --rom ${rom} replaces it`,
        `Leave out ${clash} or --rom.`,
      );
    }
    return { rom: readRom(rom, io) };
  }
  return {
    edk2: edk2 === undefined ? '2015' : oneOf('--edk2', edk2, ['2015', '2024']),
    tsegMb: tseg === undefined ? 8 : tsegOf(tseg),
    ...(wait === false && { waitForRebased: false }),
    ...(s3 === true && { s3 }),
  };
}

const ROM_GRANULE = 0x1_0000;
const LARGEST_ROM = 0x80_0000;

function readRom(path: string, io: Io): Uint8Array {
  const rom = io.readFile('the ROM', path, LARGEST_ROM);
  if (rom.length === 0 || rom.length % ROM_GRANULE !== 0) {
    throw new UsageError(
      `the ROM ${path} has ${rom.length} bytes`,
      'A flash image has a multiple of 64 KiB and at most 8 MiB; its last byte lies at FFFFFFFFh.',
      { path, size: rom.length },
    );
  }
  return rom;
}
