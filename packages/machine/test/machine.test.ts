import { assemble } from '@smm/asm';
import { cpuModel } from '@smm/cpu-core';
import { Machine } from '../src/machine.ts';
import { DEFAULT_SCHEDULE } from '../src/scheduler.ts';
import { DEFAULT_KVM_OPTIONS } from '../src/kvm/options.ts';
import { resolveSwitches } from '../src/hosts.ts';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import type { TraceEvent } from '@smm/trace';
import { describe, expect, it } from 'vitest';

/** A 64 KiB flash image with `source` (16-bit) at its start, F000:0000, and a jump there at the reset vector. */
function rom(source: string): Uint8Array {
  const image = new Uint8Array(0x1_0000);
  image.set(assemble(source, { bits: 16, org: 0 }).bytes);
  image.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
  return image;
}

function machine(source: string, options: { cpus?: number; kvm?: boolean; events?: TraceEvent[] } = {}): Machine {
  const switches = resolveSwitches({ accelerator: options.kvm ? 'kvm' : 'tcg' });
  return new Machine({
    cpus: options.cpus ?? 1,
    memoryMiB: 64,
    model: cpuModel('qemu64'),
    flash: rom(source),
    saveState: SAVE_STATE_AMD64,
    accelerator: options.kvm ? { options: DEFAULT_KVM_OPTIONS, switches: switches.kvm } : 'tcg',
    behaviour: switches.behaviour,
    schedule: DEFAULT_SCHEDULE,
    comm: 'test',
    tier: 'evaluator',
    ...(options.events ? { trace: (e: TraceEvent) => options.events!.push(e) } : {}),
  });
}

const print = (text: string): string => `mov si, ${text}\n call print\n`;
const routines = `
print: cs lodsb
  test al, al
  jz .done
  mov dx, 0x402
  out dx, al
  jmp print
.done: ret
`;

describe.each([false, true])('a machine under kvm %s', (kvm) => {
  it('runs code from reset and halts', () => {
    const m = machine(`mov sp, 0x8000\n ${print('hello')} cli\n hlt\n hello: db "hello", 10, 0\n ${routines}`, { kvm });
    expect(m.run({ instructions: 10_000 })).toBe('idle');
    expect(m.log).toEqual(['hello']);
  });
});
