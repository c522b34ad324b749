/** The machine as such: small programs from reset, devices, interrupts between processors, time. */
import type { TraceEvent } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { flat } from './flat-rom.ts';

const routines = `
print: cs lodsb
  test al, al
  jz .done
  mov dx, 0x402
  out dx, al
  jmp print
.done: ret
`;

describe.each([false, true])('a machine (kvm %s)', (kvm) => {
  it('runs code from reset and halts', () => {
    const machine = flat(
      `mov sp, 0x8000\n mov si, hello\n call print\n cli\n hlt\n hello: db "hello", 10, 0\n ${routines}`,
      { kvm },
    );
    expect(machine.run({ instructions: 10_000 })).toBe('idle');
    expect(machine.log).toEqual(['hello']);
    expect(machine.idleReason(0)).toBe('halted');
    expect(machine.clock.now()).toBe(machine.retired * 8);
  });

  it('leaves never-started processors waiting for a SIPI', () => {
    const machine = flat('cli\n hlt', { kvm, cpus: 3 });
    expect(machine.run({ instructions: 100 })).toBe('idle');
    expect([0, 1, 2].map((id) => machine.idleReason(id))).toEqual([
      'halted',
      'wait-for-sipi',
      'wait-for-sipi',
    ]);
  });

  it('stops when a processor shuts down, and says why', () => {
    // An empty interrupt table with limit 0: the first interrupt is a triple fault.
    const machine = flat('lidt [cs:empty]\n int3\n empty: dw 0\n dd 0', { kvm });
    expect(machine.run({ instructions: 100 })).toBe('shutdown');
    expect(machine.shutdownReason).toMatch(/processor 0: triple fault/);
    expect(machine.idleReason(0)).toBe('shutdown');
  });

  it('stops at its limits and when asked', () => {
    const machine = flat('jmp $', { kvm });
    expect(machine.run({ instructions: 12_345 })).toBe('budget');
    expect(machine.retired).toBeGreaterThanOrEqual(12_345);
    expect(machine.run({ instructions: 1e9, until: () => machine.retired > 100_000 })).toBe('asked');
  });

  it('reads all-ones where nothing is, and records it', () => {
    const seen: TraceEvent[] = [];
    const machine = flat('mov dx, 0x1234\n in al, dx\n mov bl, al\n cli\n hlt', {
      kvm,
      trace: (event) => seen.push(event),
    });
    machine.run({ instructions: 100 });
    expect(machine.processors[0]!.state.gpr32(3) & 0xff).toBe(0xff);
    expect(seen.find(({ name }) => name === 'smm_unclaimed')).toMatchObject({
      space: 'io',
      address: 0x1234n,
      write: false,
      size: 1,
    });
  });
});
