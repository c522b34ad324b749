/** What a machine is built from, how it is run, and what a snapshot of it holds. */
import type { VirtualClockState } from '@smm/bus';
import type {
  Board,
  InterruptOptions,
  Part,
  PeripheralOptions,
  Q35Chipset,
  Q35Options,
  WakeCause,
} from '@smm/chipset-q35';
import type {
  CpuModel,
  Interpreter,
  ProcessorBehaviour,
  ProcessorObserver,
  ProcessorSnapshot,
  TierName,
  TranslatorOptions,
} from '@smm/cpu-core';
import { isCpuModel, TIER_NAMES } from '@smm/cpu-core';
import type { TraceSink } from '@smm/trace';
import {
  checkOptions,
  isAny,
  isBytes,
  isFlag,
  isFunction,
  isListOf,
  isNumber,
  isObject,
  isOneOf,
  isPositive,
  isShape,
  isText,
  isWhole,
  maybe,
  type OptionShape,
  refuse,
  type SaveStateLayout,
  SmmError,
} from '@smm/x86-defs';
import type { LocalApicState } from '@smm/xapic';
import { type AcceleratorChoice, isAcceleratorChoice } from './accel/build.ts';
import type { DriverState } from './driver.ts';
import { fnv1a } from './fnv1a.ts';
import type { DebugConsoleState } from './platform/debug-console.ts';
import type { HostPagesState } from './platform/host-pages.ts';
import type { Schedule } from './scheduler.ts';

/**
 * Virtual nanoseconds per instruction unless the options say otherwise: 125 million instructions per virtual second.
 */
export const NS_PER_INSTRUCTION = 8;

/** What a machine offers to the devices around its chipset's core. */
export interface PeripheralParts {
  /** To the local APICs. */
  readonly interrupts: InterruptOptions;
  /** The machine's memory, by host offset. */
  readonly bytes: Uint8Array;
  /** Tell of every change of it. */
  readonly written: (hostOffset: number, sizeBytes: number) => void;
}

/** Where processors sit. */
export interface ProcessorTopology {
  /** APIC ids by index; ids beyond the processors are room for ones that are not there. */
  readonly apicIds: readonly number[];
  /** Logical processors of a package. */
  readonly perPackage: number;
  /** Logical processors of a core. */
  readonly perCore: number;
  /** Dies of a package; 1 if absent. */
  readonly dies?: number;
}

/** What a machine is built from. */
export interface MachineOptions {
  /** Processors, 1 or more. */
  readonly cpus: number;
  /** Where they sit. Default: cores of one package, APIC ids 0, 1, 2... */
  readonly topology?: ProcessorTopology;
  /** What the board has by default otherwise: {@link Q35Options}. */
  readonly board?: Pick<Q35Options, 'extTsegMb' | 'startTime'>;
  /** A byte was written to the debug port 402h. */
  readonly debug?: (byte: number) => void;
  /** Guest RAM in MiB. */
  readonly memoryMiB: number;
  /** CPU model. */
  readonly model: CpuModel;
  /** Flash image; its last byte lies at FFFFFFFFh. */
  readonly flash: Uint8Array;
  /** SMM save-state map that the processors write. */
  readonly saveState: SaveStateLayout;
  /** Accelerator; with options for `kvm`. */
  readonly accelerator: AcceleratorChoice;
  /** Deviations from the SDM. */
  readonly behaviour: Partial<ProcessorBehaviour>;
  /** Turns of the processors. */
  readonly schedule: Schedule;
  /** Receiver of trace events. */
  readonly trace?: TraceSink | undefined;
  /** Thread name in traces, at most 15 characters. */
  readonly comm: string;
  /** The guest asked for a reset of the system or the processors. Default: `UnmodelledError` `MACHINE_RESET`. */
  readonly onReset?: (kind: 'system' | 'cpu') => void;
  /**
   * The guest entered a sleep state that is not S3, which is the machine's own; `type` is SLP_TYP, 3 bit (`SLP_TYP_S4`,
   * `SLP_TYP_S5`). Default: `SmmError` `SLEEP_UNHANDLED`.
   */
  readonly onSleep?: (type: number) => void;
  /** The machine has gone to sleep in S3. */
  readonly onSuspend?: () => void;
  /** It has been woken: processors start from reset. */
  readonly onResume?: (cause: WakeCause) => void;
  /** Devices around the chipset's core; given where their interrupts go and how flash reaches memory. Default none. */
  readonly peripherals?: (parts: PeripheralParts) => PeripheralOptions;
  /** Further parts of the chipset; given what the board has for them. Default none. */
  readonly parts?: (board: Board) => readonly Part[];
  /** Watches the processors beside the machine's own observers; must not change anything. */
  readonly observer?: ProcessorObserver;
  /** Virtual nanoseconds per instruction. Default {@link NS_PER_INSTRUCTION}. */
  readonly nsPerInstruction?: number;
  /** A processor that executes PAUSE while others can run ends its turn, as under QEMU's TCG. Default false. */
  readonly yieldOnPause?: boolean;
  /** The compiled interpreter, if several machines are to share one. */
  readonly interpreter?: Interpreter;
  /** How instructions are executed. Default `translator`. */
  readonly tier?: TierName;
  /** When code is translated. */
  readonly translator?: TranslatorOptions;
  /** MiB for decoded code: when they are full, all of it is decoded anew. Default 48; at least 1. */
  readonly decodedMiB?: number;
}

/**
 * Why `Machine.run` returned: nothing can happen any more (`idle`), timers go on while no processor wakes (`asleep`),
 * nothing will end S3 (`suspended`), a processor shut down, a limit was reached (`budget`), `until` or `interrupt` said
 * so, or a hook of a processor (`Processor.hooks`) stopped it (`stopped`, see `Machine.stoppedBy`).
 */
export type MachineStop =
  | 'idle'
  | 'asleep'
  | 'suspended'
  | 'shutdown'
  | 'budget'
  | 'asked'
  | 'interrupted'
  | 'stopped';

/** Limits of a run. */
export interface RunLimits {
  /**
   * Instructions of all processors together; the turn in which they are used up is run to its end. Infinity for no
   * limit. Processors that are all halted retire none: a run ends with `asleep` when a million timers in a row have
   * gone off without waking one; the next run goes on.
   */
  readonly instructions: number;
  /** Asked after every round; true ends the run. */
  readonly until?: () => boolean;
  /**
   * Asked about every millisecond of host time, whatever the guest does; true ends the run where it stands, at any
   * instruction. It may depend on anything, the host's time included: the next run goes on as if this one had not
   * stopped.
   */
  readonly interrupt?: () => boolean;
}

/**
 * Everything a machine is, as plain structured-cloneable data. Memory holds the pages that were touched since
 * power-on; all others are as they were then.
 */
export interface MachineSnapshot {
  /** Layout version of this object. */
  readonly version: 2;
  /** What a machine must be to take this snapshot. */
  readonly machine: MachineIdentity;
  /** Turns, instructions so far, who is awake. */
  readonly driver: DriverState;
  /** Virtual nanoseconds since power-on. */
  readonly clock: VirtualClockState;
  /** Debug output. */
  readonly console: DebugConsoleState;
  /** What the machine counts. */
  readonly counters: {
    /** SMM entries by processor. */
    readonly smmEntries: readonly number[];
    /** SMIs that the chipset raised. */
    readonly chipsetSmis: number;
    /** Those of a write to APM_CNT: the byte written, and how many. */
    readonly smiCommands: readonly (readonly [command: number, count: number])[];
    /** Device accesses so far. */
    readonly accesses: number;
  };
  /** Processors by index. */
  readonly processors: readonly ProcessorSnapshot[];
  /** Local APICs by index. */
  readonly apics: readonly LocalApicState[];
  /** State of the chipset: each part by name, in the order of the list. */
  readonly chipset: ReturnType<Q35Chipset['save']>;
  /** Pool of host pages. */
  readonly hostPages: HostPagesState;
  /** Touched pages of the machine's memory. */
  readonly memory: readonly {
    /** Host offset. */
    readonly at: number;
    /** The page. */
    readonly bytes: Uint8Array;
  }[];
  /** The accelerator's own. */
  readonly accelerator: unknown;
}

/**
 * What two machines must share so that one can take the other's snapshot. How they execute instructions (the tier)
 * may differ.
 */
export interface MachineIdentity {
  /** Processors. */
  readonly cpus: number;
  /** Guest RAM in MiB. */
  readonly memoryMiB: number;
  /** Name of the CPU model. */
  readonly model: string;
  /** Name of the save-state layout. */
  readonly saveState: string;
  /** Accelerator with its options. */
  readonly accelerator: string;
  /** Virtual nanoseconds per instruction. */
  readonly nsPerInstruction: number;
  /** Size of the flash image in bytes and a hash of what it held at power-on. */
  readonly flash: string;
}

/**
 * Throws `SmmError` `OPTION_VALUE` for an option that makes no sense by itself. What must fit together is checked
 * where it meets.
 */
export function checkMachineOptions(options: MachineOptions): void {
  checkOptions('the options of a machine', options, MACHINE_SHAPE);
  const { flash, comm } = options;
  if (!(flash instanceof Uint8Array) || flash.length === 0) {
    throw new SmmError('OPTION_VALUE', 'flash holds no bytes', 'Give the flash image as a Uint8Array.');
  }
  if (comm.length > LONGEST_COMM) {
    throw new SmmError(
      'OPTION_VALUE',
      `comm is ${JSON.stringify(comm)}, which has more than ${LONGEST_COMM} characters`,
      'Give a shorter thread name: the kernel has no room for more.',
      { comm },
    );
  }
}

/** `cpus` and `memoryMiB` have their bounds where memory is planned. */
const MACHINE_SHAPE: OptionShape<MachineOptions> = {
  topology: maybe(
    isShape<ProcessorTopology>({
      apicIds: isListOf(isWhole(0, 0xffff_ffff)),
      perPackage: isWhole(1),
      perCore: isWhole(1),
      dies: maybe(isWhole(1)),
    }),
  ),
  board: maybe(isObject),
  debug: maybe(isFunction),
  cpus: isNumber,
  memoryMiB: isNumber,
  model: isCpuModel,
  flash: isBytes,
  saveState: (option, value) => {
    isObject(option, value);
    if (!Array.isArray((value as { fields?: unknown }).fields)) refuse(option, value, 'a save-state layout');
  },
  accelerator: isAcceleratorChoice,
  behaviour: isObject,
  schedule: isShape<Schedule>({ seed: isAny, slice: isAny }),
  trace: maybe(isFunction),
  comm: isText,
  onReset: maybe(isFunction),
  onSleep: maybe(isFunction),
  onSuspend: maybe(isFunction),
  onResume: maybe(isFunction),
  peripherals: maybe(isFunction),
  parts: maybe(isFunction),
  observer: maybe(isObject),
  nsPerInstruction: maybe(isPositive),
  yieldOnPause: maybe(isFlag),
  interpreter: maybe(isObject),
  tier: maybe(isOneOf(TIER_NAMES)),
  translator: maybe(isObject),
  decodedMiB: maybe(isWhole(1, 1024)),
};

/** Characters of a thread name in the Linux kernel (TASK_COMM_LEN less the terminator). */
const LONGEST_COMM = 15;

/** What the options say about who may take whose snapshots; `flash` as it was at power-on. */
export function identityOf(options: MachineOptions, flash: Uint8Array): MachineIdentity {
  const { cpus, memoryMiB, model, saveState, accelerator, nsPerInstruction } = options;
  return {
    cpus,
    memoryMiB,
    model: [model.name, model.level, model.physBits, ...[...model.features].sort()].join(' '),
    saveState: saveState.name,
    accelerator: JSON.stringify(accelerator),
    nsPerInstruction: nsPerInstruction ?? NS_PER_INSTRUCTION,
    flash: `${flash.length} bytes, hash ${fnv1a(flash).toString(16)}`,
  };
}
