import { describe, expect, it } from 'vitest';
import { cli, json, MAIL } from './support.ts';

interface ExplainJson {
  passes: boolean;
  reference: { label: string; outcome: string } | null;
  divergence: { vcpu: number; here: string | null; there: string | null } | null;
  diagnoses: { id: string; quirk: string | null; vcpu: number; evidence: { line: string }[] }[];
  causes: { id: string }[];
  remedies: { change: string; helps: boolean }[];
  losses: string[];
}

describe("the mail's hang", () => {
  it('is explained by Q1: first divergence, cause, fix, and what else was tried', async () => {
    const answer = await json<ExplainJson>(`explain ${MAIL}`);
    expect(answer.code).toBe(0);
    expect(answer.passes).toBe(false);
    expect(answer.reference).toMatchObject({ label: 'tcg with the same guest', outcome: 'relocated' });
    expect(answer.divergence).toMatchObject({
      vcpu: 1,
      here: 'APIC 0x20 = 0x0',
      there: 'APIC 0x20 = 0x1000000',
    });
    expect(answer.diagnoses[0]).toMatchObject({ id: 'apic-page-in-smm', quirk: 'Q1', vcpu: 1 });
    expect(answer.causes.map(({ id }) => id)).toEqual(['Q1']);
    const helps = Object.fromEntries(answer.remedies.map(({ change, helps: yes }) => [change, yes]));
    expect(helps).toMatchObject({
      '-accel kvm,flexpriority=0': true,
      '-accel kvm,ept=0': false,
      '--edk2 2024': true,
      '-smp 1': true,
    });
  });

  it('is told in words', async () => {
    const { out } = await cli(`explain ${MAIL}`);
    const text = out.replace(/\s+/g, ' ');
    expect(text).toContain('here: reads APIC_ID as 0x0 from an ordinary page of memory');
    expect(text).toContain('there: reads APIC_ID as 0x1000000 from its local APIC');
    expect(text).toContain('With Q1 alone removed the same configuration relocates.');
    expect(text).toContain('f0d648bdf0a5');
    expect(out).toContain('    kvm_page_fault:   address fee00020 error_code 181\n');
  });
});

it('2024 on the same host: passes, why, and what the first normal SMI then loses', async () => {
  const { out, code } = await cli(`explain ${MAIL} --edk2 2024`);
  const text = out.replace(/\s+/g, ' ');
  expect(code).toBe(0);
  expect(text).toContain('relocated: 2 of 2 CPUs');
  expect(text).toMatch(/Why it passes Q1 .*no CPU reads its APIC ID in SMM while it relocates/);
  expect(text).toMatch(/What is lost all the same .*SMI IPI/);
  expect(text).toContain('The first normal SMI reached 1 of 2 CPUs');
});

it('one CPU on the same host: 0 happens to be its APIC ID', async () => {
  const { out } = await cli(`explain -smp 1 --host rhel7-3.10.0-323`);
  expect(out.replace(/\s+/g, ' ')).toContain('0 happens to be the APIC ID of the only CPU');
});

it('a fixed machine passes because no fault is in force', async () => {
  const { out } = await cli('explain -smp 2');
  expect(out).toContain('No known fault is in force.');
});

it('two faults at once are both found', async () => {
  const answer = await json<ExplainJson>('explain -smp 2 --host rhel7-3.10.0-323-stock');
  expect(answer.causes.map(({ id }) => id)).toEqual(['Q1', 'Q2']);
});

describe('other faults are never taken for Q1', () => {
  it.each([
    ['-accel tcg --quirk +Q3', 'Q3'],
    ['-accel kvm --quirk +Q2', 'Q2'],
    ['-accel tcg --quirk +Q5', 'Q5'],
    ['-accel tcg --quirk +Q7', 'Q7'],
  ])('%s', async (options, quirk) => {
    const answer = await json<ExplainJson>(`explain -smp 2 ${options}`);
    expect(answer.passes).toBe(false);
    expect(answer.causes.map(({ id }) => id)).toEqual([quirk]);
    expect(answer.diagnoses.length).toBeGreaterThan(0);
    expect(answer.diagnoses.map((diagnosis) => diagnosis.quirk)).not.toContain('Q1');
    expect(answer.diagnoses[0]?.quirk).toBe(quirk);
  });
});
