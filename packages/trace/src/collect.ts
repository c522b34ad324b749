/** What to record next, by diagnosis. */
import type { DiagnosisId } from './diagnosis.ts';

const RECORD = 'trace-cmd record -b 20000';
const events = (...names: readonly string[]): string => names.map((name) => `-e kvm:${name}`).join(' ');
const SMM = events('kvm_smm_transition', 'kvm_entry', 'kvm_exit');
const APIC = events('kvm_apic', 'kvm_apic_ipi', 'kvm_apic_accept_irq', 'kvm_mmio', 'kvm_page_fault');
const INJECTION = events('kvm_inj_virq', 'kvm_inj_exception', 'kvm_userspace_exit');
const OLD_NAME = '(kvm_enter_smm in older kernels)';

const SMBASE = `${RECORD} ${SMM} ${APIC} ${OLD_NAME}, with -debugcon file:debug.log -global isa-debugcon.iobase=0x402 for the SMBASEs that the firmware plans`;
const DELIVERY = `${RECORD} ${SMM} ${APIC} ${OLD_NAME}, for a second beyond the moment at which it hangs`;
const DEATH = `${RECORD} ${SMM} ${INJECTION} ${events('kvm_emulate_insn', 'kvm_cr', 'kvm_page_fault')}, and 'info registers -a' at QEMU's monitor (-no-reboot -no-shutdown keeps it alive)`;
const ENTRY = `${RECORD} ${SMM} ${INJECTION} ${OLD_NAME}, with kvm_intel.dump_invalid_vmcs=1 (or kvm_amd.dump_invalid_vmcb=1) so that dmesg shows the state that was refused, and QEMU's register dump`;
const LOG =
  '-debugcon file:debug.log -global isa-debugcon.iobase=0x402 with a debug build of the firmware, and a trace of the same run';

/** A command or an option that shows more. */
export const COLLECT: Readonly<Record<DiagnosisId, string>> = {
  'apic-page-in-smm': SMBASE,
  'private-page-in-smm': DEATH,
  'smi-ignored-while-halted': DELIVERY,
  'smi-never-taken': DELIVERY,
  'smbase-masked': SMBASE,
  'vm-entry-failed-in-smm': ENTRY,
  'vm-entry-failed': ENTRY,
  'duplicate-apic-id': `${RECORD} ${SMM} ${APIC} ${events('kvm_cpuid', 'kvm_msr')}`,
  'smbase-not-relocated': SMBASE,
  'shutdown-in-smm': DEATH,
  'exception-in-smm': DEATH,
  'relocation-not-awaited': SMBASE,
  'smi-taken-by-one': DELIVERY,
  'shared-smbase': SMBASE,
  'wrong-smbase': SMBASE,
  'smm-never-left': DEATH,
  'cpu-died': DEATH,
  'hlt-left-after-smi': DEATH,
  'emulation-failed': DEATH,
  'sipi-in-smm': DELIVERY,
  'ap-never-starts': DELIVERY,
  'smi-storm': `${RECORD} ${SMM} ${events('kvm_pio', 'kvm_mmio', 'kvm_apic_accept_irq')}`,
  'rsm-into-nested-guest': `${RECORD} ${SMM} -e 'kvm:kvm_nested*' ${INJECTION}`,
  'rsm-outside-smm': `${RECORD} ${SMM} -e 'kvm:kvm_nested*' ${INJECTION}`,
  'firmware-assertion': LOG,
  'firmware-exception': LOG,
  's3-unsupported': LOG,
  'ap-timeout': DELIVERY,
};
