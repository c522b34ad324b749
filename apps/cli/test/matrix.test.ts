import { expect, it } from 'vitest';
import { cli, inOrder } from './support.ts';

it("prints the mail's table and, under it, the cause with the trace lines that prove it", async () => {
  const { out, code } = await cli('matrix -smp 1,2');
  expect(code).toBe(0);
  const lines = out.split('\n');
  expect(lines[0]).toMatch(/^ {2}bitness +accel +VCPUs +host +result$/);
  const rows = lines.slice(2, 14).map((line) => line.trim().split(/ {2,}/));
  expect(rows).toHaveLength(12);
  for (const [bitness, accel, vcpus, host, result] of rows) {
    const fails = accel === 'kvm' && vcpus === '2' && host === 'rhel7-3.10.0-323';
    if (fails) expect(result, bitness).toBe("stuck in SMBASE relocation, VCPU 1 took VCPU 0's SMBASE");
    else if (vcpus === '1')
      expect(result).toBe('relocated: SMBASE 7ffc2000, all CPUs in the first normal SMI');
    else expect(result).toBe('relocated: SMBASE 7ffc1000 7ffc1800, all CPUs in the first normal SMI');
  }
  const text = out.replace(/\s+/g, ' ');
  expect(text).toContain('Why 32 kvm 2 on rhel7-3.10.0-323 fails:');
  expect(text).toMatch(/VCPU 1 read FEE00020 .* in SMM without an APIC access/);
  expect(text).toContain('The cause is Q1');
  expect(text).toContain('f0d648bdf0a5');
  // As the mail shows them, byte for byte but for the addresses of code.
  inOrder(lines, [
    /^kvm_enter_smm: {4}vcpu 1: entering SMM, smbase 0x30000$/,
    /^\.\.\.$/,
    /^kvm_entry: {8}vcpu 1$/,
    /^kvm_exit: {9}reason EPT_VIOLATION rip 0x7ffd[0-9a-f]{4} info 181 0$/,
    /^kvm_page_fault: {3}address fee00020 error_code 181$/,
    /^\.\.\.$/,
    /^kvm_enter_smm: {4}vcpu 1: leaving SMM, smbase 0x7ffc1000$/,
    /^kvm_entry: {8}vcpu 1$/,
    /^kvm_exit: {9}reason APIC_ACCESS rip 0x[0-9a-f]{8} info 20 0$/,
    /^kvm_emulate_insn: 0:[0-9a-f]{8}: 8b 1b$/,
    /^kvm_apic: {9}apic_read APIC_ID = 0x1000000$/,
    /^kvm_mmio: {9}mmio read len 4 gpa 0xfee00020 val 0x1000000$/,
    /^kvm_entry: {8}vcpu 1$/,
  ]);
});

it('with the firmware of 2024 nothing hangs, and the first normal SMI shows what is lost', async () => {
  const { out, code } = await cli('matrix -smp 2 --edk2 2024 -m 512');
  expect(code).toBe(0);
  expect(out).not.toContain('stuck');
  expect(out).toMatch(/rhel7-3\.10\.0-323 +relocated: .*1 of 2 CPUs in the first normal SMI/);
  expect(out).toContain('Every configuration relocates.');
});
