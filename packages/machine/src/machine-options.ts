/** What a machine is built from, how it is run, and what a snapshot of it holds. */
import type { VirtualClockState } from '@smm/bus';
import type { Board, InterruptOptions, Part, PeripheralOptions, Q35Chipset } from '@smm/chipset-q35';
import type {
  CpuModel,
  Interpreter,
  ProcessorBehaviour,
  ProcessorObserver,
  ProcessorSnapshot,
  TierName,
  TranslatorOptions,
} from '@smm/cpu-core';
import type { TraceSink } from '@smm/trace';
import type { SaveStateLayout } from '@smm/x86-defs';
import type { LocalApicState } from '@smm/xapic';
import type { DebugConsoleState } from './debug-console.ts';
import type { HostPagesState } from './host-pages.ts';
import type { KvmOptions } from './kvm/options.ts';
import type { Schedule, SchedulerState } from './scheduler.ts';
import type { KvmSwitches } from './switches.ts';

/** Virtual nanoseconds per instruction unless the options say otherwise: 125 million instructions per virtual second. */
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

/** What a machine is built from. */
export interface MachineOptions {
  /** Processors, 1 or more; APIC ids 0, 1, 2... */
  readonly cpus: number;
  /** Guest RAM in MiB. */
  readonly memoryMiB: number;
  /** CPU model. */
  readonly model: CpuModel;
  /** Flash image; its last byte lies at FFFFFFFFh. */
  readonly flash: Uint8Array;
  /** SMM save-state map that the processors write. */
  readonly saveState: SaveStateLayout;
  /** Accelerator; with options for `kvm`. */
  readonly accelerator:
    | 'tcg'
    | {
        /** What the command line of QEMU and the module parameters of KVM choose. */
        readonly options: KvmOptions;
        /** Which KVM it is. */
        readonly switches: KvmSwitches;
      };
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
  /** The guest entered a sleep state; `type` is SLP_TYP, 3 bit. Default: `SmmError` `SLEEP_UNHANDLED`. */
  readonly onSleep?: (type: number) => void;
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

/** Why `Machine.run` returned. */
export type MachineStop = 'idle' | 'shutdown' | 'budget' | 'asked';

/** Limits of a run. */
export interface RunLimits {
  /** Instructions of all processors together. */
  readonly instructions: number;
  /** Asked after every round; true ends the run. */
  readonly until?: () => boolean;
}

/** A device beside the chipset. */
export interface AttachedDevice {
  /** System reset. */
  reset(): void;
  /** Copies the state out. */
  save(): unknown;
  /** Puts a saved state back. */
  restore(state: never): void;
}

/** Everything a machine is, as plain structured-cloneable data. Memory holds the touched pages only. */
export interface MachineSnapshot {
  /** Layout version of this object. */
  readonly version: 1;
  /** Instructions so far. */
  readonly retired: number;
  /** See `Machine.shutdownReason`. */
  readonly shutdownReason: string | undefined;
  /** Debug output. */
  readonly console: DebugConsoleState;
  /** SMM entries by processor. */
  readonly smmEntries: readonly number[];
  /** SMIs that the chipset raised. */
  readonly chipsetSmis: number;
  /** Processors that may have something to do. */
  readonly awake: readonly number[];
  /** Device accesses so far. */
  readonly accesses: number;
  /** Turns. */
  readonly scheduler: SchedulerState;
  /** Time and alarms. */
  readonly clock: VirtualClockState;
  /** Processors by index. */
  readonly processors: readonly ProcessorSnapshot[];
  /** Local APICs by index. */
  readonly apics: readonly LocalApicState[];
  /** Devices. */
  readonly chipset: ReturnType<Q35Chipset['save']>;
  /** Devices beside the chipset. */
  readonly attached: readonly {
    /** Name that it was attached under. */
    readonly name: string;
    /** What its `save` gave. */
    readonly state: unknown;
  }[];
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
