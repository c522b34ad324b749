/** What travels between local APICs, and what observers see: effects as data, which may be posted to a worker. */

/** An interrupt message as a local APIC receives it. */
export interface ApicMessage {
  /** Delivery mode, one of `APIC_DM_*`. */
  readonly deliveryMode: number;
  /** Vector, 8 bits; start-up page number for SIPI; meaningless for SMI, NMI, INIT. */
  readonly vector: number;
  /** Trigger mode. */
  readonly trigger: 'edge' | 'level';
  /** Level, true is assert. Only INIT looks at it. */
  readonly level: boolean;
}

/** A message with an address: from an ICR, an I/O APIC or an MSI. */
export interface AddressedMessage extends ApicMessage {
  /** Destination field: 8 bits, or 32 when `wide`. */
  readonly destination: number;
  /** How the destination is to be read. */
  readonly destinationMode: 'physical' | 'logical';
  /** True for the 32-bit destinations that an x2APIC sends; FFh is then an ordinary id. */
  readonly wide?: boolean;
  /** MSI redirection hint: deliver to one of the targets only. */
  readonly redirectionHint?: boolean;
}

/** One IPI as it left its sender. `kvm_apic_ipi` is `icrLow` and `destination`. */
export interface IpiRecord {
  /** The sender's initial id. */
  readonly from: number;
  /** ICR bits 31:0 as sent. */
  readonly icrLow: number;
  /** Destination: ICR bits 63:56 (xAPIC) or 63:32 (x2APIC). */
  readonly destination: number;
  /** Initial ids of those whom it will reach, in order of registration; one for lowest priority. */
  readonly targets: readonly number[];
}

/** What became of a message at its target: `coalesced` when the vector was requested already. */
export type Acceptance = 'accepted' | 'coalesced' | 'ignored';

/**
 * Sees what happens, in the order of KVM's tracepoints: register access, then the IPI, then each acceptance. Observers
 * must not act on the model; debug accesses are never reported. `apic` is the initial id of the local APIC that it
 * happens to.
 */
export interface ApicObserver {
  /** A register was read or is about to be written, by MMIO or as an x2APIC MSR (an ICR write is ICR2, then ICR). */
  access?(apic: number, write: boolean, offset: number, value: number): void;
  /** An IPI was sent. */
  ipi?(record: IpiRecord): void;
  /** A message arrived (also when it is then ignored, as `kvm_apic_accept_irq` reports it). */
  accept?(apic: number, message: ApicMessage): void;
  /** EOI was written; vector -1 when nothing was in service. */
  eoi?(apic: number, vector: number): void;
}

/** The processor that a local APIC belongs to: what does not pass through IRR. */
export interface ProcessorSink {
  /** SMI: latched by the processor. */
  smi(): void;
  /** NMI: latched by the processor. */
  nmi(): void;
  /** INIT: when the processor takes it, it calls `LocalApic.reset('init')`. */
  init(): void;
  /** Start-up IPI with its vector (the processor starts at `vector` x 1000h if it waits for SIPI). */
  sipi(vector: number): void;
}
