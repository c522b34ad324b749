/** Named behaviours, one per test, as a guest or a machine would see them. */
import { APIC_REGISTERS, type ApicObserver } from '@smm/xapic';
import { describe, expect, it } from 'vitest';
import { enable, enterX2apic, makeRig, vectorsIn } from './rig.ts';

const SELF = 0x4_4000;

describe('software disable', () => {
  it('clearing_the_enable_bit_masks_every_lvt_entry_and_holds_it_masked', () => {
    const { cpus } = makeRig(1, {}, { lvtCount: 7 });
    const { apic } = cpus[0]!;
    const lvts = APIC_REGISTERS.filter((row) => row.name.startsWith('LVT_')).map((row) => row.name);
    enable(apic);
    for (const name of lvts) apic.writeRegister(name, 0x41);
    expect(lvts.map((name) => apic.readRegister(name))).toEqual(lvts.map(() => 0x41));
    apic.writeRegister('SVR', 0xff);
    expect(lvts.map((name) => apic.readRegister(name))).toEqual(lvts.map(() => 0x1_0041));
    for (const name of lvts) apic.writeRegister(name, 0x42);
    expect(lvts.map((name) => apic.readRegister(name))).toEqual(lvts.map(() => 0x1_0042));
  });

  it('a_disabled_apic_hears_smi_nmi_init_and_sipi_but_no_fixed_interrupt', () => {
    const { cpus } = makeRig(2);
    for (const low of [0x4061, 0x4200, 0x4400, 0x4500, 0x469f]) {
      cpus[0]!.apic.writeRegister('ICR_HIGH', 1 << 24);
      cpus[0]!.apic.writeRegister('ICR_LOW', low);
    }
    expect(cpus[1]!.events).toEqual(['smi', 'nmi', 'init', 'sipi 9f']);
    expect(vectorsIn(cpus[1]!.apic, 'IRR')).toEqual([]);
  });

  it.each([
    ['sdm', 0x61],
    ['kvm-2015', -1],
    ['qemu-7.2', -1],
  ] as const)('what is pending at the disable: %s delivers %i', (flavour, vector) => {
    const { cpus } = makeRig(1, { flavour });
    const { apic } = cpus[0]!;
    enable(apic);
    apic.writeRegister('ICR_LOW', SELF | 0x61);
    apic.writeRegister('SVR', 0xff);
    expect([apic.pendingVector(), vectorsIn(apic, 'IRR')]).toEqual([vector, [0x61]]);
    enable(apic);
    expect(apic.pendingVector()).toBe(0x61);
  });
});

describe('delivery to the processor', () => {
  it('tpr_defers_injection', () => {
    const { cpus } = makeRig(1);
    const { apic } = cpus[0]!;
    enable(apic);
    apic.writeRegister('TPR', 0x60);
    apic.writeRegister('ICR_LOW', SELF | 0x65);
    expect(apic.intr).toBe(false);
    apic.cr8 = 5;
    expect([apic.intr, apic.acknowledge()]).toEqual([true, 0x65]);
  });

  it('acknowledge_with_nothing_deliverable_is_spurious_and_leaves_isr_alone', () => {
    const { cpus } = makeRig(1);
    const { apic } = cpus[0]!;
    apic.writeRegister('SVR', 0x1ef);
    apic.writeRegister('ICR_LOW', SELF | 0x65);
    apic.writeRegister('TPR', 0xf0);
    expect([apic.acknowledge(), vectorsIn(apic, 'ISR'), vectorsIn(apic, 'IRR')]).toEqual([0xef, [], [0x65]]);
  });

  it('on_change_is_called_when_intr_changes_and_only_then', () => {
    const { cpus } = makeRig(1);
    const { apic } = cpus[0]!;
    enable(apic);
    apic.writeRegister('ICR_LOW', SELF | 0x65);
    apic.writeRegister('ICR_LOW', SELF | 0x66);
    expect(cpus[0]!.changes).toBe(1);
    apic.acknowledge();
    expect([apic.intr, cpus[0]!.changes]).toEqual([false, 2]);
    apic.writeRegister('EOI', 0);
    expect([apic.intr, cpus[0]!.changes]).toEqual([true, 3]);
  });

  it('fixed_ipis_are_edge_on_hardware_and_as_written_under_kvm', () => {
    for (const [flavour, tmr] of [
      ['sdm', []],
      ['kvm-2015', [0x61]],
    ] as const) {
      const { cpus } = makeRig(1, { flavour });
      const { apic } = cpus[0]!;
      enable(apic);
      apic.writeRegister('ICR_LOW', SELF | 0x8000 | 0x61);
      expect(vectorsIn(apic, 'TMR')).toEqual(tmr);
    }
  });
});

describe('end of interrupt', () => {
  const levelInService = (options = {}) => {
    const rig = makeRig(1, {}, options);
    const { apic } = rig.cpus[0]!;
    enable(apic);
    rig.bus.deliverMsi(0xfee0_0000, 0xc061); // level, assert
    rig.bus.deliverMsi(0xfee0_0000, 0x4051); // edge
    expect([apic.acknowledge()]).toEqual([0x61]);
    return { ...rig, apic };
  };

  it('eoi_is_broadcast_for_level_triggered_vectors_only', () => {
    const { apic, eois } = levelInService();
    apic.writeRegister('EOI', 0);
    expect([apic.acknowledge(), eois]).toEqual([0x51, [0x61]]);
    apic.writeRegister('EOI', 0);
    expect(eois).toEqual([0x61]);
  });

  it('svr_bit_12_suppresses_the_broadcast_where_it_exists', () => {
    const { apic, eois } = levelInService({ eoiBroadcastSuppression: true });
    apic.writeRegister('SVR', 0x11ff);
    apic.writeRegister('EOI', 0);
    expect(eois).toEqual([]);
    const without = levelInService();
    without.apic.writeRegister('SVR', 0x11ff);
    without.apic.writeRegister('EOI', 0);
    expect(without.eois).toEqual([0x61]);
  });
});

describe('errors', () => {
  it('esr_shows_errors_after_it_is_written_and_forgets_them_at_the_next_write', () => {
    const { cpus } = makeRig(1);
    const { apic } = cpus[0]!;
    apic.read(0x40, 4, 0);
    expect(apic.readRegister('ESR')).toBe(0);
    apic.writeRegister('ESR', 0);
    expect(apic.readRegister('ESR')).toBe(0x80);
    apic.writeRegister('ESR', 0);
    expect(apic.readRegister('ESR')).toBe(0);
  });

  it('lvt_error_is_raised_once_until_esr_is_written', () => {
    const { cpus } = makeRig(1);
    const { apic } = cpus[0]!;
    enable(apic);
    apic.writeRegister('LVT_ERROR', 0xfe);
    const take = () => {
      const vector = apic.intr ? apic.acknowledge() : 0;
      apic.writeRegister('EOI', 0);
      return vector;
    };
    apic.read(0x40, 4, 0);
    expect(take()).toBe(0xfe);
    apic.read(0x40, 4, 0);
    expect(take()).toBe(0);
    apic.writeRegister('ESR', 0);
    apic.read(0x40, 4, 0);
    expect(take()).toBe(0xfe);
  });

  it('sending_a_vector_below_16_is_an_error_of_the_sender_and_goes_nowhere', () => {
    const { cpus } = makeRig(2);
    for (const { apic } of cpus) enable(apic);
    cpus[0]!.apic.writeRegister('ICR_LOW', 0xc_400f);
    for (const { apic } of cpus) apic.writeRegister('ESR', 0);
    expect(cpus.map(({ apic }) => apic.readRegister('ESR'))).toEqual([0x20, 0]);
    expect(vectorsIn(cpus[1]!.apic, 'IRR')).toEqual([]);
  });

  it('receiving_a_vector_below_16_is_an_error_of_the_receiver', () => {
    const { cpus, bus } = makeRig(1);
    const { apic } = cpus[0]!;
    enable(apic);
    bus.deliverMsi(0xfee0_0000, 0x400f);
    apic.writeRegister('ESR', 0);
    expect([apic.readRegister('ESR'), vectorsIn(apic, 'IRR')]).toEqual([0x40, []]);
  });

  it('an_lvt_error_entry_with_an_illegal_vector_ends', () => {
    const { cpus } = makeRig(1);
    const { apic } = cpus[0]!;
    enable(apic);
    apic.writeRegister('LVT_ERROR', 3);
    apic.read(0x40, 4, 0);
    apic.writeRegister('ESR', 0);
    expect(apic.readRegister('ESR')).toBe(0xc0);
  });
});

describe('INIT', () => {
  it.each([
    ['sdm', 'kept', 0x77],
    ['kvm-2015', 'kept', 0x77],
    ['kvm-2015', 'reset', 1],
  ] as const)('%s with apicIdOnInit %s: a rewritten id is then %i', (flavour, apicIdOnInit, id) => {
    const { cpus } = makeRig(2, { flavour, behaviour: { apicIdOnInit } });
    const { apic } = cpus[1]!;
    apic.writeRegister('ID', 0x7700_0000);
    apic.writeRegister('TPR', 0x55);
    apic.reset('init');
    expect([apic.id, apic.readRegister('ID'), apic.readRegister('TPR')]).toEqual([id, id << 24, 0]);
    // Routing follows the id.
    cpus[0]!.apic.writeRegister('ICR_HIGH', id << 24);
    cpus[0]!.apic.writeRegister('ICR_LOW', 0x4200);
    expect(cpus[1]!.events).toEqual(['smi']);
  });

  it('init_keeps_the_base_msr_and_power_up_does_not', () => {
    const { cpus } = makeRig(2);
    const { apic } = cpus[1]!;
    apic.writeMsr(0x1b, 0xfed0_0800n);
    apic.reset('init');
    expect(apic.mmioBase).toBe(0xfed0_0000);
    apic.reset('power-up');
    expect(apic.mmioBase).toBe(0xfee0_0000);
  });

  it('init_level_deassert_only_sets_arbitration_ids', () => {
    const { cpus } = makeRig(3);
    cpus[1]!.apic.writeRegister('ID', 0x0900_0000);
    expect(cpus[1]!.apic.arbitrationId).toBe(1);
    cpus[0]!.apic.writeRegister('ICR_LOW', 0x8_8500); // all, level triggered, de-assert
    expect(cpus.map(({ apic }) => apic.arbitrationId)).toEqual([0, 9, 2]);
    expect(cpus.map(({ events }) => events)).toEqual([[], [], []]);
  });
});

describe('SMI by ICR', () => {
  it('linux_before_4_2_reports_the_smi_and_drops_it', () => {
    const seen: string[] = [];
    const { cpus } = makeRig(2, {
      flavour: 'kvm-2015',
      behaviour: { smiFromIcr: false },
      observer: {
        accept: (apic, message) => void seen.push(`${apic} ${message.deliveryMode.toString(16)}`),
      },
    });
    cpus[0]!.apic.writeRegister('ICR_LOW', 0x000c_4200);
    expect([seen, cpus[1]!.events]).toEqual([['1 200'], []]);
  });

  it('the_ipi_of_edk2_is_seen_in_the_order_of_kvms_tracepoints', () => {
    const lines: string[] = [];
    const traceName = (offset: number) =>
      APIC_REGISTERS.find((row) => row.offset === offset)?.trace ?? `0x${offset.toString(16)}`;
    const observer: ApicObserver = {
      access: (apic, write, offset, value) =>
        lines.push(
          `${apic}: apic_${write ? 'write' : 'read'} ${traceName(offset)} = 0x${value.toString(16)}`,
        ),
      ipi: ({ icrLow, destination }) => lines.push(`dst ${destination} icr ${icrLow.toString(16)}`),
      accept: (apic, { deliveryMode, trigger }) =>
        lines.push(`apicid ${apic} dm ${deliveryMode.toString(16)} ${trigger}`),
    };
    const { cpus } = makeRig(2, { flavour: 'kvm-2015', observer });
    const [bsp, ap] = cpus as [(typeof cpus)[0], (typeof cpus)[0]];
    // BaseXApicLib's SendIpi: save ICR2, wait, send, wait, restore.
    const saved = bsp.apic.read(0x310, 4, 0);
    bsp.apic.read(0x300, 4, 0);
    bsp.apic.write(0x310, 4, 0x0100_0000, 0);
    bsp.apic.write(0x300, 4, 0x4200, 0);
    bsp.apic.read(0x300, 4, 0);
    bsp.apic.write(0x310, 4, saved, 0);
    ap.apic.read(0x20, 4, 0);
    expect(lines).toEqual([
      '0: apic_read APIC_ICR2 = 0x0',
      '0: apic_read APIC_ICR = 0x0',
      '0: apic_write APIC_ICR2 = 0x1000000',
      '0: apic_write APIC_ICR = 0x4200',
      'dst 1 icr 4200',
      'apicid 1 dm 200 edge',
      '0: apic_read APIC_ICR = 0x4200',
      '0: apic_write APIC_ICR2 = 0x0',
      '1: apic_read APIC_ID = 0x1000000',
    ]);
    expect(ap.events).toEqual(['smi']);
  });

  it('what_an_observer_is_told_can_be_posted_to_a_worker', () => {
    const told: unknown[][] = [];
    const tell = (...args: unknown[]): void => void told.push(args);
    const { cpus } = makeRig(2, { observer: { access: tell, ipi: tell, accept: tell, eoi: tell } });
    for (const { apic } of cpus) enable(apic);
    cpus[0]!.apic.writeRegister('ICR_LOW', 0x8_4061);
    cpus[1]!.apic.acknowledge();
    cpus[1]!.apic.writeRegister('EOI', 0);
    expect(told.length).toBeGreaterThan(5);
    expect(structuredClone(told)).toEqual(told);
  });

  it('an_observer_changes_nothing', () => {
    const run = (observer: ApicObserver) => {
      const { cpus } = makeRig(3, { observer });
      for (const { apic } of cpus) enable(apic);
      cpus[0]!.apic.writeRegister('ICR_LOW', 0x8_4061);
      cpus[1]!.apic.acknowledge();
      cpus[1]!.apic.writeRegister('EOI', 0);
      return cpus.map(({ apic }) => apic.save());
    };
    const noise = () => {};
    expect(run({ access: noise, ipi: noise, accept: noise, eoi: noise })).toEqual(run({}));
  });
});

describe('pins', () => {
  const pinRig = (lvt0: number, lvt1 = 0x1_0000, options = {}) => {
    const rig = makeRig(1, {}, options);
    const { apic } = rig.cpus[0]!;
    enable(apic);
    apic.writeRegister('LVT_LINT0', lvt0);
    apic.writeRegister('LVT_LINT1', lvt1);
    return { ...rig, apic, events: rig.cpus[0]!.events };
  };

  it('virtual_wire_mode_takes_the_vector_from_the_8259', () => {
    const { apic } = pinRig(0x700, 0x400, { pic: { acknowledge: () => 0x08 } });
    apic.setLint(0, true);
    expect([apic.intr, apic.extIntPending, apic.pendingVector()]).toEqual([true, true, 0x100]);
    expect([apic.acknowledge(), vectorsIn(apic, 'ISR')]).toEqual([0x08, []]);
    apic.setLint(0, false);
    expect([apic.intr, apic.pendingVector()]).toEqual([false, -1]);
  });

  it('extint_goes_before_any_priority', () => {
    const { apic } = pinRig(0x700, 0x1_0000, { pic: { acknowledge: () => 0x08 } });
    apic.writeRegister('ICR_LOW', SELF | 0xf1);
    apic.setLint(0, true);
    expect(apic.acknowledge()).toBe(0x08);
  });

  it('extint_without_an_8259_is_a_mistake_of_the_host', () => {
    const { apic } = pinRig(0x700);
    apic.setLint(0, true);
    expect(() => apic.acknowledge()).toThrowError(expect.objectContaining({ code: 'APIC_NO_PIC' }));
  });

  it('lint1_as_nmi_fires_on_the_rising_edge', () => {
    const { apic, events } = pinRig(0x1_0000, 0x400);
    apic.setLint(1, true);
    apic.setLint(1, true);
    apic.setLint(1, false);
    apic.setLint(1, true);
    expect(events).toEqual(['nmi', 'nmi']);
  });

  it('an_edge_is_lost_while_the_entry_is_masked', () => {
    const { apic, events } = pinRig(0x1_0000, 0x1_0400);
    apic.setLint(1, true);
    apic.writeRegister('LVT_LINT1', 0x400);
    expect(events).toEqual([]);
  });

  it('active_low_fires_on_the_falling_edge', () => {
    const { apic, events } = pinRig(0x1_0000);
    apic.setLint(1, true);
    apic.writeRegister('LVT_LINT1', 0x2400);
    apic.setLint(1, false);
    expect(events).toEqual(['nmi']);
  });

  it('a_level_pin_waits_for_eoi_and_comes_again_while_it_is_active', () => {
    const { apic, eois } = pinRig(0x8061);
    apic.setLint(0, true);
    expect(apic.readRegister('LVT_LINT0')).toBe(0xc061); // remote IRR
    expect(apic.acknowledge()).toBe(0x61);
    expect(vectorsIn(apic, 'IRR')).toEqual([]);
    apic.writeRegister('EOI', 0);
    expect(apic.acknowledge()).toBe(0x61);
    apic.setLint(0, false);
    apic.writeRegister('EOI', 0);
    expect([apic.intr, apic.readRegister('LVT_LINT0'), eois]).toEqual([false, 0x8061, [0x61, 0x61]]);
  });

  it('a_level_pin_that_is_active_delivers_when_unmasked', () => {
    const { apic } = pinRig(0x1_8061);
    apic.setLint(0, true);
    expect(apic.intr).toBe(false);
    apic.writeRegister('LVT_LINT0', 0x8061);
    expect(apic.acknowledge()).toBe(0x61);
  });

  it.each([
    [0x200, ['smi']],
    [0x500, ['init']],
    [0x100, []],
    [0x600, []],
  ])('LINT1 with mode bits %i delivers %j', (mode, expected) => {
    const { apic, events } = pinRig(0x1_0000, mode | 0x61);
    apic.setLint(1, true);
    expect([events, vectorsIn(apic, 'IRR')]).toEqual([expected, []]);
  });
});

describe('internal sources', () => {
  it('the_performance_entry_masks_itself_and_the_thermal_one_does_not', () => {
    const { cpus } = makeRig(1);
    const { apic, events } = cpus[0]!;
    enable(apic);
    apic.writeRegister('LVT_PERF', 0x400);
    apic.writeRegister('LVT_THERMAL', 0xfa);
    apic.signal('LVT_PERF');
    apic.signal('LVT_PERF');
    apic.signal('LVT_THERMAL');
    apic.signal('LVT_CMCI'); // not there with six entries
    expect([events, vectorsIn(apic, 'IRR')]).toEqual([['nmi'], [0xfa]]);
    expect([apic.readRegister('LVT_PERF'), apic.readRegister('LVT_THERMAL')]).toEqual([0x1_0400, 0xfa]);
  });
});

describe('wiring', () => {
  it('two_processors_cannot_share_an_id', () => {
    const { bus, clock } = makeRig(2);
    expect(() => makeRig(1, {}, { bus, clock })).toThrowError(
      expect.objectContaining({ code: 'APIC_ID_TAKEN' }),
    );
  });

  it('two_machines_never_hear_each_other', () => {
    const one = makeRig(2);
    const two = makeRig(2);
    one.cpus[0]!.apic.writeRegister('ICR_LOW', 0x8_4400);
    expect(two.cpus.flatMap(({ events }) => events)).toEqual([]);
    expect(one.cpus.flatMap(({ events }) => events)).toEqual(['nmi', 'nmi']);
  });

  it('a_rewritten_id_is_reached_and_the_old_one_is_not', () => {
    const { cpus } = makeRig(2);
    cpus[1]!.apic.writeRegister('ID', 0x5000_0000);
    for (const id of [1, 0x50]) {
      cpus[0]!.apic.writeRegister('ICR_HIGH', id << 24);
      cpus[0]!.apic.writeRegister('ICR_LOW', 0x4200);
    }
    expect(cpus[1]!.events).toEqual(['smi']);
  });

  it.each([
    ['sdm', [0, 1, 1]],
    ['kvm-2015', [0, 0, 1]],
    ['qemu-7.2', [0, 0, 1]],
  ] as const)('one_id_given_to_two_processors: %s reaches %j', (flavour, hits) => {
    const { cpus } = makeRig(3, { flavour });
    cpus[1]!.apic.writeRegister('ID', 0x0200_0000);
    cpus[0]!.apic.writeRegister('ICR_HIGH', 0x0200_0000);
    cpus[0]!.apic.writeRegister('ICR_LOW', 0x4200);
    expect(cpus.map(({ events }) => events.length)).toEqual(hits);
  });
});

describe('snapshots', () => {
  it('a_restored_machine_goes_on_as_the_saved_one_would_have', () => {
    const run = (throughSnapshot: boolean) => {
      let rig = makeRig(3);
      const first = rig.cpus[0]!.apic;
      enable(first);
      enable(rig.cpus[1]!.apic);
      first.writeRegister('DIVIDE', 0xb);
      first.writeRegister('LVT_TIMER', 0x2_0040);
      first.writeRegister('INITIAL_COUNT', 1000);
      rig.cpus[1]!.apic.writeRegister('ID', 0x3300_0000);
      rig.cpus[1]!.apic.setLint(1, true);
      rig.cpus[1]!.apic.read(0x40, 4, 0);
      rig.bus.deliverMsi(0xfee0_0000, 0xc055);
      first.acknowledge();
      enterX2apic(rig.cpus[2]!.apic);
      rig.clock.advanceTo(300);
      if (throughSnapshot) {
        const saved = JSON.parse(JSON.stringify(rig.cpus.map(({ apic }) => apic.save())));
        const fresh = makeRig(3);
        fresh.clock.advanceTo(300);
        fresh.cpus.forEach(({ apic }, i) => {
          apic.restore(saved[i]);
        });
        expect(fresh.cpus.map(({ apic }) => apic.save())).toEqual(saved);
        rig = fresh;
      }
      const count = rig.cpus[0]!.apic.readRegister('CURRENT_COUNT');
      rig.clock.advanceTo(1000);
      rig.cpus[1]!.apic.writeRegister('LVT_LINT1', 0x400);
      rig.cpus[1]!.apic.setLint(1, true); // was high before: no edge
      rig.cpus[1]!.apic.writeRegister('ESR', 0);
      rig.cpus[0]!.apic.writeRegister('ICR_HIGH', 0x3300_0000);
      rig.cpus[0]!.apic.writeRegister('ICR_LOW', 0x4200);
      return [
        count,
        rig.cpus.map(({ apic }) => apic.save()),
        rig.cpus.map(({ apic }) => [apic.intr, apic.id, apic.mode]),
        rig.cpus.map(({ events }) => events),
      ];
    };
    const direct = run(false);
    expect(run(true)).toEqual(direct);
    expect(direct[0]).toBe(700);
    expect(direct[3]).toEqual([[], ['smi'], []]);
  });

  it('another_version_is_refused', () => {
    const { cpus } = makeRig(1);
    const { apic } = cpus[0]!;
    expect(() => apic.restore({ ...apic.save(), version: 2 as 1 })).toThrowError(
      expect.objectContaining({ code: 'SNAPSHOT_VERSION' }),
    );
  });
});
