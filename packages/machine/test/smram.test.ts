/**
 * SMRAM on this machine as an attacker meets it: closed, locked, and what an SMI does not change. Intel Q35 data sheet,
 * "SMRAM", "ESMRAMC".
 */
import { describe, expect, it } from 'vitest';
import { type Machine, prepareRelocation, type Relocation, runRelocation } from '../src/index.ts';
import { flat } from './flat-rom.ts';
import { parts } from './runs.ts';

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const MCH = 0x8000_0000;
const LPC = 0x8000_f800;

const read8 = (machine: Machine, bdf: number, register: number): number => {
  machine.ports.out(CONFIG_ADDRESS, 4, (bdf | (register & 0xfc)) >>> 0, 0);
  return machine.ports.in(CONFIG_DATA + (register & 3), 1, 0);
};
const write8 = (machine: Machine, bdf: number, register: number, value: number): void => {
  machine.ports.out(CONFIG_ADDRESS, 4, (bdf | (register & 0xfc)) >>> 0, 0);
  machine.ports.out(CONFIG_DATA + (register & 3), 1, value, 0);
};

describe.each(['tcg', 'kvm'] as const)('after relocation under %s', (accelerator) => {
  const done = (): Relocation => {
    const relocation = prepareRelocation({ cpus: 2, bitness: 64, accelerator, parts });
    expect(runRelocation(relocation).outcome).toBe('relocated');
    return relocation;
  };
  const { machine } = done();
  const TSEG = 0x7f80_0000;
  const HANDLER = 0x7ffc_9000;

  it('TSEG cannot be read or written from outside SMM, and can in SMM', () => {
    const handler = machine.peek(HANDLER, 64, true);
    expect(handler.some((byte) => byte !== 0xff && byte !== 0)).toBe(true);
    for (const gpa of [TSEG, HANDLER, 0x7fff_f000]) {
      expect([...machine.peek(gpa, 64)]).toEqual(Array.from({ length: 64 }, () => 0xff));
      machine.space.write(gpa, 4, 0x1234_5678, 0);
    }
    expect(machine.peek(HANDLER, 64, true)).toEqual(handler);
    expect(machine.peek(TSEG - 16, 16).every((byte) => byte === 0xff)).toBe(false);
  });

  it('the lock holds: D_OPEN, T_EN, TSEG size and D_LCK itself cannot be changed', () => {
    const [smram, esmramc] = [read8(machine, MCH, 0x9d), read8(machine, MCH, 0x9e)];
    expect(smram & 0x50).toBe(0x10);
    expect(esmramc & 0x01).toBe(0x01);
    for (const value of [0x00, 0x4a, 0xff]) {
      write8(machine, MCH, 0x9d, value);
      write8(machine, MCH, 0x9e, value);
      expect(read8(machine, MCH, 0x9d) & 0x58).toBe(smram & 0x58);
      expect(read8(machine, MCH, 0x9e)).toBe(esmramc);
    }
    expect(machine.peek(HANDLER, 1)[0]).toBe(0xff);
  });

  it('SMIs cannot be turned off: GBL_SMI_EN stays set behind SMI_LOCK', () => {
    const pmbase = (read8(machine, LPC, 0x40) | (read8(machine, LPC, 0x41) << 8)) & 0xff80;
    expect(read8(machine, LPC, 0xa0) & 0x10).toBe(0x10);
    machine.ports.out(pmbase + 0x30, 4, 0, 0);
    expect(machine.ports.in(pmbase + 0x30, 4, 0) & 1).toBe(1);
    write8(machine, LPC, 0xa0, 0);
    expect(read8(machine, LPC, 0xa0) & 0x10).toBe(0x10);
  });

  it('a reset opens everything again', () => {
    machine.reset();
    expect(read8(machine, MCH, 0x9d)).toBe(0x02);
    expect(read8(machine, MCH, 0x9e)).toBe(0x38);
    expect([...machine.peek(HANDLER, 4)]).toEqual([0, 0, 0, 0]);
  });
});

/** Writes `value` to the SMRAM register. */
const smram = (value: number): string => `
  mov dx, 0cf8h
  mov eax, 8000009ch
  out dx, eax
  mov dx, 0cfdh
  mov al, ${value}
  out dx, al`;
/** Prints 'y' if the byte at A000:0000 is 5Ah, else 'n'. */
const probe = `
  mov al, 'n'
  cmp byte [es:0], 5ah
  jne $ + 4
  mov al, 'y'
  mov dx, 402h
  out dx, al`;

it.each([false, true])(
  'guest code sees compatible SMRAM while it is open, and never again once it is locked (kvm %s)',
  (kvm) => {
    const machine = flat(
      `mov ax, 0a000h
  mov es, ax
  ${smram(0x4a)}
  mov byte [es:0], 5ah
  ${probe}
  ${smram(0x0a)} ${probe}
  ${smram(0x4a)} ${probe}
  ${smram(0x1a)} ${probe}
  ${smram(0x4a)} ${probe}
  mov al, 10
  out dx, al
  cli
  hlt`,
      { kvm },
    );
    expect(machine.run({ instructions: 1_000 })).toBe('idle');
    // open, closed, open again, locked, an attempt to open what is locked
    expect(machine.log).toEqual(['ynynn']);
    expect(machine.peek(0xa_0000, 1, true)[0]).toBe(0x5a);
  },
);
