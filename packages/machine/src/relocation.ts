/** One relocation from reset to its outcome: builds our firmware and the machine, runs it, and says what became of it. */
import { cpuModel } from '@smm/cpu-core';
import { buildFirmware, type Firmware, type FirmwareShape, logLines, planTiles } from '@smm/edk2-relocation';
import type { TraceSink } from '@smm/trace';
import { SAVE_STATE_AMD64, SAVE_STATE_LEGACY32_KVM, SAVE_STATE_LEGACY32_QEMU, type SaveStateLayout } from '@smm/x86-defs';
import { proveEndlessLoop } from './endless-loop.ts';
import { resolveSwitches } from './hosts.ts';
import { KvmAccelerator } from './kvm/kvm.ts';
import { DEFAULT_KVM_OPTIONS, type KvmOptions } from './kvm/options.ts';
import { Machine, type MachineStop } from './machine.ts';
import type { CpuActivity, CpuReport, LoopProof, RelocationOutcome, RelocationReport } from './outcome.ts';
import { DEFAULT_SCHEDULE, type Schedule } from './scheduler.ts';
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
  /** Which interpreter. Default `wasm`. */
  readonly tier?: 'wasm' | 'evaluator';
  /** Called now and then with what has been done so far. */
  readonly progress?: (instructions: number, logLines: number) => void;
}

/** Instructions of all processors between two looks at whether the machine hangs. */
const CHECK_EVERY = 2_000_000;

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
  return 40_000_000 + cpus * cpus * 40_000 + cpus * 4_000_000;
}

/** Builds firmware and machine. Throws `SmmError`s for options that do not fit together. */
export function prepareRelocation(options: RelocationOptions): Relocation {
  const { cpus = 1, memoryMiB = 2048, bitness = 64, accelerator = 'tcg', edk2 = '2015', tsegMb = 8 } = options;
  const switches = resolveSwitches({ accelerator, host: options.host, quirks: options.quirks });
  const model = cpuModel(options.cpu ?? (bitness === 32 ? 'coreduo,-nx' : 'qemu64'));
  const firmware =
    options.rom === undefined
      ? buildFirmware({
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
    ...(options.tier === undefined ? {} : { tier: options.tier }),
  });
  return { machine, firmware, options };
}

/** Builds, runs and judges one relocation. */
export function relocate(options: RelocationOptions): RelocationReport {
  return runRelocation(prepareRelocation(options));
}

/** Runs a prepared relocation from where it stands to its outcome. */
export function runRelocation(relocation: Relocation): RelocationReport {
  const { machine, options } = relocation;
  const budget = options.budget ?? defaultBudget(options.cpus ?? 1);
  let stop: MachineStop = 'budget';
  let proof: LoopProof | undefined;
  while (machine.retired < budget) {
    // Looks at fixed instruction counts, so that a run continued from a snapshot takes the same course.
    const nextCheck = (Math.floor(machine.retired / CHECK_EVERY) + 1) * CHECK_EVERY;
    stop = machine.run({ instructions: Math.min(nextCheck, budget) - machine.retired });
    options.progress?.(machine.retired, machine.log.length);
    if (stop !== 'budget') break;
    proof = proveEndlessLoop(machine);
    if (proof !== undefined) break;
  }
  return judge(relocation, stop, proof);
}

function judge(relocation: Relocation, stop: MachineStop, proof: LoopProof | undefined): RelocationReport {
  const { machine, firmware, options } = relocation;
  const planned = plannedSmbases(relocation);
  const finished = firmware !== undefined && machine.log.includes(logLines.end());
  const context: WaitContext = { machine, firmware, proof, finished };
  const cpus = machine.processors.map((_, id): CpuReport => {
    const { state } = machine.processors[id]!;
    return {
      id,
      smbase: state.smbase,
      planned: planned[id] ?? state.smbase,
      state: activity(machine, id, proof),
      smm: state.smm,
      rip: state.rip,
      waitingOn: describeWait(id, context),
      smmEntries: machine.smmEntries[id]!,
    };
  });
  const { outcome, summary } = verdict(relocation, stop, proof, cpus, finished);
  const { accelerator } = machine;
  return {
    outcome,
    summary,
    cpus,
    log: [...machine.log],
    proof,
    shutdown: machine.shutdownReason,
    instructions: machine.retired,
    virtualNs: machine.clock.now(),
    exits: accelerator instanceof KvmAccelerator ? new Map(accelerator.exits.counts) : new Map(),
    notes:
      options.kvm?.kernelIrqchip === false
        ? [
            'kernel_irqchip=off puts the local APICs into user space: KVM has no APIC-access page then, and SMM sees the same registers. ' +
              "That QEMU of 2015 could then only be killed with SIGKILL is a fault of that program and not modelled.",
          ]
        : [],
  };
}

function plannedSmbases({ firmware, machine, options }: Relocation): readonly number[] {
  if (firmware === undefined) return [];
  const { handlerSize, tsegMb } = firmware;
  const tolud = machine.chipset.memoryMap.ram.belowBytes;
  return planTiles({ tolud, cpus: options.cpus ?? 1, shape: options.edk2 ?? '2015', handlerSize, tsegMb }).smbase;
}

function activity(machine: Machine, id: number, proof: LoopProof | undefined): CpuActivity {
  const idle = machine.idleReason(id);
  if (idle !== undefined) return idle;
  return proof?.loops.some((loop) => loop.id === id) === true ? 'spinning' : 'running';
}

function verdict(
  { machine, firmware }: Relocation,
  stop: MachineStop,
  proof: LoopProof | undefined,
  cpus: readonly CpuReport[],
  finished: boolean,
): { outcome: RelocationOutcome; summary: string } {
  const wrong = cpus.filter((cpu) => cpu.smbase !== cpu.planned);
  const wrongText = wrong.map((cpu) => `CPU ${cpu.id} has SMBASE ${hex(cpu.smbase)} where ${hex(cpu.planned)} was planned`).join(', ');
  if (stop === 'shutdown') return { outcome: 'shutdown', summary: `shut down: ${machine.shutdownReason}` };
  if (firmware === undefined) {
    if (stop === 'idle') return { outcome: 'relocated', summary: 'the ROM ran until every processor halted' };
  } else if (finished) {
    if (wrong.length > 0) return { outcome: 'wrong-smbase', summary: wrongText };
    const missing = machine.log.filter((line) => line.endsWith('did not check in'));
    if (missing.length > 0) {
      return { outcome: 'stuck', summary: `${missing.length} of ${cpus.length} CPUs did not check in at the first normal SMI` };
    }
    return { outcome: 'relocated', summary: `${cpus.length} of ${cpus.length} CPUs relocated and entered a normal SMI at their own SMBASE` };
  }
  if (stop === 'idle' || proof !== undefined) {
    const waits = cpus.filter((cpu) => cpu.waitingOn !== undefined && cpu.state === 'spinning');
    const what = waits.map((cpu) => `CPU ${cpu.id} ${cpu.waitingOn}`).join('; ');
    const parts = [what || 'every processor is halted and nothing will wake one', wrongText].filter((text) => text !== '');
    return { outcome: 'stuck', summary: `stuck in SMBASE relocation: ${parts.join('; ')}` };
  }
  return {
    outcome: 'budget-exhausted',
    summary: `gave up after ${machine.retired} instructions without an end or a proven endless loop`,
  };
}

function saveStateLayout(accelerator: 'tcg' | 'kvm', bitness: 32 | 64, longMode: boolean): SaveStateLayout {
  if (accelerator === 'tcg') return bitness === 64 ? SAVE_STATE_AMD64 : SAVE_STATE_LEGACY32_QEMU;
  return longMode ? SAVE_STATE_AMD64 : SAVE_STATE_LEGACY32_KVM;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
