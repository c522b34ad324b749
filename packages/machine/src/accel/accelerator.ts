/** What an accelerator gives to the machine: the same guest, CPU and chipset run under each. */
import type { IoPort, MemoryPort, PageWalker, ProcessorObserver } from '@smm/cpu-core';
import type { ApicBehaviour, ApicFlavour } from '@smm/xapic';
import type { AcceleratorName } from './accelerators.ts';

/** A strategy for running guest code. */
export interface Accelerator {
  /** What `-accel` calls it. */
  readonly name: AcceleratorName;
  /** Translation of linear addresses to host pages. */
  readonly pageWalker: PageWalker;
  /** Guest-physical accesses that are not plain RAM. */
  readonly memory: MemoryPort;
  /** Port I/O. */
  readonly io: IoPort;
  /** Sees what processors do; undefined when it does not care. */
  readonly observer?: ProcessorObserver;
  /** How it writes SMM save states. */
  readonly saveStates: {
    /** The interrupt shadow is saved, as KVM does from 6.2 on and QEMU's TCG does not. */
    readonly interruptShadow?: boolean;
    /** Bytes that no field uses become 0; left out: they keep what was there. */
    readonly clearUnused?: boolean;
  };
  /** The local APICs that it has. */
  readonly apics: {
    /** Whose rules they follow. */
    readonly flavour: ApicFlavour;
    /** Deviations from those. */
    readonly behaviour: Partial<ApicBehaviour>;
    /** They are in the kernel, whose tracepoints show what they do. */
    readonly inKernel: boolean;
  };
  /** A port that shows nothing but time may be read without it: nothing of the access shows in its trace. */
  readonly hidesTimeReads: boolean;
  /** VM exits so far by reason; empty where there are none. */
  readonly exitCounts: ReadonlyMap<number, number>;
  /** The address map changed: cached translations of the accelerator's own are stale. */
  mapChanged(): void;
  /** Called before the address map is asked for: a processor of this index is about to run. */
  turnStarts(processor: number): void;
  /** A processor's turn ended; `preempted` when it could have gone on. */
  turnEnded(processor: number, preempted: boolean): void;
  /** Power-on state. */
  reset(): void;
  /** Copies the accelerator's own state out. */
  save(): unknown;
  /** Puts a saved state back. */
  restore(state: unknown): void;
}
