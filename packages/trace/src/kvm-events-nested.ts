/** The KVM tracepoints of nested virtualisation and of virtual interrupt delivery, as typed records. */
import type { KvmApicAcceptIrq, KvmEoi, KvmEventBase } from './kvm-events.ts';

/** A guest enters a guest of its own. `kvm_nested_vmenter` since Linux 6.2. */
export interface KvmNestedVmrun extends KvmEventBase {
  readonly name: 'kvm_nested_vmrun';
  /** RIP of the VMRUN or VMLAUNCH, 64 bits. */
  readonly rip: bigint;
  /** VMCB or VMCS, guest-physical. */
  readonly vmcb: bigint;
  /** RIP that the inner guest starts at, 64 bits. */
  readonly nestedRip: bigint;
  /** VMCB's interrupt control. */
  readonly intCtl: number;
  /** Event to inject: VMCB EVENTINJ, or the VM-entry interruption information. */
  readonly eventInj: number;
  /** Nested paging is on. */
  readonly npt: boolean;
}

/** A VM exit while an inner guest ran. */
export interface KvmNestedVmexit extends KvmEventBase {
  readonly name: 'kvm_nested_vmexit';
  /** Exit reason, as in {@link KvmExit}. */
  readonly exitReason: number;
  /** RIP of the inner guest, 64 bits. */
  readonly guestRip?: bigint;
  /** 1 VMX, 2 SVM. */
  readonly isa: number;
  /** First word of exit information. */
  readonly info1?: bigint;
  /** Second word of exit information. */
  readonly info2?: bigint;
  /** Interruption information, 32 bits. */
  readonly intrInfo?: number;
  /** Error code, 32 bits. */
  readonly errorCode?: number;
  /** Requests pending for the VCPU, a bit each. Linux 6.13. */
  readonly requests?: bigint;
}

/** A VM exit that is handed to the guest that runs the inner guest. */
export interface KvmNestedVmexitInject extends KvmEventBase {
  readonly name: 'kvm_nested_vmexit_inject';
  /** Exit reason, as in {@link KvmExit}. */
  readonly exitReason: number;
  /** 1 VMX, 2 SVM. */
  readonly isa: number;
  /** First word of exit information. */
  readonly info1: bigint;
  /** Second word of exit information. */
  readonly info2: bigint;
  /** Interruption information, 32 bits. */
  readonly intrInfo: number;
  /** Error code, 32 bits. */
  readonly errorCode: number;
}

/** What the guest intercepts of its inner guest, by SVM. */
export interface KvmNestedIntercepts extends KvmEventBase {
  readonly name: 'kvm_nested_intercepts';
  /** Reads of control registers, a bit each. */
  readonly crRead: number;
  /** Writes of control registers, a bit each. */
  readonly crWrite: number;
  /** Exceptions, a bit each. */
  readonly exceptions: number;
  /** First intercept word. */
  readonly intercept1: number;
  /** Second intercept word. */
  readonly intercept2: number;
  /** Third intercept word. */
  readonly intercept3: number;
}

/** End of interrupt by the paravirtual flag, without an exit. */
export interface KvmPvEoi extends Omit<KvmEoi, 'name'> {
  /** Nothing else tells it from a `kvm_eoi`. */
  readonly name: 'kvm_pv_eoi';
}

/** An interrupt is posted to a VCPU whose local APIC the processor virtualises. Linux 5.17. */
export interface KvmApicvAcceptIrq extends Omit<KvmApicAcceptIrq, 'name'> {
  /** Nothing else tells it from a `kvm_apic_accept_irq`. */
  readonly name: 'kvm_apicv_accept_irq';
}

/** AVIC could not deliver an IPI by itself. */
export interface KvmAvicIncompleteIpi extends KvmEventBase {
  readonly name: 'kvm_avic_incomplete_ipi';
  /** ICR bits 63:32. */
  readonly icrHigh: number;
  /** ICR bits 31:0. */
  readonly icrLow: number;
  /** Why: 0 the type of the interrupt, 1 the target does not run, 2 no such target, 3 no backing page. */
  readonly id: number;
  /** Entry of the APIC id table. */
  readonly index: number;
}

/** An access to the local APIC that AVIC leaves to KVM. */
export interface KvmAvicUnacceleratedAccess extends KvmEventBase {
  readonly name: 'kvm_avic_unaccelerated_access';
  /** Register: offset in the APIC page in bytes. */
  readonly offset: number;
  /** The access is done already, else KVM emulates it. */
  readonly trap: boolean;
  /** True for a write. */
  readonly write: boolean;
  /** Vector of an EOI. */
  readonly vector: number;
}

/** A hypercall of Hyper-V's interface. */
export interface KvmHvHypercall extends KvmEventBase {
  readonly name: 'kvm_hv_hypercall';
  /** Elements that a rep hypercall works on; 0 of a simple one. */
  readonly repCount: number;
  /** First repetition. */
  readonly repIndex: number;
  /** Input, guest-physical, or the first register of a fast call. */
  readonly inGpa: bigint;
  /** Output, guest-physical, or the second register of a fast call. */
  readonly outGpa: bigint;
  /** Call code. */
  readonly code: number;
  /** Arguments are in registers. */
  readonly fast: boolean;
}

/** A store to an address that an eventfd waits on. */
export interface KvmFastMmio extends KvmEventBase {
  readonly name: 'kvm_fast_mmio';
  /** Guest-physical address, 64 bits. */
  readonly gpa: bigint;
}

/** Any of them. */
export type KvmVirtualisationEvent =
  | KvmNestedVmrun
  | KvmNestedVmexit
  | KvmNestedVmexitInject
  | KvmNestedIntercepts
  | KvmPvEoi
  | KvmApicvAcceptIrq
  | KvmAvicIncompleteIpi
  | KvmAvicUnacceleratedAccess
  | KvmHvHypercall
  | KvmFastMmio;
