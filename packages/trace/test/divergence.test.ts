import { compareTraces, firstDivergence, guestVisible, type TraceEvent } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { firstSmi, goodRun, kvm, mailRun, Recorder, smiIpi, start } from './scenarios.ts';

function goodRunOfTwo(): TraceEvent[] {
  const run = firstSmi(smiIpi(start([0, 1]), 1), 1);
  run.add(
    { name: 'smm_halt', vcpu: 1, rip: 0x9f0n },
    { name: 'smm_debugcon', vcpu: 0, text: 'APIC ID 0x1 has processed' },
  );
  return firstSmi(run, 0).events;
}

describe('firstDivergence', () => {
  it("finds the APIC read of the mail's run, before all that follows from it", () => {
    const { first, perVcpu } = firstDivergence(goodRunOfTwo(), mailRun());
    expect(first).toMatchObject({
      vcpu: 1,
      a: { fact: 'APIC 0x20 = 0x1000000' },
      b: { fact: 'APIC 0x20 = 0x0' },
      sentence: 'VCPU 1: APIC 0x20 = 0x1000000 in the first run, APIC 0x20 = 0x0 in the second.',
    });
    expect(first?.context.a.at(-1)).toContain('smm_apic_read:        vcpu 1 reads apic 0x20 = 0x1000000');
    expect(first?.context.b.at(-1)).toContain('reached memory');
    expect(perVcpu.map(({ vcpu }) => vcpu)).toEqual([0, 1]);
    expect(perVcpu[0]?.b).toBeUndefined();
    expect(perVcpu[0]?.sentence).toContain('does nothing more in the second');
    expect(firstDivergence(mailRun(), goodRunOfTwo()).first?.vcpu).toBe(1);
  });

  it('equal runs do not diverge, whatever the times, exits, entries and polls', () => {
    const slow = goodRun().flatMap((event): TraceEvent[] => {
      const later = { ...event, ts: event.ts * 3 + 17 };
      const who = { ts: later.ts - 1, cpu: event.cpu, vcpu: event.vcpu ?? 0 };
      const exit: TraceEvent = {
        ...who,
        name: 'kvm_exit',
        exitReason: 1,
        guestRip: BigInt(event.ts),
        isa: 1,
        info1: 0n,
        info2: 0n,
      };
      const twice = event.name === 'smm_apic_read' || event.name === 'smm_halt' ? [later] : [];
      return [exit, { ...who, name: 'kvm_entry' }, later, ...twice];
    });
    expect(firstDivergence(goodRun(), slow)).toMatchObject({ perVcpu: [] });
    expect(firstDivergence(goodRun(), slow).first).toBeUndefined();
  });

  it('a history that ends earlier is a divergence, unless both runs are known to have come to their end', () => {
    const whole = goodRunOfTwo();
    const cut = whole.slice(0, -1);
    expect(firstDivergence(whole, cut).first).toMatchObject({ vcpu: 0, a: { index: whole.length - 1 } });
    expect(firstDivergence(whole, cut).first?.b).toBeUndefined();
    expect(firstDivergence(whole, cut, { tails: 'ignore' }).perVcpu).toEqual([]);
    expect(firstDivergence(whole, mailRun(), { tails: 'ignore' }).perVcpu.map(({ vcpu }) => vcpu)).toEqual([
      1,
    ]);
  });

  it('compares a run of ours with a real KVM trace on what both can tell', () => {
    const real = kvm(`
      0 kvm_entry: vcpu 0
      0 kvm_apic_ipi: dst 1 vec 0 (SMI|physical|assert|edge|dst)
      1 kvm_enter_smm: vcpu 1: entering SMM, smbase 0x30000
      1 kvm_apic: apic_read APIC_ID = 0x1000000
      1 kvm_enter_smm: vcpu 1: leaving SMM, smbase 0x7ffc1000`);
    const { first, kinds } = firstDivergence(goodRunOfTwo(), real);
    expect(kinds).not.toContain('debugcon');
    expect(first).toMatchObject({
      vcpu: 1,
      a: { fact: 'leaves SMM, SMBASE 0x7ffc1800' },
      b: { fact: 'leaves SMM, SMBASE 0x7ffc1000' },
    });
  });

  it('compares port accesses where both runs have them, but not the PM timer', () => {
    const pio = (port: number, val: number) =>
      new Recorder().add(
        { name: 'kvm_pio', vcpu: 0, write: false, port: 0x608, size: 4, count: 1, val: port * 7 + val },
        { name: 'kvm_pio', vcpu: 0, write: true, port, size: 1, count: 1, val },
      ).events;
    expect(firstDivergence(pio(0x402, 1), pio(0x402, 1)).first).toBeUndefined();
    expect(firstDivergence(pio(0x402, 1), pio(0x402, 2)).first?.b?.fact).toContain('value 0x2');
    expect(firstDivergence(pio(0x402, 1), pio(0x402, 2), { ignorePorts: [0x402] }).first?.a?.fact).toContain(
      '0x608',
    );
  });

  it('an APIC access is the same fact under both accelerators, and in SMM’s memory if the value is the same', () => {
    const base = { ts: 0, cpu: 0, vcpu: 0 };
    const read = { register: 0x20, value: 0, rip: 5n, inSmm: true } as const;
    const ours = guestVisible({ ...base, ...read, name: 'smm_apic_read', reached: 'memory' });
    expect(ours).toEqual(guestVisible({ ...base, name: 'kvm_apic', write: false, reg: 0x20, val: 0n }));
    expect(guestVisible({ ...base, name: 'kvm_entry' })).toBeUndefined();
  });
});

describe('compareTraces', () => {
  const inPieces = (events: readonly TraceEvent[], size: number) => () =>
    events.flatMap((_event, i) => (i % size === 0 ? [events.slice(i, i + size)] : []));

  it.each([1, 3, 1000])('finds the same in pieces of %i events', (size) => {
    const [a, b] = [goodRunOfTwo(), mailRun()];
    expect(compareTraces(inPieces(a, size), inPieces(b, 2), {})).toEqual(firstDivergence(a, b));
  });

  it('holds no facts of a VCPU that the other trace lacks, however many', () => {
    const fact = (vcpu: number, i: number): TraceEvent => ({
      name: 'kvm_cr',
      ts: i,
      cpu: vcpu,
      vcpu,
      write: true,
      cr: 3,
      val: BigInt(i),
    });
    function* many(): Generator<TraceEvent[]> {
      for (let i = 0; i < 300; i++) yield Array.from({ length: 4000 }, (_, k) => fact(1, i * 4000 + k));
      yield [fact(0, 0)];
    }
    const { first, compared } = compareTraces(many, () => [[fact(0, 0)]]);
    expect(first).toMatchObject({ vcpu: 1, agreed: 0, a: { index: 0 } });
    expect(first?.b).toBeUndefined();
    expect(compared.find(({ kind }) => kind === 'cr')).toEqual({ kind: 'cr', a: 1_200_001, b: 1 });
  });
});
