/**
 * The interrupt controllers against QEMU's: commands at random, with requests from the keyboard controller and the
 * serial port.
 */
import { IoPortSpace, VirtualClock } from '@smm/bus';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { I8042 } from '../src/i8042.ts';
import { I8259_PORTS, I8259Pair } from '../src/i8259.ts';
import { Uart16550 } from '../src/uart-16550.ts';
import { type Access, oracleMissing, runOnQemu } from './support/qemu-oracle.ts';

const missing = oracleMissing();

function build() {
  const seen = { intr: false };
  const pic = new I8259Pair({
    output: {
      set: (level) => {
        seen.intr = level;
      },
    },
  });
  const io = new IoPortSpace();
  for (const range of I8259_PORTS) io.add({ ...range, device: pic, maxSize: 1 });
  const keyboard = new I8042({ keyboardIrq: pic.line(1), mouseIrq: pic.line(12), reset: () => {} });
  for (const first of [0x60, 0x64]) io.add({ name: `k${first}`, first, count: 1, device: keyboard });
  const uart = new Uart16550({ clock: new VirtualClock(), irq: pic.line(4), transmit: () => {} });
  io.add({ name: 'com1', first: 0x3f8, count: 8, device: uart, maxSize: 1 });
  const write = (port: number, ...values: number[]) => {
    for (const value of values) io.out(port, 1, value, 0);
  };
  return { pic, io, seen, write, read: (port: number) => io.in(port, 1, 0) };
}

const io = (port: number): Access => ({ kind: 'in', port, size: 1 });
const out = (port: number, value: number): Access => ({ kind: 'out', port, size: 1, value });
/**
 * Lines low before initialization: QEMU forgets that they are high and may see an edge later, where the chip waits for
 * one.
 */
const QUIET: Access[] = [io(0x60), io(0x60), io(0x60), out(0x3f9, 0), out(0xa1, 0xff)];
/** Everything that can be read without polling. */
const OBSERVE: Access[] = [0x20, 0xa0].flatMap((p) => [out(p, 0x0a), io(p), out(p, 0x0b), io(p), io(p + 1)]);

describe.skipIf(missing !== undefined)(`equals QEMU's ${missing ?? ''}`, () => {
  it('random_commands_with_requests_on_lines_1_4_and_12', () => {
    const chip = fc.constantFrom(0x20, 0xa0);
    const byte = fc.nat({ max: 255 });
    const step = fc.oneof(
      fc
        .tuple(chip, fc.constantFrom(0x20, 0x60, 0x61, 0x62, 0x64, 0xa0, 0xe4, 0xc1, 0x80, 0x00, 0x40))
        .map(([p, v]) => [out(p, v)]),
      fc.tuple(chip, fc.constantFrom(0x68, 0x48)).map(([p, v]) => [out(p, v)]),
      chip.map((p) => [out(p, 0x0c), io(p)]),
      fc.tuple(chip, byte).map(([p, v]) => [out(p + 1, v)]),
      fc.constantFrom(0, 0, 0x10, 0xed).map((v) => [out(0x21, v)]),
      fc
        .tuple(chip, fc.constantFrom(0x11, 0x13, 0x10, 0x12), byte, fc.constantFrom(1, 1, 3, 0x11))
        .map(([p, icw1, base, icw4]) => [
          ...QUIET,
          out(p, icw1),
          out(p + 1, base),
          ...(icw1 & 2 ? [] : [out(p + 1, 4)]),
          ...(icw1 & 1 ? [out(p + 1, icw4)] : []),
        ]),
      // With nothing latched: a line turned to level-triggered follows its level here at once, in QEMU when it is
      // driven next.
      byte.map((v) => [
        ...QUIET,
        out(0x20, 0x13),
        out(0x20 + 1, 8),
        out(0x20 + 1, 1),
        out(0x4d0, v),
        io(0x4d0),
      ]),
      byte.map((v) => [
        ...QUIET,
        out(0xa0, 0x13),
        out(0xa0 + 1, 8),
        out(0xa0 + 1, 1),
        out(0x4d1, v),
        io(0x4d1),
      ]),
      // Keyboard and mouse bytes, into the empty buffer.
      fc.constantFrom(0xd2, 0xd3).map((c) => [io(0x60), io(0x60), out(0x64, c), out(0x60, 0x55)]),
      fc.constant([io(0x60)]),
      // Transmitter-empty interrupts, on and off.
      fc.constantFrom(0, 2).map((v) => [out(0x3f9, v)]),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 120 }), (steps) => {
        const start = [out(0x64, 0x60), out(0x60, 0x03)];
        const accesses = [...start, ...steps.flatMap((s) => [...s, ...OBSERVE])].slice(0, 3500);
        const { io: ports } = build();
        const ours: number[] = [];
        for (const a of accesses) {
          if (a.kind === 'in') ours.push(ports.in(a.port, 1, 0));
          else if (a.kind === 'out') ports.out(a.port, 1, a.value, 0);
        }
        const hex = (values: number[]) => values.map((v) => v.toString(16)).join(' ');
        // Without PIT: line 0 would ask by time.
        const args = ['-m', '256', '-machine', 'pit=off,hpet=off', '-serial', 'null'];
        expect(hex(ours)).toBe(hex(runOnQemu(accesses, args)));
      }),
      { numRuns: 12, endOnFailure: true },
    );
  });
});

describe('interrupt acknowledge', () => {
  /** What a PC BIOS sets up: vectors 08h and 70h. */
  function initialized() {
    const pc = build();
    pc.write(0x20, 0x11);
    pc.write(0x21, 0x08, 0x04, 0x01);
    pc.write(0xa0, 0x11);
    pc.write(0xa1, 0x70, 0x02, 0x01);
    return pc;
  }

  it('serves_by_priority_and_nests', () => {
    const { pic, seen, write } = initialized();
    pic.line(6).set(true);
    pic.line(3).set(true);
    expect([seen.intr, pic.acknowledge(), seen.intr]).toEqual([true, 0x0b, false]);
    pic.line(1).set(true);
    expect([seen.intr, pic.acknowledge()]).toEqual([true, 0x09]);
    write(0x20, 0x20);
    expect(seen.intr).toBe(false); // line 3 is in service still
    write(0x20, 0x20);
    expect([seen.intr, pic.acknowledge()]).toEqual([true, 0x0e]);
  });

  it('goes_through_the_cascade', () => {
    const { pic, seen, write, read } = initialized();
    pic.line(12).set(true);
    expect([seen.intr, pic.acknowledge(), seen.intr]).toEqual([true, 0x74, false]);
    write(0x20, 0x0b);
    write(0xa0, 0x0b);
    expect([read(0x20), read(0xa0)]).toEqual([0x04, 0x10]);
    pic.line(9).set(true); // more urgent, but the master still serves the cascade
    expect(seen.intr).toBe(false);
    write(0xa0, 0x20);
    write(0x20, 0x20);
    expect([seen.intr, pic.acknowledge()]).toEqual([true, 0x71]);
  });

  it('repeats_level_triggered_lines_until_they_fall_and_edges_once', () => {
    const { pic, seen, write } = initialized();
    write(0x4d0, 0x20);
    pic.line(5).set(true);
    pic.line(6).set(true);
    const vectors: number[] = [];
    for (let i = 0; i < 3; i++) {
      if (i === 2) pic.line(5).set(false);
      vectors.push(pic.acknowledge());
      write(0x20, 0x20);
    }
    expect([vectors, seen.intr]).toEqual([[0x0d, 0x0d, 0x0e], false]);
  });

  it('is_spurious_when_the_request_is_gone', () => {
    const { pic, read, write } = initialized();
    write(0x4d1, 0x10);
    pic.line(12).set(true);
    pic.line(12).set(false);
    expect(pic.acknowledge()).toBe(0x77); // the cascade line was latched by its edge
    write(0x20, 0x0b);
    expect(read(0x20)).toBe(0x04);
    write(0x20, 0x20);
    expect(pic.acknowledge()).toBe(0x0f);
    expect(read(0x20)).toBe(0x00);
  });

  it('comes_back_from_a_snapshot', () => {
    const a = initialized();
    a.pic.line(10).set(true);
    const b = build();
    b.pic.restore(a.pic.save());
    expect([b.seen.intr, b.pic.acknowledge()]).toEqual([true, 0x72]);
    b.pic.reset();
    expect(b.seen.intr).toBe(false);
  });
});
