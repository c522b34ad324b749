/** What the `kvm` accelerator needs of the machine around it. */
import type { PhysicalAddressSpace } from '@smm/bus';
import type { Processor } from '@smm/cpu-core';
import type { GuestBus } from '../../platform/guest-bus.ts';
import type { HostPages } from '../../platform/host-pages.ts';
import type { PagingFeatures } from '../../platform/paging.ts';
import type { Recorder } from '../../recorder.ts';
import type { KvmSwitches } from '../../switches.ts';
import type { KvmOptions } from './options.ts';

/** What the accelerator works on. */
export interface KvmPorts {
  /** Guest-physical decoding, the source of the slots. */
  readonly space: PhysicalAddressSpace;
  /** Devices and ports. */
  readonly bus: GuestBus;
  /** The machine's memory. */
  readonly buffer: ArrayBufferLike;
  /** Host pages for private slots and tables. */
  readonly pages: HostPages;
  /** Receiver of events. */
  readonly recorder: Recorder;
  /** A processor by index. */
  readonly processor: (index: number) => Processor;
  /**
   * Guest-physical page of a processor's local APIC registers as IA32_APIC_BASE has it, or -1 while none is decoded.
   */
  readonly apicPage: (index: number) => number;
  /** RIP of the instruction that a processor executes. */
  readonly rip: (index: number) => bigint;
  /** What CPUID says about paging. */
  readonly features: PagingFeatures;
  /** Module parameters. */
  readonly options: KvmOptions;
  /** History. */
  readonly switches: KvmSwitches;
  /** Told of host memory that KVM wrote for the guest (accessed and dirty bits). */
  readonly written: (hostOffset: number, sizeBytes: number) => void;
}
