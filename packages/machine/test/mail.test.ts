/**
 * What the mail tells: edk2-devel, 2015-10-21, "SMBASE relocation". Every expected number and line in this file is the
 * mail's, or follows from it and the architecture; RIPs differ, for the guest code is ours.
 */
import { buildFirmware } from '@smm/edk2-relocation';
import { diagnose } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { diagnoseRun, relocate } from '../src/index.ts';
import { find, lines, MAIL, run } from './runs.ts';

/** RIP in a trace line. */
const ripOf = (line: string): number => Number(/rip (0x[0-9a-f]+)/.exec(line)![1]);

describe("the mail's 32-bit guest with two VCPUs on its host", () => {
  const { report, events } = run(MAIL);
  const text = lines(events);

  it('hangs as the mail says, with VCPU 1 at the SMBASE of VCPU 0', () => {
    expect(report.outcome).toBe('stuck');
    expect(report.cpus.map(({ smbase, planned }) => [smbase, planned])).toEqual([
      [0x3_0000, 0x7ffc_1000],
      [0x7ffc_1000, 0x7ffc_1800],
    ]);
    expect(report.cpus[0]).toMatchObject({
      state: 'spinning',
      waitingOn: 'spins on mRebased[1]',
      smm: false,
    });
    expect(report.cpus[1]).toMatchObject({ state: 'halted', smm: false, smmEntries: 1 });
  });

  it("prints the mail's log up to the mail's last line", () => {
    expect(report.log).toEqual([
      'SMRAM TileSize = 00000800',
      'CPU[000]  APIC ID=0000  SMBASE=7FFC1000  SaveState=7FFD0C00  Size=00000400',
      'CPU[001]  APIC ID=0001  SMBASE=7FFC1800  SaveState=7FFD1400  Size=00000400',
      'SmmRelocateBases: sending SMI IPI to APIC ID 0x1',
    ]);
  });

  it('proves that the BSP never leaves its loop: it reads one flag, and nobody writes', () => {
    const { loops } = report.proof!;
    expect(loops.map(({ id }) => id)).toEqual([0]);
    const mRebased = buildFirmware({ bitness: 32, shape: '2015' }).symbols.get('mRebased')!;
    expect(loops[0]!.reads).toEqual([mRebased + 1]);
    expect(loops[0]!.period).toBeLessThan(10);
  });

  it("shows the mail's trace lines in the mail's order", () => {
    const entering = find(text, /^kvm_enter_smm: vcpu 1: entering SMM, smbase 0x30000$/);
    const violation = find(text, /^kvm_page_fault: address fee00020 error_code 181$/, entering);
    expect(text[violation - 1]).toMatch(/^kvm_exit: reason EPT_VIOLATION rip 0x[0-9a-f]+ info 181 0$/);
    const leaving = find(text, /^kvm_enter_smm: vcpu 1: leaving SMM, smbase 0x7ffc1000$/, violation);
    const access = find(text, /^kvm_exit: reason APIC_ACCESS rip 0x[0-9a-f]+ info 20 0$/, leaving);
    const after = text.slice(access + 1).filter((line) => line.startsWith('kvm_'));
    const rip = ripOf(text[access]!).toString(16);
    expect(after.slice(0, 4)).toEqual([
      `kvm_emulate_insn: 0:${rip}: 8b 1b`,
      'kvm_apic: apic_read APIC_ID = 0x1000000',
      'kvm_mmio: mmio read len 4 gpa 0xfee00020 val 0x1000000',
      'kvm_entry: vcpu 1',
    ]);
    // In SMM nothing of this happens: the page fault is resolved and the access is never emulated.
    const inside = text.slice(entering, leaving);
    expect(inside.filter((line) => /kvm_apic:|kvm_mmio:|APIC_ACCESS/.test(line))).toEqual([]);
  });

  it('names the RIP of the accessing instruction, in SMM and outside', () => {
    // The firmware's own symbols say where GetApicId and the idle loop are.
    const { symbols } = buildFirmware({ bitness: 32, shape: '2015' });
    const violation = find(text, /EPT_VIOLATION .*info 181 0/, find(text, /vcpu 1: entering SMM/));
    const inSmm = ripOf(text[violation]!);
    const getApicId = symbols.get('GetApicId')!;
    expect(inSmm).toBeGreaterThanOrEqual(getApicId);
    expect(inSmm).toBeLessThan(getApicId + 0x30);
    const read = events.find((event) => event.name === 'smm_apic_read' && event.inSmm && event.vcpu === 1);
    expect(read).toMatchObject({ rip: BigInt(inSmm), value: 0, reached: 'memory', register: 0x20 });
    const idle = ripOf(text[find(text, /APIC_ACCESS .*info 20 0/, violation)]!);
    expect(idle).toBeGreaterThanOrEqual(symbols.get('ApIdle')!);
    expect(idle).toBeLessThan(symbols.get('ApIdleEnd')!);
  });

  it('decodes the emulated bytes as the instruction of the mail', () => {
    const emulated = events.find(
      (event) => event.name === 'kvm_emulate_insn' && event.vcpu === 1 && event.insn?.[0] === 0x8b,
    );
    expect(emulated).toMatchObject({ insn: [0x8b, 0x1b], failed: false, csbase: 0, flags: 1 | 4 });
  });

  it('sends the SMI as the mail says KVM does', () => {
    const icr2 = find(text, /^kvm_apic: apic_write APIC_ICR2 = 0x1000000$/);
    const icr = find(text, /^kvm_apic: apic_write APIC_ICR = 0x4200$/, icr2);
    const ipi = find(text, /^kvm_apic_ipi: dst 1 vec 0 \(SMI\|physical\|assert\|edge\|dst\)$/, icr);
    const accept = find(text, /^kvm_apic_accept_irq: apicid 1 vec 0 \(SMI\|edge\)$/, ipi);
    const wakeup = find(text, /^kvm_vcpu_wakeup: wait time/, accept);
    expect(find(text, /vcpu 1: entering SMM/)).toBeGreaterThan(wakeup);
    const rsm = find(text, /^kvm_exit: reason EXCEPTION_NMI rip 0x[0-9a-f]+ info 0 80000306$/, wakeup);
    expect(text[rsm + 1]).toMatch(/^kvm_emulate_insn: 0:[0-9a-f]+: 0f aa$/);
    expect(text[rsm + 2]).toBe('kvm_enter_smm: vcpu 1: leaving SMM, smbase 0x7ffc1000');
  });

  it('shows exit qualifications that are possible, and times that never go back', () => {
    for (const event of events) {
      if (event.name !== 'kvm_exit' || event.exitReason !== 48) continue;
      // A linear access: valid address, final translation or walk; one kind of access; a missing entry gives no rights.
      expect([0x81n, 0x83n, 0x181n, 0x182n, 0x183n, 0x184n]).toContain(event.info1);
    }
    const times = events.map(({ ts }) => ts);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('is diagnosed as Q1, from its own trace and from its text alone', () => {
    const found = diagnoseRun(run(MAIL));
    expect(found.map(({ id, quirk }) => [id, quirk])).toEqual([['apic-page-in-smm', 'Q1']]);
    expect(found[0]!.sentence).toMatch(/VCPU 1 .*FEE00020.*0x7ffc1000/s);
    const kvmOnly = events.filter(({ name }) => name.startsWith('kvm_'));
    expect(diagnose(kvmOnly)[0]).toMatchObject({ quirk: 'Q1', vcpu: 1 });
  });
});

describe('the same with ept=0', () => {
  const { report, events } = run({ ...MAIL, kvm: { ept: false } });
  const text = lines(events);

  it('fails the same way', () => {
    expect(report.outcome).toBe('stuck');
    expect(report.cpus.map(({ smbase }) => smbase)).toEqual([0x3_0000, 0x7ffc_1000]);
  });

  it('shows shadow-paging traces', () => {
    expect(text.filter((line) => /EPT_/.test(line))).toEqual([]);
    const entering = find(text, /vcpu 1: entering SMM/);
    const fault = find(
      text,
      /^kvm_exit: reason EXCEPTION_NMI rip 0x[0-9a-f]+ info fee00020 80000b0e$/,
      entering,
    );
    expect(text[fault + 1]).toMatch(/^kvm_page_fault: address fee00020 error_code 0$/);
    const leaving = find(text, /leaving SMM, smbase 0x7ffc1000/, fault);
    expect(text.slice(fault, leaving).some((line) => /APIC_ACCESS|kvm_apic:/.test(line))).toBe(false);
    expect(find(text, /APIC_ACCESS .*info 20 0/, leaving)).toBeGreaterThan(leaving);
  });
});

describe('the cause', () => {
  const fixed = { ...MAIL, quirks: ['-Q1'] };

  it('is Q1 alone: without it the same host relocates', () => {
    const { report } = run(fixed);
    expect(report).toMatchObject({ outcome: 'relocated', firstSmi: { entered: 2, of: 2 }, notes: [] });
    expect(report.cpus.map(({ smbase }) => smbase)).toEqual([0x7ffc_1000, 0x7ffc_1800]);
    expect(diagnoseRun(run(fixed))).toEqual([]);
  });

  it('reads the APIC ID in SMM through an APIC access once Q1 is gone', () => {
    const text = lines(run(fixed).events);
    const entering = find(text, /vcpu 1: entering SMM/);
    const leaving = find(text, /vcpu 1: leaving SMM, smbase 0x7ffc1800/, entering);
    const access = find(text, /APIC_ACCESS rip 0x[0-9a-f]+ info 20 0/, entering);
    expect(access).toBeLessThan(leaving);
    expect(find(text, /apic_read APIC_ID = 0x1000000/, access)).toBeLessThan(leaving);
  });

  it.each([32, 64] as const)('is enough on its own on a host without other faults, %i-bit', (bitness) => {
    for (const host of ['linux-4.4', 'linux-current']) {
      const good = { cpus: 2, bitness, accelerator: 'kvm', host } as const;
      expect(run(good).report).toMatchObject({ outcome: 'relocated', firstSmi: { entered: 2, of: 2 } });
      expect(diagnoseRun(run(good))).toEqual([]);
      const bad = { ...good, quirks: ['+Q1'] };
      expect(run(bad).report.outcome).toBe('stuck');
      expect(run(bad).report.cpus.map(({ smbase }) => smbase)).toEqual([0x3_0000, 0x7ffc_1000]);
      expect(diagnoseRun(run(bad)).map(({ quirk }) => quirk)).toEqual(['Q1']);
    }
  });

  it('is hidden by Q2 on the host without the two backports: VCPU 1 never enters SMM', () => {
    const stock = { ...MAIL, host: 'rhel7-3.10.0-323-stock' };
    const { report, events } = run(stock);
    expect(report.outcome).toBe('stuck');
    expect(report.cpus[1]).toMatchObject({ smbase: 0x3_0000, smmEntries: 0, state: 'halted' });
    expect(report.cpus[1]!.waitingOn).toMatch(/SMI pending/);
    expect(lines(events).some((line) => /vcpu 1: entering SMM/.test(line))).toBe(false);
    expect(diagnoseRun(run(stock)).map(({ quirk }) => quirk)).toEqual(['Q2']);
  });

  it('does not bite the 2024 shape, which asks no APIC in SMM; the first normal SMI then loses the IPIs', () => {
    const { report, events } = run({ ...MAIL, edk2: '2024' });
    expect(report.outcome).toBe('relocated');
    expect(report.cpus.map(({ smbase }) => smbase)).toEqual([0x7f7f_9000, 0x7f7f_b000]);
    expect(report.firstSmi).toEqual({ entered: 1, of: 2 });
    expect(report.notes.join()).toMatch(/1 of 2: CPU 1 missed it/);
    const lost = events.filter((event) => event.name === 'smm_apic_write' && event.reached === 'memory');
    expect(
      lost.map((event) => event.name === 'smm_apic_write' && [event.register, event.value]),
    ).toContainEqual([0x300, 0xc_4200]);
    const whole = run({ ...MAIL, edk2: '2024', quirks: ['-Q1'] }).report;
    expect(whole).toMatchObject({ outcome: 'relocated', firstSmi: { entered: 2, of: 2 }, notes: [] });
  });
});

describe('other ways to run it', () => {
  it.each(['tcg', 'kvm'] as const)('passes with one VCPU under %s, everywhere', (accelerator) => {
    const hosts =
      accelerator === 'kvm' ? ['rhel7-3.10.0-323', 'rhel7-3.10.0-323-stock', 'linux-4.4'] : [undefined];
    for (const host of hosts) {
      for (const bitness of [32, 64] as const) {
        for (const edk2 of ['2015', '2024'] as const) {
          const options = { cpus: 1, bitness, accelerator, edk2, ...(host === undefined ? {} : { host }) };
          const { report } = run(options);
          expect(report).toMatchObject({ outcome: 'relocated', firstSmi: { entered: 1, of: 1 } });
          expect(report.cpus[0]!.smbase).toBe(report.cpus[0]!.planned);
        }
      }
    }
  });

  it('passes with flexpriority=0, for there is no APIC-access page then', () => {
    const { report, events } = run({ ...MAIL, kvm: { flexpriority: false } });
    expect(report).toMatchObject({ outcome: 'relocated', firstSmi: { entered: 2, of: 2 } });
    expect(lines(events).some((line) => /APIC_ACCESS/.test(line))).toBe(false);
    expect(diagnoseRun(run({ ...MAIL, kvm: { flexpriority: false } }))).toEqual([]);
  });

  it('passes with kernel_irqchip=off, with a note on what is not modelled', () => {
    const { report, events } = run({ ...MAIL, kvm: { kernelIrqchip: false } });
    expect(report.outcome).toBe('relocated');
    expect(report.notes.join()).toMatch(/SIGKILL.*not modelled/);
    const text = lines(events);
    expect(text.some((line) => /^kvm_apic|APIC_ACCESS/.test(line))).toBe(false);
    expect(find(text, /^kvm_userspace_exit: reason KVM_EXIT_MMIO/)).toBeGreaterThan(0);
  });

  it('shows the identity-map face of Q1 with unrestricted_guest=0: SMM cannot run its first instruction', () => {
    const options = { ...MAIL, kvm: { unrestrictedGuest: false } };
    const { report } = run(options);
    expect(report.outcome).toBe('shutdown');
    expect(report.summary).toMatch(
      /identity page table at 0xfeffc000 of the SMM address space: its entry for 0x38000/,
    );
    expect(report.cpus[1]).toMatchObject({ smm: true, state: 'shutdown', rip: 0x8000n });
    expect(diagnoseRun(run(options)).map(({ id, quirk }) => [id, quirk])).toEqual([
      ['private-page-in-smm', 'Q1'],
    ]);
    expect(relocate({ ...options, quirks: ['-Q1'] }).outcome).toBe('relocated');
  });
});
