/**
 * One relocation from reset to its outcome: builds our firmware and the machine, runs it, and says what became of it.
 */
import { cpuModel, type TierName, type TranslatorOptions } from '@smm/cpu-core';
import { type Firmware, type FirmwareShape, logLines, planTiles } from '@smm/edk2-relocation';
import { plannedSmbases as loggedSmbases, type TraceSink } from '@smm/trace';
import {
  countOrInfinity,
  oneOf,
  SAVE_STATE_AMD64,
  SAVE_STATE_LEGACY32_KVM,
  SAVE_STATE_LEGACY32_QEMU,
  type SaveStateLayout,
  UnmodelledError,
} from '@smm/x86-defs';
import { DEFAULT_KVM_OPTIONS, type KvmOptions } from '../../accel/kvm/options.ts';
import { resolveSwitches } from '../../hosts.ts';
import { Machine } from '../../machine.ts';
import type { MachineStop } from '../../machine-options.ts';
import { DEFAULT_SCHEDULE, type Schedule } from '../../scheduler.ts';
import { linearIp, strayCpus } from './astray.ts';
import { proveEndlessLoop } from './endless-loop.ts';
import type { CpuActivity, CpuReport, LoopProof, RelocationOutcome, RelocationReport } from './outcome.ts';
import { RelocationParts } from './parts.ts';
import { describeWait, type WaitContext } from './waiting.ts';

/** A configuration, in QEMU's words. */
export interface RelocationOptions {
  /** `-smp`: 1 to 255. Default 1. */
  readonly cpus?: number;
  /** `-m` in MiB. Default 2048. */
  readonly memoryMiB?: number;
  /** `qemu-system-i386` (32) or `qemu-system-x86_64` (64). Default 64. */
  readonly bitness?: 32 | 64;
  /** `-cpu`. Default `coreduo,-nx` for 32, `qemu64` for 64. */
  readonly cpu?: string;
  /** `-accel`. Default `tcg`. */
  readonly accelerator?: 'tcg' | 'kvm';
  /** Options of `-accel kvm`. */
  readonly kvm?: Partial<KvmOptions>;
  /** Host profile; default `linux-current`. */
  readonly host?: string;
  /** `+Q1`, `-Q1`... */
  readonly quirks?: readonly string[];
  /** Firmware shape. Default `2015`. */
  readonly edk2?: FirmwareShape;
  /** TSEG size in MiB. Default 8. */
  readonly tsegMb?: 1 | 2 | 8;
  /** False: a firmware whose BSP does not wait for mRebased, positive control of a race. */
  readonly waitForRebased?: boolean;
  /** A ROM instead of our firmware. */
  readonly rom?: Uint8Array;
  /** Turns of the processors. */
  readonly schedule?: Schedule;
  /** Instructions after which the run is given up. */
  readonly budget?: number;
  /** Receiver of trace events. */
  readonly trace?: TraceSink;
  /** How instructions are executed. Default `translator`. */
  readonly tier?: TierName;
  /** When code is translated. */
  readonly translator?: TranslatorOptions;
  /** Firmware and interpreter to share with other relocations. Default: none are shared. */
  readonly parts?: RelocationParts;
  /** Called now and then with what has been done so far. */
  readonly progress?: (instructions: number, logLines: number) => void;
  /**
   * Asked about every millisecond of host time, whatever the guest does; true lets whatever runs in steps yield. It
   * may look at the host's clock: the outcome is the same.
   */
  readonly interrupt?: () => boolean;
}

/**
 * Instructions of all processors between two looks at whether the machine hangs: often at first, for most runs are
 * short.
 */
const CHECK_EVERY = { early: 250_000, late: 2_000_000, earlyUntil: 2_000_000 };

/** Instructions that CPUs get to come to rest in when the firmware is done. */
const AFTER_THE_END = 50_000;

/** A built relocation: the machine can be run, saved and restored by hand. */
export interface Relocation {
  /** The machine, powered on. */
  readonly machine: Machine;
  /** The firmware; undefined with a ROM of the caller's. */
  readonly firmware: Firmware | undefined;
  /** Options with defaults filled in. */
  readonly options: RelocationOptions;
}

/** Default budget: generous for the number of processors. */
export function defaultBudget(cpus: number): number {
  return 12_000_000 + cpus * cpus * 40_000 + cpus * 4_000_000;
}

/** Builds firmware and machine. Throws `SmmError`s for options that make no sense or do not fit together. */
export function prepareRelocation(options: RelocationOptions): Relocation {
  checkOptions(options);
  const {
    cpus = 1,
    memoryMiB = 2048,
    bitness = 64,
    accelerator = 'tcg',
    edk2 = '2015',
    tsegMb = 8,
    parts = new RelocationParts(),
  } = options;
  const switches = resolveSwitches({ accelerator, host: options.host, quirks: options.quirks });
  const model = cpuModel(options.cpu ?? (bitness === 32 ? 'coreduo,-nx' : 'qemu64'));
  const firmware =
    options.rom === undefined
      ? parts.firmware({
          bitness,
          shape: edk2,
          tsegMb,
          waitForRebased: options.waitForRebased ?? true,
          quirks: switches.firmware,
        })
      : undefined;
  const machine = new Machine({
    cpus,
    memoryMiB,
    model: switches.emptyLeaf0B ? { ...model, level: Math.max(model.level, 0xb), leaf0b: 'zero' } : model,
    flash: options.rom ?? firmware!.image,
    saveState: saveStateLayout(accelerator, bitness, model.features.has('lm')),
    accelerator:
      accelerator === 'tcg'
        ? 'tcg'
        : { options: { ...DEFAULT_KVM_OPTIONS, ...options.kvm }, switches: switches.kvm },
    behaviour: switches.behaviour,
    schedule: options.schedule ?? DEFAULT_SCHEDULE,
    trace: options.trace,
    comm: bitness === 32 ? 'qemu-system-i38' : 'qemu-system-x86',
    interpreter: parts.interpreter,
    ...(options.tier === undefined ? {} : { tier: options.tier }),
    ...(options.translator && { translator: options.translator }),
  });
  const relocation = { machine, firmware, options };
  plannedSmbases(relocation); // throws where the tiles do not fit TSEG
  return relocation;
}

function checkOptions({ bitness, accelerator, edk2, tsegMb, budget }: RelocationOptions): void {
  if (bitness !== undefined) oneOf('bitness', bitness, [32, 64]);
  if (accelerator !== undefined) oneOf('accelerator', accelerator, ['tcg', 'kvm']);
  if (edk2 !== undefined) oneOf('edk2', edk2, ['2015', '2024']);
  if (tsegMb !== undefined) oneOf('tsegMb', tsegMb, [1, 2, 8]);
  if (budget !== undefined) countOrInfinity('budget', Math.ceil(budget));
}

/** Builds, runs and judges one relocation. */
export function relocate(options: RelocationOptions): RelocationReport {
  return runRelocation(prepareRelocation(options));
}

/** How far a run has come. */
export interface RelocationProgress {
  /** Instructions of all processors so far. */
  readonly instructions: number;
  /** Lines of the debug log so far. */
  readonly log: readonly string[];
}

/** Runs a prepared relocation from where it stands to its outcome. */
export function runRelocation(relocation: Relocation): RelocationReport {
  const pieces = runInPieces(relocation);
  for (;;) {
    const piece = pieces.next();
    if (piece.done === true) return piece.value;
    relocation.options.progress?.(piece.value.instructions, piece.value.log.length);
  }
}

/** Runs on by so many instructions, and yields whenever the options' `interrupt` says so. */
function* runOn(
  { machine, options }: Relocation,
  instructions: number,
): Generator<RelocationProgress, MachineStop> {
  const end = machine.retired + instructions;
  const limits = options.interrupt && { interrupt: options.interrupt };
  for (;;) {
    const stop = machine.run({ instructions: Math.max(0, end - machine.retired), ...limits });
    if (stop !== 'interrupted') return stop;
    yield { instructions: machine.retired, log: machine.log };
  }
}

/** As {@link runRelocation}, and yields now and then, so that a caller can show progress, answer signals or stop. */
export function* runInPieces(relocation: Relocation): Generator<RelocationProgress, RelocationReport> {
  const { machine, options } = relocation;
  const budget = options.budget ?? defaultBudget(options.cpus ?? 1);
  const end: End = { stop: 'budget', proof: undefined, stray: [], unmodelled: undefined };
  while (machine.retired < budget) {
    try {
      end.stop = yield* runOn(relocation, Math.min(nextCheck(machine.retired), budget) - machine.retired);
    } catch (error) {
      if (!(error instanceof UnmodelledError && isAstray(relocation))) throw error;
      end.unmodelled = error;
    }
    if (end.unmodelled !== undefined || end.stop !== 'budget') break;
    if (isDone(relocation)) {
      // Whoever still runs after this has nothing to add.
      end.stop = yield* runOn(relocation, AFTER_THE_END);
      break;
    }
    end.stray = strayOf(relocation);
    if (end.stray.length > 0) break;
    end.proof = proveEndlessLoop(machine);
    if (end.proof !== undefined) break;
    yield { instructions: machine.retired, log: machine.log };
  }
  return judge(relocation, end);
}

/** How a run ended. */
interface End {
  stop: MachineStop;
  proof: LoopProof | undefined;
  /** CPUs that were found where the firmware has no code. */
  stray: readonly number[];
  /** What a CPU met that is not modelled, on its way from a wrong SMBASE. */
  unmodelled: UnmodelledError | undefined;
}

/** Looks come at fixed instruction counts, so that a run continued from a snapshot takes the same course. */
function nextCheck(retired: number): number {
  const every = retired < CHECK_EVERY.earlyUntil ? CHECK_EVERY.early : CHECK_EVERY.late;
  return (Math.floor(retired / every) + 1) * every;
}

function strayOf(relocation: Relocation): number[] {
  const { machine, firmware } = relocation;
  const smbases = plannedSmbases(relocation).flatMap((smbase) => smbase ?? []);
  return firmware === undefined ? [] : strayCpus(machine, firmware, smbases);
}

/** The firmware wrote its last line. */
function isDone({ machine }: Relocation): boolean {
  return machine.log.includes(logLines.end());
}

/** The firmware believes that all CPUs are relocated, and one is not: the next SMI starts it where no handler is. */
function isAstray(relocation: Relocation): boolean {
  const { machine } = relocation;
  if (!machine.log.includes(logLines.moduleExit())) return false;
  const planned = plannedSmbases(relocation);
  return machine.processors.some(
    ({ state }, id) => planned[id] !== undefined && state.smbase !== planned[id],
  );
}

function judge(relocation: Relocation, end: End): RelocationReport {
  const { proof } = end;
  const { machine, firmware } = relocation;
  const planned = plannedSmbases(relocation);
  const finished = isDone(relocation);
  const context: WaitContext = { machine, firmware, proof, finished };
  const cpus = machine.processors.map((_, id): CpuReport => {
    const { state } = machine.processors[id]!;
    return {
      id,
      smbase: state.smbase,
      planned: planned[id],
      state: activity(machine, id, proof),
      smm: state.smm,
      rip: state.rip,
      waitingOn: describeWait(id, context),
      smmEntries: machine.smmEntries[id]!,
    };
  });
  const firstSmi = finished ? firstSmiOf(machine.log, cpus.length) : undefined;
  const { outcome, summary } = verdict(relocation, end, cpus, firstSmi);
  const { accelerator } = machine;
  return {
    outcome,
    summary,
    cpus,
    firstSmi,
    log: [...machine.log],
    proof,
    shutdown: machine.shutdownReason,
    instructions: machine.retired,
    virtualNs: machine.clock.now(),
    exits: new Map(accelerator.exitCounts),
    notes: notesOf(relocation, end, cpus, firstSmi),
  };
}

/** By processor: by the firmware's rules, or as a ROM of the user's writes into its debug log. */
function plannedSmbases({ firmware, machine, options }: Relocation): readonly (number | undefined)[] {
  if (firmware === undefined) return loggedSmbases(machine.log);
  const { handlerSize, tsegMb } = firmware;
  const tolud = machine.chipset.memoryMap.ram.belowBytes;
  return planTiles({ tolud, cpus: options.cpus ?? 1, shape: options.edk2 ?? '2015', handlerSize, tsegMb })
    .smbase;
}

function activity(machine: Machine, id: number, proof: LoopProof | undefined): CpuActivity {
  const idle = machine.idleReason(id);
  if (idle !== undefined) return idle;
  return proof?.loops.some((loop) => loop.id === id) === true ? 'spinning' : 'running';
}

/** What the firmware's own report of the first normal SMI says. */
function firstSmiOf(log: readonly string[], cpus: number): RelocationReport['firstSmi'] {
  for (let entered = 0; entered <= cpus; entered++) {
    if (log.includes(logLines.firstSmiCount(entered, cpus))) return { entered, of: cpus };
  }
  return undefined;
}

/** Indices of the CPUs of which the firmware says that they did not come to the first normal SMI. */
function absentees(log: readonly string[]): number[] {
  return log.flatMap((line) => {
    const match = /^First SMI: CPU\[([0-9A-F]+)\].*did not check in$/.exec(line);
    return match === null ? [] : [Number.parseInt(match[1]!, 16)];
  });
}

function notesOf(
  { machine, options }: Relocation,
  { unmodelled }: End,
  cpus: readonly CpuReport[],
  firstSmi: RelocationReport['firstSmi'],
): string[] {
  const notes: string[] = [];
  if (options.kvm?.kernelIrqchip === false && options.accelerator === 'kvm') {
    notes.push(
      'kernel_irqchip=off puts the local APICs into user space: KVM has no APIC-access page then, and SMM sees the same registers. ' +
        'That QEMU of 2015 could then only be killed with SIGKILL is a fault of that program and not modelled.',
    );
  }
  if (firstSmi !== undefined && firstSmi.entered < firstSmi.of && cpus.every(isPlaced)) {
    const missing = absentees(machine.log).map((id) => `CPU ${id}`);
    notes.push(
      `Every CPU has its SMBASE, but the first normal SMI reached ${firstSmi.entered} of ${firstSmi.of}: ${missing.join(', ')} missed it, and will miss the next ones.`,
    );
  }
  if (unmodelled !== undefined)
    notes.push(`The run ended at something that is not modelled: ${unmodelled.message}.`);
  return notes;
}

/** Misplaced CPUs that a summary names; the report has them all. */
const NAMED_IN_SUMMARY = 4;

function isPlaced(cpu: CpuReport): boolean {
  return cpu.smbase === cpu.planned;
}

/** A plan is known, and this is not it. */
function isMisplaced(cpu: CpuReport): boolean {
  return cpu.planned !== undefined && !isPlaced(cpu);
}

function verdict(
  relocation: Relocation,
  { stop, proof, stray, unmodelled }: End,
  cpus: readonly CpuReport[],
  firstSmi: RelocationReport['firstSmi'],
): { outcome: RelocationOutcome; summary: string } {
  const { machine, firmware } = relocation;
  const wrong = cpus.filter(isMisplaced);
  const wrongText = [
    ...wrong
      .slice(0, NAMED_IN_SUMMARY)
      .map((cpu) => `CPU ${cpu.id} has SMBASE ${hex(cpu.smbase)} where ${hex(cpu.planned!)} was planned`),
    ...(wrong.length > NAMED_IN_SUMMARY ? [`and so on for ${wrong.length - NAMED_IN_SUMMARY} more`] : []),
  ].join(', ');
  const shutDown = stop === 'shutdown' ? `shut down: ${machine.shutdownReason}` : undefined;
  if (isAstray(relocation)) {
    const garbage = unmodelled && 'the next SMI started a CPU where no handler is';
    const consequence = shutDown ?? garbage;
    return {
      outcome: 'wrong-smbase',
      summary: [wrongText, ...(consequence ? [consequence] : [])].join('; '),
    };
  }
  if (shutDown !== undefined) return { outcome: 'shutdown', summary: shutDown };
  if (firstSmi !== undefined && cpus.every(isPlaced)) {
    const { entered, of } = firstSmi;
    const summary =
      entered === of
        ? `${of} of ${of} CPUs relocated and entered a normal SMI at their own SMBASE`
        : `${of} of ${of} CPUs relocated, but only ${entered} of them entered the first normal SMI`;
    return { outcome: 'relocated', summary };
  }
  if (firmware === undefined && stop === 'idle') {
    const halted = 'the ROM ran until every processor halted';
    if (cpus.every(isPlaced))
      return { outcome: 'relocated', summary: `${halted}, each with the SMBASE that its log planned` };
    if (cpus.every((cpu) => cpu.planned === undefined))
      return { outcome: 'ended', summary: `${halted}; its debug log plans no SMBASE` };
  }
  if (stop === 'idle' || proof !== undefined) {
    const waits = cpus.filter((cpu) => cpu.waitingOn !== undefined && cpu.state === 'spinning');
    const what = waits.map((cpu) => `CPU ${cpu.id} ${cpu.waitingOn}`).join('; ');
    const parts = [what || 'every processor is halted and nothing will wake one', wrongText].filter(
      (text) => text !== '',
    );
    const where = cpus.some((cpu) => cpu.planned !== undefined) ? 'stuck in SMBASE relocation' : 'stuck';
    return { outcome: 'stuck', summary: `${where}: ${parts.join('; ')}` };
  }
  const lost = stray.map(
    (id) =>
      `CPU ${id} runs at ${hex(linearIp(machine, id))}${cpus[id]!.smm ? ' in SMM' : ''}, where the firmware has no code`,
  );
  const why = lost.length > 0 ? lost.join(', ') : 'without an end or a proven endless loop';
  return {
    outcome: 'budget-exhausted',
    summary: `gave up after ${machine.retired} instructions${lost.length > 0 ? ': ' : ' '}${why}`,
  };
}

function saveStateLayout(accelerator: 'tcg' | 'kvm', bitness: 32 | 64, longMode: boolean): SaveStateLayout {
  if (accelerator === 'tcg') return bitness === 64 ? SAVE_STATE_AMD64 : SAVE_STATE_LEGACY32_QEMU;
  return longMode ? SAVE_STATE_AMD64 : SAVE_STATE_LEGACY32_KVM;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
