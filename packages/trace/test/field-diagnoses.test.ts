import { couldHideFailure, type Diagnosis, diagnose, firstDivergence, parseTraceText } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { FIELD_NAMES, fieldText } from './field-files.ts';

function diagnosesOf(name: string): Diagnosis[] {
  const { events, form, notes, cut, counts, planned } = parseTraceText(fieldText(name));
  return diagnose(events, { form, notes, cut, planned, complete: !couldHideFailure(counts) });
}

/** Diagnoses of the inputs that have some: id, quirk, confidence, VCPU. */
const EXPECTED: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
  'a1-amd-nested-rsm': [
    ['rsm-into-nested-guest', undefined, 'proved', 0],
    ['rsm-outside-smm', undefined, 'proved', 0],
  ],
  'a15-ap-emulation-dies': [['cpu-died', undefined, 'proved', 1]],
  'a18-ap-bringup-intel': [['cpu-died', undefined, 'proved', 1]],
  'a19-quoted-printable': [['cpu-died', undefined, 'proved', 1]],
  'a2-perf-script': [['cpu-died', undefined, 'proved', 0]],
  'a20-amd-entry-failed-smm': [['vm-entry-failed-in-smm', undefined, 'proved', 0]],
  'a7-emul-fail': [['emulation-failed', undefined, 'proved', undefined]],
  'b1-qemu-dump-smm': [['vm-entry-failed-in-smm', undefined, 'proved', undefined]],
  'b2-ovmf-debug-log': [
    ['duplicate-apic-id', 'Q5', 'proved', 1],
    ['firmware-assertion', undefined, 'proved', undefined],
    ['s3-unsupported', undefined, 'proved', undefined],
    ['ap-timeout', undefined, 'proved', undefined],
  ],
  'f3-diff-blind-a': [['cpu-died', undefined, 'proved', 0]],
  'f6-q4-without-injection': [['vm-entry-failed-in-smm', undefined, 'proved', 0]],
  'f7-ap-shutdown-unseen': [['cpu-died', undefined, 'proved', 1]],
  'f8-sipi-while-in-smm': [['sipi-in-smm', 'Q18', 'likely', 2]],
};

describe('inputs from the field', () => {
  it.each(FIELD_NAMES)('%s', (name) => {
    const found = diagnosesOf(name).map(({ id, quirk, confidence, vcpu }) => [id, quirk, confidence, vcpu]);
    expect(found).toEqual(EXPECTED[name] ?? []);
  });

  it('every diagnosis has evidence and says what to record next', () => {
    for (const name of Object.keys(EXPECTED)) {
      for (const { evidence, collect } of diagnosesOf(name)) {
        expect(evidence.length, name).toBeGreaterThan(0);
        expect(collect, name).toMatch(/trace-cmd record|-debugcon/);
      }
    }
  });

  it.each([
    ['a15-ap-emulation-dies', /internal error of KVM.*RIP 0xfc85a.*page 0xfc000/],
    ['a18-ap-bringup-intel', /shut down.*triple fault.*RIP 0xffffffff822551b8.*#DB/],
    ['a20-amd-entry-failed-smm', /VMRUN refused.*invalid_guest_state/],
    ['a7-emul-fail', /f3 a5.*0xfebd1000.*#UD/],
    ['b1-qemu-dump-smm', /0x80000021.*EIP 8000, CS base 0x7ffc0000/],
    ['f7-ap-shutdown-unseen', /VCPU 1 shut down.*RIP 0x9a021/],
    ['f8-sipi-while-in-smm', /edk2 issue 10293 \(open\)/],
  ])('%s says %s', (name, words) => {
    expect(diagnosesOf(name)[0]?.sentence).toMatch(words);
  });

  it('Q4 is at most possible without an injection, and never AMD’s', () => {
    for (const name of ['b1-qemu-dump-smm', 'f6-q4-without-injection']) {
      expect(diagnosesOf(name)[0]?.causes).toContainEqual(
        expect.objectContaining({ quirk: 'Q4', confidence: 'possible' }),
      );
    }
    expect(diagnosesOf('a20-amd-entry-failed-smm')[0]?.causes).toEqual([]);
  });

  it('a comparison names the first of what differs', () => {
    const [a, b] = ['f3-diff-blind-a', 'f3-diff-blind-b'].map(
      (name) => parseTraceText(fieldText(name)).events,
    );
    const { first, kinds } = firstDivergence(a!, b!);
    expect(first).toMatchObject({ vcpu: 0, agreed: 0 });
    expect([first?.a?.fact, first?.b?.fact]).toEqual(['exception #DF', 'exception #GP']);
    expect(kinds).toEqual(expect.arrayContaining(['exception', 'msr', 'cr']));
  });
});
