/**
 * Words of newer kernels, to the letter of Linux `trace.h`, `uapi/asm/svm.h`, `uapi/asm/vmx.h` and `uapi/linux/kvm.h`.
 */
import { formatMessage, parseTraceText, type TraceEvent } from '@smm/trace';
import { expect, it } from 'vitest';

function read(line: string): TraceEvent | undefined {
  const { events, counts } = parseTraceText(` CPU 0/KVM-7 [001] 1.000000: ${line}`, { form: 'current' });
  expect(counts).toMatchObject({ events: 1, notUnderstood: 0 });
  return events[0];
}

const rip = 'rip: 0x000000000000abcd';
const words = 'nested_rip: 0x0000000000001234 int_ctl: 0x00000000 event_inj: 0x00000000';

it.each([
  ['on VMX', `${rip} vmcs: 0x0000000000005000 ${words} nested_ept=y nested_eptp: 0x000000000000701e`, true],
  [
    'on VMX without EPT',
    `${rip} vmcs: 0x0000000000005000 ${words} nested_ept=n guest_cr3: 0x0000000000007000`,
    false,
  ],
  ['on SVM', `${rip} vmcb: 0x0000000000005000 ${words} nested_npt=y nested_cr3: 0x0000000000007000`, true],
])('kvm_nested_vmenter %s', (_title, text, npt) => {
  const entered = { name: 'kvm_nested_vmrun', rip: 0xabcdn, vmcb: 0x5000n, nestedRip: 0x1234n, npt };
  expect(read(`kvm_nested_vmenter: ${text}`)).toMatchObject(entered);
});

it('kvm_nested_vmenter as its fields', () => {
  const fields = 'rip=0xabcd vmcb=0x5000 nested_rip=0x1234 int_ctl=0x0 event_inj=0x0 tdp_enabled=1';
  expect(read(`kvm_nested_vmenter: ${fields}`)).toMatchObject({ name: 'kvm_nested_vmrun', npt: true });
});

it('kvm_hv_hypercall with a variable header', () => {
  const line = 'kvm_hv_hypercall: code 0x13 fast var_cnt 0x1 rep_cnt 0x2 idx 0x3 in 0x1000 out 0x0';
  expect(read(line)).toMatchObject({ code: 0x13, fast: true, repCount: 2, repIndex: 3, inGpa: 0x1000n });
});

it.each([
  ['write_efer_trap', 0x8f],
  ['write_cr0_trap', 0x90],
  ['write_cr4_trap', 0x94],
  ['write_cr8_trap', 0x98],
  ['invpcid', 0xa2],
  ['buslock', 0xa5],
  ['idle-halt', 0xa6],
  ['vmgexit', 0x403],
  ['vmgexit_mmio_read', 0x8000_0001],
  ['vmgexit_mmio_write', 0x8000_0002],
  ['vmgexit_nmi_complete', 0x8000_0003],
  ['vmgexit_ap_hlt_loop', 0x8000_0004],
  ['vmgexit_ap_jump_table', 0x8000_0005],
  ['vmgexit_page_state_change', 0x8000_0010],
  ['vmgexit_guest_request', 0x8000_0011],
  ['vmgexit_ext_guest_request', 0x8000_0012],
  ['vmgexit_ap_creation', 0x8000_0013],
  ['vmgexit_hypervisor_feature', 0x8000_fffd],
  ['invalid_guest_state', 0xffff_ffff],
  // No kernel names these two.
  ['0x8c', 0x8c],
  ['0x8e', 0x8e],
])('SVM exit %s', (name, exitReason) => {
  const exit: TraceEvent = { name: 'kvm_exit', ts: 0, cpu: 0, vcpu: 0, exitReason, isa: 2, guestRip: 0n };
  const text = formatMessage(exit, { form: 'current' });
  expect(text).toContain(`reason ${name} rip`);
  expect(read(`kvm_exit: ${text}`)).toMatchObject({ exitReason });
});

it.each([
  ['TDCALL', 77],
  ['MSR_READ_IMM', 84],
  ['MSR_WRITE_IMM', 85],
])('VMX exit %s', (name, exitReason) => {
  const text = `vcpu 0 reason ${name} rip 0x1 info1 0x0000000000000000 info2 0x0000000000000000 intr_info 0x00000000 error_code 0x00000000`;
  expect(read(`kvm_exit: ${text}`)).toMatchObject({ isa: 1, exitReason });
});

it.each([
  ['KVM_EXIT_MEMORY_FAULT', 39],
  ['KVM_EXIT_TDX', 40],
  ['KVM_EXIT_ARM_SEA', 41],
  ['KVM_EXIT_ARM_LDST64B', 42],
  ['KVM_EXIT_SNP_REQ_CERTS', 43],
])('exit to user space %s', (name, reason) => {
  expect(read(`kvm_userspace_exit: reason ${name} (${reason})`)).toMatchObject({ reason });
  const exit: TraceEvent = { name: 'kvm_userspace_exit', ts: 0, cpu: 0, reason, errno: 0 };
  expect(formatMessage(exit, { form: 'current' })).toBe(`reason ${name} (${reason})`);
});
