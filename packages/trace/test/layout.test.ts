import { EVENT_NAMES } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { allFields, EVENT_TABLE, fieldsOf } from '../src/table.ts';

/** Field offsets as the kernel's format files give them (Linux 4.4 on x86-64). */
const OFFSETS_2015: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  kvm_entry: { vcpu_id: 8 },
  kvm_exit: { exit_reason: 8, guest_rip: 16, isa: 24, info1: 32, info2: 40 },
  kvm_page_fault: { fault_address: 8, error_code: 16 },
  kvm_enter_smm: { vcpu_id: 8, smbase: 16, entering: 24 },
  kvm_apic: { rw: 8, reg: 12, val: 16 },
  kvm_apic_ipi: { icr_low: 8, dest_id: 12 },
  kvm_apic_accept_irq: { apicid: 8, dm: 12, tm: 14, vec: 15 },
  kvm_inj_virq: { irq: 8 },
  kvm_inj_exception: { exception: 8, has_error: 9, error_code: 12 },
  kvm_eoi: { apicid: 8, vector: 12 },
  kvm_mmio: { type: 8, len: 12, gpa: 16, val: 24 },
  kvm_pio: { rw: 8, port: 12, size: 16, count: 20, val: 24 },
  kvm_cpuid: { function: 8, rax: 16, rbx: 24, rcx: 32, rdx: 40 },
  kvm_msr: { write: 8, ecx: 12, data: 16, exception: 24 },
  kvm_cr: { rw: 8, cr: 12, val: 16 },
  kvm_emulate_insn: { rip: 8, csbase: 16, len: 20, insn: 21, flags: 36, failed: 37 },
  kvm_hypercall: { nr: 8, a0: 16, a1: 24, a2: 32, a3: 40 },
  kvm_userspace_exit: { reason: 8, errno: 12 },
  kvm_vcpu_wakeup: { ns: 8, waited: 16 },
  kvm_set_irq: { gsi: 8, level: 12, irq_source_id: 16 },
  kvm_msi_set_irq: { address: 8, data: 16 },
  kvm_ioapic_set_irq: { e: 8, pin: 16, coalesced: 20 },
  kvm_ack_irq: { irqchip: 8, pin: 12 },
  kvm_pic_set_irq: { chip: 8, pin: 9, elcr: 10, imr: 11, coalesced: 12 },
  kvm_fpu: { load: 8 },
};

describe('record layouts', () => {
  it.each(Object.entries(OFFSETS_2015))('%s has the offsets of a 2015 kernel', (name, offsets) => {
    const fields = fieldsOf(name as (typeof EVENT_NAMES)[number], '2015');
    expect(Object.fromEntries(fields.map((field) => [field.name, field.offset]))).toEqual(offsets);
  });

  it("today's kvm_apic_accept_irq has its vector at 16, kvm_entry its flag at 24", () => {
    const accept = fieldsOf('kvm_apic_accept_irq', 'current');
    expect(accept.find(({ name }) => name === 'vec')?.offset).toBe(16);
    expect(fieldsOf('kvm_entry', 'current').map(({ offset }) => offset)).toEqual([8, 16, 24]);
  });

  it('numbers every event once', () => {
    const ids = EVENT_NAMES.map((name) => EVENT_TABLE[name].id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('keeps every member in one form or the other', () => {
    for (const name of EVENT_NAMES) {
      const kept = new Set(allFields(EVENT_TABLE[name]).map(([, , member]) => member));
      for (const member of Object.keys(EVENT_TABLE[name].members)) {
        // In 2015 and for some events today, the thread alone tells the VCPU.
        if (member !== 'vcpu' || EVENT_TABLE[name].system === 'smm') expect(kept, name).toContain(member);
      }
    }
  });
});
