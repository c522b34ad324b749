/** The switches that a host kernel, a QEMU version or a firmware build sets. Everything fixed is the default. */
import type { ProcessorBehaviour } from '@smm/cpu-core';
import type { FirmwareQuirk } from '@smm/edk2-relocation';

/** Differences of the KVM model. */
export interface KvmSwitches {
  /** Private memory slots get a host page per address space (before f0d648bdf0a5); the SMM copy stays zero. */
  privateSlotsPerAddressSpace: boolean;
  /** An ICR write with delivery mode SMI is delivered (false before Linux 4.2). */
  smiFromIcr: boolean;
  /** INIT resets the APIC ID register to the VCPU id (before d28bc9dd25ce). */
  apicIdOnInit: 'kept' | 'reset';
  /** `leaving SMM` shows the SMBASE just loaded (2015) or the old one (since 9ec19493fb86). */
  leaveSmmTrace: 'new-smbase' | 'old-smbase';
  /** Form of the trace-cmd text. */
  traceForm: '2015' | 'current';
}

/** All switches of one machine. */
export interface Switches {
  /** The processors. */
  readonly behaviour: Partial<ProcessorBehaviour>;
  /** CPUID leaf 0Bh is present but zero, as on some processors of 2009. */
  readonly emptyLeaf0B: boolean;
  /** The KVM model; without effect under `tcg`. */
  readonly kvm: KvmSwitches;
  /** Defects built into our firmware, by quirk id. */
  readonly firmware: readonly FirmwareQuirk[];
}

/** Where a quirk acts; its effects are merged over the fixed machine. */
export interface QuirkEffects {
  /** Processor behaviour under `kvm`. */
  readonly kvmBehaviour?: Partial<ProcessorBehaviour>;
  /** Processor behaviour under `tcg`. */
  readonly tcgBehaviour?: Partial<ProcessorBehaviour>;
  /** KVM model. */
  readonly kvm?: Partial<KvmSwitches>;
  /** The defect is built into the firmware. */
  readonly firmware?: FirmwareQuirk;
  /** CPUID leaf 0Bh present but zero. */
  readonly emptyLeaf0B?: boolean;
}
