/** Keyboard and controller: every answer against QEMU's, keys against the IBM tables' examples. */
import { IoPortSpace } from '@smm/bus';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { I8042 } from '../src/i8042.ts';
import { type KeyName, PS2_SET2_CODES } from '../src/ps2-keys.ts';
import { type Access, oracleMissing, runOnQemu } from './support/qemu-oracle.ts';

function build() {
  const seen = { keyboard: false, mouse: false, resets: 0, leds: -1, a20: [] as boolean[] };
  const line = (which: 'keyboard' | 'mouse') => ({
    set: (level: boolean) => {
      seen[which] = level;
    },
  });
  const device = new I8042({
    keyboardIrq: line('keyboard'),
    mouseIrq: line('mouse'),
    reset: () => {
      seen.resets++;
    },
    a20: (enabled) => seen.a20.push(enabled),
    leds: (bits) => {
      seen.leds = bits;
    },
  });
  const io = new IoPortSpace();
  io.add({ name: 'data', first: 0x60, count: 1, device });
  io.add({ name: 'command', first: 0x64, count: 1, device });
  const drain = () => {
    const bytes: number[] = [];
    while ((io.in(0x64, 1, 0) & 1) !== 0) bytes.push(io.in(0x60, 1, 0));
    return bytes;
  };
  return { device, io, seen, drain };
}

const status: Access = { kind: 'in', port: 0x64, size: 1 };
const data: Access = { kind: 'in', port: 0x60, size: 1 };
const command = (value: number): Access => ({ kind: 'out', port: 0x64, size: 1, value });
const send = (value: number): Access => ({ kind: 'out', port: 0x60, size: 1, value });
/** Status and data until the buffer is surely empty. */
const READ_ALL: Access[] = [status, data, status, data, status, data, status, data, status];
const missing = oracleMissing();

function compare(accesses: Access[]) {
  const { io } = build();
  const ours: number[] = [];
  for (const a of accesses) {
    if (a.kind === 'in') ours.push(io.in(a.port, 1, 0));
    else if (a.kind === 'out') io.out(a.port, 1, a.value, 0);
  }
  const hex = (values: number[]) => values.map((v) => v.toString(16)).join(' ');
  expect(hex(ours)).toBe(hex(runOnQemu(accesses)));
}

describe.skipIf(missing !== undefined)(`equals QEMU's controller and keyboard ${missing ?? ''}`, () => {
  it('every_controller_command_without_data', () => {
    const commands = Array.from({ length: 256 }, (_, i) => i).filter(
      (c) =>
        ![0x60, 0xd1, 0xd2, 0xd3, 0xd4].includes(c) && // take data
        !(c >= 0xf0 && (c & 1) === 0), // reset
    );
    for (const part of [commands.slice(0, 128), commands.slice(128)]) {
      compare([status, ...part.flatMap((c) => [command(c), status, data, status, command(0x20), data])]);
    }
  });

  it('every_keyboard_command_with_and_without_translation', () => {
    const commands = Array.from({ length: 256 }, (_, i) => i).filter(
      // Take an argument, depend on the past, set 3 only
      (c) => ![0xed, 0xf0, 0xf3, 0xfe].includes(c) && !(c >= 0xf7 && c <= 0xfd),
    );
    for (const mode of [0x03, 0x43]) {
      compare([
        command(0x60),
        send(mode),
        ...commands.slice(0, 80).flatMap((c) => [send(c), ...READ_ALL]),
        ...[0xed, 0xf3, 0xf0, 0xf0, 0xf0].flatMap((c, i) => [
          send(c),
          ...READ_ALL,
          send([7, 0, 0, 1, 0][i]!),
          ...READ_ALL,
        ]),
      ]);
      compare([
        command(0x60),
        send(mode),
        ...commands.slice(80).flatMap((c) => [send(c), status, data, status, data, status, data, status]),
      ]);
    }
  });

  it('what_firmware_does_at_its_presence_probe', () => {
    compare([
      status,
      command(0xad),
      command(0xa7),
      status,
      command(0xaa),
      status,
      data,
      status,
      command(0x60),
      send(0x67),
      command(0xab),
      status,
      data,
      status,
      send(0xf4),
      ...READ_ALL,
      send(0xff),
      ...READ_ALL,
      send(0xf0),
      ...READ_ALL,
      send(0x02),
      ...READ_ALL,
      send(0xed),
      ...READ_ALL,
      send(0x00),
      ...READ_ALL,
    ]);
  });

  it('random_commands_and_data', () => {
    const step = fc.oneof(
      fc
        .constantFrom(0x20, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xad, 0xae, 0xc0, 0xd0, 0xdd, 0xdf)
        .map((c) => [command(c)]),
      fc.constantFrom(0x00, 0xee, 0xf2, 0xf4, 0xf5, 0xf6, 0xff, 0x77).map((c) => [send(c)]),
      fc.constantFrom(0x03, 0x43, 0x47, 0x01, 0x51).map((m) => [command(0x60), send(m)]),
      fc.nat({ max: 255 }).map((v) => [command(0xd2), send(v)]),
      fc.nat({ max: 255 }).map((v) => [command(0xd1), send(v | 1), command(0xd0)]),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
        compare(steps.flatMap((s) => [...s, status, ...READ_ALL]));
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });
});

describe('8042', () => {
  it('interrupts_on_line_1_while_a_byte_waits_and_the_command_byte_allows_it', () => {
    const { device, io, seen, drain } = build();
    device.keyboard.key('KeyA', true);
    expect(seen.keyboard).toBe(true);
    drain();
    expect(seen.keyboard).toBe(false);
    io.out(0x64, 1, 0x60, 0);
    io.out(0x60, 1, 0x42, 0);
    device.keyboard.key('KeyA', true);
    expect([seen.keyboard, drain()]).toEqual([false, [0x1e]]);
  });

  it('keeps_keys_back_while_the_keyboard_is_off', () => {
    const { device, io, drain } = build();
    io.out(0x64, 1, 0xad, 0);
    device.keyboard.key('Enter', true);
    expect(drain()).toEqual([]);
    io.out(0x64, 1, 0xae, 0);
    expect(drain()).toEqual([0x5a]);
  });

  it('says_that_no_mouse_answers', () => {
    const { io, seen } = build();
    io.out(0x64, 1, 0xd4, 0);
    io.out(0x60, 1, 0xf4, 0);
    expect([
      io.in(0x64, 1, 0) & 0x61,
      seen.mouse,
      io.in(0x60, 1, 0),
      io.in(0x64, 1, 0) & 0x61,
      seen.mouse,
    ]).toEqual([0x61, true, 0xfe, 0, false]);
  });

  it('resets_processors_by_pulse_and_by_output_port_and_switches_A20', () => {
    const { io, seen } = build();
    for (const c of [0xfe, 0xff, 0xf1, 0xf0]) io.out(0x64, 1, c, 0);
    expect(seen.resets).toBe(2);
    io.out(0x64, 1, 0xd1, 0);
    io.out(0x60, 1, 0x00, 0);
    io.out(0x64, 1, 0xdf, 0);
    expect([seen.resets, seen.a20]).toEqual([4, [false, true]]);
  });
});

describe('keys', () => {
  const sequence = (name: KeyName, down: boolean, mode: number, set = 2) => {
    const { device, io, drain } = build();
    io.out(0x64, 1, 0x60, 0);
    io.out(0x60, 1, mode, 0);
    for (const byte of [0xf0, set]) io.out(0x60, 1, byte, 0);
    drain();
    expect(device.keyboard.key(name, down)).toBe(true);
    return drain()
      .map((b) => b.toString(16))
      .join(' ');
  };

  // From IBM's tables, key by key: set 2, set 1.
  it.each<[KeyName, string, string, string, string]>([
    ['KeyA', '1c', 'f0 1c', '1e', '9e'],
    ['Escape', '76', 'f0 76', '1', '81'],
    ['F7', '83', 'f0 83', '41', 'c1'],
    ['F11', '78', 'f0 78', '57', 'd7'],
    ['ControlRight', 'e0 14', 'e0 f0 14', 'e0 1d', 'e0 9d'],
    ['ArrowUp', 'e0 75', 'e0 f0 75', 'e0 48', 'e0 c8'],
    ['Delete', 'e0 71', 'e0 f0 71', 'e0 53', 'e0 d3'],
    ['NumpadEnter', 'e0 5a', 'e0 f0 5a', 'e0 1c', 'e0 9c'],
    ['PrintScreen', 'e0 12 e0 7c', 'e0 f0 7c e0 f0 12', 'e0 2a e0 37', 'e0 b7 e0 aa'],
    ['Pause', 'e1 14 77 e1 f0 14 f0 77', '', 'e1 1d 45 e1 9d c5', ''],
  ])('%s', (name, make2, break2, make1, break1) => {
    expect([sequence(name, true, 0x03), sequence(name, false, 0x03)]).toEqual([make2, break2]);
    expect([sequence(name, true, 0x43), sequence(name, false, 0x43)]).toEqual([make1, break1]);
    expect([sequence(name, true, 0x03, 1), sequence(name, false, 0x03, 1)]).toEqual([make1, break1]);
  });

  it('have_distinct_codes_in_both_sets', () => {
    const names = Object.keys(PS2_SET2_CODES) as KeyName[];
    expect(new Set(names.map((n) => sequence(n, true, 0x03))).size).toBe(names.length);
    expect(new Set(names.map((n) => sequence(n, true, 0x43))).size).toBe(names.length);
  });

  it('are_refused_when_there_is_no_room_or_scanning_is_off', () => {
    const { device, io, drain } = build();
    const pressed = Array.from({ length: 20 }, () => device.keyboard.key('KeyA', true));
    expect(pressed.filter(Boolean).length).toBe(17); // one in the output buffer, 16 in the queue
    drain();
    io.out(0x60, 1, 0xf5, 0);
    drain();
    expect(device.keyboard.key('KeyA', true)).toBe(false);
  });

  it('come_back_from_a_snapshot', () => {
    const a = build();
    for (const name of ['KeyX', 'KeyY'] as const) a.device.keyboard.key(name, true);
    const b = build();
    b.device.restore(a.device.save());
    expect([b.seen.keyboard, b.drain()]).toEqual([true, [0x22, 0x35]]);
  });
});
