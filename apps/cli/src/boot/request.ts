/** The options of `smm boot`, and what they ask for. */

import { join } from 'node:path';
import { cpuModel } from '@smm/cpu-core';
import type { Output } from '@smm/files';
import { type BootGoal, type BootOptions, DEFAULT_HOST, findHost } from '@smm/machine';
import { SmmError } from '@smm/x86-defs';
import type { Io } from '../io.ts';
import { acceleratorOf, type ConfigurationFlags, scheduleOf } from '../options.ts';
import type { PflashDrive } from '../qemu/flash.ts';
import { isOn } from '../qemu/keyval.ts';
import { refuseUnmodelled } from '../qemu/listing.ts';
import { acceleratorWords, globalSwitch, type QemuSettings, qemuSettings } from '../qemu/settings.ts';
import { apicIds, smpTopology } from '../qemu/topology.ts';
import { oneOf, parseMemory, wholeNumber } from '../qemu-values.ts';
import { UsageError } from '../usage-error.ts';
import { openDisks } from './disks.ts';
import { firmwareFor, isTemplate, stateFile } from './firmware.ts';
import { newFlashFile, readFlashImage } from './flash-image.ts';
import type { BootHost } from './host.ts';
import { bootPreferencesOf, kernelOf } from './kernel.ts';
import { dateOf } from './rtc-base.ts';
import { acpiTablesOf, smbiosOf } from './system-tables.ts';

/** Options as the parser leaves them. */
export interface BootFlags extends Pick<ConfigurationFlags, 'host' | 'quirk' | 'seed' | 'slice'> {
  readonly firmware?: string;
  readonly code?: string;
  readonly vars?: string;
  readonly varsOut?: string;
  /** False with --no-save. */
  readonly save?: boolean;
  /** QEMU's options, each `-option` or `-option=value`. */
  readonly qemu?: readonly string[];
  readonly until?: string;
  readonly timeout?: string;
  readonly budget?: string;
  readonly trace?: string;
  readonly options?: boolean;
  readonly explain?: boolean;
  readonly json?: boolean;
}

/** Where the guest's serial output goes. */
type SerialTarget = 'stdio' | 'none' | Output;

/** A file that keeps the variables. */
interface VarsTarget {
  /** As the user or `--firmware` names it. */
  readonly path: string;
  /** Claimed for this run. */
  readonly output: Output;
  /** What the file holds where the variables are these: in its format. */
  readonly contents: (image: Uint8Array) => Uint8Array;
}

/** Everything that is asked for. */
export interface BootRequest {
  /** The machine and its images. */
  readonly machine: BootOptions;
  /** Paths, for reports. */
  readonly files: { readonly code: string; readonly vars: string | undefined };
  /** Where the variables are written; undefined: nowhere. */
  readonly varsOut: VarsTarget | undefined;
  /** What ends the run well; undefined: the user or the guest. */
  readonly goal: BootGoal | undefined;
  /** Serial output. */
  readonly serial: SerialTarget;
  /** Wall-clock seconds; undefined: no limit. */
  readonly timeout: number | undefined;
  /** Instructions; undefined: no limit. */
  readonly budget: number | undefined;
  /** A reset ends the run. */
  readonly noReboot: boolean;
  /** What QEMU's options said, for what is told about them. */
  readonly qemu: QemuSettings;
}

/** Memory unless -m says otherwise: what the reference was measured with. */
const DEFAULT_MEMORY_MIB = 256;
/** The same where the command line is one of QEMU's: its own. */
const QEMU_MEMORY_MIB = 128;
/** Instructions after which a run with a goal is given up: several times what any configuration was seen to need. */
const DEFAULT_BUDGET = 10_000_000_000;
/** Bytes of a file for the firmware. */
const LARGEST_FW_CFG = 0x100_0000;

/** Makes sense of the options and reads the images. Throws `UsageError`s. */
export function bootRequest(flags: BootFlags, io: Io, host: BootHost): BootRequest {
  const qemu = qemuSettings(flags.qemu ?? []);
  refuseUnmodelled(withUnknownCpu(qemu));
  const goal = goalOf(flags.until);
  const machine = machineOf(flags, qemu, io);
  const timeout = flags.timeout === undefined ? undefined : secondsOf(flags.timeout);
  const budget =
    flags.budget === undefined
      ? goal === undefined
        ? undefined
        : DEFAULT_BUDGET
      : wholeNumber('--budget', flags.budget);
  const serial = serialOf(qemu, flags, io);
  const debug = debugOf(qemu, flags, io);
  const { code, vars, varsOut } = imagesOf(flags, qemu, io, host);
  const kernel = kernelOf(qemu, io);
  const smbios = smbiosOf(qemu, io);
  const acpiTables = acpiTablesOf(qemu, io);
  const disks = openDisks(qemu, io);
  const store = vars && readFlashImage('the variable store', vars.path, vars.format, io);
  return {
    machine: {
      ...machine,
      code: readFlashImage('the firmware', code.path, code.format, io).bytes,
      ...(store !== undefined && { vars: store.bytes }),
      ...(kernel !== undefined && { kernel }),
      ...(smbios !== undefined && { smbios }),
      ...(acpiTables.length > 0 && { acpiTables }),
      ...(disks.length > 0 && { disks }),
      ...(qemu.rng !== undefined && { rng: qemu.rng }),
      ...(debug !== undefined && { debug }),
    },
    files: { code: code.path, vars: vars?.path },
    varsOut: varsOut && {
      ...varsOut,
      contents: (image) =>
        store !== undefined && varsOut.path === vars?.path
          ? store.fileOf(image)
          : newFlashFile(varsOut.path, image),
    },
    goal,
    serial,
    timeout,
    budget,
    noReboot: qemu.noReboot,
    qemu,
  };
}

/** The machine without its images. */
function machineOf(flags: BootFlags, qemu: QemuSettings, io: Io): Omit<BootOptions, 'code' | 'vars'> {
  const { host, quirk: quirks } = flags;
  const { accelerator, kvm } = acceleratorOf({
    ...acceleratorWords(qemu),
    ...(host !== undefined && { host }),
  });
  const schedule = scheduleOf(flags);
  const isQemu = qemu.program !== undefined;
  const i386 = qemu.program === 'i386';
  const cpu = cpuOf(qemu, accelerator, host);
  const topology = smpTopology(qemu.smp, socketsFirst(qemu.machine.get('type')));
  const { memory, shift, rtcBase, program: _, fwCfg } = qemu;
  const [noS3, noS4] = ['disable_s3', 'disable_s4'].map((name) => globalSwitch(qemu, `ICH9-LPC.${name}`));
  const tseg = [...qemu.globals].find(([key]) => key === 'mch.extended-tseg-mbytes')?.[1];
  const keyboard = qemu.machine.get('i8042');
  return {
    cpus: topology.cpus,
    topology: {
      apicIds: apicIds(topology, topology.maxCpus),
      perPackage: topology.dies * topology.cores * topology.threads,
      perCore: topology.threads,
      ...(topology.dies > 1 && { dies: topology.dies }),
    },
    memoryMiB: memory === undefined ? (isQemu ? QEMU_MEMORY_MIB : DEFAULT_MEMORY_MIB) : parseMemory(memory),
    accelerator,
    ...(i386 && { bitness: 32 }),
    ...(Object.keys(kvm).length > 0 && { kvm }),
    ...(cpu !== undefined && { cpu }),
    ...(host !== undefined && { host }),
    ...(quirks !== undefined && { quirks }),
    ...(schedule !== undefined && { schedule }),
    ...(shift !== undefined && { nsPerInstruction: 2 ** shift }),
    ...(keyboard !== undefined && { keyboard: isOn('-machine', 'i8042', keyboard) }),
    ...(rtcBase !== undefined && { startTime: dateOf(rtcBase) }),
    ...(tseg !== undefined && { extTsegMb: wholeNumber('-global mch.extended-tseg-mbytes=', tseg) }),
    sleepStates: { s3: noS3 !== true, s4: noS4 !== true },
    boot: bootPreferencesOf(qemu),
    ...(!qemu.acpi && { acpi: false }),
    ...(isQemu && !qemu.nographic && { serialConsole: false }),
    secureFlash: globalSwitch(qemu, 'cfi.pflash01.secure') ?? !isQemu,
    fwCfgFiles: fwCfg.map(({ name, content }) => ({
      name,
      data:
        'text' in content
          ? new TextEncoder().encode(content.text)
          : io.readFile(`the fw_cfg file ${name}`, content.path, LARGEST_FW_CFG),
    })),
  };
}

/** `-cpu`; `host` is the processor of the modelled host. Throws `UsageError` for one without what `enforce` demands. */
/** A CPU model that nobody knows joins the options that are refused, if there are others. */
function withUnknownCpu(qemu: QemuSettings): QemuSettings {
  const { cpu, unmodelled } = qemu;
  if (cpu === undefined || unmodelled.length === 0 || /^host(,|$)/.test(cpu)) return qemu;
  try {
    cpuModel(cpu);
    return qemu;
  } catch (error) {
    if (!SmmError.isInstance(error)) throw error;
    const note = `${error.message}. ${error.fix.replace(/\.$/, '')}`;
    return { ...qemu, unmodelled: [...unmodelled, { text: `-cpu ${cpu}`, note }] };
  }
}

function cpuOf(
  { cpu, enforce, program }: QemuSettings,
  accelerator: 'tcg' | 'kvm',
  host = DEFAULT_HOST,
): string | undefined {
  if (cpu === undefined) return program === 'i386' ? 'qemu32' : undefined;
  const isHost = /^host(,|$)/.test(cpu);
  if (isHost && accelerator === 'tcg')
    throw new UsageError('-cpu host needs -accel kvm, as in QEMU', 'Add -accel kvm, or use -cpu max.');
  const spec = isHost ? cpu.replace('host', findHost(host).processor) : cpu;
  const { lacking } = cpuModel(spec);
  if (enforce && !isHost && lacking.length > 0) {
    throw new UsageError(
      `-cpu ${cpu},enforce: this processor has no ${lacking.join(', ')}`,
      'Leave out enforce, or use -cpu max,enforce.',
    );
  }
  return spec;
}

/** Machines before 6.2 put CPUs into sockets of their own where -smp leaves it open; later ones into cores. */
function socketsFirst(type: string | undefined): boolean {
  const [, major = '', minor = ''] = /^pc-q35-(\d+)\.(\d+)/.exec(type ?? '') ?? [];
  return major !== '' && (Number(major) < 6 || (Number(major) === 6 && Number(minor) < 2));
}

type ImageFile = Pick<PflashDrive, 'path' | 'format'>;

interface Images {
  readonly code: ImageFile;
  /** Undefined: the code is a ROM, and there is no flash. */
  readonly vars: ImageFile | undefined;
  readonly varsOut: Omit<VarsTarget, 'contents'> | undefined;
}

/**
 * Which files; the one that keeps the variables is claimed before it is looked at, so that no other run's changes are
 * lost.
 */
function imagesOf(flags: BootFlags, qemu: QemuSettings, io: Io, host: BootHost): Images {
  const { firmware, until, explain, varsOut } = flags;
  const save = qemu.snapshot ? false : flags.save;
  const { drives, bios } = qemu;
  if (save === false && varsOut !== undefined)
    throw new UsageError('--no-save and --vars-out contradict each other', 'Leave one of them out.');
  if (bios !== undefined) return romOf(bios, flags, qemu, io, host);
  const code = fileOf('code', flags.code, drives, 0);
  const vars = fileOf('vars', flags.vars, drives, 1);
  // SeaBIOS takes a kernel from an option ROM of QEMU's, which is not here.
  const nothing = [firmware, code, vars, qemu.kernel].every((each) => each === undefined);
  if (nothing && qemu.program !== undefined) return romOf(DEFAULT_BIOS, flags, qemu, io, host);
  const mayWrite = save !== false && explain !== true;
  if (firmware !== undefined) {
    if (code !== undefined)
      throw new UsageError(
        `--firmware ${firmware} and ${code.path} both name the code`,
        'Give --firmware, or --code and --vars.',
      );
    const found = firmwareFor(oneOf('--firmware', firmware, ['x64', 'ia32']), io, host);
    const ownCode = { path: found.code, format: found.formats.code };
    if (vars === undefined) {
      // A run with a goal is a measurement: it starts from the empty store and leaves nothing behind.
      const kept =
        mayWrite && varsOut === undefined && until === undefined
          ? stateFile(found.template, io, host)
          : undefined;
      const claimed = mayWrite ? claimVars(varsOut ?? kept, kept !== undefined, io) : undefined;
      const start = kept !== undefined && host.exists(kept) ? kept : found.template;
      const format = start === kept ? undefined : found.formats.template;
      return { code: ownCode, vars: { path: start, format }, varsOut: claimed };
    }
    const place = placeOf(vars, flags, mayWrite, io, host);
    return { code: ownCode, vars, varsOut: claimVars(place, false, io) };
  }
  if (code === undefined || vars === undefined) {
    throw new UsageError(
      code === undefined && vars === undefined
        ? 'there is no firmware to boot'
        : `there is no ${code === undefined ? 'code' : 'variable store'} to go with ${(code ?? vars)!.path}`,
      'Give --firmware x64 or ia32, or --code FILE and --vars FILE, or two -drive if=pflash, or a whole image by -bios FILE.',
    );
  }
  const place = placeOf(vars, flags, mayWrite, io, host);
  return { code, vars, varsOut: claimVars(place, false, io) };
}

/** `-bios`: looked for where the command line is run, then in the folders of `-L`, then in QEMU's, as QEMU does. */
function romOf(
  bios: string,
  { firmware, code, vars, varsOut }: BootFlags,
  { drives, folders }: QemuSettings,
  io: Io,
  host: BootHost,
): Images {
  const other = firmware ?? code ?? vars ?? varsOut ?? (drives.length > 0 ? drives[0]!.path : undefined);
  if (other !== undefined) {
    throw new UsageError(
      `-bios ${bios} is a ROM with everything in it, and ${other} is given too`,
      'Leave out one of them.',
    );
  }
  const found = ['', ...folders, ...QEMU_FOLDERS].map((folder) => join(folder, bios)).find(host.exists);
  const path = found ?? bios;
  if (found === undefined) io.readFile('the firmware', path, 0);
  return { code: { path, format: 'raw' }, vars: undefined, varsOut: undefined };
}

/** Where QEMU looks as Debian builds it. */
const QEMU_FOLDERS = ['/usr/share/qemu', '/usr/share/seabios'];
/** What QEMU boots where nothing else is named. */
const DEFAULT_BIOS = 'bios-256k.bin';

const VARS_ADVICE =
  'Copy it and name the copy with --vars, name another file with --vars-out, or give --no-save, which writes nothing.';

function claimVars(path: string | undefined, makeFolders: boolean, io: Io): Images['varsOut'] {
  if (path === undefined) return undefined;
  return { path, output: io.claim('the variables', path, { makeFolders, advice: VARS_ADVICE }) };
}

/** Where a named variable store is written: back to its file, as QEMU does, unless told otherwise. */
function placeOf(
  vars: PflashDrive,
  { varsOut }: BootFlags,
  mayWrite: boolean,
  io: Io,
  host: BootHost,
): string | undefined {
  if (!mayWrite) return undefined;
  if (varsOut !== undefined) return varsOut;
  if (vars.readonly) return undefined;
  if (isTemplate(vars.path, io, host))
    throw new UsageError(`${vars.path} is the distribution's template and would be written`, VARS_ADVICE);
  return vars.path;
}

function fileOf(
  option: string,
  path: string | undefined,
  drives: readonly PflashDrive[],
  unit: number,
): PflashDrive | undefined {
  const found = drives.filter((drive) => drive.unit === unit);
  if (found.length + (path === undefined ? 0 : 1) > 1)
    throw new UsageError(
      `pflash unit ${unit} is given twice`,
      `Give --${option} or one -drive with unit=${unit}.`,
    );
  return path === undefined ? found[0] : { unit, path, readonly: false };
}

/** `--until shell|prompt|relocated|TEXT`. */
function goalOf(until: string | undefined): BootGoal | undefined {
  if (until === undefined || until === 'shell' || until === 'prompt' || until === 'relocated') return until;
  if (until === '')
    throw new UsageError("--until '' is met before anything runs", 'Give a text to wait for.');
  return { text: until };
}

function serialOf({ serial }: QemuSettings, { json }: BootFlags, io: Io): SerialTarget {
  if (serial === undefined) return json === true ? 'none' : 'stdio';
  if (serial === 'stdio') {
    if (json === true)
      throw new UsageError(
        '-serial stdio and --json both write to standard output',
        'Use -serial file:PATH with --json.',
      );
    return 'stdio';
  }
  if (serial === 'none') return 'none';
  return io.claim('the serial output', fileBehind('-serial', serial));
}

/** Takes the bytes of the debug port, and passes them on line by line. */
function debugOf({ debugcon }: QemuSettings, { json }: BootFlags, io: Io): BootOptions['debug'] {
  if (debugcon === undefined || debugcon === 'none') return undefined;
  if (debugcon === 'stdio' && json === true)
    throw new UsageError(
      '-debugcon stdio and --json both write to standard output',
      'Use -debugcon file:PATH with --json.',
    );
  const write =
    debugcon === 'stdio' ? io.out : io.claim('the debug log', fileBehind('-debugcon', debugcon)).append;
  if (debugcon !== 'stdio') write(new Uint8Array()); // what an earlier run left goes
  let line: number[] = [];
  return (byte) => {
    line.push(byte);
    if (byte !== LINE_FEED && line.length < LONGEST_LINE) return;
    write(Uint8Array.from(line));
    line = [];
  };
}

const LINE_FEED = 10;
const LONGEST_LINE = 4096;

/** `file:PATH`. */
function fileBehind(option: string, text: string): string {
  const file = /^file:(.+)$/s.exec(text)?.[1];
  if (file === undefined)
    throw new UsageError(`${option} ${text} is not known here`, `Use ${option} stdio, none or file:PATH.`);
  return file;
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds === 0)
    throw new UsageError(`--timeout ${text} is not a number of seconds`, 'Write --timeout 60.');
  return seconds;
}
