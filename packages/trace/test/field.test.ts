import { parseTraceText, type ReadCounts, type TraceEvent } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { FIELD_NAMES, fieldText } from './field-files.ts';

/** Events, lines that continue them, lines not understood, lines passed over. */
type Counts = readonly [events: number, continued: number, notUnderstood: number, passedOver: number];

const EXPECTED: Readonly<Record<string, Counts>> = {
  'a1-amd-nested-rsm': [14, 7, 0, 0],
  'a10-ftrace-current': [7, 0, 0, 1],
  'a12-nested-io-loop': [10, 0, 0, 1],
  'a13-odd-tools': [3, 0, 0, 0],
  'a14-level-eoi': [13, 0, 0, 0],
  'a15-ap-emulation-dies': [10, 0, 0, 0],
  'a18-ap-bringup-intel': [11, 0, 0, 1],
  'a19-quoted-printable': [10, 5, 0, 0],
  'a2-perf-script': [4, 0, 0, 1],
  'a20-amd-entry-failed-smm': [4, 0, 0, 0],
  'a21-apicv-healthy': [16, 0, 0, 0],
  'a2b-perf-script-comm': [7, 0, 0, 0],
  'a3-amd-current': [15, 0, 0, 0],
  'a5-trimmed-exits': [8, 0, 0, 7],
  'a7-emul-fail': [6, 0, 0, 0],
  'a9-reset-vector-wrapped': [9, 4, 0, 0],
  'b1-qemu-dump-smm': [0, 0, 0, 18],
  'b2-ovmf-debug-log': [0, 0, 0, 7],
  'f1-silent-loss': [3, 0, 1, 0],
  'f2-wrapped-header': [3, 2, 0, 0],
  'f3-diff-blind-a': [5, 0, 0, 0],
  'f3-diff-blind-b': [5, 0, 0, 0],
  'f4-emulation-mode-invented': [2, 0, 0, 0],
  'f5-wrap-wrong-diagnosis': [6, 2, 0, 0],
  'f6-q4-without-injection': [3, 0, 0, 0],
  'f7-ap-shutdown-unseen': [4, 0, 0, 0],
  'f8-sipi-while-in-smm': [12, 0, 0, 0],
  'f9-linux-6.13-minimal': [2, 0, 0, 0],
};

const countsOf = (name: string): ReadCounts => parseTraceText(fieldText(name)).counts;
const eventsOf = (name: string): TraceEvent[] => parseTraceText(fieldText(name)).events;

describe('inputs from the field', () => {
  it('has an expectation for each', () => {
    expect(new Set(FIELD_NAMES)).toEqual(new Set(Object.keys(EXPECTED)));
  });

  it.each(Object.entries(EXPECTED))(
    '%s: every line is counted once',
    (name, [events, continued, unread, over]) => {
      const counts = countsOf(name);
      expect(counts).toMatchObject({ events, continued, notUnderstood: unread, passedOver: over });
      expect(counts.lines).toBe(events + continued + unread + over);
    },
  );

  it('a line that is not understood is named with its number', () => {
    expect(countsOf('f1-silent-loss').unread).toEqual([
      { name: 'kvm_exit', count: 1, first: { line: 3, text: 'this line is garbage' } },
    ]);
    expect(eventsOf('f1-silent-loss').map(({ name }) => name)).toEqual([
      'kvm_entry',
      'kvm_exit',
      'kvm_fast_mmio',
    ]);
  });

  it('tracepoints without a row are counted by name', () => {
    const names = (name: string) => countsOf(name).tracepoints.map((each) => [each.name, each.count]);
    expect(names('a5-trimmed-exits')).toEqual([
      ['my_probe', 2],
      ['my_probe_msr', 1],
    ]);
    expect(names('a12-nested-io-loop')).toEqual([['kvm_mmu_get_page', 1]]);
    expect(names('a18-ap-bringup-intel')).toEqual([['kvm_tdp_mmu_spte_changed', 1]]);
  });

  it('a header that was wrapped keeps CPU, task and time', () => {
    expect(eventsOf('f2-wrapped-header')).toMatchObject([
      { vcpu: 1, pid: 2102, cpu: 5, comm: 'CPU 1/KVM' },
      { vcpu: 0, pid: 2101, cpu: 4, ts: 700_000_002_000, comm: 'CPU 0/KVM', rip: 0x2000n },
      { vcpu: 1, pid: 2102, cpu: 5, ts: 700_000_009_000, cr: 0, val: 0x80000011n },
    ]);
    expect(eventsOf('f5-wrap-wrong-diagnosis').map(({ vcpu }) => vcpu)).toEqual([0, 1, 1, 0, 0, 1]);
  });

  it('quoted-printable text is the text that was quoted', () => {
    expect(eventsOf('a19-quoted-printable')).toEqual(eventsOf('a15-ap-emulation-dies'));
  });

  it('nothing is made up for what a line does not say', () => {
    const insn = eventsOf('f4-emulation-mode-invented')[1]!;
    expect(insn).toMatchObject({ rip: 0xfffff80298001169n, insn: [0xf3, 0xa5], failed: false });
    expect(insn).not.toHaveProperty('flags');
    const halt = eventsOf('a5-trimmed-exits')[5]!;
    expect(halt).toMatchObject({ name: 'kvm_exit', exitReason: 12, vcpu: 0 });
    for (const member of ['guestRip', 'info1', 'info2', 'intrInfo']) expect(halt).not.toHaveProperty(member);
  });

  it('AMD exits have their codes, by either name', () => {
    const exits = (name: string) =>
      eventsOf(name).flatMap((event) => (event.name === 'kvm_exit' ? [[event.isa, event.exitReason]] : []));
    expect(exits('a1-amd-nested-rsm')).toEqual([
      [2, 0x73],
      [2, 0x400],
      [2, 0x4d],
    ]);
    expect(exits('a3-amd-current')).toEqual([
      [2, 0x64],
      [2, 0x7c],
      [2, 0x400],
      [2, 0x60],
    ]);
    expect(exits('a20-amd-entry-failed-smm')).toEqual([[2, 0xffffffff]]);
  });

  it('other recorders: task, CPU and time', () => {
    expect(eventsOf('a2b-perf-script-comm')[6]).toMatchObject({
      comm: 'vm_vcpu 1',
      pid: 412240,
      cpu: 39,
      ts: 208_230_550_600_000,
      vcpu: 1,
      rip: 0xffffffff82046706n,
    });
    expect(eventsOf('a13-odd-tools')).toMatchObject([
      { pid: 206001, cpu: 17, ts: 12_204_452_408_994_000 },
      { pid: 206001, cpu: 17, vcpu: 20 },
      { comm: 'preempt_test', ts: 10_677_111_579_000, exitReason: 52, intrInfo: 0 },
    ]);
  });

  it('Linux 6.13 tells injections and requests', () => {
    expect(eventsOf('f9-linux-6.13-minimal')).toMatchObject([
      { intrInfo: 0, errorCode: 0, rip: 0x8000n },
      { requests: 0n, exitReason: 12 },
    ]);
  });
});
