/**
 * The machine's own events, the same under every accelerator: what a guest could notice, and why.
 *
 * A `tcg` run has these alone; a `kvm` run has them beside the KVM tracepoints.
 */
import type { EventBase } from './kvm-events.ts';

/** A machine event that belongs to one VCPU. */
export interface MachineEventBase extends EventBase {
  /** Index of the VCPU that the event happens to. */
  readonly vcpu: number;
}

/** An SMI is requested for `vcpu`. */
export interface SmmSmi extends MachineEventBase {
  readonly name: 'smm_smi';
  /** Index of the VCPU that sent it, -1 for the chipset. */
  readonly source: number;
}

/** A VCPU has entered SMM. */
export interface SmmEnter extends MachineEventBase {
  readonly name: 'smm_enter';
  /** SMBASE: guest-physical base of the state-save area and handler. */
  readonly smbase: bigint;
  /** RIP that was interrupted. */
  readonly rip: bigint;
}

/** A VCPU has left SMM by RSM. */
export interface SmmRsm extends MachineEventBase {
  readonly name: 'smm_rsm';
  /** SMBASE before. */
  readonly oldSmbase: bigint;
  /** SMBASE from now on. */
  readonly newSmbase: bigint;
  /** RIP that execution resumes at. */
  readonly rip: bigint;
}

/** A store to the SMBASE field of the state-save area that this VCPU's RSM will load. */
export interface SmmSmbaseWrite extends MachineEventBase {
  readonly name: 'smm_smbase_write';
  /** Guest-physical address of the field. */
  readonly gpa: bigint;
  /** Value stored. */
  readonly value: bigint;
  /** RIP of the store. */
  readonly rip: bigint;
}

/** What an access to the local APIC's page reached: the APIC, or a page of memory in its place. */
export type ApicReach = 'apic' | 'memory';

/** A read of the local APIC's page, as the guest sees it. */
export interface SmmApicRead extends MachineEventBase {
  readonly name: 'smm_apic_read';
  /** Offset in the page in bytes. */
  readonly register: number;
  /** Value that the guest got, 32 bits. */
  readonly value: number;
  /** RIP of the load. */
  readonly rip: bigint;
  /** The VCPU is in SMM. */
  readonly inSmm: boolean;
  /** What answered. */
  readonly reached: ApicReach;
}

/** A write to the local APIC's page, as the guest sees it. */
export interface SmmApicWrite extends MachineEventBase {
  readonly name: 'smm_apic_write';
  /** Offset in the page in bytes. */
  readonly register: number;
  /** Value that the guest stored, 32 bits. */
  readonly value: number;
  /** RIP of the store. */
  readonly rip: bigint;
  /** The VCPU is in SMM. */
  readonly inSmm: boolean;
  /** What took it. */
  readonly reached: ApicReach;
}

/** An interprocessor interrupt leaves the local APIC of `vcpu`. */
export interface SmmIpi extends MachineEventBase {
  readonly name: 'smm_ipi';
  /** ICR bits 31:0. */
  readonly icrLow: number;
  /** Destination: 8 bits in xAPIC mode, 32 in x2APIC mode. */
  readonly dest: number;
}

/** A VCPU takes INIT. */
export interface SmmInit extends MachineEventBase {
  readonly name: 'smm_init';
}

/** A VCPU takes a start-up IPI. */
export interface SmmSipi extends MachineEventBase {
  readonly name: 'smm_sipi';
  /** Vector: the VCPU starts at vector x 1000h. */
  readonly vector: number;
}

/** A VCPU halts. */
export interface SmmHalt extends MachineEventBase {
  readonly name: 'smm_halt';
  /** RIP after HLT. */
  readonly rip: bigint;
}

/** A halted or waiting VCPU runs again. */
export interface SmmWake extends MachineEventBase {
  readonly name: 'smm_wake';
}

/** A VCPU shuts down, by a triple fault or by a failed RSM. */
export interface SmmShutdown extends MachineEventBase {
  readonly name: 'smm_shutdown';
  /** RIP at the shutdown. */
  readonly rip: bigint;
}

/** The machine goes to sleep in S3, by a store of `vcpu`: all processors lose their state, RAM keeps its own. */
export interface SmmSuspend extends MachineEventBase {
  readonly name: 'smm_suspend';
}

/** S3 is over: `vcpu`, the boot processor, starts from reset. */
export interface SmmResume extends MachineEventBase {
  readonly name: 'smm_resume';
  /** What ended it, in words. */
  readonly cause: string;
}

/** The guest finished a line on the debug port. */
export interface SmmDebugcon extends MachineEventBase {
  readonly name: 'smm_debugcon';
  /** The line, without its end. */
  readonly text: string;
}

/** An access that no device and no memory claims. */
export interface SmmUnclaimed extends MachineEventBase {
  readonly name: 'smm_unclaimed';
  /** Address space of the access. */
  readonly space: 'memory' | 'io';
  /** Guest-physical address, or port. */
  readonly address: bigint;
  /** True for a write. */
  readonly write: boolean;
  /** Width in bytes. */
  readonly size: number;
}

/** A remark of the machine for the reader. */
export interface SmmNote extends MachineEventBase {
  readonly name: 'smm_note';
  /** One sentence. */
  readonly text: string;
}

/** Any event of the machine itself. */
export type MachineEvent =
  | SmmSmi
  | SmmEnter
  | SmmRsm
  | SmmSmbaseWrite
  | SmmApicRead
  | SmmApicWrite
  | SmmIpi
  | SmmInit
  | SmmSipi
  | SmmHalt
  | SmmWake
  | SmmShutdown
  | SmmSuspend
  | SmmResume
  | SmmDebugcon
  | SmmUnclaimed
  | SmmNote;
