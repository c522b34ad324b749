/** Boots firmware that nobody here wrote: flash images in, serial text out, and a verdict. */
import type { CivilTime, FwCfgFile, SleepStates, Uart16550 } from '@smm/chipset-q35';
import {
  checkOptions,
  isAny,
  isBytes,
  isFlag,
  isFunction,
  isListOf,
  isObject,
  isOneOf,
  isShape,
  isWhole,
  maybe,
  type OptionShape,
  RFLAGS_IF,
  SmmError,
  UnmodelledError,
  wholeNumber,
} from '@smm/x86-defs';
import { Machine } from '../../machine.ts';
import type { ProcessorTopology } from '../../machine-options.ts';
import { type ConfigDefaults, type MachineConfig, resolveConfig } from '../config.ts';
import { countsOf, cpuCore } from '../report.ts';
import { Looks } from '../run.ts';
import { type BusyWait, BusyWaitDetector } from './busy-wait.ts';
import { LostDetector } from './lost.ts';
import { type ModuleLocation, ModuleMap, type VolumeRange } from './module-map.ts';
import { PhaseTracker, phaseOf, SHELL_BANNER } from './phase.ts';
import { type BootPlatformOptions, bootPlatform } from './platform.ts';
import type { BootCpuReport, BootOutcome, BootReport, BootStuck } from './report.ts';

/** What to boot and on what. */
export interface BootOptions extends MachineConfig {
  /** Flash with code; ends at 4 GiB. */
  readonly code: Uint8Array;
  /** Flash with variables; right below the code. The machine works on a copy. Left out: `code` is a ROM (`-bios`). */
  readonly vars?: Uint8Array;
  /** SMI features offered: bit 0 broadcast, 1 hot-plug, 2 hot-unplug; null for no files. Default 7, as QEMU. */
  readonly smiFeatures?: number | null;
  /** A PS/2 keyboard is there. Default true. */
  readonly keyboard?: boolean;
  /** Where the processors sit. Default: one package of cores. */
  readonly topology?: ProcessorTopology;
  /** 32: as `qemu-system-i386`, whose SMM save state is another under TCG. Default 64. */
  readonly bitness?: 32 | 64;
  /** Flash can be written in SMM alone (`cfi.pflash01.secure`). Default true. */
  readonly secureFlash?: boolean;
  /** Sleep states that the firmware is told of. Default S3 and S4. */
  readonly sleepStates?: SleepStates;
  /** Further files for the firmware (`-fw_cfg`). */
  readonly fwCfgFiles?: readonly FwCfgFile[];
  /** Size of the extended TSEG in MiB (`mch.extended-tseg-mbytes`); 0: none. Default 16. */
  readonly extTsegMb?: number;
  /** Calendar time at power-on. Default 2015-10-21T00:00:00. */
  readonly startTime?: CivilTime;
  /** Output of the debug port 402h. */
  readonly debug?: (byte: number) => void;
  /** ACPI tables are offered through fw_cfg. Default false: firmware that finds some goes another way than without. */
  readonly acpi?: boolean;
  /** Serial output of the guest. */
  readonly serial?: (byte: number) => void;
  /** The guest may take more serial input. */
  readonly roomAgain?: () => void;
  /** The variable store changed. */
  readonly varsWritten?: () => void;
  /** Instructions between two looks for a hang. Default 8,000,000. */
  readonly lookEvery?: number;
}

/** Why {@link Boot.run} returned. */
export type BootStop =
  | 'budget'
  | 'interrupted'
  | 'idle'
  | 'shutdown'
  | 'stuck'
  | 'lost'
  | 'reset'
  | 'powered-off';

/** What the reference measurements were made with. */
const DEFAULTS: ConfigDefaults = {
  memoryMiB: 256,
  cpu: 'qemu64',
  schedule: { seed: 0, slice: 100_000 },
  nsPerInstruction: 64,
  bitness: 64,
};
/** Where SecMain unpacks the PEI and DXE volumes on OVMF, and where code lies in flash: see OVMF's memory map. */
const UNPACKED_VOLUMES: VolumeRange[] = [
  { start: 0x82_0000, sizeBytes: 0xe_0000 },
  { start: 0x90_0000, sizeBytes: 0xe0_0000 },
];
/** Instructions between two looks for a hang, unless the options say otherwise. */
const LOOK_EVERY = 8_000_000;
/** Instructions between two looks at the phase. */
const PHASE_EVERY = 100_000;
/** Instructions after which unknown code makes the volumes worth another look. */
const LEARN_EVERY = 20_000_000;
/** Instructions in which a module of the firmware, or anything on the serial port, must have been seen. */
const FIRST_SIGN = 100_000_000;
const VECTOR_DOUBLE_FAULT = 8;
/** Virtual time without an instruction after which processors that take no interrupts are asleep for ever. */
const ASLEEP_NS = 1_000_000_000;
/** The same for processors that would take one. */
const ASLEEP_LISTENING_NS = 600_000_000_000;
/** Characters of a text to wait for. */
const LONGEST_TEXT = 4096;
/** SLP_TYP that turns the machine off: what QEMU's tables give for S5. */
const SLEEP_OFF = 0;

/** What a boot has beside its machine's configuration. */
const BOOT_SHAPE: OptionShape<Omit<BootOptions, keyof MachineConfig>> = {
  code: isBytes,
  vars: maybe(isBytes),
  smiFeatures: (option, value) => {
    if (value !== null) maybe(isWhole(0, 7))(option, value);
  },
  keyboard: maybe(isFlag),
  topology: isAny,
  bitness: maybe(isOneOf([32, 64])),
  secureFlash: maybe(isFlag),
  sleepStates: maybe(isShape<SleepStates>({ s3: isFlag, s4: isFlag })),
  fwCfgFiles: maybe(isListOf(isObject)),
  extTsegMb: isAny,
  startTime: isAny,
  debug: maybe(isFunction),
  acpi: maybe(isFlag),
  serial: maybe(isFunction),
  roomAgain: maybe(isFunction),
  varsWritten: maybe(isFunction),
  lookEvery: maybe(isWhole(1)),
};

/** No chip for variables. */
const NO_FLASH = new Uint8Array(0);

/** A machine with firmware in flash. */
export class Boot {
  /** The machine. */
  readonly machine: Machine;
  /** The hang, once it is established. */
  busyWait: BusyWait | undefined;
  /** Who executes what is no code, in words, once that is established. */
  lost: string | undefined;
  /** Where the firmware is. */
  readonly phases: PhaseTracker = new PhaseTracker();

  readonly #options: BootOptions;
  readonly #modules: ModuleMap;
  readonly #detector: BusyWaitDetector;
  readonly #delivered = new Map<string, number>();
  readonly #watchers: SerialWatcher[] = [];
  readonly #lostDetector: LostDetector;
  readonly #looks: Looks;
  #banner = new SerialWatcher(SHELL_BANNER);
  #spoke = false;
  #idle = false;
  /** Instructions and virtual time when an instruction was last seen to retire. */
  #active = { retired: -1, ns: 0 };
  /** Processor that took a double fault which has not been looked at. */
  #doubleFaulted: number | undefined;
  #resetAsked = false;
  #offAsked = false;
  #learnedAt = Number.NEGATIVE_INFINITY;
  #lookedAt = 0;
  /** The last run was interrupted, perhaps in the middle of a turn. */
  #cut = false;

  /** Throws `SmmError` `FLASH_SIZE` for images that cannot be flash, and what `Machine` throws. */
  constructor(options: BootOptions) {
    checkOptions('the options of a boot', options, BOOT_SHAPE);
    this.#options = options;
    const { code, vars = NO_FLASH } = options;
    checkFlash(code, options.vars);
    const config = resolveConfig(options, { ...DEFAULTS, bitness: options.bitness ?? 64 });
    const flash = new Uint8Array(vars.length + code.length);
    flash.set(vars);
    flash.set(code, vars.length);
    const platform: BootPlatformOptions = {
      varsSize: vars.length,
      secureFlash: options.secureFlash ?? true,
      fwCfg: {
        ...(options.sleepStates && { sleepStates: options.sleepStates }),
        ...(options.fwCfgFiles && { files: options.fwCfgFiles }),
      },
      smiFeatures: options.smiFeatures ?? (options.smiFeatures === null ? 0 : 7),
      keyboard: options.keyboard ?? true,
      acpi: options.acpi ?? false,
      transmit: (byte) => {
        for (const watcher of this.#watchers) watcher.see(byte);
        this.#spoke = true;
        this.#banner.see(byte);
        if (this.#banner.found) this.phases.see('shell', this.machine.chipsetSmis);
        options.serial?.(byte);
      },
      roomAgain: () => options.roomAgain?.(),
      varsWritten: () => options.varsWritten?.(),
    };
    this.machine = new Machine({
      ...config.machine,
      flash,
      ...(options.topology !== undefined && { topology: options.topology }),
      board: {
        ...(options.extTsegMb !== undefined && { extTsegMb: options.extTsegMb }),
        ...(options.startTime !== undefined && { startTime: options.startTime }),
      },
      ...(options.debug && { debug: options.debug }),
      comm: 'qemu-system-x86',
      yieldOnPause: true,
      onReset: () => {
        this.#resetAsked = true;
      },
      onSleep: (type) => {
        if (type !== SLEEP_OFF) refuseSleep(type);
        this.#offAsked = true;
      },
      observer: {
        interruptDelivered: (processor, vector, kind) => {
          if (vector === VECTOR_DOUBLE_FAULT && kind === 'exception') this.#doubleFaulted ??= processor;
          const key = `${kind} ${vector}`;
          this.#delivered.set(key, (this.#delivered.get(key) ?? 0) + 1);
        },
      },
      peripherals: (parts) => bootPlatform(platform, parts),
    });
    this.#modules = new ModuleMap((gpa, size) => this.machine.peek(gpa, size, true));
    this.#detector = new BusyWaitDetector(this.machine);
    this.#lostDetector = new LostDetector(this.machine);
    const { lookEvery = LOOK_EVERY } = options;
    this.#looks = new Looks(this.machine, () => lookEvery);
  }

  /** COM1: bytes for the guest go into {@link Uart16550.receive}. */
  get serial(): Uart16550 {
    return this.machine.chipset.devices.serial!;
  }

  /**
   * Runs for up to `instructions` of all processors, or until `until` says so. `stuck` and `lost` are answered once:
   * calling again goes on. `reset`: the guest asked for a reset; {@link Boot.restart} does it. `interrupted`:
   * `interrupt` said so, as for `Machine.run`.
   */
  run(instructions: number, until?: () => boolean, interrupt?: () => boolean): BootStop {
    const { machine } = this;
    const end = machine.retired + instructions;
    if (instructions <= 0 && !this.#cut) return 'budget';
    do {
      const stop = this.#looks.run(end, {
        until: () => {
          this.#followPhase();
          if (this.#sleepsForEver()) return true;
          if (this.#doubleFaulted !== undefined && this.lost === undefined) return true;
          return this.#resetAsked || this.#offAsked || until?.() === true;
        },
        ...(interrupt && { interrupt }),
      });
      this.#cut = stop === 'interrupted';
      if (stop === 'interrupted') return stop;
      if (stop !== 'shutdown' && this.#afterDoubleFault()) return 'lost';
      if (this.#idle) {
        this.#idle = false;
        return 'idle';
      }
      if (this.#offAsked) return 'powered-off';
      if (this.#resetAsked) return 'reset';
      if (stop === 'asked') return 'budget';
      if (stop === 'shutdown' || stop === 'idle') return stop;
      if (!this.#looks.due) continue;
      const verdict = this.#look();
      this.#looks.taken();
      if (verdict !== undefined) return verdict;
    } while (machine.retired < end);
    return 'budget';
  }

  /** Does the system reset that the guest asked for: everything but RAM contents, flash contents and time. */
  restart(): void {
    this.#resetAsked = false;
    this.#offAsked = false;
    this.busyWait = undefined;
    this.lost = undefined;
    this.phases.restart();
    this.#banner = new SerialWatcher(SHELL_BANNER);
    this.machine.systemReset();
  }

  /**
   * A question that is answered with true once the guest has sent `text` over the serial port after this call. Throws
   * `SmmError` `OPTION_VALUE` for a text without characters.
   */
  watchSerial(text: string): () => boolean {
    wholeNumber('the length of the text to wait for', text.length, 1, LONGEST_TEXT);
    const watcher = new SerialWatcher(text);
    this.#watchers.push(watcher);
    return () => watcher.found;
  }

  /** The variable store as it is now; a copy. */
  vars(): Uint8Array {
    const { romOffset } = this.machine.plan;
    return this.machine.bytes.slice(romOffset, romOffset + (this.#options.vars?.length ?? 0));
  }

  /** The firmware module at a linear address, by the volumes that the firmware has unpacked so far. */
  moduleAt(address: number): ModuleLocation | undefined {
    return this.#modules.find(address) ?? (this.#learn() ? this.#modules.find(address) : undefined);
  }

  /** Module that the boot processor is in, as far as known without a new look at the volumes. */
  moduleNow(): ModuleLocation | undefined {
    return this.#modules.find(Number(this.machine.processors[0]!.state.rip));
  }

  /** What each processor does. */
  cpus(): BootCpuReport[] {
    return this.machine.processors.map((processor, id) => ({
      ...cpuCore(this.machine, id),
      idle: this.machine.idleReason(id),
      module: this.moduleAt(Number(processor.state.rip)),
    }));
  }

  /** The hang with its module, once it is established. */
  stuck(): BootStuck | undefined {
    const { busyWait } = this;
    return busyWait && { ...busyWait, module: this.moduleAt(busyWait.rip) };
  }

  /** Everything that is known now, under the given verdict. */
  report(outcome: BootOutcome, summary: string, resets = 0): BootReport {
    const { machine, phases } = this;
    phases.see(undefined, machine.chipsetSmis);
    return {
      outcome,
      summary,
      phase: phases.phase,
      cpus: this.cpus(),
      stuck: this.stuck(),
      smis: machine.chipsetSmis,
      smisByPhase: new Map(phases.smis),
      delivered: new Map(this.#delivered),
      resets,
      ...countsOf(machine),
    };
  }

  #look(): 'stuck' | 'lost' | undefined {
    if (this.busyWait === undefined) {
      this.busyWait = this.#detector.look();
      if (this.busyWait !== undefined) return 'stuck';
    }
    if (this.lost === undefined) {
      this.lost = this.#lostDetector.look() ?? this.#signOfLife();
      if (this.lost !== undefined) return 'lost';
    }
    return undefined;
  }

  /** Nothing has executed for long virtual time although timers go on: no interrupt comes through. */
  #sleepsForEver(): boolean {
    const { machine } = this;
    const ns = machine.clock.now();
    if (machine.retired !== this.#active.retired) {
      this.#active = { retired: machine.retired, ns };
      return false;
    }
    if (ns - this.#active.ns < ASLEEP_NS) return false;
    const deaf = machine.processors.every(({ state }) => (state.rflags & RFLAGS_IF) === 0);
    this.#idle = deaf || ns - this.#active.ns >= ASLEEP_LISTENING_NS;
    return this.#idle;
  }

  /** A double fault that no code of the firmware handles. */
  #afterDoubleFault(): boolean {
    const id = this.#doubleFaulted;
    this.#doubleFaulted = undefined;
    if (id === undefined || this.lost !== undefined) return false;
    const { rip } = this.machine.processors[id]!.state;
    if (this.moduleAt(Number(rip)) !== undefined) return false;
    this.lost = `CPU ${id} took a double fault and went on at 0x${rip.toString(16)}, where no module of the firmware is`;
    return true;
  }

  /** Garbage can run for ever; firmware runs a module of its own soon, or says something. */
  #signOfLife(): string | undefined {
    if (this.#spoke || this.phases.phase !== 'reset' || this.machine.retired < FIRST_SIGN) return undefined;
    return `after ${this.machine.retired} instructions no module of a firmware volume has run and nothing was printed: this is not firmware, or not for this processor`;
  }

  #followPhase(): void {
    const { machine } = this;
    if (machine.retired < this.#lookedAt + PHASE_EVERY) return;
    this.#lookedAt = machine.retired;
    let module = this.moduleNow();
    if (module === undefined && machine.retired >= this.#learnedAt + LEARN_EVERY && this.#learn())
      module = this.moduleNow();
    this.phases.see(module && phaseOf(module), machine.chipsetSmis);
  }

  /** Looks at the volumes, if the guest has run since the last time. */
  #learn(): boolean {
    const { retired } = this.machine;
    if (retired === this.#learnedAt) return false;
    this.#learnedAt = retired;
    const { length } = this.#options.code;
    this.#modules.learn([...UNPACKED_VOLUMES, { start: 0x1_0000_0000 - length, sizeBytes: length }]);
    return true;
  }
}

/** Waits for a text in a stream of bytes. */
class SerialWatcher {
  found = false;
  readonly #text: string;
  #tail = '';

  constructor(text: string) {
    this.#text = text;
  }

  see(byte: number): void {
    if (this.found) return;
    this.#tail = (this.#tail + String.fromCharCode(byte)).slice(-this.#text.length);
    this.found = this.#tail === this.#text;
  }
}

function refuseSleep(type: number): never {
  throw new UnmodelledError(
    'SLEEP_STATE',
    `the guest asked for sleep type ${type}`,
    'Only turning off (S5) is modelled: boot without suspending.',
    { type },
  );
}

function checkFlash(code: Uint8Array, vars: Uint8Array | undefined): void {
  for (const [name, image] of [
    ['code', code],
    ['variable', vars],
  ] as const) {
    if (image === undefined) continue;
    if (image.length === 0 || image.length % 4096 !== 0 || image.length > 16 * 1024 * 1024) {
      throw new SmmError(
        'FLASH_SIZE',
        `the ${name} flash image has ${image.length} bytes`,
        'A flash image is a whole number of 4 KiB blocks, 16 MiB at most: give the firmware files as the distribution installs them.',
        { name, size: image.length },
      );
    }
  }
  const size = code.length + (vars?.length ?? 0);
  if (size > 16 * 1024 * 1024) {
    throw new SmmError(
      'FLASH_SIZE',
      `code and variables together have ${size} bytes`,
      'Both flash chips together must fit into the 16 MiB below 4 GiB.',
      { size },
    );
  }
}
