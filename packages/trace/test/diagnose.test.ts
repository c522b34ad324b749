import { type DiagnosisContext, diagnose, parseTraceText, type TraceEvent } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { MAIL_EXCERPT, MAIL_PROSE } from './mail-excerpt.ts';
import { firstSmi, goodRun, kvm, mailRun, PLANNED, smiIpi, start } from './scenarios.ts';

const STUCK: DiagnosisContext = { outcome: 'stuck' };
const ids = (events: readonly TraceEvent[], context?: DiagnosisContext) =>
  diagnose(events, context).map(({ id, quirk }) => [quirk, id]);

describe("the mail's own trace", () => {
  it('is diagnosed from the excerpt alone: VCPU 1, FEE00020, 7ffc1000', () => {
    const { events, lines } = parseTraceText(MAIL_EXCERPT);
    const found = diagnose(events);
    expect(found).toHaveLength(1);
    const [diagnosis] = found;
    expect(diagnosis).toMatchObject({ id: 'apic-page-in-smm', quirk: 'Q1', vcpu: 1, confidence: 'proved' });
    expect(diagnosis?.sentence).toContain('VCPU 1');
    expect(diagnosis?.sentence).toContain('FEE00020');
    expect(diagnosis?.sentence).toContain('7ffc1000');
    // Entry, violation, fault, leaving, then the access outside SMM that works.
    expect(diagnosis?.evidence.map(({ index = -1 }) => lines[index])).toEqual([2, 5, 6, 10, 13, 14, 15, 16]);
    expect(diagnosis?.evidence[2]?.line).toBe('kvm_page_fault:       address fee00020 error_code 181');
  });

  it('is diagnosed from the whole mail, whose quoted log tells whose SMBASE it is', () => {
    const { events, planned } = parseTraceText(MAIL_PROSE);
    const [diagnosis, ...rest] = diagnose(events, { planned });
    expect(rest).toEqual([]);
    expect(diagnosis?.sentence).toContain("SMBASE 0x7ffc1000, which is CPU 0's (0x7ffc1800 was planned)");
  });
});

describe('Q1, the APIC page in SMM', () => {
  const HEAD = `
    1 kvm_entry: vcpu 1
    1 kvm_enter_smm: vcpu 1: entering SMM, smbase 0x30000`;

  it('without EPT, by a #PF exit at the linear address', () => {
    const events = kvm(`${HEAD}
      1 kvm_exit: reason EXCEPTION_NMI rip 0x7ffdcf46 info fee00020 80000b0e
      1 kvm_page_fault: address fee00020 error_code 9
      1 kvm_entry: vcpu 1
      1 kvm_enter_smm: vcpu 1: leaving SMM, smbase 0x7ffc1000`);
    const [diagnosis] = diagnose(events, { planned: PLANNED });
    expect(diagnosis).toMatchObject({ quirk: 'Q1', vcpu: 1, confidence: 'proved' });
    expect(diagnosis?.evidence.map(({ index }) => index)).toEqual([1, 2, 3, 5]);
  });

  it('in the machine’s own events', () => {
    const [diagnosis, ...rest] = diagnose(mailRun(), STUCK);
    expect(rest).toEqual([]);
    expect(diagnosis).toMatchObject({ quirk: 'Q1', vcpu: 1, confidence: 'proved' });
    expect(diagnosis?.sentence).toContain("0x7ffc1000, which is CPU 0's (0x7ffc1800 was planned)");
  });

  it.each([
    ['the fault that maps the APIC-access page', 'kvm_exit: reason APIC_ACCESS rip 0x7ffdcf46 info 20 0'],
    ['an APIC in user space', 'kvm_mmio: mmio unsatisfied-read len 4 gpa 0xfee00020 val 0x0'],
  ])('not for %s', (_title, access) => {
    const events = kvm(`${HEAD}
      1 kvm_exit: reason EPT_VIOLATION rip 0x7ffdcf46 info 181 0
      1 kvm_page_fault: address fee00020 error_code 181
      1 kvm_entry: vcpu 1
      1 ${access}
      1 kvm_enter_smm: vcpu 1: leaving SMM, smbase 0x7ffc1800`);
    expect(diagnose(events)).toEqual([]);
  });

  it('not for a fault of another VCPU, nor outside SMM, nor at another page', () => {
    const events = kvm(`${HEAD}
      0 kvm_entry: vcpu 0
      0 kvm_exit: reason EPT_VIOLATION rip 0x1 info 181 0
      0 kvm_page_fault: address fee00020 error_code 181
      1 kvm_page_fault: address fed00020 error_code 181
      1 kvm_enter_smm: vcpu 1: leaving SMM, smbase 0x7ffc1800
      1 kvm_page_fault: address fee00020 error_code 181`);
    expect(diagnose(events)).toEqual([]);
  });

  it('not where it did no harm: one VCPU, whose id is 0 anyway', () => {
    const run = firstSmi(start([0]), 0, { idRead: 0, reached: 'memory' });
    expect(diagnose(run.events, { outcome: 'relocated' })).toEqual([]);
  });

  it('names the lost write where every SMBASE is right (a handler that sends SMIs)', () => {
    const run = firstSmi(start([0, 1]), 1, { idRead: undefined });
    firstSmi(run, 0, { idRead: undefined });
    const icr = { register: 0x300, value: 0xc4200, rip: 1n, inSmm: true, reached: 'memory' } as const;
    run.add(
      { name: 'smm_enter', vcpu: 0, smbase: 0x7ffc1000n, rip: 1n },
      { name: 'smm_apic_write', vcpu: 0, ...icr },
    );
    run.add({ name: 'smm_rsm', vcpu: 0, oldSmbase: 0x7ffc1000n, newSmbase: 0x7ffc1000n, rip: 1n });
    const [diagnosis, ...rest] = diagnose(run.events, { outcome: 'relocated' });
    expect(rest).toEqual([]);
    expect(diagnosis).toMatchObject({ quirk: 'Q1', vcpu: 0 });
    expect(diagnosis?.sentence).toMatch(/wrote FEE00300 \(APIC_ICR\).*lost/);
  });

  it('from KVM’s events alone, a fault at another register than the ID is a lost access, not a wrong id', () => {
    const events = kvm(`${HEAD}
      1 kvm_exit: reason EPT_VIOLATION rip 0x7ffd23ae info 181 0
      1 kvm_page_fault: address fee00310 error_code 181
      1 kvm_enter_smm: vcpu 1: leaving SMM, smbase 0x7ffc1800`);
    expect(diagnose(events)[0]).toMatchObject({ quirk: 'Q1', confidence: 'likely' });
    expect(diagnose(events)[0]?.sentence).toMatch(/FEE00310 \(APIC_ICR2\).*IPI sent from SMM is lost/);
  });

  it('shows KVM’s lines beside the machine’s own where the trace has both', () => {
    const run = start([0, 1]).add(
      { name: 'kvm_enter_smm', vcpu: 1, smbase: 0x30000n, entering: true },
      { name: 'smm_enter', vcpu: 1, smbase: 0x30000n, rip: 1n },
      { name: 'smm_apic_read', vcpu: 1, register: 0x20, value: 0, rip: 1n, inSmm: true, reached: 'memory' },
      { name: 'smm_rsm', vcpu: 1, oldSmbase: 0x30000n, newSmbase: 0x7ffc1000n, rip: 1n },
      { name: 'kvm_enter_smm', vcpu: 1, smbase: 0x7ffc1000n, entering: false },
    );
    const names = diagnose(run.events, STUCK)[0]?.evidence.map(({ line }) => line.split(':')[0]);
    expect(names).toEqual(['kvm_enter_smm', 'smm_enter', 'smm_apic_read', 'smm_rsm', 'kvm_enter_smm']);
  });

  it('has another face without unrestricted guest: the empty identity map', () => {
    const events = kvm(`${HEAD}
      1 kvm_exit: reason EPT_VIOLATION rip 0x8000 info 81 0
      1 kvm_page_fault: address feffc000 error_code 81
      1 kvm_exit: reason TRIPLE_FAULT rip 0x8000 info 0 0`);
    expect(ids(events)).toEqual([['Q1', 'private-page-in-smm']]);
  });
});

describe('other failures have names of their own, never Q1', () => {
  it('Q2: an SMI to a halted VCPU, in the machine’s events and in KVM’s', () => {
    const run = smiIpi(start([0, 1]), 1).add({ name: 'smm_smi', vcpu: 1, source: 0 });
    expect(diagnose(run.events, STUCK)).toMatchObject([{ quirk: 'Q2', vcpu: 1, confidence: 'proved' }]);
    const events = kvm(`
      0 kvm_entry: vcpu 0
      1 kvm_entry: vcpu 1
      1 kvm_exit: reason HLT rip 0x9f0 info 0 0
      0 kvm_apic_ipi: dst 1 vec 0 (SMI|physical|assert|edge|dst)
      0 kvm_apic_accept_irq: apicid 1 vec 0 (SMI|edge)
      ${'0 kvm_exit: reason EXTERNAL_INTERRUPT rip 0x1 info 0 800000ef\n'.repeat(120)}`);
    expect(ids(events)).toEqual([['Q2', 'smi-ignored-while-halted']]);
    // A trace that ends right behind the SMI does not tell whether it is taken.
    expect(ids(events.slice(0, 10))).toEqual([]);
  });

  it('an SMI that waits for a SIPI, or for the end of an earlier one, is no Q2', () => {
    const waiting = start([0, 1]).add({ name: 'smm_init', vcpu: 1 }, { name: 'smm_smi', vcpu: 1, source: 0 });
    expect(diagnose(waiting.events)).toEqual([]);
    const inside = start([0, 1]).add(
      { name: 'smm_enter', vcpu: 1, smbase: 0x30000n, rip: 1n },
      { name: 'smm_smi', vcpu: 1, source: 0 },
    );
    expect(diagnose(inside.events)).toEqual([]);
  });

  it('Q3: RSM drops the low 15 bits', () => {
    const run = firstSmi(start([0, 1]), 1, { left: 0x7ffc0000 });
    firstSmi(run, 0, { left: 0x7ffc0000 });
    const [diagnosis, ...rest] = diagnose(run.events, { outcome: 'wrong-smbase' });
    expect(rest).toEqual([]);
    expect(diagnosis).toMatchObject({ quirk: 'Q3', vcpu: 1, confidence: 'proved' });
    expect(diagnosis?.sentence).toContain('0x7ffc0000 though 0x7ffc1800 was written');
  });

  it('Q5: two CPUs with one APIC id in the log', () => {
    expect(diagnose(start([0, 0]).events, STUCK)).toMatchObject([
      { quirk: 'Q5', vcpu: 1, confidence: 'proved' },
    ]);
  });

  it.each([
    ['the APIC ID read gave the right id', 1],
    ['there was no read', undefined],
  ])('Q5: CPU 0’s SMBASE though %s', (_title, idRead) => {
    const run = firstSmi(start([0, 1]), 1, { idRead, written: 0x7ffc1000 });
    expect(ids(run.events, STUCK)).toEqual([['Q5', 'duplicate-apic-id']]);
  });

  it('two CPUs that read one APIC id of themselves, by register or by MSR', () => {
    const events = kvm(`
      0 kvm_entry: vcpu 0
      0 kvm_apic: apic_read APIC_ID = 0x3000000
      1 kvm_entry: vcpu 1
      1 kvm_msr: msr_read 802 = 0x3`);
    expect(diagnose(events)).toMatchObject([
      { id: 'duplicate-apic-id', vcpu: 1, confidence: 'proved', evidence: [{ index: 1 }, { index: 3 }] },
    ]);
    expect(diagnose(events.slice(0, 3))).toEqual([]);
  });

  it('Q7: SMBASE is never stored, and every CPU keeps 30000h', () => {
    const run = firstSmi(start([0, 1]), 1, { written: undefined });
    firstSmi(run, 0, { written: undefined });
    // The next SMIs meet at 30000h: a consequence, not a race.
    for (const vcpu of [0, 1]) run.add({ name: 'smm_enter', vcpu, smbase: 0x30000n, rip: 1n });
    expect(ids(run.events, { outcome: 'wrong-smbase' })).toEqual([['Q7', 'smbase-not-relocated']]);
  });

  it('Q7 is not read into a trace of today, whose leaving line shows the old SMBASE', () => {
    const text = [
      'kvm_entry: vcpu 1, rip 0x9f0',
      'kvm_smm_transition: vcpu 1: entering SMM, smbase 0x30000',
      'kvm_smm_transition: vcpu 1: leaving SMM, smbase 0x30000',
    ];
    expect(diagnose(parseTraceText(text.join('\n')).events)).toEqual([]);
    text.push('kvm_smm_transition: vcpu 1: entering SMM, smbase 0x30000');
    expect(ids(parseTraceText(text.join('\n')).events)).toEqual([['Q7', 'smbase-not-relocated']]);
    expect(ids(parseTraceText(text.slice(1, 3).join('\n')).events)).toEqual([]);
  });

  it('Q8: a shutdown in SMM at an EIP of 16 bits', () => {
    const run = start([0, 1]).add(
      { name: 'smm_smi', vcpu: 1, source: 0 },
      { name: 'smm_enter', vcpu: 1, smbase: 0x30000n, rip: 1n },
      { name: 'smm_shutdown', vcpu: 1, rip: 0xa3n },
    );
    expect(ids(run.events, { outcome: 'shutdown' })).toEqual([['Q8', 'shutdown-in-smm']]);
  });

  it('Q4: the VM entry after an SMI fails, and an event was being injected', () => {
    const run = (injection: string) =>
      kvm(`
      1 kvm_entry: vcpu 1${injection}
      1 kvm_enter_smm: vcpu 1: entering SMM, smbase 0x7ffc1800
      1 kvm_userspace_exit: reason KVM_EXIT_FAIL_ENTRY (9)`);
    expect(diagnose(run('\n      1 kvm_inj_virq: irq 239'))).toMatchObject([
      { id: 'vm-entry-failed-in-smm', quirk: 'Q4', confidence: 'likely' },
    ]);
    const [without, ...rest] = diagnose(run(''));
    expect(rest).toEqual([]);
    expect(without).toMatchObject({ id: 'vm-entry-failed-in-smm', confidence: 'proved' });
    expect(without?.quirk).toBeUndefined();
    expect(without?.causes?.[0]).toMatchObject({ quirk: 'Q4', confidence: 'possible' });
  });

  it('Q10: a normal SMI that only one CPU takes', () => {
    const run = firstSmi(firstSmi(start([0, 1]), 1), 0);
    run.add(
      { name: 'smm_smi', vcpu: 0, source: -1 },
      { name: 'smm_enter', vcpu: 0, smbase: 0x7ffc1000n, rip: 1n },
    );
    run.add({ name: 'smm_rsm', vcpu: 0, oldSmbase: 0x7ffc1000n, newSmbase: 0x7ffc1000n, rip: 1n });
    expect(diagnose(run.events, { outcome: 'relocated' })).toMatchObject([{ quirk: 'Q10', vcpu: 1 }]);
  });

  it('a race: two CPUs on one save area', () => {
    const run = start();
    for (const vcpu of [1, 2]) run.add({ name: 'smm_enter', vcpu, smbase: 0x30000n, rip: 1n });
    for (const vcpu of [1, 2]) {
      run.add({ name: 'smm_rsm', vcpu, oldSmbase: 0x30000n, newSmbase: 0x7ffc1000n, rip: 1n });
    }
    expect(ids(run.events, STUCK)).toEqual([[undefined, 'shared-smbase']]);
  });

  it('Q6: a store by another save-state map hits half of the field', () => {
    const run = start([0, 1]).add({ name: 'smm_enter', vcpu: 1, smbase: 0x30000n, rip: 1n });
    run.add({ name: 'smm_smbase_write', vcpu: 1, gpa: 0x3ff02n, value: 2n, rip: 1n });
    run.add({ name: 'smm_rsm', vcpu: 1, oldSmbase: 0x30000n, newSmbase: 0x20000n, rip: 1n });
    expect(ids(run.events, STUCK)).toEqual([['Q6', 'wrong-smbase']]);
  });

  it('a CPU that never comes back, and an SMBASE for which there is no reason', () => {
    const away = start([0, 1]).add({ name: 'smm_enter', vcpu: 1, smbase: 0x7ffc1800n, rip: 1n });
    expect(ids(away.events, STUCK)).toEqual([[undefined, 'smm-never-left']]);
    const odd = firstSmi(start([0, 1]), 1, { written: 0x12345000 });
    expect(ids(odd.events, { outcome: 'wrong-smbase' })).toEqual([[undefined, 'wrong-smbase']]);
  });
});

describe('processors that do not start, and SMIs without end', () => {
  const SIPI = '0 kvm_apic_accept_irq: apicid 1 vec 154 (SIPI|edge)';
  const WAIT = '0 kvm_exit: reason EXTERNAL_INTERRUPT rip 0x1 info 0 800000ef\n'.repeat(120);

  it('an AP that never answers', () => {
    const text = `
      1 kvm_entry: vcpu 1
      0 kvm_entry: vcpu 0
      ${SIPI}
      ${WAIT}`;
    const events = kvm(text);
    expect(diagnose(events)).toMatchObject([{ id: 'ap-never-starts', vcpu: 1, confidence: 'likely' }]);
    // One that answers late, and a trace that ends before it could.
    expect(diagnose(kvm(`${text}\n      1 kvm_entry: vcpu 1`))).toEqual([]);
    expect(diagnose(events.slice(0, 20))).toEqual([]);
    // Nothing is concluded from what is absent where lines were lost.
    expect(diagnose(events, { complete: false })).toEqual([]);
  });

  it('a SIPI in SMM is Q18 only if it is lost', () => {
    const lost = `
      1 kvm_entry: vcpu 1
      1 kvm_enter_smm: vcpu 1: entering SMM, smbase 0x7ffc1800
      ${SIPI}
      1 kvm_enter_smm: vcpu 1: leaving SMM, smbase 0x7ffc1800
      0 kvm_entry: vcpu 0`;
    expect(ids(kvm(lost))).toEqual([['Q18', 'sipi-in-smm']]);
    expect(ids(kvm(`${lost}\n      1 kvm_entry: vcpu 1`))).toEqual([]);
  });

  it('SMIs one after the other at one instruction', () => {
    const round = `
      0 kvm_enter_smm: vcpu 0: entering SMM, smbase 0x7ffc1000
      0 kvm_enter_smm: vcpu 0: leaving SMM, smbase 0x7ffc1000
      0 kvm_entry: vcpu 0 rip 0x5000`;
    expect(diagnose(kvm(round.repeat(60)))).toMatchObject([
      { id: 'smi-storm', vcpu: 0, confidence: 'likely' },
    ]);
    let rip = 0;
    const moving = round.repeat(60).replace(/0x5000/g, () => {
      rip += 16;
      return `0x${rip.toString(16)}`;
    });
    expect(diagnose(kvm(moving))).toEqual([]);
  });
});

describe('good runs', () => {
  it.each([{}, { outcome: 'relocated' }, { planned: PLANNED }, { outcome: 'relocated', vcpus: 3 }])(
    'have no diagnosis, with %j',
    (context) => {
      expect(diagnose(goodRun(), context)).toEqual([]);
    },
  );

  it("have none from KVM's events alone either, in the words of both kernels", () => {
    const good = `
      0 kvm_entry: vcpu 0
      1 kvm_entry: vcpu 1
      1 kvm_exit: reason HLT rip 0x9f0 info 0 0
      0 kvm_apic_ipi: dst 1 vec 0 (SMI|physical|assert|edge|dst)
      0 kvm_apic_accept_irq: apicid 1 vec 0 (SMI|edge)
      1 kvm_enter_smm: vcpu 1: entering SMM, smbase 0x30000
      1 kvm_exit: reason APIC_ACCESS rip 0x7ffdcf46 info 20 0
      1 kvm_apic: apic_read APIC_ID = 0x1000000
      1 kvm_enter_smm: vcpu 1: leaving SMM, smbase 0x7ffc1800
      0 kvm_enter_smm: vcpu 0: entering SMM, smbase 0x30000
      0 kvm_enter_smm: vcpu 0: leaving SMM, smbase 0x7ffc1000`;
    expect(diagnose(kvm(good))).toEqual([]);
    expect(diagnose(kvm(good.replace(/kvm_enter_smm/g, 'kvm_smm_transition')))).toEqual([]);
  });

  it('have none where a kernel of today, which shows the old SMBASE, was printed in the words of 2015', () => {
    const first = `
      0 kvm_entry: vcpu 0
      0 kvm_enter_smm: vcpu 0: entering SMM, smbase 0x30000
      0 kvm_enter_smm: vcpu 0: leaving SMM, smbase 0x30000`;
    const next = `
      0 kvm_enter_smm: vcpu 0: entering SMM, smbase 0x7ffc1000
      0 kvm_enter_smm: vcpu 0: leaving SMM, smbase 0x7ffc1000`;
    expect(diagnose(kvm(first))).toEqual([]);
    expect(diagnose(kvm(first + next))).toEqual([]);
  });

  it('nothing at all is nothing', () => {
    expect(diagnose([])).toEqual([]);
  });
});
