/**
 * Flash in snapshots and resets: what was programmed goes and comes with them, what was there at power-on is never
 * lost.
 */

import { cpuModel } from '@smm/cpu-core';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_KVM_OPTIONS,
  DEFAULT_SCHEDULE,
  decodeSnapshot,
  encodeSnapshot,
  Machine,
  resolveSwitches,
} from '../src/index.ts';
import { rom } from './flat-rom.ts';
import { parts } from './runs.ts';

const VARS = Uint8Array.from({ length: 0x1_0000 }, (_, i) => (i * 31) & 0xff);
/** Programs the bytes 1, 2, 3... at the start of the variables, 16-bit code with a flat data segment. */
const PROGRAMS = `
  cli
  lgdt [cs:gdtr]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  mov bx, 8
  mov ds, bx
  and al, 0xfe
  mov cr0, eax
  jmp go
gdtr: dw 15
  dd 0xf0000 + gdt
gdt: dq 0, 0x00cf92000000ffff
go: mov ebx, 0xfffe0000
  xor al, al
again: inc al
  mov byte [ebx], 0x40
  mov [ebx], al
  mov byte [ebx], 0xff
  inc ebx
  jmp again
`;

/** A machine whose flash code outside SMM may program. */
function withFlash(source: string, vars: Uint8Array, accelerator: 'tcg' | 'kvm'): Machine {
  const flash = new Uint8Array(vars.length + 0x1_0000);
  flash.set(vars);
  flash.set(rom(source), vars.length);
  const switches = resolveSwitches({ accelerator });
  return new Machine({
    cpus: 1,
    memoryMiB: 32,
    model: cpuModel('qemu64'),
    flash,
    saveState: SAVE_STATE_AMD64,
    accelerator: accelerator === 'kvm' ? { options: DEFAULT_KVM_OPTIONS, switches: switches.kvm } : 'tcg',
    behaviour: {},
    schedule: DEFAULT_SCHEDULE,
    comm: 'test',
    interpreter: parts.interpreter,
    peripherals: ({ bytes, written }) => ({
      flash: { varsBytes: vars.length, bytes, written, secure: false },
    }),
  });
}

describe.each(['tcg', 'kvm'] as const)('%s', (accelerator) => {
  const build = (vars = VARS) => {
    const machine = withFlash(PROGRAMS, vars, accelerator);
    return { machine, vars: () => machine.peek(0xfffe_0000, VARS.length) };
  };
  const programmed = (vars: Uint8Array): number => vars.findIndex((byte, i) => byte !== ((i + 1) & 0xff));

  it('a restore puts the variables back as they were, and a reset to power-on', () => {
    const { machine, vars } = build();
    expect(vars()).toEqual(VARS);
    const start = machine.save();
    machine.runTo(500);
    const middle = machine.save();
    const then = vars();
    const count = programmed(then);
    expect(count).toBeGreaterThan(20);
    expect(then.subarray(count + 1)).toEqual(VARS.subarray(count + 1));
    machine.runTo(2000);
    expect(programmed(vars())).toBeGreaterThan(count);
    const end = encodeSnapshot(machine.save());
    machine.restore(middle);
    expect(vars()).toEqual(then);
    machine.restore(start);
    expect(vars()).toEqual(VARS);
    const other = build();
    other.machine.restore(decodeSnapshot(encodeSnapshot(middle)));
    expect(other.vars()).toEqual(then);
    other.machine.runTo(2000);
    expect(encodeSnapshot(other.machine.save())).toEqual(end);
    other.machine.reset();
    expect(other.vars()).toEqual(VARS);
    other.machine.runTo(2000);
    expect(encodeSnapshot(other.machine.save())).toEqual(end);
  });

  it('the snapshot of a machine with other flash is refused, and changes nothing', () => {
    const { machine } = build();
    machine.runTo(300);
    const before = encodeSnapshot(machine.save());
    const other = build(VARS.map((byte) => byte ^ 1));
    expect(() => machine.restore(other.machine.save())).toThrow(
      expect.objectContaining({ code: 'SNAPSHOT_MACHINE' }),
    );
    const known = machine.save();
    for (const [what, snapshot] of [
      ['version', { ...known, version: 3 }],
      ['a part', { ...known, sound: {} }],
      ['a missing part', { ...known, console: undefined }],
      ['a device', { ...known, driver: { ...known.driver, version: 9 } }],
      ['memory', { ...known, memory: [{ at: 2 ** 40, bytes: new Uint8Array(4096) }] }],
      ['half a page', { ...known, memory: [{ at: 0, bytes: new Uint8Array(100) }] }],
      ['a processor', { ...known, processors: [] }],
    ] as const)
      expect(() => machine.restore(snapshot as never), what).toThrow(/snapshot/);
    expect(encodeSnapshot(machine.save())).toEqual(before);
  });
});

it('a file that is cut or changed is refused, whatever its bytes', () => {
  const machine = withFlash('hlt', VARS, 'tcg');
  const file = encodeSnapshot(machine.save());
  expect(decodeSnapshot(file)).toEqual(machine.save());
  for (let length = 0; length < file.length; length += 1 + (length >> 4))
    expect(() => decodeSnapshot(file.subarray(0, length))).toThrow(
      expect.objectContaining({ code: 'SNAPSHOT_FILE' }),
    );
  for (let at = 0; at < file.length; at += 1 + (at >> 4)) {
    const changed = file.slice();
    changed[at]! ^= 0x20;
    expect(() => decodeSnapshot(changed)).toThrow(expect.objectContaining({ code: 'SNAPSHOT_FILE' }));
  }
});
