/** What a local APIC is given when it is made, and what a snapshot of it holds. */
import type { Clock } from '@smm/bus';
import type { ApicBus } from './apic-bus.ts';
import type { InterruptUnitState } from './interrupt-unit.ts';
import type { ProcessorSink } from './messages.ts';
import type { ApicTimerState } from './timer.ts';

/** The 8259 pair as a local APIC sees it. */
export interface InterruptAcknowledge {
  /** Runs an acknowledge cycle and returns the vector, 8 bits. */
  acknowledge(): number;
}

/** Ports and properties of one local APIC. */
export interface LocalApicOptions {
  /** Initial APIC id, as CPUID reports it: 0-254 for xAPIC, 32 bits for x2APIC. Unique on its bus. */
  readonly apicId: number;
  /** Where IPIs and EOI broadcasts go; also decides the flavour. */
  readonly bus: ApicBus;
  /** Virtual time for the timer. */
  readonly clock: Clock;
  /** The processor it belongs to. */
  readonly processor: ProcessorSink;
  /** Called after `intr` changed. */
  readonly onChange?: () => void;
  /** The 8259 pair, asked for its vector when an ExtINT is acknowledged. */
  readonly pic?: InterruptAcknowledge;
  /** Bootstrap processor flag after power-up. Default: `apicId` is 0. */
  readonly bsp?: boolean;
  /** Version field of LVR, 8 bits. Default 14h. */
  readonly version?: number;
  /** Number of LVT entries: 6, or 7 with CMCI. Default 6. */
  readonly lvtCount?: 6 | 7;
  /** Whether SVR bit 12 (no EOI broadcast) exists, as LVR bit 24 reports. Default false. */
  readonly eoiBroadcastSuppression?: boolean;
  /** Whether the processor has x2APIC mode. Default true. */
  readonly x2apic?: boolean;
  /** Whether the timer has TSC-deadline mode. Default true. */
  readonly tscDeadline?: boolean;
  /** Width of physical addresses in bits, for the reserved bits of IA32_APIC_BASE. Default 40. */
  readonly physicalAddressBits?: number;
  /** Timer clock in hertz. Default 1 GHz, as KVM's. */
  readonly busHz?: number;
  /** Virtual nanoseconds at which this processor's TSC reaches a value. Default: a TSC of 1 GHz from power-on. */
  readonly nsOfTsc?: (tsc: bigint) => number;
}

/** Saved local APIC: architectural state only. */
export interface LocalApicState {
  /** Version of this layout. */
  readonly version: 1;
  /** The 64 register slots, 32 bits each. */
  readonly words: readonly number[];
  /** IA32_APIC_BASE. */
  readonly apicBase: number;
  /** Arbitration id. */
  readonly arbitrationId: number;
  /** Pins, collected errors, latched ExtINT. */
  readonly interrupts: InterruptUnitState;
  /** The timer. */
  readonly timer: ApicTimerState;
}
