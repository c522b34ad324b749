import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cli, fitsSchema, MAIL, scratch } from './support.ts';

// edk2-devel, 2015-10-21, "SMBASE relocation": the excerpt as it stands in the mail, with its wrapped line.
const EXCERPT = `Hm... Maybe scratch all of the above? Looking more closely at the trace:

---------
kvm_enter_smm:    vcpu 1: entering SMM, smbase 0x30000
...
kvm_entry:        vcpu 1
kvm_exit:         reason EPT_VIOLATION rip 0x7ffdcf46 info 181 0
kvm_page_fault:   address fee00020 error_code 181
kvm_exit:         reason EXTERNAL_INTERRUPT rip 0x7ffd2df1 info 0
                    800000ef
...
kvm_enter_smm:    vcpu 1: leaving SMM, smbase 0x7ffc1000
...
kvm_entry:        vcpu 1
kvm_exit:         reason APIC_ACCESS rip 0x7fd8cd09 info 20 0
kvm_emulate_insn: 0:7fd8cd09: 8b 1b
kvm_apic:         apic_read APIC_ID = 0x1000000
kvm_mmio:         mmio read len 4 gpa 0xfee00020 val 0x1000000
kvm_entry:        vcpu 1
---------
`;

it.each([
  ['as it stands', EXCERPT],
  ['quoted in an answer', EXCERPT.replace(/^/gm, '> ')],
])("names VCPU 1, FEE00020 and 7ffc1000 in the mail's own excerpt, %s", async (_how, input) => {
  const { out, code } = await cli('diagnose -', { input });
  expect(code).toBe(0);
  const text = out.replace(/\s+/g, ' ');
  expect(text).toMatch(/VCPU 1 read FEE00020 .* in SMM without an APIC access/);
  expect(text).toContain('left SMM with SMBASE 0x7ffc1000');
  expect(out).toContain('    kvm_page_fault:   address fee00020 error_code 181\n');
  expect(out).toContain('    kvm_emulate_insn: 0:7fd8cd09: 8b 1b\n');
});

describe('traces of our own runs', () => {
  const folder = scratch();

  async function diagnoses(options: string, ending: string): Promise<{ id: string; quirk: string | null }[]> {
    const file = join(folder, `run.${ending}`);
    await cli(`relocate ${options} --trace ${file}`);
    const { out, code } = await cli(`diagnose ${file} --json`);
    expect(code).toBe(0);
    fitsSchema('diagnose', JSON.parse(out));
    return (JSON.parse(out) as { diagnoses: { id: string; quirk: string | null }[] }).diagnoses;
  }

  it.each(['dat', 'txt', 'jsonl'])('the hang is found in a .%s', async (ending) => {
    const found = await diagnoses(MAIL, ending);
    expect(found.map(({ quirk }) => quirk)).toEqual(['Q1']);
  });

  it.each([
    ['-smp 2 -accel kvm --quirk +Q2', 'Q2'],
    ['-smp 2 --quirk +Q3', 'Q3'],
    ['-smp 2 --quirk +Q5', 'Q5'],
    ['-smp 2 --quirk +Q7', 'Q7'],
    ['-smp 2 -accel kvm --quirk +Q7', 'Q7'],
  ])('%s has its own diagnosis, not that of Q1', async (options, quirk) => {
    const found = await diagnoses(options, 'jsonl');
    expect(found[0]?.quirk).toBe(quirk);
    expect(found.map((each) => each.quirk)).not.toContain('Q1');
  });

  it.each([
    '-smp 1',
    '-smp 4',
    '-smp 4 -accel kvm',
    '-smp 2 --bitness 32 --host linux-4.4',
    '-smp 2 --edk2 2024',
  ])('a good run has none: %s', async (options) => {
    expect(await diagnoses(options, 'jsonl')).toEqual([]);
  });
});

it('says so when nothing is found', async () => {
  const { out, code } = await cli('diagnose -', { input: 'kvm_entry:        vcpu 0\n' });
  expect(code).toBe(0);
  expect(out).toContain('No known failure shows; events read: 1.');
});

it('reads a file and quotes the name', async () => {
  const file = join(scratch(), 'mail.txt');
  writeFileSync(file, EXCERPT);
  expect((await cli(`diagnose ${file}`)).out).toContain(file);
});

describe('what was read is said', () => {
  it('a line that was not understood forbids a verdict', async () => {
    const { out } = await cli('diagnose -', { input: 'kvm_entry: vcpu 0\nkvm_exit: garbage\nmy_probe: x\n' });
    expect(out).toContain('1 line not understood');
    expect(out).toContain('kvm_exit 1 (first in line 2: garbage)');
    expect(out).toContain('No verdict: ');
    expect(out).not.toContain('No known failure');
  });

  it('tracepoints that were passed over are named, and counted in JSON too', async () => {
    const input = 'kvm_entry: vcpu 0\n CPU 0/KVM-1 [000] 1.000001: my_probe: one\n';
    const { out } = await cli('diagnose -', { input });
    expect(out).toContain('my_probe 1 (first in line 2: one)');
    const { out: answer } = await cli('diagnose - --json', { input });
    expect(fitsSchema('diagnose', JSON.parse(answer))).toMatchObject({
      counts: { lines: 2, events: 1, passedOver: 1 },
    });
  });

  it('evidence has a blank behind the longest name', async () => {
    const input =
      'kvm_smm_transition: vcpu 0: entering SMM, smbase 0x7ffc1000\nkvm_userspace_exit: reason KVM_EXIT_FAIL_ENTRY (9)\n';
    const { out } = await cli('diagnose -', { input });
    expect(out).toContain('    kvm_smm_transition: vcpu 0: entering');
  });

  it('a register dump alone is a trace of its own', async () => {
    const input =
      'KVM: entry failed, hardware error 0x80000021\nEIP=00008000 EFL=00000002 SMM=1 HLT=0\nCS =c000 7ffc0000 ffffffff 00809300\n';
    const { out, code } = await cli('diagnose -', { input });
    expect(code).toBe(0);
    expect(out).toMatch(/VM entry failed in SMM \(proved\)/);
    expect(out).toMatch(/possible: Q4/);
    expect(out).toMatch(/To know more: trace-cmd record/);
  });
});

it('what is diagnosed in a register dump, in a mail and in nothing is as the schema says', async () => {
  const inputs = [
    EXCERPT,
    'kvm_entry: vcpu 0\n',
    'kvm_entry: vcpu 0\nkvm_exit: garbage\n',
    'KVM: entry failed, hardware error 0x80000021\nEIP=00008000 EFL=00000002 SMM=1 HLT=0\n',
  ];
  for (const input of inputs) {
    const { out } = await cli('diagnose - --json', { input });
    fitsSchema('diagnose', JSON.parse(out));
  }
});
