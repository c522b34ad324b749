/**
 * Every delivery mode x shorthand x destination mode x interesting destination, against a specification written apart.
 */
import { type ApicBus, type IpiRecord, LocalApic } from '@smm/xapic';
import { describe, expect, it } from 'vitest';
import { enable, enterX2apic, makeRig, vectorsIn } from './rig.ts';

const MODES = ['Fixed', 'LowPrio', 'SMI', 'Res3', 'NMI', 'INIT', 'SIPI', 'ExtINT'] as const;
const SHORTHANDS = ['none', 'self', 'all', 'all-but-self'] as const;
const CPUS = 6;
const SENDER = 2;
const VECTOR = 0x51;

interface Setup {
  name: string;
  /** Logical id byte of each CPU; flat when `model` is flat. */
  model: 'flat' | 'cluster';
  logical: number[];
}
const SETUPS: Setup[] = [
  { name: 'flat', model: 'flat', logical: [1, 2, 4, 8, 16, 32] },
  { name: 'flat, two bits and none', model: 'flat', logical: [3, 2, 4, 0, 16, 0x30] },
  { name: 'cluster', model: 'cluster', logical: [0x11, 0x12, 0x14, 0x21, 0x22, 0x31] },
];
const DESTINATIONS = [0, 1, 2, 3, 5, 6, 9, 0x11, 0x13, 0x21, 0x2f, 0x3f, 0xf1, 0xfe, 0xff];

/** Who must hear an IPI; written from the manual's text on destinations, not from the model. */
function expectedTargets(
  setup: Setup,
  shorthand: (typeof SHORTHANDS)[number],
  logicalMode: boolean,
  dest: number,
): number[] {
  const everyone = [0, 1, 2, 3, 4, 5];
  if (shorthand === 'self') return [SENDER];
  if (shorthand === 'all') return everyone;
  if (shorthand === 'all-but-self') return everyone.filter((cpu) => cpu !== SENDER);
  if (dest === 255) return everyone;
  if (!logicalMode) return everyone.filter((cpu) => cpu === dest);
  return everyone.filter((cpu) => {
    const [mine, theirs] = [setup.logical[cpu]!.toString(2), dest.toString(2)].map((bits) =>
      bits.padStart(8, '0'),
    ) as [string, string];
    const overlap = (from: number) =>
      [...mine].some((bit, i) => i >= from && bit === '1' && theirs[i] === '1');
    return setup.model === 'flat' ? overlap(0) : mine.slice(0, 4) === theirs.slice(0, 4) && overlap(4);
  });
}

function build(setup: Setup) {
  const ipis: IpiRecord[] = [];
  const rig = makeRig(CPUS, { observer: { ipi: (record) => ipis.push(record) } });
  rig.cpus.forEach(({ apic }, cpu) => {
    enable(apic);
    apic.writeRegister('DFR', setup.model === 'flat' ? 0xffff_ffff : 0x0fff_ffff);
    apic.writeRegister('LDR', (setup.logical[cpu]! << 24) >>> 0);
  });
  return { ...rig, ipis };
}

describe.each(SETUPS)('xAPIC, $name model', (setup) => {
  describe.each(SHORTHANDS)('shorthand %s', (shorthand) => {
    it.each(MODES)('%s reaches exactly its targets, physical and logical, for every destination', (mode) => {
      for (const logicalMode of [false, true]) {
        for (const dest of DESTINATIONS) {
          const { cpus, ipis } = build(setup);
          const icrLow =
            VECTOR |
            (MODES.indexOf(mode) << 8) |
            (logicalMode ? 0x800 : 0) |
            0x4000 |
            (SHORTHANDS.indexOf(shorthand) << 18);
          cpus[SENDER]!.apic.writeRegister('ICR_HIGH', (dest << 24) >>> 0);
          cpus[SENDER]!.apic.writeRegister('ICR_LOW', icrLow);

          let targets = expectedTargets(setup, shorthand, logicalMode, dest);
          if (mode === 'LowPrio') targets = targets.slice(0, 1); // all priorities equal: the first
          const where = `${logicalMode ? 'logical' : 'physical'} ${dest.toString(16)}`;
          expect([where, ipis[0]!.targets]).toEqual([where, targets]);
          expect([ipis.length, ipis[0]!.icrLow, ipis[0]!.destination]).toEqual([1, icrLow, dest]);
          cpus.forEach(({ apic, events }, cpu) => {
            const hit = targets.includes(cpu);
            const fixed = mode === 'Fixed' || mode === 'LowPrio';
            expect(vectorsIn(apic, 'IRR')).toEqual(hit && fixed ? [VECTOR] : []);
            const line = { SMI: 'smi', NMI: 'nmi', INIT: 'init', SIPI: 'sipi 51' }[mode as string];
            expect(events).toEqual(hit && line !== undefined ? [line] : []);
            expect(apic.extIntPending).toBe(hit && mode === 'ExtINT');
          });
        }
      }
    });
  });
});

describe('x2APIC destinations', () => {
  it.each([
    ['physical id', 0x0000_0003, false, [3]],
    ['physical FFh is an ordinary id', 0xff, false, []],
    ['physical broadcast', 0xffff_ffff, false, [0, 1, 2, 3, 4, 5]],
    ['logical cluster 0, bits 0 and 4', 0x0000_0011, true, [0, 4]],
    ['logical FFh is bits 0-7 of cluster 0', 0xff, true, [0, 1, 2, 3, 4, 5]],
    ['logical cluster 1', 0x0001_0001, true, []],
    ['logical broadcast', 0xffff_ffff, true, [0, 1, 2, 3, 4, 5]],
  ])('%s', (_name, dest, logicalMode, targets) => {
    const { cpus } = makeRig(CPUS);
    for (const { apic } of cpus) enterX2apic(apic);
    const icr = (BigInt(dest) << 32n) | 0x4200n | (logicalMode ? 0x800n : 0n);
    expect(cpus[SENDER]!.apic.writeMsr(0x830, icr)).toBe(true);
    expect(cpus.flatMap(({ events }, cpu) => (events.includes('smi') ? [cpu] : []))).toEqual(targets);
    expect(cpus[SENDER]!.apic.readMsr(0x830)).toBe(icr);
  });

  it('ids_above_254_are_reached_one_by_one_and_by_cluster', () => {
    const { bus, clock } = makeRig(0);
    const hits: number[] = [];
    const make = (apicId: number) => makeOne(bus, clock, apicId, hits);
    const apics = [0x10, 0x100, 0x1ff, 0x1_0010].map(make);
    for (const apic of apics) enterX2apic(apic);
    apics[0]!.writeMsr(0x830, (0x100n << 32n) | 0x4400n);
    apics[0]!.writeMsr(0x830, (0x1_0010n << 32n) | 0x4400n);
    apics[0]!.writeMsr(0x830, (0x001f_8000n << 32n) | 0x4c00n); // logical: id 1FFh is cluster 1Fh, bit 15
    expect(hits).toEqual([0x100, 0x1_0010, 0x1ff]);
  });
});

describe('messages from outside', () => {
  it.each([
    ['physical', 0xfee0_3000, 0x4061, [3]],
    ['physical broadcast', 0xfeef_f000, 0x4061, [0, 1, 2, 3, 4, 5]],
    ['logical', 0xfee0_9004, 0x4061, [0, 3]],
    ['logical, lowest priority', 0xfee0_900c, 0x4161, [0]],
    ['redirection hint, fixed', 0xfee0_a00c, 0x4061, [1]],
    ['nobody', 0xfee7_0000, 0x4061, []],
  ])('MSI %s', (_name, address, data, targets) => {
    const { cpus, bus } = build(SETUPS[0]!);
    expect(bus.deliverMsi(address, data)).toBe(targets.length > 0 ? 'accepted' : 'ignored');
    const hit = cpus.flatMap(({ apic }, cpu) => (vectorsIn(apic, 'IRR').includes(0x61) ? [cpu] : []));
    expect(hit).toEqual(targets);
  });

  it('an_msi_can_be_an_smi_or_nmi', () => {
    const { cpus, bus } = build(SETUPS[0]!);
    bus.deliverMsi(0xfee0_1000, 0x0200);
    bus.deliverMsi(0xfee0_1000, 0x0400);
    expect(cpus[1]!.events).toEqual(['smi', 'nmi']);
  });
});

describe('lowest priority', () => {
  const send = (rig: ReturnType<typeof build>) =>
    rig.bus.deliver({
      deliveryMode: 0x100,
      vector: 0x61,
      trigger: 'edge',
      level: true,
      destination: 0x3f,
      destinationMode: 'logical',
    });
  const winner = ({ cpus }: ReturnType<typeof build>) =>
    cpus.findIndex(({ apic }) => vectorsIn(apic, 'IRR').includes(0x61));

  it('lowest_priority_goes_to_the_least_ppr', () => {
    const rig = build(SETUPS[0]!);
    rig.cpus.forEach(({ apic }, cpu) => {
      apic.writeRegister('TPR', cpu === 4 ? 0x10 : 0x20);
    });
    send(rig);
    expect(winner(rig)).toBe(4);
  });

  it('lowest_priority_passes_over_software_disabled_apics', () => {
    const rig = build(SETUPS[0]!);
    rig.cpus[0]!.apic.writeRegister('SVR', 0xff);
    send(rig);
    expect(winner(rig)).toBe(1);
  });

  it('kvm_takes_turns_whatever_the_priority', () => {
    const rig = makeRig(3, { flavour: 'kvm-2015' });
    for (const { apic } of rig.cpus) enable(apic);
    rig.cpus[0]!.apic.writeRegister('TPR', 0xf0);
    for (let i = 0; i < 4; i++) rig.bus.deliverMsi(0xfeef_f000, 0x4161 + i);
    expect(rig.cpus.map(({ apic }) => vectorsIn(apic, 'IRR'))).toEqual([[0x61, 0x64], [0x62], [0x63]]);
  });
});

it('a_broadcast_to_255_apics_reaches_each_once', () => {
  const { cpus } = makeRig(255);
  cpus[7]!.apic.writeRegister('ICR_LOW', 0x000c_4200);
  expect(cpus.map(({ events }) => events.length)).toEqual(cpus.map((_, cpu) => (cpu === 7 ? 0 : 1)));
});

function makeOne(bus: ApicBus, clock: ReturnType<typeof makeRig>['clock'], apicId: number, hits: number[]) {
  const none = () => {};
  return new LocalApic({
    apicId,
    bus,
    clock,
    processor: { smi: none, init: none, sipi: none, nmi: () => hits.push(apicId) },
  });
}
