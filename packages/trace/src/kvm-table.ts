/**
 * The KVM tracepoints: fields and print formats of 2015 and of today, and what other kernels and tools print.
 *
 * Sources: Linux `arch/x86/kvm/trace.h` and `include/trace/events/kvm.h`, 3.10 to 6.13 (2015 is 4.4, today is
 * 6.12); the plugin texts are measured on trace-cmd 3.1.6.
 */
import type { KvmEvent } from './kvm-events.ts';
import { APIC_ROWS } from './kvm-table-apic.ts';
import type { KvmRows } from './kvm-table-common.ts';
import { EXIT_ROWS } from './kvm-table-exits.ts';
import { INSN_ROWS } from './kvm-table-insn.ts';
import { IRQCHIP_ROWS } from './kvm-table-irqchip.ts';
import { NESTED_ROWS } from './kvm-table-nested.ts';

/** Every KVM event. */
export const KVM_TABLE: KvmRows<KvmEvent['name']> = {
  ...EXIT_ROWS,
  ...APIC_ROWS,
  ...INSN_ROWS,
  ...IRQCHIP_ROWS,
  ...NESTED_ROWS,
};
