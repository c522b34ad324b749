import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assemble } from '@smm/asm';
import { readTrace } from '@smm/trace';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { cli, inOrder, json, MAIL, ofPackage, type RelocateJson, scratch } from './support.ts';

const validate = new Ajv({ allErrors: true }).compile(
  JSON.parse(readFileSync(ofPackage('schema/relocate.schema.json'), 'utf8')) as object,
);

async function relocate(options: string): Promise<RelocateJson & { code: number }> {
  const answer = await json<RelocateJson>(`relocate ${options}`);
  const { code: _code, ...object } = answer;
  validate(object);
  expect(validate.errors, options).toBeNull();
  return answer;
}

describe("the mail's machine", () => {
  const folder = scratch();
  const file = join(folder, 'hang.txt');

  it('is stuck, VCPU 1 with the SMBASE of VCPU 0, the BSP spinning on mRebased[1]', async () => {
    const { out, err, code } = await cli(`relocate ${MAIL} --json --trace ${file}`);
    const answer = JSON.parse(out) as RelocateJson;
    expect(validate(answer), JSON.stringify(validate.errors)).toBe(true);
    expect(code).toBe(1);
    expect(err).toContain(`to ${file} (trace-cmd text)`);
    expect(answer.outcome).toBe('stuck');
    expect(answer.cpus[1]).toMatchObject({
      id: 1,
      smbase: '0x7ffc1000',
      planned: '0x7ffc1800',
      state: 'halted',
    });
    expect(answer.cpus[0]).toMatchObject({ id: 0, state: 'spinning' });
    expect(answer.cpus[0]?.waitingOn).toContain('mRebased[1]');
    expect(answer.log).toEqual([
      'SMRAM TileSize = 00000800',
      'CPU[000]  APIC ID=0000  SMBASE=7FFC1000  SaveState=7FFD0C00  Size=00000400',
      'CPU[001]  APIC ID=0001  SMBASE=7FFC1800  SaveState=7FFD1400  Size=00000400',
      'SmmRelocateBases: sending SMI IPI to APIC ID 0x1',
    ]);
  });

  it("holds the mail's trace lines, in order and in the form of 2015", () => {
    inOrder(readFileSync(file, 'utf8').split('\n'), [
      /kvm_enter_smm: {8}vcpu 1: entering SMM, smbase 0x30000$/,
      /kvm_exit: {13}reason EPT_VIOLATION rip 0x[0-9a-f]+ info 181 0$/,
      /kvm_page_fault: {7}address fee00020 error_code 181$/,
      /kvm_enter_smm: {8}vcpu 1: leaving SMM, smbase 0x7ffc1000$/,
      /kvm_exit: {13}reason APIC_ACCESS rip 0x[0-9a-f]+ info 20 0$/,
      /kvm_emulate_insn: {5}0:[0-9a-f]+: 8b 1b$/,
      /kvm_apic: {13}apic_read APIC_ID = 0x1000000$/,
      /kvm_mmio: {13}mmio read len 4 gpa 0xfee00020 val 0x1000000$/,
    ]);
  });
});

describe.each([
  // options, cpus with another's SMBASE
  [MAIL.replace('32', '64'), 'stuck'],
  [`${MAIL.replace('kvm', 'kvm,ept=0')}`, 'stuck'],
  ['-smp 2 --bitness 32 -accel kvm --quirk +Q1', 'stuck'],
  ['-smp 2 --bitness 64 -accel kvm --quirk +Q1', 'stuck'],
  [`${MAIL} --quirk -Q1`, 'relocated'],
  [`${MAIL} --edk2 2024`, 'relocated'],
  [`${MAIL.replace('kvm', 'kvm,flexpriority=0')}`, 'relocated'],
  ['-smp 2 --bitness 32', 'relocated'],
  ['-smp 2 -accel kvm --host linux-4.4', 'relocated'],
  ['-smp 3 -m 512 --tseg 1 --host rhel7-3.10.0-323', 'stuck'],
  ['-smp 3 -m 512M --tseg 1 --host linux-current', 'relocated'],
  ['-smp 5 -m 1G --tseg 2 --host rhel7-3.10.0-323', 'stuck'],
  ['-smp 5 -m 1G --tseg 2 --host rhel7-3.10.0-323 --quirk -Q1', 'relocated'],
] as const)('%s', (options, outcome) => {
  it(`is ${outcome}`, async () => {
    const answer = await relocate(options);
    expect(answer.outcome).toBe(outcome);
    expect(answer.code).toBe(outcome === 'relocated' ? 0 : 1);
    if (outcome === 'relocated') {
      for (const cpu of answer.cpus) expect(cpu.smbase).toBe(cpu.planned);
    } else {
      // The same failure everywhere: VCPU 1 has what was planned for VCPU 0.
      expect(answer.cpus[1]?.smbase).toBe(answer.cpus[0]?.planned);
      expect(answer.cpus[1]?.planned).not.toBe(answer.cpus[0]?.planned);
      expect(answer.cpus[0]?.waitingOn).toContain('mRebased[1]');
    }
  });
});

it.each([
  'tcg --bitness 32',
  'tcg --bitness 64',
  'kvm --host rhel7-3.10.0-323 --bitness 32',
  'kvm --host rhel7-3.10.0-323 --bitness 64',
  'kvm,ept=0 --host rhel7-3.10.0-323-stock',
  'kvm --host linux-current --edk2 2024',
])('one VCPU relocates: -accel %s', async (accel) => {
  expect((await relocate(`-smp 1 -accel ${accel}`)).outcome).toBe('relocated');
});

it('kernel_irqchip=off gives what the mechanism gives, with a note on what is not modelled', async () => {
  const answer = await relocate(`${MAIL} -machine q35,kernel_irqchip=off`);
  expect(['relocated', 'stuck']).toContain(answer.outcome);
  expect(answer.notes.join(' ')).toMatch(/SIGKILL.*not modelled/);
});

it('with ept=0 the trace shows the lost read by shadow paging: a #PF at fee00020, no APIC access before SMM is left', async () => {
  const { out } = await cli(`relocate ${MAIL.replace('kvm', 'kvm,ept=0')} --trace -`);
  const lines = out.split('\n');
  inOrder(lines, [
    /vcpu 1: entering SMM, smbase 0x30000$/,
    /kvm_page_fault: {7}address fee00020 /,
    /vcpu 1: leaving SMM, smbase 0x7ffc1000$/,
    /apic_read APIC_ID = 0x1000000$/,
  ]);
  expect(out).not.toContain('EPT_VIOLATION');
});

it('takes the seed: the same one gives the same trace, another gives another', async () => {
  const run = (seed: number) => cli(`relocate -smp 3 --seed ${seed} --slice 100 --trace -`);
  const [a, b, c] = [await run(5), await run(5), await run(6)];
  expect(b.out).toBe(a.out);
  expect(c.out).not.toBe(a.out);
});

it('writes every trace format, and those that can be read hold the same events', async () => {
  const folder = scratch();
  const options = '-smp 2 -accel kvm';
  const names = ['t.dat', 't.jsonl', 't.txt', 't.perfetto-trace'].map((name) => join(folder, name));
  for (const name of names) expect((await cli(`relocate ${options} --trace ${name}`)).code).toBe(0);
  const [dat, jsonl, text] = names.slice(0, 3).map((name) => readTrace(readFileSync(name)).events);
  expect(jsonl!.length).toBeGreaterThan(100);
  expect(text!.map(({ name }) => name)).toEqual(jsonl!.map(({ name }) => name));
  expect(dat!.length).toBe(jsonl!.length);
  // A Perfetto trace is a sequence of packets: field 1, length-delimited.
  expect(readFileSync(names[3]!)[0]).toBe(0x0a);
});

it('shows processors, log and outcome to a person, and says where to look further', async () => {
  const { out, code } = await cli(`relocate ${MAIL}`);
  expect(code).toBe(1);
  expect(out).toMatch(/^32-bit, 2 CPUs, 2048 MiB, edk2 2015, TSEG 8 MiB, kvm on rhel7-3\.10\.0-323 \(Q1\)$/m);
  expect(out).toMatch(/^ {2}CPU +SMBASE +planned +state +waiting on$/m);
  expect(out).toMatch(/^ {2}1 +0x7ffc1000 +0x7ffc1800 +halted /m);
  expect(out).toContain('  SmmRelocateBases: sending SMI IPI to APIC ID 0x1\n');
  expect(out).toMatch(/^stuck in SMBASE relocation/m);
  expect(out).toContain('smm explain');
});

describe('a ROM that relocates nothing', () => {
  const rom = (source: string): string => {
    const image = new Uint8Array(0x1_0000);
    image.set(assemble(source, { bits: 16, org: 0 }).bytes);
    image.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
    const path = join(scratch(), 'rom.bin');
    writeFileSync(path, image);
    return path;
  };
  const halts = rom('cli\nhlt');

  it('has ended when it halts, and was not seen to plan anything', async () => {
    const answer = await relocate(`--rom ${halts}`);
    expect(answer.outcome).toBe('ended');
    expect(answer.summary).toBe('the ROM ran until every processor halted; its debug log plans no SMBASE');
    expect(answer.cpus[0]).toMatchObject({ smbase: '0x30000', planned: null });
    expect(answer.code).toBe(1);
    const { out } = await cli(`relocate -bios ${halts}`);
    expect(out).toMatch(/^ {2}0 +0x30000 +- +halted/m);
  });

  it('is stuck when it spins, and not in a relocation', async () => {
    const answer = await relocate(`--rom ${rom('cli\nagain: jmp again')}`);
    expect(answer.outcome).toBe('stuck');
    expect(answer.summary).toMatch(/^stuck: CPU 0 spins /);
  });

  it('halts on the other accelerator and with more CPUs too, and neither explain nor explore call it relocated', async () => {
    expect((await relocate(`-smp 2 -accel kvm --rom ${halts}`)).outcome).toBe('ended');
    const { passes } = await json<{ passes: boolean }>(`explain -smp 1 -accel kvm --rom ${halts}`);
    expect(passes).toBe(false);
    expect((await cli(`explain -smp 1 --rom ${halts}`)).out).not.toMatch(/\bpasses\b|: relocated/);
    const explored = await json<{ failed: number; sentence: string }>(
      `explore --runs 3 -smp 1 --rom ${halts}`,
    );
    expect(explored.failed).toBe(3);
    expect(explored.sentence).toMatch(/^Ended under all 3 schedules: .*nothing says whether it relocates\.$/);
  });

  it('and halts without what its log planned is stuck, with both SMBASEs', async () => {
    const line = 'CPU[000]  APIC ID=0000  SMBASE=7FFC1000  SaveState=7FFD0C00  Size=00000400\n';
    const print = [...line].map((char) => `mov al, ${char.charCodeAt(0)}\nout dx, al`).join('\n');
    const answer = await relocate(`--rom ${rom(`cli\nmov dx, 0x402\n${print}\nhlt`)}`);
    expect(answer.outcome).toBe('stuck');
    expect(answer.summary).toMatch(/CPU 0 has SMBASE 0x30000 where 0x7ffc1000 was planned/);
    expect(answer.cpus[0]).toMatchObject({ planned: '0x7ffc1000' });
  });
});

it('runs a ROM from a file', async () => {
  const rom = join(scratch(), 'rom.bin');
  expect((await cli(`firmware -o ${rom} --bitness 32`)).code).toBe(0);
  const { out, code } = await cli(`relocate -smp 2 --bitness 32 -bios ${rom} --json`);
  const answer = JSON.parse(out) as RelocateJson;
  expect(code).toBe(0);
  expect(answer.log.at(-1)).toBe('Firmware done');
  expect(answer.outcome).toBe('relocated');
  expect(answer.cpus.map((cpu) => cpu.planned)).toEqual(['0x7ffc1000', '0x7ffc1800']);
  expect(answer.cpus.map((cpu) => cpu.smbase)).toEqual(['0x7ffc1000', '0x7ffc1800']);
});
