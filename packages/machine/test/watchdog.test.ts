/** The watchdog in a machine: it reaches a processor that sleeps, and the machine's reset. */
import { describe, expect, it } from 'vitest';
import type { Machine } from '../src/index.ts';
import { flat } from './flat-rom.ts';

/** PM block at 600h, watchdog SMIs on, preset 2 (1.2 s), started. */
function start({ ports }: Machine): void {
  const config = (offset: number, value: number) => {
    ports.out(0xcf8, 4, 0x8000_f800 + offset, 0);
    ports.out(0xcfc, 4, value, 0);
  };
  config(0x40, 0x601);
  config(0x44, 0x80);
  config(0xf0, 0xfed1_c001);
  ports.out(0x630, 4, 0x2000, 0);
  ports.out(0x672, 2, 2, 0);
  ports.out(0x668, 2, 0, 0);
  ports.out(0x660, 2, 0, 0);
}

describe.each([false, true])('the watchdog (kvm %s)', (kvm) => {
  it('wakes a halted processor into SMM, again and again', () => {
    const machine = flat('cli\n again: hlt\n jmp again', { kvm });
    const handler = machine.plan.ramOffset + 0x3_8000;
    machine.bytes.set([0x0f, 0xaa], handler); // RSM
    machine.written(handler, 2);
    machine.run({ instructions: 10 });
    expect([machine.idleReason(0), machine.smmEntries[0]]).toEqual(['halted', 0]);
    start(machine);
    const end = machine.clock.now() + 5e9;
    machine.run({
      instructions: 1000,
      until: () => machine.clock.now() > end || machine.smmEntries[0]! >= 4,
    });
    expect(machine.smmEntries[0]).toBe(4);
    expect(machine.clock.now()).toBeCloseTo(end - 5e9 + 4 * 1.2e9, -6);
  });

  it('resets the machine when nobody reloads it', () => {
    const resets: string[] = [];
    const machine = flat('cli\n again: hlt\n jmp again', { kvm, onReset: (kind) => resets.push(kind) });
    const handler = machine.plan.ramOffset + 0x3_8000;
    machine.bytes.set([0x0f, 0xaa], handler);
    machine.written(handler, 2);
    machine.run({ instructions: 10 });
    start(machine);
    machine.space.write(0xfed1_f410, 4, 0, 0); // GCS: may reboot
    machine.run({ instructions: 1000, until: () => resets.length > 0 });
    expect([resets, machine.smmEntries[0], machine.ports.in(0x666, 2, 0)]).toEqual([['system'], 1, 6]);
  });
});
