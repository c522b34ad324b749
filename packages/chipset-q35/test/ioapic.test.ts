/** Registers against QEMU's I/O APIC; trigger modes as the data sheet has them. */
import { PhysicalAddressSpace } from '@smm/bus';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IOAPIC_BASE, IOAPIC_SIZE, IoApic, type IoApicMessage } from '../src/ioapic.ts';
import { type Access, oracleMissing, runOnQemu, type Size } from './support/qemu-oracle.ts';

const missing = oracleMissing();

function build() {
  const sent: IoApicMessage[] = [];
  const device = new IoApic({ deliver: (m) => sent.push(m), acknowledgeExternal: () => 0x77 });
  const space = new PhysicalAddressSpace({ ram: new Uint8Array(4) });
  space.add({ kind: 'mmio', name: 'ioapic', start: IOAPIC_BASE, sizeBytes: IOAPIC_SIZE, device });
  const entry = (pin: number, low: number, high = 0) => {
    for (const [register, value] of [
      [0x11 + 2 * pin, high],
      [0x10 + 2 * pin, low],
    ] as const) {
      space.write(IOAPIC_BASE, 4, register, 0);
      space.write(IOAPIC_BASE + 0x10, 4, value, 0);
    }
  };
  const read = (register: number) => {
    space.write(IOAPIC_BASE, 4, register, 0);
    return space.read(IOAPIC_BASE + 0x10, 4, 0);
  };
  return { device, space, sent, entry, read };
}

describe.skipIf(missing !== undefined)(`registers equal QEMU's ${missing ?? ''}`, () => {
  it('at random', () => {
    const write = fc.tuple(
      fc.oneof(fc.nat({ max: 0x41 }), fc.nat({ max: 255 })),
      fc.nat({ max: 0xffff_ffff }),
      fc.constantFrom<Size>(4, 4, 2, 1),
    );
    fc.assert(
      fc.property(fc.array(write, { minLength: 20, maxLength: 300 }), (writes) => {
        const accesses = writes.flatMap(([register, value, size]): Access[] => [
          { kind: 'write', gpa: IOAPIC_BASE, size: 4, value: register },
          { kind: 'write', gpa: IOAPIC_BASE + 0x10, size, value: value | 0x1_0000 }, // masked: nothing is sent
          { kind: 'read', gpa: IOAPIC_BASE + 0x10, size: 4 },
          { kind: 'read', gpa: IOAPIC_BASE + 0x10, size },
          { kind: 'read', gpa: IOAPIC_BASE, size: 4 },
          { kind: 'read', gpa: IOAPIC_BASE + 0x20, size: 4 },
        ]);
        const { space } = build();
        const ours: number[] = [];
        for (const a of accesses) {
          if (a.kind === 'read') ours.push(space.read(a.gpa, a.size, 0));
          else if (a.kind === 'write') space.write(a.gpa, a.size, a.value, 0);
        }
        expect(ours).toEqual(runOnQemu(accesses));
      }),
      { numRuns: 6, endOnFailure: true },
    );
  });
});

describe('pins', () => {
  it('send_an_edge_once_and_lose_it_while_masked', () => {
    const { device, sent, entry } = build();
    const pin = device.pin(4);
    pin.set(true);
    pin.set(false);
    entry(4, 0x34, 0x0300_0000);
    pin.set(true);
    pin.set(true);
    expect(sent).toEqual([
      {
        deliveryMode: 0,
        vector: 0x34,
        trigger: 'edge',
        level: true,
        destination: 3,
        destinationMode: 'physical',
      },
    ]);
  });

  it('send_a_level_again_after_each_EOI_while_it_lasts', () => {
    const { device, sent, entry, read, space } = build();
    entry(9, 0x8000 | 0x0900 | 0x41, 0xff00_0000);
    device.pin(9).set(true);
    device.pin(9).set(true);
    expect([sent.length, read(0x22) & 0x4000]).toEqual([1, 0x4000]);
    device.endOfInterrupt(0x40);
    expect(sent.length).toBe(1);
    device.endOfInterrupt(0x41);
    expect(sent.length).toBe(2);
    device.pin(9).set(false);
    space.write(IOAPIC_BASE + 0x40, 4, 0x41, 0);
    expect([sent.length, read(0x22) & 0x4000]).toEqual([2, 0]);
    expect(sent[1]).toMatchObject({
      deliveryMode: 0x100,
      trigger: 'level',
      destinationMode: 'logical',
      destination: 0xff,
    });
  });

  it('forget_that_a_level_was_taken_when_they_become_edge_triggered', () => {
    // QEMU 7.2, ioapic_fix_edge_remote_irr: guests make an entry edge-triggered and level-triggered again to end an
    // interrupt.
    const { device, sent, entry, read } = build();
    entry(9, 0x8041);
    device.pin(9).set(true);
    expect(read(0x22) & 0xc000).toBe(0xc000);
    entry(9, 0x1_0041);
    expect(read(0x22)).toBe(0x1_0041);
    entry(9, 0x8041);
    expect([sent.length, read(0x22) & 0xc000]).toEqual([2, 0xc000]);
  });

  it('send_a_level_that_waited_behind_the_mask', () => {
    const { device, sent, entry } = build();
    entry(20, 0x1_8050);
    device.pin(20).set(true);
    entry(20, 0x8050);
    expect(sent.map((m) => m.vector)).toEqual([0x50]);
  });

  it('ask_the_8259_in_ExtINT_mode', () => {
    const { device, sent, entry } = build();
    entry(0, 0x700);
    device.pin(0).set(true);
    expect(sent[0]).toMatchObject({ deliveryMode: 0x700, vector: 0x77 });
  });

  it('come_back_from_a_snapshot', () => {
    const a = build();
    a.entry(9, 0x8041);
    a.device.pin(9).set(true);
    const b = build();
    b.device.restore(a.device.save());
    b.device.endOfInterrupt(0x41);
    expect(b.sent.length).toBe(1);
    b.device.reset();
    expect(b.read(0x22)).toBe(0x1_0000);
  });
});
