/**
 * The KVM tracepoints that the model can raise, as typed records.
 *
 * Field names follow the kernel's (`guest_rip` is `guestRip`). A field that only today's kernels record is
 * optional. Sources: Linux `arch/x86/kvm/trace.h` and `include/trace/events/kvm.h` of 4.4 and of 6.12.
 */

import type { KvmVirtualisationEvent } from './kvm-events-nested.ts';

/** What every event carries. */
export interface EventBase {
  /** Which event it is: of KVM's, the tracepoint's name in the kernels of 2015. */
  readonly name: string;
  /** Virtual time in nanoseconds since the machine started; for a real trace, the trace clock. */
  readonly ts: number;
  /** Host CPU that recorded the event. The model gives every VCPU a host CPU of its own. */
  readonly cpu: number;
  /** Thread id of the recording thread. Formatters number the VCPU threads where it is absent. */
  readonly pid?: number;
  /** Name of the recording thread, at most 15 characters in a kernel. */
  readonly comm?: string;
}

/** An event recorded by a VCPU's thread, whose own fields do not name the VCPU in every kernel. */
export interface KvmEventBase extends EventBase {
  /** Index of the VCPU whose thread recorded the event, where known. */
  readonly vcpu?: number;
}

/** VM entry. */
export interface KvmEntry extends EventBase {
  readonly name: 'kvm_entry';
  /** Index of the VCPU. */
  readonly vcpu: number;
  /** Linear instruction pointer (RIP) at entry, 64 bits. Not in 2015. */
  readonly rip?: bigint;
  /** The entry is made only to exit at once. Not in 2015. */
  readonly immediateExit?: boolean;
  /** VM-entry interruption information: the event that is injected, 32 bits. Linux 6.13. */
  readonly intrInfo?: number;
  /** Its error code, 32 bits. Linux 6.13. */
  readonly errorCode?: number;
  /** Requests pending for the VCPU, a bit each. Linux 6.13. */
  readonly requests?: bigint;
}

/** VM exit. */
export interface KvmExit extends KvmEventBase {
  readonly name: 'kvm_exit';
  /** With VMX bits 15:0 the basic reason, bit 31 a failed VM entry; with SVM the exit code's low 32 bits. */
  readonly exitReason: number;
  /** Guest RIP at the exit, 64 bits; absent where the text was trimmed. */
  readonly guestRip?: bigint;
  /** Virtualisation extension: 1 VMX, 2 SVM. */
  readonly isa: number;
  /** VMX: exit qualification; SVM: EXITINFO1. 64 bits; absent where the text was trimmed. */
  readonly info1?: bigint;
  /**
   * VMX: VM-exit interruption information until 5.10, afterwards IDT-vectoring information; SVM: EXITINFO2. 64 bits.
   */
  readonly info2?: bigint;
  /** VM-exit interruption information, 32 bits. Not in 2015. */
  readonly intrInfo?: number;
  /** VM-exit interruption error code, 32 bits. Not in 2015. */
  readonly errorCode?: number;
  /** Requests pending for the VCPU, a bit each. Linux 6.13. */
  readonly requests?: bigint;
}

/** A fault that KVM's MMU handles: an EPT violation, or a #PF under shadow paging. */
export interface KvmPageFault extends KvmEventBase {
  readonly name: 'kvm_page_fault';
  /** Guest RIP, 64 bits. Not in 2015. */
  readonly guestRip?: bigint;
  /** With EPT the guest-physical address, with shadow paging the linear address; 64 bits. */
  readonly faultAddress: bigint;
  /**
   * EPT: the raw exit qualification; nested or shadow paging: the #PF error code. Absent where the text was trimmed.
   */
  readonly errorCode?: bigint;
}

/** A VCPU enters or leaves SMM. Today's kernels call the event `kvm_smm_transition`. */
export interface KvmEnterSmm extends EventBase {
  readonly name: 'kvm_enter_smm';
  /** Index of the VCPU. */
  readonly vcpu: number;
  /** SMBASE. On leaving: the new one in 2015, the old one since Linux 5.1. */
  readonly smbase: bigint;
  /** True on entry, false after RSM. */
  readonly entering: boolean;
}

/** An access to the in-kernel local APIC. */
export interface KvmApic extends KvmEventBase {
  readonly name: 'kvm_apic';
  /** True for a write. */
  readonly write: boolean;
  /** Register: offset in the APIC page in bytes, such as 20h for the ID. */
  readonly reg: number;
  /** Value read or written: 32 bits, 64 for the x2APIC ICR. */
  readonly val: bigint;
}

/** An interprocessor interrupt leaves a local APIC. Recorded by the sender. */
export interface KvmApicIpi extends KvmEventBase {
  readonly name: 'kvm_apic_ipi';
  /** ICR bits 31:0. */
  readonly icrLow: number;
  /** Destination: 8 bits in xAPIC mode, 32 in x2APIC mode. */
  readonly destId: number;
}

/** A local APIC accepts an interrupt. Recorded by the thread that delivers. */
export interface KvmApicAcceptIrq extends KvmEventBase {
  readonly name: 'kvm_apic_accept_irq';
  /** APIC id (the kernel writes the VCPU id) of the accepting local APIC. */
  readonly apicid: number;
  /** Delivery mode at its place in the ICR, bits 10:8: 200h is SMI. */
  readonly dm: number;
  /** Trigger mode: 0 edge, 1 level. */
  readonly tm: number;
  /** Vector, 8 bits. */
  readonly vec: number;
}

/** An external interrupt is injected. */
export interface KvmInjVirq extends KvmEventBase {
  readonly name: 'kvm_inj_virq';
  /** Vector, 8 bits. */
  readonly vector: number;
  /** It is a software interrupt (INTn). Not in 2015. */
  readonly soft?: boolean;
  /** It was interrupted by an exit and is injected again. Not in 2015. */
  readonly reinjected?: boolean;
}

/** An exception is injected. */
export interface KvmInjException extends KvmEventBase {
  readonly name: 'kvm_inj_exception';
  /** Vector, 0 to 31. */
  readonly exception: number;
  /** The exception pushes an error code. */
  readonly hasError: boolean;
  /** Error code, 32 bits; 0 where there is none. */
  readonly errorCode: number;
  /** It was interrupted by an exit and is injected again. Not in 2015. */
  readonly reinjected?: boolean;
}

/** End of interrupt. */
export interface KvmEoi extends KvmEventBase {
  readonly name: 'kvm_eoi';
  /** APIC id (the kernel writes the VCPU id). */
  readonly apicid: number;
  /** Vector, -1 where no interrupt was in service. */
  readonly vector: number;
}

/** An access that KVM emulates or hands to user space as MMIO. */
export interface KvmMmio extends KvmEventBase {
  readonly name: 'kvm_mmio';
  /** 0 read that waits for user space, 1 read, 2 write. */
  readonly type: number;
  /** Length in bytes. */
  readonly len: number;
  /** Guest-physical address, 64 bits. */
  readonly gpa: bigint;
  /** Value, little-endian, 64 bits. */
  readonly val: bigint;
}

/** A port access. */
export interface KvmPio extends KvmEventBase {
  readonly name: 'kvm_pio';
  /** True for OUT. */
  readonly write: boolean;
  /** Port number. */
  readonly port: number;
  /** Width in bytes. */
  readonly size: number;
  /** Accesses that one exit stands for: REP INS and OUTS. */
  readonly count: number;
  /** First value, 32 bits. */
  readonly val: number;
}

/** A CPUID instruction. */
export interface KvmCpuid extends KvmEventBase {
  readonly name: 'kvm_cpuid';
  /** Leaf (EAX on entry). */
  readonly function: number;
  /** Sub-leaf (ECX on entry). Not in 2015. */
  readonly index?: number;
  /** Result, EAX. */
  readonly rax: bigint;
  /** Result, EBX. */
  readonly rbx: bigint;
  /** Result, ECX. */
  readonly rcx: bigint;
  /** Result, EDX. */
  readonly rdx: bigint;
  /** The leaf has an entry. Not in 2015. */
  readonly found?: boolean;
  /** The answer is the one of the highest basic leaf. Not in 2015. */
  readonly usedMaxBasic?: boolean;
}

/** RDMSR or WRMSR. */
export interface KvmMsr extends KvmEventBase {
  readonly name: 'kvm_msr';
  /** True for WRMSR. */
  readonly write: boolean;
  /** MSR number (ECX). */
  readonly ecx: number;
  /** Value read or written, 64 bits. */
  readonly data: bigint;
  /** The access raised #GP. */
  readonly exception: boolean;
}

/** A control register access. */
export interface KvmCr extends KvmEventBase {
  readonly name: 'kvm_cr';
  /** True for a write. */
  readonly write: boolean;
  /** Control register number. */
  readonly cr: number;
  /** Value, 64 bits. */
  readonly val: bigint;
}

/** KVM's instruction emulator runs one instruction. */
export interface KvmEmulateInsn extends KvmEventBase {
  readonly name: 'kvm_emulate_insn';
  /** RIP, 64 bits, relative to the code segment base. */
  readonly rip: bigint;
  /** Base of CS, 32 bits; absent where the text was trimmed. */
  readonly csbase?: number;
  /** Instruction bytes, at most 15; absent where KVM could not fetch them. */
  readonly insn?: readonly number[];
  /** Mode: 1 CR0.PE, 2 EFLAGS.VM, 4 CS.D, 8 CS.L. Absent in text printed by the trace-cmd plugin. */
  readonly flags?: number;
  /** Emulation failed. */
  readonly failed: boolean;
}

/** VMCALL. */
export interface KvmHypercall extends KvmEventBase {
  readonly name: 'kvm_hypercall';
  /** Number (RAX). */
  readonly nr: bigint;
  /** First argument (RBX). */
  readonly a0: bigint;
  /** Second argument (RCX). */
  readonly a1: bigint;
  /** Third argument (RDX). */
  readonly a2: bigint;
  /** Fourth argument (RSI). */
  readonly a3: bigint;
}

/** KVM_RUN returns to user space. */
export interface KvmUserspaceExit extends KvmEventBase {
  readonly name: 'kvm_userspace_exit';
  /** KVM_EXIT_x number; meaningless where errno is negative. */
  readonly reason: number;
  /** Negative errno, or the positive return value. */
  readonly errno: number;
}

/** A blocked VCPU stops waiting. */
export interface KvmVcpuWakeup extends KvmEventBase {
  readonly name: 'kvm_vcpu_wakeup';
  /** Time spent, in nanoseconds. */
  readonly ns: bigint;
  /** True if it slept, false if it polled. */
  readonly waited: boolean;
  /** Polling was worth it. Not in 2015. */
  readonly valid?: boolean;
}

/** An interrupt line changes. */
export interface KvmSetIrq extends KvmEventBase {
  readonly name: 'kvm_set_irq';
  /** Global system interrupt. */
  readonly gsi: number;
  /** Level: 0 or 1. */
  readonly level: number;
  /** Source id, 0 for user space. */
  readonly irqSourceId: number;
}

/** A message-signalled interrupt. */
export interface KvmMsiSetIrq extends KvmEventBase {
  readonly name: 'kvm_msi_set_irq';
  /** Address: FEExxxxxh, upper destination bits in 63:40. */
  readonly address: bigint;
  /** Message data: vector, delivery mode, trigger mode. */
  readonly data: bigint;
}

/** An IOAPIC pin is delivered. */
export interface KvmIoapicSetIrq extends KvmEventBase {
  readonly name: 'kvm_ioapic_set_irq';
  /** Redirection table entry, 64 bits. */
  readonly e: bigint;
  /** Input of the I/O APIC, 0-based. */
  readonly pin: number;
  /** An earlier one was not yet acknowledged. */
  readonly coalesced: boolean;
}

/** An interrupt controller sees an acknowledge. */
export interface KvmAckIrq extends KvmEventBase {
  readonly name: 'kvm_ack_irq';
  /** 0 PIC master, 1 PIC slave, 2 IOAPIC. */
  readonly irqchip: number;
  /** Input of the interrupt controller, 0-based. */
  readonly pin: number;
}

/** A pin of the 8259 pair changes. */
export interface KvmPicSetIrq extends KvmEventBase {
  readonly name: 'kvm_pic_set_irq';
  /** 0 master, 1 slave. */
  readonly chip: number;
  /** Input of the interrupt controller, 0-based. */
  readonly pin: number;
  /** Edge/level register; text shows the bit of the pin alone. */
  readonly elcr: number;
  /** Mask register; text shows the bit of the pin alone. */
  readonly imr: number;
  /** An earlier one was not yet acknowledged. */
  readonly coalesced: boolean;
}

/** Guest FPU state is loaded or unloaded. */
export interface KvmFpu extends KvmEventBase {
  readonly name: 'kvm_fpu';
  /** True for load. */
  readonly load: boolean;
}

/** An access hits the cache of the last MMIO address. */
export interface VcpuMatchMmio extends KvmEventBase {
  readonly name: 'vcpu_match_mmio';
  /** Linear address, 64 bits. */
  readonly gva: bigint;
  /** Guest-physical address, 64 bits. */
  readonly gpa: bigint;
  /** True for a write. */
  readonly write: boolean;
  /** The match was by guest-physical address, else by linear address. */
  readonly gpaMatch: boolean;
}

/** Any KVM tracepoint. */
export type KvmEvent =
  | KvmEntry
  | KvmExit
  | KvmPageFault
  | KvmEnterSmm
  | KvmApic
  | KvmApicIpi
  | KvmApicAcceptIrq
  | KvmInjVirq
  | KvmInjException
  | KvmEoi
  | KvmMmio
  | KvmPio
  | KvmCpuid
  | KvmMsr
  | KvmCr
  | KvmEmulateInsn
  | KvmHypercall
  | KvmUserspaceExit
  | KvmVcpuWakeup
  | KvmSetIrq
  | KvmMsiSetIrq
  | KvmIoapicSetIrq
  | KvmAckIrq
  | KvmPicSetIrq
  | KvmFpu
  | VcpuMatchMmio
  | KvmVirtualisationEvent;
