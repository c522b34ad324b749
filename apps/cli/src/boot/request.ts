/** The options of `smm boot`, and what they ask for. */

import type { Output } from '@smm/files';
import type { BootGoal, BootOptions } from '@smm/machine';
import type { Io } from '../io.ts';
import { acceleratorOf, type ConfigurationFlags, scheduleOf } from '../options.ts';
import { checkCpus, oneOf, parseMemory, parseSmp, wholeNumber } from '../qemu-values.ts';
import { UsageError } from '../usage-error.ts';
import { firmwareFor, isTemplate, readImage, stateFile } from './firmware.ts';
import type { BootHost } from './host.ts';

/** Options as the parser leaves them. */
export interface BootFlags extends ConfigurationFlags {
  readonly firmware?: string;
  readonly code?: string;
  readonly vars?: string;
  readonly varsOut?: string;
  /** False with --no-save. */
  readonly save?: boolean;
  readonly drive?: readonly string[];
  readonly serial?: string;
  readonly until?: string;
  readonly timeout?: string;
  readonly budget?: string;
  /** False with --no-reboot. */
  readonly reboot?: boolean;
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
}

/** Everything that is asked for. */
export interface BootRequest {
  /** The machine and its images. */
  readonly machine: BootOptions;
  /** Paths, for reports. */
  readonly files: { readonly code: string; readonly vars: string };
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
}

/** Memory unless -m says otherwise: what the reference was measured with. */
const DEFAULT_MEMORY_MIB = 256;
/** Instructions after which a run with a goal is given up: several times what any configuration was seen to need. */
const DEFAULT_BUDGET = 10_000_000_000;

/** Makes sense of the options and reads the images. Throws `UsageError`s. */
export function bootRequest(flags: BootFlags, io: Io, host: BootHost): BootRequest {
  const { host: profile, quirk: quirks } = flags;
  const { accelerator, kvm } = acceleratorOf(flags);
  const schedule = scheduleOf(flags);
  const goal = goalOf(flags.until);
  const machine = {
    cpus: flags.smp === undefined ? checkCpus(1) : parseSmp(flags.smp),
    memoryMiB: flags.memory === undefined ? DEFAULT_MEMORY_MIB : parseMemory(flags.memory),
    accelerator,
    ...(Object.keys(kvm).length > 0 && { kvm }),
    ...(flags.cpu !== undefined && { cpu: flags.cpu }),
    ...(profile !== undefined && { host: profile }),
    ...(quirks !== undefined && { quirks }),
    ...(schedule !== undefined && { schedule }),
  };
  const timeout = flags.timeout === undefined ? undefined : secondsOf(flags.timeout);
  const budget =
    flags.budget === undefined
      ? goal === undefined
        ? undefined
        : DEFAULT_BUDGET
      : wholeNumber('--budget', flags.budget);
  const serial = serialOf(flags, io);
  const { code, vars, varsOut } = imagesOf(flags, io, host);
  return {
    machine: {
      ...machine,
      code: readImage('the firmware', code, io),
      vars: readImage('the variable store', vars, io),
    },
    files: { code, vars },
    varsOut,
    goal,
    serial,
    timeout,
    budget,
    noReboot: flags.reboot === false,
  };
}

interface Images {
  readonly code: string;
  readonly vars: string;
  readonly varsOut: VarsTarget | undefined;
}

/**
 * Which files; the one that keeps the variables is claimed before it is looked at, so that no other run's changes are
 * lost.
 */
function imagesOf(flags: BootFlags, io: Io, host: BootHost): Images {
  const { firmware, until, explain, varsOut, save } = flags;
  if (save === false && varsOut !== undefined)
    throw new UsageError('--no-save and --vars-out contradict each other', 'Leave one of them out.');
  const drives = (flags.drive ?? []).map(parsePflash);
  const code = fileOf('code', flags.code, drives, 0);
  const vars = fileOf('vars', flags.vars, drives, 1);
  const mayWrite = save !== false && explain !== true;
  if (firmware !== undefined) {
    if (code !== undefined)
      throw new UsageError(
        `--firmware ${firmware} and ${code.path} both name the code`,
        'Give --firmware, or --code and --vars.',
      );
    const found = firmwareFor(oneOf('--firmware', firmware, ['x64', 'ia32']), io, host);
    if (vars === undefined) {
      // A run with a goal is a measurement: it starts from the empty store and leaves nothing behind.
      const kept =
        mayWrite && varsOut === undefined && until === undefined
          ? stateFile(found.template, io, host)
          : undefined;
      const claimed = mayWrite ? claimVars(varsOut ?? kept, kept !== undefined, io) : undefined;
      const start = kept !== undefined && host.exists(kept) ? kept : found.template;
      return { code: found.code, vars: start, varsOut: claimed };
    }
    const place = placeOf(vars, flags, mayWrite, io, host);
    return { code: found.code, vars: vars.path, varsOut: claimVars(place, false, io) };
  }
  if (code === undefined || vars === undefined) {
    throw new UsageError(
      code === undefined && vars === undefined
        ? 'there is no firmware to boot'
        : `there is no ${code === undefined ? 'code' : 'variable store'} to go with ${(code ?? vars)!.path}`,
      'Give --firmware x64 or ia32, or --code FILE and --vars FILE, or two -drive if=pflash.',
    );
  }
  const place = placeOf(vars, flags, mayWrite, io, host);
  return { code: code.path, vars: vars.path, varsOut: claimVars(place, false, io) };
}

const VARS_ADVICE =
  'Copy it and name the copy with --vars, name another file with --vars-out, or give --no-save, which writes nothing.';

function claimVars(path: string | undefined, makeFolders: boolean, io: Io): VarsTarget | undefined {
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

/** A `-drive if=pflash`. */
interface PflashDrive {
  readonly unit: number;
  readonly path: string;
  readonly readonly: boolean;
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

/** `-drive if=pflash,format=raw,unit=0,readonly=on,file=PATH`; a comma in the path is written twice. */
function parsePflash(text: string): PflashDrive {
  const members = text
    .replaceAll(',,', '\0')
    .split(',')
    .map((member) => member.replaceAll('\0', ','));
  const values = new Map<string, string>();
  for (const member of members) {
    const at = member.indexOf('=');
    const key = at < 0 ? member : member.slice(0, at);
    if (values.has(key)) throw new UsageError(`-drive ${text}: ${key} is given twice`, 'Give it once.');
    values.set(key, at < 0 ? 'on' : member.slice(at + 1));
  }
  const take = (key: string): string | undefined => {
    const value = values.get(key);
    values.delete(key);
    return value;
  };
  const [kind, format, unit, file, isReadonly] = [
    take('if'),
    take('format'),
    take('unit'),
    take('file'),
    take('readonly') ?? take('read-only'),
  ];
  take('id');
  const advice =
    'Write -drive if=pflash,format=raw,unit=0,readonly=on,file=CODE and the same with unit=1 for the variables.';
  const [unknown] = values.keys();
  if (kind !== 'pflash')
    throw new UsageError(`-drive ${text}: only flash is modelled, not if=${kind ?? 'ide'}`, advice);
  if (unknown !== undefined) throw new UsageError(`-drive ${text}: '${unknown}' is not known here`, advice);
  if (format !== undefined && format !== 'raw')
    throw new UsageError(
      `-drive ${text}: format=${format} is not known here`,
      'Convert the image: qemu-img convert -O raw.',
    );
  if (file === undefined) throw new UsageError(`-drive ${text}: there is no file=`, advice);
  const number = unit === undefined ? 0 : wholeNumber('-drive unit=', unit);
  if (number > 1) throw new UsageError(`-drive ${text}: there is no flash unit ${number}`, advice);
  return { unit: number, path: file, readonly: isReadonly === 'on' };
}

/** `--until shell|relocated|TEXT`. */
function goalOf(until: string | undefined): BootGoal | undefined {
  if (until === undefined || until === 'shell' || until === 'relocated') return until;
  if (until === '')
    throw new UsageError("--until '' is met before anything runs", 'Give a text to wait for.');
  return { text: until };
}

function serialOf({ serial, json }: BootFlags, io: Io): SerialTarget {
  if (serial === undefined) return json === true ? 'none' : 'stdio';
  if (serial === 'stdio' || serial === 'mon:stdio') {
    if (json === true)
      throw new UsageError(
        `-serial ${serial} and --json both write to standard output`,
        'Use -serial file:PATH with --json.',
      );
    return 'stdio';
  }
  if (serial === 'none' || serial === 'null') return 'none';
  const file = /^file:(.+)$/.exec(serial)?.[1];
  if (file === undefined)
    throw new UsageError(`-serial ${serial} is not known here`, 'Use -serial stdio, none or file:PATH.');
  return io.claim('the serial output', file);
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds === 0)
    throw new UsageError(`--timeout ${text} is not a number of seconds`, 'Write --timeout 60.');
  return seconds;
}
