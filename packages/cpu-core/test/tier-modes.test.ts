/** Blocks of several modes wait together to be translated: each is translated for the mode that it was decoded in. */
import { expect, test } from 'vitest';
import { assemble } from './support/assemble.ts';
import { FlatMachine } from './support/flat-machine.ts';

/** 64-bit code runs 2 GiB below the top, where kernels are; the same memory lies at 0. */
const TOP = 2 ** 31;

/** A loop that calls what lies on another page; ends with HLT. `at` is where it is loaded. */
function caller(bits: 32 | 64, at: number): Uint8Array {
  const source =
    'again: call work\ndec ecx\njnz again\nhlt\ntimes 4096 nop\nwork: inc ebx\njmp over\nover: inc ebx\nret';
  return assemble(source, { bits, org: at });
}

test.each([
  [64, 32],
  [32, 64],
] as const)('what %i-bit code has made hot is translated while %i-bit code runs', (first, second) => {
  const m = new FlatMachine({ tier: 'translator', translator: { threshold: 1000 }, processors: 2 });
  m.map = (page) => (page < 0 ? page + TOP : page < m.ramSize ? page : -1);
  const bits = [first, second];
  const faults: number[] = [];
  m.onFault = (vector) => faults.push(vector);
  bits.forEach((wide, n) => {
    const at = 0x1000 + n * 0x4000;
    m.load(at, caller(wide, at));
    m.start(wide, at, 0x10000 + n * 0x1000, m.cpus[n]!);
    if (wide === 64) m.cpus[n]!.state.rip = BigInt.asUintN(64, BigInt(at - TOP));
    m.cpus[n]!.registers.rcx = 20_000n;
    m.cpus[n]!.registers.rbx = 0n;
  });
  // Every block of the first is hot once, which is not yet enough.
  expect(m.cpus[0]!.run(7 * 1100).reason).toBe('budget');
  expect(m.engine.translations!.compiled).toBe(0);
  for (const cpu of [...m.cpus].reverse()) {
    expect(cpu.run(10_000_000).reason).toBe('halted');
    expect(cpu.registers.rbx).toBe(40_000n);
  }
  expect(m.engine.translations!.compiled).toBeGreaterThan(1);
  expect(faults).toEqual([]);
});
