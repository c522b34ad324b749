/**
 * The register file as one table: dispatch, the README table and the generated tests derive from it.
 * Sources: Intel SDM Vol. 3, "Local APIC Register Address Map", "x2APIC Register Address Space" and each register's own
 * figure; Linux `arch/x86/kvm/trace.h` for the trace names.
 */
import {
  APIC_ARBPRI,
  APIC_DFR,
  APIC_EOI,
  APIC_ESR,
  APIC_ICR,
  APIC_ICR2,
  APIC_ID,
  APIC_IRR,
  APIC_ISR,
  APIC_LDR,
  APIC_LVR,
  APIC_LVT0,
  APIC_LVT1,
  APIC_LVTCMCI,
  APIC_LVTERR,
  APIC_LVTPC,
  APIC_LVTT,
  APIC_LVTTHMR,
  APIC_PROCPRI,
  APIC_RRR,
  APIC_SELF_IPI,
  APIC_SPIV,
  APIC_TASKPRI,
  APIC_TDCR,
  APIC_TMCCT,
  APIC_TMICT,
  APIC_TMR,
} from '@smm/x86-defs';

/** What software may do with a register. `none`: the address is reserved in that mode. */
export type ApicAccess = 'rw' | 'ro' | 'wo' | 'none';

/** Short register names, the Intel SDM's. */
export type ApicRegisterName =
  | 'ID'
  | 'LVR'
  | 'TPR'
  | 'APR'
  | 'PPR'
  | 'EOI'
  | 'RRD'
  | 'LDR'
  | 'DFR'
  | 'SVR'
  | 'ISR'
  | 'TMR'
  | 'IRR'
  | 'ESR'
  | 'LVT_CMCI'
  | 'ICR_LOW'
  | 'ICR_HIGH'
  | 'LVT_TIMER'
  | 'LVT_THERMAL'
  | 'LVT_PERF'
  | 'LVT_LINT0'
  | 'LVT_LINT1'
  | 'LVT_ERROR'
  | 'INITIAL_COUNT'
  | 'CURRENT_COUNT'
  | 'DIVIDE'
  | 'SELF_IPI';

/** A register that is worked out when it is read, not stored. */
export type ApicComputed = 'id' | 'ldr' | 'ppr' | 'current-count';

/** What a write does besides storing the writable bits. */
export type ApicEffect =
  | 'identity'
  | 'priority'
  | 'eoi'
  | 'spurious'
  | 'error-status'
  | 'icr'
  | 'lvt'
  | 'lvt-timer'
  | 'initial-count'
  | 'divide'
  | 'self-ipi';

/** One row of the table. */
export interface ApicRegister {
  /** Short name. */
  readonly name: ApicRegisterName;
  /** The Intel SDM's full name. */
  readonly title: string;
  /** Byte offset from the APIC base of the (first) register. */
  readonly offset: number;
  /** Number of consecutive 32-bit registers, each 16 bytes apart: 8 for ISR, TMR, IRR. */
  readonly count: 1 | 8;
  /** Access in xAPIC mode (memory-mapped). */
  readonly access: ApicAccess;
  /** Value after power-up and INIT; ID and LVR come from the constructor's options instead. */
  readonly reset: number;
  /** Bits that a write changes in xAPIC mode; the others keep their value. */
  readonly mask: number;
  /** Access in x2APIC mode (RDMSR, WRMSR); what is not allowed is #GP. */
  readonly x2apic: ApicAccess;
  /** Bits that may be 1 in a WRMSR of the low 32 bits in x2APIC mode; any other is #GP. */
  readonly x2mask: number;
  /** Name in KVM's traces; the offset where they have none. */
  readonly trace: string;
  /** Set when a read is computed. */
  readonly computed?: ApicComputed;
  /** Set when a write does more than store. */
  readonly effect?: ApicEffect;
}

const LVT_SIMPLE = 0x1_00ff; // mask, vector
const LVT_MODE = 0x1_07ff; // and delivery mode
const LVT_PIN = 0x1_a7ff; // and trigger mode, polarity
const ALL = 0xffff_ffff;

/** The register file, in address order. */
// biome-ignore format: one register per line reads as the table it is
export const APIC_REGISTERS: readonly ApicRegister[] = [
  { name: 'ID', title: 'Local APIC ID', offset: APIC_ID, count: 1, access: 'rw', reset: 0, mask: 0xff00_0000,
    x2apic: 'ro', x2mask: 0, trace: 'APIC_ID', computed: 'id', effect: 'identity' },
  { name: 'LVR', title: 'Local APIC Version', offset: APIC_LVR, count: 1, access: 'ro', reset: 0, mask: 0,
    x2apic: 'ro', x2mask: 0, trace: 'APIC_LVR' },
  { name: 'TPR', title: 'Task Priority', offset: APIC_TASKPRI, count: 1, access: 'rw', reset: 0, mask: 0xff,
    x2apic: 'rw', x2mask: 0xff, trace: 'APIC_TASKPRI', effect: 'priority' },
  { name: 'APR', title: 'Arbitration Priority', offset: APIC_ARBPRI, count: 1, access: 'ro', reset: 0, mask: 0,
    x2apic: 'none', x2mask: 0, trace: 'APIC_ARBPRI' },
  { name: 'PPR', title: 'Processor Priority', offset: APIC_PROCPRI, count: 1, access: 'ro', reset: 0, mask: 0,
    x2apic: 'ro', x2mask: 0, trace: 'APIC_PROCPRI', computed: 'ppr' },
  { name: 'EOI', title: 'End Of Interrupt', offset: APIC_EOI, count: 1, access: 'wo', reset: 0, mask: 0,
    x2apic: 'wo', x2mask: 0, trace: 'APIC_EOI', effect: 'eoi' },
  { name: 'RRD', title: 'Remote Read', offset: APIC_RRR, count: 1, access: 'none', reset: 0, mask: 0,
    x2apic: 'none', x2mask: 0, trace: 'APIC_RRR' },
  { name: 'LDR', title: 'Logical Destination', offset: APIC_LDR, count: 1, access: 'rw', reset: 0, mask: 0xff00_0000,
    x2apic: 'ro', x2mask: 0, trace: 'APIC_LDR', computed: 'ldr' },
  { name: 'DFR', title: 'Destination Format', offset: APIC_DFR, count: 1, access: 'rw', reset: ALL, mask: 0xf000_0000,
    x2apic: 'none', x2mask: 0, trace: 'APIC_DFR' },
  { name: 'SVR', title: 'Spurious Interrupt Vector', offset: APIC_SPIV, count: 1, access: 'rw', reset: 0xff, mask: 0x3ff,
    x2apic: 'rw', x2mask: 0x3ff, trace: 'APIC_SPIV', effect: 'spurious' },
  { name: 'ISR', title: 'In-Service', offset: APIC_ISR, count: 8, access: 'ro', reset: 0, mask: 0,
    x2apic: 'ro', x2mask: 0, trace: 'APIC_ISR' },
  { name: 'TMR', title: 'Trigger Mode', offset: APIC_TMR, count: 8, access: 'ro', reset: 0, mask: 0,
    x2apic: 'ro', x2mask: 0, trace: 'APIC_TMR' },
  { name: 'IRR', title: 'Interrupt Request', offset: APIC_IRR, count: 8, access: 'ro', reset: 0, mask: 0,
    x2apic: 'ro', x2mask: 0, trace: 'APIC_IRR' },
  { name: 'ESR', title: 'Error Status', offset: APIC_ESR, count: 1, access: 'rw', reset: 0, mask: 0,
    x2apic: 'rw', x2mask: 0, trace: 'APIC_ESR', effect: 'error-status' },
  { name: 'LVT_CMCI', title: 'LVT Corrected Machine Check', offset: APIC_LVTCMCI, count: 1, access: 'rw', reset: 0x1_0000, mask: LVT_MODE,
    x2apic: 'rw', x2mask: LVT_MODE, trace: '0x2f0', effect: 'lvt' },
  { name: 'ICR_LOW', title: 'Interrupt Command, bits 31:0', offset: APIC_ICR, count: 1, access: 'rw', reset: 0, mask: 0xc_cfff,
    x2apic: 'rw', x2mask: 0xc_cfff, trace: 'APIC_ICR', effect: 'icr' },
  { name: 'ICR_HIGH', title: 'Interrupt Command, bits 63:32', offset: APIC_ICR2, count: 1, access: 'rw', reset: 0, mask: 0xff00_0000,
    x2apic: 'none', x2mask: 0, trace: 'APIC_ICR2' },
  { name: 'LVT_TIMER', title: 'LVT Timer', offset: APIC_LVTT, count: 1, access: 'rw', reset: 0x1_0000, mask: 0x7_00ff,
    x2apic: 'rw', x2mask: 0x7_00ff, trace: 'APIC_LVTT', effect: 'lvt-timer' },
  { name: 'LVT_THERMAL', title: 'LVT Thermal Sensor', offset: APIC_LVTTHMR, count: 1, access: 'rw', reset: 0x1_0000, mask: LVT_MODE,
    x2apic: 'rw', x2mask: LVT_MODE, trace: 'APIC_LVTTHMR', effect: 'lvt' },
  { name: 'LVT_PERF', title: 'LVT Performance Counters', offset: APIC_LVTPC, count: 1, access: 'rw', reset: 0x1_0000, mask: LVT_MODE,
    x2apic: 'rw', x2mask: LVT_MODE, trace: 'APIC_LVTPC', effect: 'lvt' },
  { name: 'LVT_LINT0', title: 'LVT LINT0', offset: APIC_LVT0, count: 1, access: 'rw', reset: 0x1_0000, mask: LVT_PIN,
    x2apic: 'rw', x2mask: LVT_PIN, trace: 'APIC_LVT0', effect: 'lvt' },
  { name: 'LVT_LINT1', title: 'LVT LINT1', offset: APIC_LVT1, count: 1, access: 'rw', reset: 0x1_0000, mask: LVT_PIN,
    x2apic: 'rw', x2mask: LVT_PIN, trace: 'APIC_LVT1', effect: 'lvt' },
  { name: 'LVT_ERROR', title: 'LVT Error', offset: APIC_LVTERR, count: 1, access: 'rw', reset: 0x1_0000, mask: LVT_SIMPLE,
    x2apic: 'rw', x2mask: LVT_SIMPLE, trace: 'APIC_LVTERR', effect: 'lvt' },
  { name: 'INITIAL_COUNT', title: 'Timer Initial Count', offset: APIC_TMICT, count: 1, access: 'rw', reset: 0, mask: ALL,
    x2apic: 'rw', x2mask: ALL, trace: 'APIC_TMICT', effect: 'initial-count' },
  { name: 'CURRENT_COUNT', title: 'Timer Current Count', offset: APIC_TMCCT, count: 1, access: 'ro', reset: 0, mask: 0,
    x2apic: 'ro', x2mask: 0, trace: 'APIC_TMCCT', computed: 'current-count' },
  { name: 'DIVIDE', title: 'Timer Divide Configuration', offset: APIC_TDCR, count: 1, access: 'rw', reset: 0, mask: 0xb,
    x2apic: 'rw', x2mask: 0xb, trace: 'APIC_TDCR', effect: 'divide' },
  { name: 'SELF_IPI', title: 'Self IPI', offset: APIC_SELF_IPI, count: 1, access: 'none', reset: 0, mask: 0,
    x2apic: 'wo', x2mask: 0xff, trace: 'APIC_SELF_IPI', effect: 'self-ipi' },
];

/** Number of 16-byte register slots up to the last register. */
export const APIC_SLOTS: number = Math.max(
  ...APIC_REGISTERS.map(({ offset, count }) => (offset >> 4) + count),
);

/** Row of each register slot (byte offset / 16); undefined where nothing is. */
export const APIC_REGISTER_BY_SLOT: readonly (ApicRegister | undefined)[] = (() => {
  const slots = new Array<ApicRegister | undefined>(APIC_SLOTS).fill(undefined);
  for (const row of APIC_REGISTERS) {
    for (let i = 0; i < row.count; i++) slots[(row.offset >> 4) + i] = row;
  }
  return slots;
})();

/** Looks a row up by its short name. */
export function apicRegister(name: ApicRegisterName): ApicRegister {
  return APIC_REGISTERS.find((row) => row.name === name)!;
}

/** The x2APIC MSR number of a register's first word, whether or not it exists in that mode. */
export function x2apicMsr(row: ApicRegister): number {
  return 0x800 + (row.offset >> 4);
}
