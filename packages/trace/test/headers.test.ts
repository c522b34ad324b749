import { parseTraceText } from '@smm/trace';
import { describe, expect, it } from 'vitest';

const EVENT = 'kvm_entry: vcpu 1, rip 0xfff0';
const TASK = { comm: 'CPU 1/KVM', pid: 2102, cpu: 5, ts: 700_000_001_000, vcpu: 1 };

describe('a line begins as its recorder writes it', () => {
  it.each([
    ['trace-cmd report', `       CPU 1/KVM-2102  [005]   700.000001: ${EVENT}`],
    ['trace-cmd report -t', `       CPU 1/KVM-2102  [005]   700.000001000: ${EVENT}`],
    ['trace-cmd report --ts-diff', `       CPU 1/KVM-2102  [005]   700.000001: (+1)     ${EVENT}`],
    ['ftrace, four flags', `       CPU 1/KVM-2102  [005] d..2   700.000001: ${EVENT}`],
    ['ftrace, five flags', `       CPU 1/KVM-2102    [005] d..2.   700.000001: ${EVENT}`],
    ['ftrace of an RT kernel', `       CPU 1/KVM-2102    [005] d..21..   700.000001: ${EVENT}`],
    ['ftrace with need-resched letters', `       CPU 1/KVM-2102    [005] DNZff1   700.000001: ${EVENT}`],
    ['ftrace with tgid', `       CPU 1/KVM-2102    (   2000) [005] d....   700.000001: ${EVENT}`],
    ['ftrace with an unknown tgid', `       CPU 1/KVM-2102    (-------) [005] d....   700.000001: ${EVENT}`],
    ['perf script', `CPU 1/KVM  2102 [005]   700.000001:            kvm:${EVENT}`],
    ['perf script with process and thread', `CPU 1/KVM  2000/2102 [005]   700.000001:       kvm:${EVENT}`],
    ['perf script with a period', `CPU 1/KVM  2102 [005]   700.000001:          1 kvm:${EVENT}`],
    ['a kernel log', `[  812.123456]   CPU 1/KVM-2102    [005] d....   700.000001: ${EVENT}`],
    ['a journal', `Nov 28 21:00:01 host kernel:   CPU 1/KVM-2102    [005] d....   700.000001: ${EVENT}`],
    [
      'a log with dates',
      `2024-05-06T07:08:09.123+02:00   CPU 1/KVM-2102    [005] d....   700.000001: ${EVENT}`,
    ],
    ['a quotation', `> >       CPU 1/KVM-2102    [005] d....   700.000001: ${EVENT}`],
  ])('%s', (_title, line) => {
    const { events, counts } = parseTraceText(`${line}\n`);
    expect(counts).toMatchObject({ lines: 1, events: 1 });
    expect(events).toMatchObject([{ ...TASK, rip: 0xfff0n }]);
  });

  it.each([
    ['trace-cmd report -l', 'CPU 1/KV-2102    5d..2.   700.000001: '],
    ['ftrace, latency format', 'CPU 1/KV-2102    5d..2. 700000001us : '],
    ['trace-cmd report --raw-ts', '       CPU 1/KVM-2102 [005]700000001000: '],
  ])('%s', (_title, head) => {
    expect(parseTraceText(`${head}${EVENT}\n`).events).toMatchObject([
      { pid: 2102, cpu: 5, ts: 700_000_001_000, vcpu: 1 },
    ]);
  });

  it.each([
    ['by its fields', '  700000.001 CPU 1/KVM/2102 kvm:kvm_entry(vcpu_id: 1, rip: 65520)'],
    [
      'by its fields, with a duration',
      '  700000.001 ( 0.002 ms): CPU 1/KVM/2102 kvm:kvm_entry(vcpu_id: 1, rip: 0xfff0)',
    ],
    ['by the kernel’s format', '  700000.001 CPU 1/KVM/2102 kvm:kvm_entry(vcpu 1, rip 0xfff0)'],
  ])('perf trace, %s', (_title, line) => {
    expect(parseTraceText(`${line}\n`).events).toMatchObject([
      { comm: 'CPU 1/KVM', pid: 2102, ts: 700_000_001_000, vcpu: 1, rip: 0xfff0n },
    ]);
  });

  it.each([
    ['raw fields', 'kvm_exit:              exit_reason=48 guest_rip=0x8000 isa=1 info1=0x181 info2=0x0'],
    [
      'a format that trace-cmd could not parse',
      'kvm_exit: [FAILED TO PARSE] exit_reason=48 guest_rip=0x8000 isa=1 info1=0x181 info2=0x0',
    ],
    [
      'a complaint of its plugin',
      'kvm_exit:  x<CANT FIND FIELD rip>vcpu 0 reason EPT_VIOLATION rip 0x8000 info1 0x181 info2 0x0',
    ],
  ])('trace-cmd report with %s', (_title, line) => {
    expect(parseTraceText(`${line}\n`).events).toMatchObject([
      { exitReason: 48, guestRip: 0x8000n, info1: 0x181n },
    ]);
  });

  it('raw fields are in the base of the format', () => {
    const line = 'kvm_emulate_insn:  rip=8000 csbase=0 len=2 insn=ARRAY[8b, 1b, 00] flags=1 failed=0';
    expect(parseTraceText(`${line}\n`).events).toMatchObject([
      { rip: 0x8000n, insn: [0x8b, 0x1b], flags: 1 },
    ]);
  });
});

describe('a wrapped line', () => {
  const LINE =
    ' CPU 1/KVM-2102 [005] d.... 700.000001: kvm_exit: vcpu 1 reason npf rip 0x10 info1 0x1 info2 0x2';
  const whole = parseTraceText(LINE).events;

  it.each([...LINE.matchAll(/(?<=\S) (?=\S)/g)].map(({ index }) => index))('at column %i', (at) => {
    const { events, counts } = parseTraceText(`${LINE.slice(0, at)}\n${LINE.slice(at + 1)}\n`);
    if (at > 5) {
      expect(events).toEqual(whole);
      expect(counts).toMatchObject({ lines: 2, events: 1, continued: 1 });
    } else {
      // Behind `CPU` only the thread's name is lost.
      expect(events).toMatchObject([{ pid: 2102, cpu: 5, vcpu: 1 }]);
    }
  });

  it('in several places, and in the middle of a number as terminals do', () => {
    const text =
      ' CPU 1/KVM-2102\n[005] d....\n700.000001:\nkvm_exit: vcpu 1 reason npf\nrip 0x10 info1\n0x1 info2 0x2\n';
    expect(parseTraceText(text).events).toEqual(whole);
    const cut = LINE.indexOf('pf rip');
    expect(parseTraceText(`${LINE.slice(0, cut)}\n${LINE.slice(cut)}\n`).events).toEqual(whole);
  });

  it('that a recorder lost events is counted', () => {
    expect(parseTraceText('kvm_entry: vcpu 0\nCPU:3 [LOST 123 EVENTS]\n').counts).toMatchObject({
      lost: 1,
      passedOver: 1,
    });
  });
});
