/** Text in pieces is read as the whole text is, and what is held of it has a bound. */
import { parseTraceText, type TraceEvent, TraceTextStream, TraceWindow } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { FIELD_NAMES, fieldText } from './field-files.ts';
import { healthyText } from './healthy.ts';
import { kvm } from './scenarios.ts';

function inPieces(text: string, size: number, stream = new TraceTextStream()): TraceEvent[] {
  const bytes = new TextEncoder().encode(text);
  const events: TraceEvent[] = [];
  for (let at = 0; at < bytes.length; at += size) events.push(...stream.push(bytes.subarray(at, at + size)));
  events.push(...stream.end());
  return events;
}

describe.each(FIELD_NAMES)('%s', (name) => {
  it.each([7, 4096])('in pieces of %i bytes', (size) => {
    const text = fieldText(name);
    const whole = parseTraceText(text);
    const stream = new TraceTextStream();
    expect(inPieces(text, size, stream)).toEqual(whole.events);
    const { counts, form, notes, planned, cut } = stream;
    expect({ counts, form, notes, planned, cut }).toEqual({
      counts: whole.counts,
      form: whole.form,
      notes: whole.notes,
      planned: whole.planned,
      cut: whole.cut,
    });
  });
});

describe('bounds', () => {
  const text = healthyText({ form: 'current', vcpus: 2, amd: false, apicv: false, smis: 20, seed: 1 });

  it('events are given as their lines come, not at the end', () => {
    const stream = new TraceTextStream({ formWindow: 1 });
    const bytes = new TextEncoder().encode(text);
    const half = stream.push(bytes.subarray(0, bytes.length / 2));
    expect(half.length).toBeGreaterThan(parseTraceText(text).events.length / 2 - 10);
  });

  it('an event of a thread that never names its VCPU holds back no more than the bound', () => {
    const line = (i: number) => ` qemu-5 [000] ${i}.000000: kvm_set_irq: gsi 1 level 1 source 0\n`;
    const stream = new TraceTextStream({ formWindow: 1, mostWaiting: 3 });
    let given = 0;
    for (let i = 1; i <= 20; i++) {
      given += stream.push(new TextEncoder().encode(line(i))).length;
      expect(i - given).toBeLessThanOrEqual(4);
    }
    expect(given + stream.end().length).toBe(20);
  });

  it('lines of logs are kept up to the bound, a line without end is passed over', () => {
    const stream = new TraceTextStream({ formWindow: 1, mostNotes: 2 });
    const log = 'CPU[000]  APIC ID=0000  SMBASE=7FFC1000\n'.repeat(9);
    inPieces(`${log}${'x'.repeat(300_000)}\nkvm_entry: vcpu 0\n`, 1000, stream);
    expect(stream.notes).toHaveLength(2);
    expect(stream.counts).toMatchObject({ lines: 11, events: 1, passedOver: 10 });
  });
});

describe('a window', () => {
  const death = '1 kvm_exit: reason TRIPLE_FAULT rip 0xabc info 0 0';
  const quiet = Array.from(
    { length: 50 },
    (_, i) => `0 kvm_entry: vcpu 0\n0 kvm_exit: reason CPUID rip 0x${i} info 0 0`,
  );
  const trace = (...lines: string[]) => kvm(lines.join('\n'));

  function windowOf(events: readonly TraceEvent[], capacity: number): TraceWindow {
    const window = new TraceWindow(capacity);
    for (const event of events) window.sink(event);
    return window;
  }

  it('holds everything as long as it fits', () => {
    const events = trace(...quiet, death);
    const window = windowOf(events, 102);
    expect(window.skipped).toBe(0);
    expect(window.diagnose()[0]?.events).toEqual(events);
  });

  it.each([
    ['first', [death, ...quiet], 0, 0],
    ['last', [...quiet, death], 1, 91],
  ] as const)('finds a death among its %s events', (_title, lines, part, offset) => {
    const events = trace(...lines);
    const window = windowOf(events, 20);
    expect(window.skipped).toBe(81);
    const found = window.diagnose()[part];
    expect(found?.diagnoses.map(({ id }) => id)).toEqual(['cpu-died']);
    expect(found?.offset).toBe(offset);
    const { index = -1 } = found?.diagnoses[0]?.evidence[0] ?? {};
    expect(found?.events[index]).toEqual(events[offset + index]);
  });

  it('concludes nothing from what is absent in the first events', () => {
    const smi = '0 kvm_apic_accept_irq: apicid 1 vec 0 (SMI|edge)';
    const taken = [
      '1 kvm_enter_smm: vcpu 1: entering SMM, smbase 0x7ffc1000',
      '1 kvm_enter_smm: vcpu 1: leaving SMM, smbase 0x7ffc1000',
    ];
    const events = trace(
      '1 kvm_exit: reason HLT rip 0x1 info 0 0',
      smi,
      ...quiet.slice(0, 60),
      ...quiet,
      ...taken,
      ...quiet,
    );
    expect(
      windowOf(events, 220)
        .diagnose()
        .flatMap(({ diagnoses }) => diagnoses),
    ).toEqual([]);
  });
});
