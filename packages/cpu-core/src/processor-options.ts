/** What a processor is made of, and what its runs answer. */
import type {
  IoPort,
  LocalApicPort,
  MemoryPort,
  PageWalker,
  ProcessorBehaviour,
  ProcessorObserver,
  SaveStateCodec,
  TimePort,
} from './ports.ts';
import type { CpuState } from './state.ts';
import type { CpuModel } from './system/models.ts';

/** Everything a processor reaches outside itself. */
export interface ProcessorPorts {
  /** Linear to host translation. */
  pageWalker: PageWalker;
  /** Guest-physical devices, and blocks for save states. */
  memory: MemoryPort;
  /** I/O ports. */
  io: IoPort;
  /** The local APIC. */
  apic: LocalApicPort;
  /** SMM save-state layout. */
  saveState: SaveStateCodec;
  /** Time-stamp counter. */
  time: TimePort;
  /** Watches events. */
  observer?: ProcessorObserver;
}

/** What the engine gives to {@link Processor}. */
export interface ProcessorOptions {
  /** Processor index, 0-based; the initiator in {@link Processor.attrs}. */
  index: number;
  /** Its state page. */
  state: CpuState;
  /** Its surroundings. */
  ports: ProcessorPorts;
  /** CPUID model. */
  model: CpuModel;
  /** `availability` of the model. */
  available: Readonly<Uint8Array>;
  /** Its number among the engine's, below 256: see MODE_SET_SHIFT. */
  instructionSet: number;
  /** Switches; the SDM's behaviour by default. */
  behaviour?: Partial<ProcessorBehaviour>;
}

/** Why {@link Processor.run} returned, and how far it got. */
export interface RunExit {
  /**
   * `budget`: used up. `halted`, `shutdown`, `wait-for-sipi`: nothing to do until an event line is raised.
   * `event`: {@link Processor.requestExit} was called. `stopped`: a hook asked for it.
   */
  reason: 'budget' | 'halted' | 'shutdown' | 'wait-for-sipi' | 'event' | 'stopped';
  /** Instructions retired (a REP iteration is one). */
  retired: number;
}
