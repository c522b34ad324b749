/** VM exits as the trace shows them. Numbers: Intel SDM Vol. 3, "VMX Basic Exit Reasons" and "Exit Qualification". */
import type { Processor } from '@smm/cpu-core';
import { CR0_PE, RFLAGS_VM, SEG_ATTR_DB, SEG_ATTR_L, SEG_CS } from '@smm/x86-defs';
import type { Recorder } from '../../recorder.ts';

/** VMX basic exit reasons that the model raises. */
export const VMX_EXIT = {
  EXCEPTION_NMI: 0,
  EXTERNAL_INTERRUPT: 1,
  TRIPLE_FAULT: 2,
  CPUID: 10,
  HLT: 12,
  INVLPG: 14,
  CR_ACCESS: 28,
  IO_INSTRUCTION: 30,
  MSR_READ: 31,
  MSR_WRITE: 32,
  APIC_ACCESS: 44,
  EPT_VIOLATION: 48,
  EPT_MISCONFIG: 49,
  WBINVD: 54,
} as const;

/**
 * Name of a VMX basic exit reason, as `perf kvm stat` and the tracepoints spell it; the number for one that the model
 * does not raise.
 */
export function vmxExitName(reason: number): string {
  return Object.entries(VMX_EXIT).find(([, number]) => number === reason)?.[0] ?? String(reason);
}

/** KVM_EXIT_* reasons of KVM_RUN that the model raises. */
export const KVM_EXIT = { IO: 2, MMIO: 6, SHUTDOWN: 8 } as const;

/** VM-exit interruption information: hardware exception, error code valid, vector 14. */
export const INTR_INFO_PAGE_FAULT = 0x8000_0b0en;
/** VM-exit interruption information: hardware exception, vector 6. */
export const INTR_INFO_INVALID_OPCODE = 0x8000_0306n;
/** VM-exit interruption information: external interrupt, the host's local APIC timer (EFh). */
export const INTR_INFO_HOST_TIMER = 0x8000_00efn;

/** Counts and records VM exits and entries of all processors. */
export class ExitTrace {
  readonly #recorder: Recorder;
  readonly #processor: (index: number) => Processor;
  readonly #rip: (index: number) => bigint;
  /** In the guest (true) or in the hypervisor, by processor. */
  readonly #inGuest: boolean[] = [];
  /** Exits so far by reason: what `perf kvm stat` shows. */
  readonly counts: Map<number, number> = new Map();

  constructor(recorder: Recorder, processor: (index: number) => Processor, rip: (index: number) => bigint) {
    this.#recorder = recorder;
    this.#processor = processor;
    this.#rip = rip;
  }

  /** A VM exit. */
  exit(vcpu: number, reason: number, info1: bigint, info2 = 0n, rip: bigint = this.#rip(vcpu)): void {
    this.entry(vcpu, rip);
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
    this.#inGuest[vcpu] = false;
    this.#recorder.emit(vcpu, {
      name: 'kvm_exit',
      vcpu,
      exitReason: reason,
      guestRip: rip,
      isa: 1,
      info1,
      info2,
      intrInfo: Number(info2 & 0xffff_ffffn),
      errorCode: 0,
    });
  }

  /** A VM entry, if the processor is in the hypervisor. */
  entry(vcpu: number, rip: bigint = this.#rip(vcpu)): void {
    if (this.#inGuest[vcpu]) return;
    this.#inGuest[vcpu] = true;
    this.#recorder.emit(vcpu, { name: 'kvm_entry', vcpu, rip, immediateExit: false });
  }

  /** A VM entry behind the current instruction, which the hypervisor has done itself. */
  resume(vcpu: number): void {
    this.entry(vcpu, this.#processor(vcpu).state.rip);
  }

  /** The processor is in the hypervisor without an exit of its own (it slept). */
  outside(vcpu: number): void {
    this.#inGuest[vcpu] = false;
  }

  /** The hypervisor emulates the current instruction. */
  emulate(vcpu: number): void {
    if (!this.#recorder.on) return;
    const processor = this.#processor(vcpu);
    const { state } = processor;
    const attr = state.segAttr(SEG_CS);
    const flags =
      (state.cr0 & CR0_PE ? 1 : 0) |
      (state.rflags & RFLAGS_VM ? 2 : 0) |
      (attr & SEG_ATTR_DB ? 4 : 0) |
      (attr & SEG_ATTR_L ? 8 : 0);
    const { insn } = processor;
    this.#recorder.emit(vcpu, {
      name: 'kvm_emulate_insn',
      vcpu,
      rip: this.#rip(vcpu),
      csbase: (attr & SEG_ATTR_L) !== 0 ? 0 : state.segBase(SEG_CS) >>> 0,
      insn: [...insn.bytes.subarray(0, insn.length)],
      flags,
      failed: false,
    });
  }

  /** Back to user space and in again. */
  userspace(vcpu: number, reason: number): void {
    this.#recorder.emit(vcpu, { name: 'kvm_userspace_exit', vcpu, reason, errno: 0 });
  }

  /** State for snapshots. */
  save(): { inGuest: boolean[]; counts: [number, number][] } {
    return { inGuest: [...this.#inGuest], counts: [...this.counts] };
  }

  /** Puts a saved state back. */
  restore(state: { inGuest: boolean[]; counts: [number, number][] }): void {
    this.#inGuest.splice(0, this.#inGuest.length, ...state.inGuest);
    this.counts.clear();
    for (const [reason, count] of state.counts) this.counts.set(reason, count);
  }
}
