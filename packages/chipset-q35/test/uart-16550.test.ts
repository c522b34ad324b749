/** The serial port by itself, and against QEMU's. */
import { IoPortSpace, TX_DEBUG, VirtualClock } from '@smm/bus';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { COM1_PORT, Uart16550 } from '../src/uart-16550.ts';
import { type Access, oracleMissing, runOnQemu } from './support/qemu-oracle.ts';

function build() {
  const clock = new VirtualClock();
  const sent: number[] = [];
  const state = { level: false, room: 0 };
  const uart = new Uart16550({
    clock,
    irq: {
      set: (level) => {
        state.level = level;
      },
    },
    transmit: (byte) => sent.push(byte),
    roomAgain: () => {
      state.room++;
    },
  });
  const io = new IoPortSpace();
  io.add({ name: 'com1', first: COM1_PORT, count: 8, device: uart, maxSize: 1 });
  const read = (register: number, attrs = 0) => io.in(COM1_PORT + register, 1, attrs);
  const write = (register: number, value: number) => io.out(COM1_PORT + register, 1, value, 0);
  return { clock, sent, state, uart, io, read, write };
}

const missing = oracleMissing();

describe.skipIf(missing !== undefined)(`equals QEMU's serial port ${missing ?? ''}`, () => {
  it('under random accesses, loop-back included', () => {
    const write = fc.oneof(
      fc.tuple(fc.nat({ max: 7 }), fc.nat({ max: 255 })),
      fc.tuple(fc.constant(4), fc.constantFrom(0x10, 0x1f, 0x0b)),
      fc.tuple(fc.constant(0), fc.nat({ max: 255 })),
      fc.tuple(fc.constant(2), fc.constantFrom(1, 7, 0x41, 0xc1, 0)),
      fc.tuple(fc.constant(3), fc.constantFrom(3, 0x83)),
      fc.tuple(fc.constant(1), fc.constantFrom(0x08, 0x0a, 0x0f)),
    );
    let modemInterrupts = 0;
    const initial: Access[] = [1, 2, 3, 4, 5, 6, 7, 0].map((r) => ({
      kind: 'in',
      port: COM1_PORT + r,
      size: 1,
    }));
    fc.assert(
      fc.property(fc.array(write, { minLength: 20, maxLength: 180 }), (writes) => {
        const accesses: Access[] = [...initial];
        for (const [r, value] of writes) {
          // The receiver time-out fires by time; read everything before it can.
          accesses.push({ kind: 'out', port: COM1_PORT + r, size: 1, value });
          accesses.push({ kind: 'in', port: COM1_PORT + ((value ^ r) & 7), size: 1 });
        }
        const model = build();
        // QEMU's modem inputs without a modem never change, not even in loop-back: there are no deltas and no modem
        // interrupt, which ranks last, so that there is none where there is one here.
        const reads = accesses.filter((access) => access.kind === 'in');
        const compared = (values: readonly number[]) =>
          values.map((value, i) => {
            const register = reads[i]!.port - COM1_PORT;
            if (register === 6) return value & 0xf0;
            return register === 2 && (value & 0x0f) === 0 ? value | 1 : value;
          });
        const ours: number[] = [];
        for (const a of accesses) {
          if (a.kind === 'out') model.io.out(a.port, 1, a.value, 0);
          else if (a.kind === 'in') ours.push(model.io.in(a.port, 1, 0));
        }
        const theirs = runOnQemu(accesses, ['-m', '256', '-serial', 'null']);
        modemInterrupts += reads.filter(
          ({ port }, i) => port === COM1_PORT + 2 && (ours[i]! & 0x0f) === 0,
        ).length;
        expect(compared(ours)).toEqual(compared(theirs));
      }),
      { numRuns: sized(10, 200) },
    );
    expect(modemInterrupts).toBeGreaterThan(0);
  });
});

describe('16550', () => {
  it('sends_bytes_at_once_and_reads_reset_values', () => {
    const { sent, read, write } = build();
    expect([1, 2, 3, 4, 5, 6, 7].map((r) => read(r))).toEqual([0, 1, 0, 8, 0x60, 0xb0, 0]);
    for (const c of 'ok') write(0, c.charCodeAt(0));
    expect(String.fromCharCode(...sent)).toBe('ok');
    expect(read(5)).toBe(0x60);
  });

  it('takes_16_bytes_and_raises_the_interrupt_at_the_trigger_level', () => {
    const { uart, state, read, write } = build();
    write(2, 0x81);
    write(1, 1);
    for (let i = 0; i < 7; i++) uart.receive(i);
    expect([state.level, read(2)]).toEqual([false, 0xc1]);
    uart.receive(7);
    expect([state.level, read(2)]).toEqual([true, 0xc4]);
    for (let i = 8; i < 16; i++) uart.receive(i);
    expect(uart.room).toBe(0);
    uart.receive(99);
    expect(read(5, TX_DEBUG)).toBe(0x63);
    expect(read(5)).toBe(0x63);
    expect(read(5)).toBe(0x61);
    expect(Array.from({ length: 16 }, () => read(0))).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect([state.level, read(5), state.room]).toEqual([false, 0x60, 16]);
  });

  it('times_out_after_four_characters_when_the_FIFO_stays_below_its_trigger_level', () => {
    const { uart, state, clock, read, write } = build();
    write(3, 0x83);
    write(0, 1);
    write(1, 0);
    write(3, 0x03);
    write(2, 0xc1);
    write(1, 1);
    uart.receive(0x41);
    const fourCharacters = Math.round((4 * 10 * 1e9) / 115_200);
    clock.advanceTo(fourCharacters - 1);
    expect(state.level).toBe(false);
    clock.advanceTo(fourCharacters);
    expect([state.level, read(2)]).toEqual([true, 0xcc]);
    expect(read(0)).toBe(0x41);
    expect([state.level, read(2)]).toEqual([false, 0xc1]);
  });

  it('ranks_line_status_over_data_over_transmitter_over_modem', () => {
    const { uart, read, write } = build();
    write(4, 0x18); // loop-back with OUT2: CTS and DSR fall
    write(4, 0x08);
    write(1, 0x0f);
    uart.receive(1);
    uart.receive(2); // overrun without FIFOs
    expect(read(2)).toBe(0x06);
    expect(read(5) & 0x03).toBe(0x03);
    expect(read(2)).toBe(0x04);
    expect(read(0)).toBe(2);
    expect(read(2)).toBe(0x02); // cleared by this read
    expect(read(2)).toBe(0x00);
    expect(read(6) & 0x0f).not.toBe(0);
    expect(read(2)).toBe(0x01);
  });

  it('interrupts_only_through_OUT2', () => {
    const { uart, state, write } = build();
    write(4, 0);
    write(1, 1);
    uart.receive(1);
    expect(state.level).toBe(false);
    write(4, 8);
    expect(state.level).toBe(true);
  });

  it('comes_back_from_a_snapshot', () => {
    const a = build();
    a.write(2, 1);
    a.write(1, 1);
    for (const c of [1, 2, 3]) a.uart.receive(c);
    const b = build();
    b.uart.restore(a.uart.save());
    expect([b.state.level, b.read(0), b.read(0), b.read(0), b.read(5)]).toEqual([true, 1, 2, 3, 0x60]);
    expect(() => b.uart.restore({ ...a.uart.save(), version: 2 as 1 })).toThrow(/version 2/);
  });
});
