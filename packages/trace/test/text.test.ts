import {
  EVENT_NAMES,
  formatEvent,
  formatMessage,
  formatTrace,
  parseTraceText,
  type TraceEvent,
  type TraceEventName,
  type TraceForm,
} from '@smm/trace';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryEvent } from './arbitrary-events.ts';
import { MAIL_EXCERPT, MAIL_PROSE } from './mail-excerpt.ts';

const FORMS: readonly TraceForm[] = ['2015', 'current'];
const EVERY = FORMS.flatMap((form) => EVENT_NAMES.map((name) => [name, form] as const));

describe("the mail's lines", () => {
  it('reads the excerpt as it stands: wrapped, without task and time, with dots between', () => {
    const { events, lines, timed, unread } = parseTraceText(MAIL_EXCERPT);
    expect(events.map(({ name }) => name)).toEqual([
      'kvm_enter_smm',
      'kvm_entry',
      'kvm_exit',
      'kvm_page_fault',
      'kvm_exit',
      'kvm_enter_smm',
      'kvm_entry',
      'kvm_exit',
      'kvm_emulate_insn',
      'kvm_apic',
      'kvm_mmio',
      'kvm_entry',
    ]);
    expect(lines).toEqual([2, 4, 5, 6, 7, 10, 12, 13, 14, 15, 16, 17]);
    expect(events.every(({ vcpu }) => vcpu === 1)).toBe(true);
    expect({ timed, unread }).toEqual({ timed: false, unread: [] });
    expect(events[2]).toMatchObject({
      exitReason: 48,
      guestRip: 0x7ffdcf46n,
      info1: 0x181n,
      info2: 0n,
      isa: 1,
    });
    expect(events[4]).toMatchObject({ exitReason: 1, info2: 0x800000efn });
    expect(events[8]).toMatchObject({ rip: 0x7fd8cd09n, insn: [0x8b, 0x1b], failed: false });
    expect(events[9]).toMatchObject({ write: false, reg: 0x20, val: 0x1000000n });
  });

  it('prints the same messages again', () => {
    const printed = parseTraceText(MAIL_EXCERPT).events.map(
      (event) => `${event.name}: ${formatMessage(event)}`,
    );
    const given = MAIL_EXCERPT.replace(/info 0\n\s+800000ef/, 'info 0 800000ef')
      .split('\n')
      .filter((line) => line.startsWith('kvm_'))
      .map((line) => line.replace(/: +/, ': '));
    expect(printed).toEqual(given);
  });

  it('reads the whole mail: quoted, wrapped after the colon, prose between; and the planned SMBASEs', () => {
    const { events, planned, unread } = parseTraceText(MAIL_PROSE);
    expect(events).toHaveLength(13);
    expect(events[0]).toEqual({
      name: 'kvm_enter_smm',
      ts: 13_634_057_590_000,
      cpu: 0,
      pid: 22085,
      comm: 'qemu-system-i38',
      vcpu: 1,
      smbase: 0x7ffc1000n,
      entering: false,
    });
    expect(planned).toEqual([0x7ffc1000, 0x7ffc1800]);
    expect(unread).toEqual([]);
  });

  it('prints the full line of the mail, columns and all', () => {
    const event: TraceEvent = {
      name: 'kvm_enter_smm',
      ts: 13_634_057_590_000,
      cpu: 0,
      vcpu: 1,
      smbase: 0x7ffc1000n,
      entering: false,
    };
    expect(formatEvent(event)).toBe(
      ' qemu-system-i38-22085 [000] 13634.057590: kvm_enter_smm:        vcpu 1: leaving SMM, smbase 0x7ffc1000',
    );
  });
});

describe("today's words", () => {
  const exit: TraceEvent = {
    name: 'kvm_exit',
    ts: 0,
    cpu: 1,
    vcpu: 1,
    exitReason: 0x80000021,
    guestRip: 0x8000n,
    isa: 1,
    info1: 0n,
    info2: 0x306n,
    intrInfo: 0x80000306,
    errorCode: 0,
  };

  it('kvm_exit names its VCPU, its flags and 16 digits of information', () => {
    expect(formatMessage(exit, { form: 'current' })).toBe(
      'vcpu 1 reason INVALID_STATE FAILED_VMENTRY rip 0x8000 info1 0x0000000000000000 info2 0x0000000000000306 intr_info 0x80000306 error_code 0x00000000',
    );
  });

  it('kvm_enter_smm is called kvm_smm_transition and is read back under our name', () => {
    const event: TraceEvent = {
      name: 'kvm_enter_smm',
      ts: 0,
      cpu: 0,
      vcpu: 3,
      smbase: 0x30000n,
      entering: true,
    };
    const text = formatTrace([event], { form: 'current' });
    expect(text).toContain('kvm_smm_transition:   vcpu 3: entering SMM, smbase 0x30000');
    expect(parseTraceText(text).events[0]).toMatchObject(event);
  });

  it.each([
    ['kvm_exit: vcpu 1 reason EPT_VIOLATION rip 0x10 info 181 0', { vcpu: 1, exitReason: 48, info1: 0x181n }],
    ['kvm_exit: reason INTERRUPT_WINDOW rip 0x10 info 0 0', { exitReason: 7 }],
    ['kvm_exit: reason UNKNOWN (75) rip 0x10 info 0 0', { exitReason: 75 }],
    ['kvm_entry: vcpu 2 rip 0x38000', { vcpu: 2, rip: 0x38000n }],
    ['kvm_entry: vcpu 2, rip 0xfff0[immediate exit]', { vcpu: 2, rip: 0xfff0n, immediateExit: true }],
    ['kvm_pio: pio_write at 0xb2 size 1 count 1 val 0x4', { write: true, port: 0xb2, val: 4 }],
    ['kvm_inj_exception: #GP (0x0)', { exception: 13, hasError: true, errorCode: 0 }],
    ['kvm_inj_exception: #UD (0x0)', { exception: 6, hasError: false }],
    ['kvm_apic: apic_read 3c0 = 0x0', undefined],
    ['kvm_apic: apic_read 0x3c0 = 0x0', { reg: 0x3c0 }],
  ])('reads `%s`', (line, expected) => {
    // A good line first, so that an unreadable one does not make the whole text foreign.
    const { events, unread } = parseTraceText(`kvm_fpu: load\n${line}`);
    if (expected) expect(events[1]).toMatchObject(expected);
    else expect(unread).toEqual([{ line: 2, text: line }]);
  });
});

describe('reports', () => {
  it('finds the VCPU of an exit by its thread', () => {
    const text = [
      'cpus=2',
      ' qemu-system-i38-101   [000]     1.000000: kvm_entry:            vcpu 0',
      ' qemu-system-i38-102   [001]     1.000001: kvm_entry:            vcpu 1',
      ' qemu-system-i38-101   [001]     1.000002: kvm_exit:             reason HLT rip 0x1 info 0 0',
      ' qemu-system-i38-102   [000]     1.000003: kvm_exit:             reason HLT rip 0x2 info 0 0',
      '           <...>-9     [000]     1.000004: sched_switch:         prev_comm=x',
      '       CPU 0/KVM-101   [000] d..2     1.000005: kvm_fpu:              load',
    ].join('\n');
    const { events, timed } = parseTraceText(text);
    expect(events.map(({ vcpu }) => vcpu)).toEqual([0, 1, 0, 1, 0]);
    expect(events[4]).toMatchObject({ comm: 'CPU 0/KVM', pid: 101, ts: 1_000_005_000 });
    expect(timed).toBe(true);
  });

  it.each(EVERY)(
    '%s in %s form: text, parse, text gives the same text, with and without plugin',
    (name, form) => {
      fc.assert(
        fc.property(arbitraryEvent(name as TraceEventName, form), fc.boolean(), (event, plugins) => {
          const text = formatTrace([event], { form, plugins, cpus: 4 });
          const { events, unread } = parseTraceText(text, { form });
          expect(unread).toEqual([]);
          expect(formatTrace(events, { form, plugins, cpus: 4 })).toBe(text);
        }),
        { numRuns: 40 },
      );
    },
  );

  it('survives wrapping at any blank', () => {
    const events = FORMS.flatMap((form) =>
      EVENT_NAMES.filter((name) => name.startsWith('kvm')).flatMap((name) =>
        fc.sample(arbitraryEvent(name, form), { numRuns: 3, seed: 5 }).map((event) => ({ event, form })),
      ),
    );
    for (const { event, form } of events) {
      const line = `${event.name}: ${formatMessage(event, { form, plugins: false }).trimEnd()}`;
      const expected = parseTraceText(line, { form }).events;
      for (const match of line.matchAll(/(?<=\S) (?=\S)/g)) {
        const wrapped = `> ${line.slice(0, match.index)}\n>      ${line.slice(match.index + 1)}\n\nprose follows\n`;
        expect(parseTraceText(wrapped, { form }).events, wrapped).toEqual(expected);
      }
    }
  });

  it('text of the debug port keeps quotes, blanks, backslashes and other alphabets', () => {
    const text = '  "CPU[000]" \\ tab\there é 漢字 \\x41 ';
    const event: TraceEvent = { name: 'smm_debugcon', ts: 1000, cpu: 0, vcpu: 0, text };
    expect(parseTraceText(formatTrace([event])).events[0]).toMatchObject({ text });
  });
});

describe('foreign text', () => {
  it.each(['', 'hello\nworld\n', 'cpus=2\n', '{"a":1}', 'kvm_exit: nothing that it ever says'])(
    '%j is refused',
    (text) => {
      expect(() => parseTraceText(text)).toThrow(
        expect.objectContaining({ code: 'TRACE_FOREIGN', fix: expect.stringContaining('trace-cmd report') }),
      );
    },
  );

  it('any other text is refused too, and never fails otherwise', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        expect(() => parseTraceText(text)).toThrow(expect.objectContaining({ code: 'TRACE_FOREIGN' }));
      }),
    );
  });

  it("does not take another tracepoint's text for an event", () => {
    const text = ' worker-9     [000]     1.000000: sched_wakeup:         comm=qemu-5 kvm_fpu: load';
    expect(() => parseTraceText(text)).toThrow(expect.objectContaining({ code: 'TRACE_FOREIGN' }));
  });

  it('says which lines it looked at', () => {
    expect(() => parseTraceText('\nhello\n\nworld\n')).toThrow(
      expect.objectContaining({ details: { lines: [2, 4] } }),
    );
  });
});
