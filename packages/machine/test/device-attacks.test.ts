/**
 * A device that masters the bus, with ranges that move, against SMRAM, flash that is secure, local APICs and the bus.
 */
import type { MmioDevice } from '@smm/bus';
import { PciDevice } from '@smm/chipset-q35';
import { expect, it } from 'vitest';
import { attacks, SECRET, TSEG } from './attacks/support/attack.ts';
import { CONFIGURATIONS, machineFor } from './attacks/support/run-here.ts';

const ADDRESS = 0x8000_1800; // CONFIG_ADDRESS of device 3
const VARS = 0xfffe_0000;
const COMMAND = 0x04;
const MEMORY_AND_MASTER = 6;
const MIB = 0x10_0000;

/** What its range answers; a processor in SMM must not see it. */
const LURE: MmioDevice = { name: 'lure', read: () => 0xf4f4_f4f4, write: () => undefined };

class Attacker extends PciDevice {
  constructor() {
    super({
      ...{ name: 'attacker', place: { device: 3, function: 0 }, vendorId: 0x1af4, deviceId: 1, revision: 0 },
      ...{ classCode: 0, multifunction: false, interruptPin: 1 },
      bars: [
        { index: 0, kind: 'memory32', sizeBytes: MIB, device: LURE },
        { index: 2, kind: 'memory64', sizeBytes: 16 * MIB, device: LURE },
      ],
    });
  }

  read(gpa: number, size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    this.dmaRead(gpa, bytes);
    return bytes;
  }

  write(gpa: number, ...bytes: number[]): void {
    this.dmaWrite(gpa, Uint8Array.from(bytes));
  }

  interrupt(level: boolean): void {
    this.setIntx(level);
  }
}

/** A machine whose SMRAM is locked, with the secret in it and flash that is secure, and the attacker. */
function locked(configuration: (typeof CONFIGURATIONS)[number]) {
  const attacker = new Attacker();
  const machine = machineFor(attacks().find(({ name }) => name === 'dma-to-secure-flash')!, configuration, [
    attacker,
  ]);
  machine.run({ instructions: 20_000_000, until: () => machine.log.at(-1) === 'end' });
  const config = (offset: number, size: 2 | 4, value: number): void => {
    machine.ports.out(0xcf8, 4, ADDRESS + (offset & 0xfc), 0);
    machine.ports.out(0xcfc + (offset & 3), size, value, 0);
  };
  config(COMMAND, 2, MEMORY_AND_MASTER);
  /** What the SMI handler says of the secrets: `s` that all are where they were. */
  const handler = (): string => {
    machine.ports.out(0xb2, 1, 0, 0);
    let rounds = 0;
    machine.run({ instructions: 10_000, until: () => ++rounds > 50 });
    machine.ports.out(0x402, 1, 10, 0);
    return machine.log.at(-1)!;
  };
  return { attacker, machine, config, handler };
}

const WINDOWS = CONFIGURATIONS.filter(({ tier }) => tier === 'interpreter');

it.each(WINDOWS)('under $accelerator', (configuration) => {
  const { attacker, machine, config, handler } = locked(configuration);
  expect(handler()).toBe('s');

  // By DMA: SMRAM, across its borders, by addresses that wrap.
  const zeros = new Array<number>(0x400).fill(0);
  for (const base of [TSEG, 0xa_0000, 0x3_0000, 2 ** 32 + TSEG, 2 ** 36 + TSEG, 2 ** 52 - 0x200]) {
    for (const at of [base, base + 0x100 - 0x200]) {
      expect(Buffer.from(attacker.read(at, 0x400)).toString('latin1')).not.toContain(SECRET.slice(0, 8));
      if (base !== 0x3_0000 || at === base) attacker.write(Math.max(at, base), ...zeros);
    }
  }
  expect(handler()).toBe('s');

  // Flash that takes commands in SMM alone, and the local APICs: no command, no register.
  const flash = machine.bytes.slice(machine.plan.romOffset, machine.plan.romOffset + 0x2_0000);
  for (const command of [0x20, 0x40, 0xe8, 0x70, 0x90, 0x98]) attacker.write(VARS, command, 0xd0, 0, 0xff);
  expect(machine.bytes.slice(machine.plan.romOffset, machine.plan.romOffset + 0x2_0000)).toEqual(flash);
  expect([...attacker.read(VARS + 0x1000, 4)]).toEqual([0, 1, 2, 3]);
  const apics = machine.apics.map((apic) => apic.save());
  for (const at of [0x20, 0x80, 0xb0, 0x300, 0x310, 0x380]) attacker.write(0xfee0_0000 + at, 0x55);
  expect(machine.apics.map((apic) => apic.save())).toEqual(apics);

  // By ranges that lie over SMRAM, the default SMBASE, flash and the local APIC's page.
  for (const at of [TSEG, 0, 0xfff0_0000, 0xfee0_0000, 0xfec0_0000, 0xfed0_0000, 0xb000_0000]) {
    config(0x10, 4, at);
    config(0x18, 4, at & 0xff00_0000);
    config(0x1c, 4, at === 0 ? 1 : 0);
    expect(handler()).toBe('s');
    expect(machine.space.read(VARS + 0x1000, 4, 0)).toBe(0x0302_0100);
  }

  // A wire that is held up, and one that flaps: the processor that takes no interrupts stays where it is.
  for (let n = 0; n < 100; n++) attacker.interrupt(n % 2 === 0);
  attacker.interrupt(true);
  expect(handler()).toBe('s');
});
