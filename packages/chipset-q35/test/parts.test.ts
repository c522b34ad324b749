/** The list of parts: its order, what a caller adds to it, and snapshots of it. */
import type { InterruptLine, IoPortSpace, PioDevice } from '@smm/bus';
import { describe, expect, it } from 'vitest';
import type { Board, IoApicMessage, Part, PeripheralOptions } from '../src/index.ts';
import { statelessPart } from '../src/index.ts';
import { buildModel } from './support/model.ts';

const MIB = 0x10_0000;
const COM1_LINE = 4;

/** A part of the caller's: one byte of storage whose bit 0 drives COM1's interrupt line. */
class Latch implements Part, PioDevice {
  readonly name = 'latch';
  value = 0;
  readonly #line: InterruptLine;

  constructor(board: Board) {
    this.#line = board.irq(COM1_LINE);
  }

  map(io: IoPortSpace): void {
    io.add({ name: this.name, first: 0x500, count: 1, device: this });
  }

  in(): number {
    return this.value;
  }

  out(_port: number, _size: number, value: number): void {
    this.value = value;
    this.#line.set((value & 1) !== 0);
  }

  reset(): void {
    this.out(0, 1, 0);
  }

  save() {
    return { version: 1, value: this.value };
  }

  restore(state: { version: number; value: number }): void {
    if (state.version !== 1) throw new Error('another version of the latch');
    this.out(0, 1, state.value);
  }
}

function build() {
  const sent: IoApicMessage[] = [];
  let intr = false;
  const bytes = new Uint8Array(MIB + 0x2_0000);
  const peripherals: PeripheralOptions = {
    flash: { varsBytes: 0x1_0000, bytes, written: () => {} },
    fwCfg: {},
    serial: { transmit: () => {} },
    keyboard: {},
    cpuHotplug: true,
    interrupts: {
      deliver: (message) => sent.push(message),
      intr: {
        set: (level) => {
          intr = level;
        },
      },
    },
  };
  const parts = (board: Board) => [new Latch(board)];
  const model = buildModel(MIB, undefined, { peripherals, parts }, 0x2_0000);
  const write = (port: number, ...values: number[]) => {
    for (const value of values) model.io.out(port, 1, value, 0);
  };
  const masterRequests = () => {
    write(0x20, 0x0a);
    return model.io.in(0x20, 1, 0);
  };
  return { ...model, write, masterRequests, sent, intr: () => intr };
}

/** Both controllers initialized, vectors 08h and 70h, line 4 open. */
function openLine4({ write }: ReturnType<typeof build>): void {
  write(0x20, 0x11);
  write(0x21, 0x08, 0x04, 0x01, 0xef);
}

describe('the list', () => {
  it('has_the_interrupt_controllers_first_and_what_the_caller_adds_last', () => {
    const names = build().chipset.parts.map(({ name }) => name);
    expect(names.slice(0, 2)).toEqual(['i8259', 'ioapic']);
    expect(names.at(-1)).toBe('latch');
    expect(new Set(names).size).toBe(names.length);
  });

  it('is_the_order_of_every_reset_and_restore_and_of_the_snapshot', () => {
    const done: string[] = [];
    const part = (name: string): Part => ({
      ...statelessPart(name, () => done.push(`map ${name}`)),
      reset: () => done.push(`reset ${name}`),
      restore: () => done.push(`restore ${name}`),
    });
    const { chipset } = buildModel(MIB, undefined, { parts: () => [part('b'), part('a')] });
    const saved = chipset.save();
    expect(saved.parts.map(({ name }) => name).slice(-2)).toEqual(['b', 'a']);
    chipset.restore(saved);
    expect(done).toEqual(['map b', 'map a', 'reset b', 'reset a', 'restore b', 'restore a']);
  });

  it('refuses_two_parts_of_one_name', () => {
    const parts = () => [statelessPart('lpc', () => {})];
    expect(() => buildModel(MIB, undefined, { parts })).toThrowError(
      expect.objectContaining({ code: 'PART_NAME' }),
    );
  });
});

describe('a part of the caller', () => {
  it('is_mapped_reset_and_in_snapshots', () => {
    const pc = build();
    pc.write(0x500, 0x5b);
    const saved = structuredClone(pc.chipset.save());
    pc.chipset.reset();
    expect(pc.io.in(0x500, 1, 0)).toBe(0);
    pc.chipset.restore(saved);
    expect(pc.io.in(0x500, 1, 0)).toBe(0x5b);
  });

  it('shares_a_line_with_another_device_and_neither_drops_the_other', () => {
    const pc = build();
    openLine4(pc);
    pc.write(0x4d0, 0x10); // level
    pc.write(0x3fc, 0x08); // OUT2
    pc.write(0x3f9, 0x02); // transmitter empty: COM1 asserts
    pc.write(0x500, 1);
    pc.write(0x500, 0);
    expect([pc.masterRequests() & 0x10, pc.intr()]).toEqual([0x10, true]);
    pc.write(0x500, 1);
    pc.write(0x3f9, 0x00);
    expect([pc.masterRequests() & 0x10, pc.intr()]).toEqual([0x10, true]);
    pc.write(0x500, 0);
    expect([pc.masterRequests() & 0x10, pc.intr()]).toEqual([0, false]);
  });

  it('shares_an_IO_APIC_pin_likewise', () => {
    let pins: InterruptLine[] = [];
    const sent: IoApicMessage[] = [];
    const interrupts = { deliver: (m: IoApicMessage) => sent.push(m), intr: { set: () => {} } };
    const model = buildModel(MIB, undefined, {
      peripherals: { interrupts },
      parts: (board) => {
        pins = [board.pin(20), board.pin(20)];
        return [];
      },
    });
    model.memory.write(0xfec0_0000, 4, 0x10 + 2 * 20, 0);
    model.memory.write(0xfec0_0010, 4, 0x8051, 0);
    pins[0]!.set(true);
    pins[1]!.set(true);
    pins[0]!.set(false);
    model.chipset.endOfInterrupt(0x51);
    expect(sent.length).toBe(2); // still up: asks again
    pins[1]!.set(false);
    model.chipset.endOfInterrupt(0x51);
    expect(sent.length).toBe(2);
  });
});

describe('a snapshot', () => {
  it('brings_levels_back_without_edges_that_nobody_saw', () => {
    const source = build();
    openLine4(source);
    source.write(0x3fc, 0x08);
    source.write(0x3f9, 0x02); // COM1 asserts line 4 ...
    expect(source.chipset.acknowledgeInterrupt()).toBe(0x0c); // ... whose edge is taken
    source.write(0x20, 0x20);
    const saved = structuredClone(source.chipset.save());
    for (const dirty of [0, 1]) {
      const target = build();
      openLine4(target);
      target.write(0x500, dirty);
      target.sent.length = 0;
      target.chipset.restore(saved);
      expect([target.masterRequests() & 0x10, target.intr(), target.sent]).toEqual([0, false, []]);
      target.write(0x3f9, 0x00);
      target.write(0x500, 1); // an edge from low: nothing else holds the line
      expect(target.intr()).toBe(true);
    }
  });

  it('of_another_version_is_refused_by_every_part_and_then_nothing_has_changed', () => {
    const pc = build();
    pc.write(0x70, 0x0f);
    pc.write(0x500, 0x42);
    const before = structuredClone(pc.chipset.save());
    pc.chipset.reset();
    const now = structuredClone(pc.chipset.save());
    for (const { name } of now.parts) {
      const parts = before.parts.map((part) =>
        part.name === name ? { name, state: { ...part.state, version: 99 } } : part,
      );
      expect(() => pc.chipset.restore({ version: 2, parts }), name).toThrowError(/version/);
      expect(pc.chipset.save(), name).toEqual(now);
    }
  });

  it('with_more_fewer_or_reordered_parts_is_refused', () => {
    const { chipset } = build();
    const { parts } = chipset.save();
    const refusal = (changed: typeof parts) => () => chipset.restore({ version: 2, parts: changed });
    const code = expect.objectContaining({ code: 'SNAPSHOT_DEVICES' });
    expect(refusal(parts.slice(1))).toThrowError(code);
    expect(refusal(parts.slice(1))).toThrowError(/no i8259, which this one has/);
    expect(refusal([...parts, { name: 'nvme', state: { version: 1 } }])).toThrowError(
      /nvme, which this one lacks/,
    );
    expect(refusal([...parts].reverse())).toThrowError(/the same parts in another order/);
  });
});
