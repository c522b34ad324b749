/** IA32_APIC_BASE: every way between the modes, and what each mode keeps. */
import { describe, expect, it } from 'vitest';
import { enable, enterX2apic, makeRig, vectorsIn } from './rig.ts';

const BASE = 0xfee0_0000n;
const BITS = { disabled: 0n, xapic: 0x800n, x2apic: 0xc00n, invalid: 0x400n } as const;
type State = keyof typeof BITS;

function inState(state: Exclude<State, 'invalid'>) {
  const rig = makeRig(6);
  const { apic } = rig.cpus[5]!;
  if (state === 'disabled') expect(apic.writeMsr(0x1b, BASE)).toBe(true);
  if (state === 'x2apic') enterX2apic(apic);
  expect(apic.mode).toBe(state);
  return { ...rig, apic };
}

// Intel SDM Vol. 3, "x2APIC State Transitions": the figure's arrows, typed in.
const LEGAL = new Set(['disabled>xapic', 'xapic>x2apic', 'xapic>disabled', 'x2apic>disabled']);

describe('transitions', () => {
  for (const from of ['disabled', 'xapic', 'x2apic'] as const) {
    for (const to of ['disabled', 'xapic', 'x2apic', 'invalid'] as const) {
      const legal = from === to || LEGAL.has(`${from}>${to}`);
      it(`${from} to ${to} is ${legal ? 'legal' : '#GP and changes nothing'}`, () => {
        const { apic } = inState(from);
        const before = apic.save();
        expect(apic.writeMsr(0x1b, BASE | BITS[to])).toBe(legal);
        expect(apic.mode).toBe(legal ? to : from);
        if (!legal) expect(apic.save()).toEqual(before);
        else expect(apic.readMsr(0x1b)).toBe(BASE | BITS[to]);
      });
    }
  }

  it('a_processor_without_x2apic_refuses_it', () => {
    const { cpus } = makeRig(1, {}, { x2apic: false });
    expect(cpus[0]!.apic.writeMsr(0x1b, BASE | 0xc00n)).toBe(false);
  });

  it('reserved_bits_are_gp', () => {
    for (let bit = 0n; bit < 64n; bit++) {
      const { cpus } = makeRig(1, {}, { physicalAddressBits: 36 });
      const reserved = bit < 8n || bit === 9n || bit >= 36n;
      const value = (BASE | 0x800n) ^ (reserved || bit === 8n ? 1n << bit : 0n);
      expect([bit, cpus[0]!.apic.writeMsr(0x1b, value)]).toEqual([bit, !reserved]);
    }
  });

  it('the_page_moves_with_the_base_and_is_gone_outside_xapic_mode', () => {
    const { apic } = inState('xapic');
    expect(apic.mmioBase).toBe(0xfee0_0000);
    apic.writeMsr(0x1b, 0xf_e000_0800n);
    expect(apic.mmioBase).toBe(0xf_e000_0000);
    enterX2apic(apic);
    expect(apic.mmioBase).toBe(-1);
    expect(apic.read(0x20, 4, 0)).toBe(0xffff_ffff);
  });

  it('power_up_values_are_fee00900_for_the_bsp_and_fee00800_for_others', () => {
    const { cpus } = makeRig(2);
    expect(cpus.map(({ apic }) => apic.readMsr(0x1b))).toEqual([0xfee0_0900n, 0xfee0_0800n]);
  });
});

describe('what a mode keeps', () => {
  it('entering_x2apic_shows_the_initial_id_and_a_derived_ldr', () => {
    const { apic } = inState('xapic');
    apic.writeRegister('ID', 0x3300_0000);
    apic.writeRegister('LDR', 0x4400_0000);
    enterX2apic(apic);
    expect([apic.id, apic.readMsr(0x802), apic.readMsr(0x80d)]).toEqual([5, 5n, 0x20n]);
  });

  it('ldr_is_cluster_in_the_high_half_and_one_bit_in_the_low_half', () => {
    const { bus, clock } = makeRig(0);
    void clock;
    expect(bus.apics).toEqual([]);
    const { cpus } = makeRig(40);
    for (const { apic } of cpus) enterX2apic(apic);
    expect(cpus[0x27]!.apic.readMsr(0x80d)).toBe(0x0002_0080n);
  });

  it('entering_x2apic_keeps_requests_and_priorities', () => {
    const { apic, bus } = inState('xapic');
    enable(apic);
    apic.writeRegister('TPR', 0x20);
    bus.deliverMsi(0xfee0_5000, 0x61);
    enterX2apic(apic);
    expect([apic.readMsr(0x808), vectorsIn(apic, 'IRR'), apic.pendingVector()]).toEqual([
      0x20n,
      [0x61],
      0x61,
    ]);
  });

  it('init_keeps_x2apic_mode', () => {
    const { apic } = inState('x2apic');
    apic.reset('init');
    expect([apic.mode, apic.id]).toEqual(['x2apic', 5]);
  });

  it('power_up_goes_back_to_xapic', () => {
    const { apic } = inState('x2apic');
    apic.reset('power-up');
    expect(apic.mode).toBe('xapic');
  });

  it('a_disabled_apic_forgets_its_registers_and_hears_nothing', () => {
    const { apic, cpus } = inState('xapic');
    enable(apic);
    apic.writeRegister('TPR', 0x20);
    apic.writeMsr(0x1b, BASE);
    cpus[0]!.apic.writeRegister('ICR_LOW', 0x000c_4200);
    expect(cpus[5]!.events).toEqual([]);
    apic.writeMsr(0x1b, BASE | 0x800n);
    expect([apic.readRegister('TPR'), apic.readRegister('SVR')]).toEqual([0, 0xff]);
    cpus[0]!.apic.writeRegister('ICR_LOW', 0x000c_4200);
    expect(cpus[5]!.events).toEqual(['smi']);
  });

  it('the_pins_of_a_disabled_apic_are_intr_and_nmi', () => {
    const { apic, cpus } = inState('disabled');
    apic.setLint(0, true);
    expect([apic.intr, apic.extIntPending]).toEqual([true, true]);
    apic.setLint(0, false);
    expect(apic.intr).toBe(false);
    apic.setLint(1, true);
    apic.setLint(1, true);
    expect(cpus[5]!.events).toEqual(['nmi']);
  });
});

it('self_ipi_requests_its_vector_and_leaves_icr_alone', () => {
  const { apic } = inState('x2apic');
  apic.writeMsr(0x80f, 0x1ffn);
  expect(apic.writeMsr(0x83f, 0x77n)).toBe(true);
  expect([vectorsIn(apic, 'IRR'), apic.readMsr(0x830)]).toEqual([[0x77], 0n]);
});
