/** The same ROM images in QEMU and here must print the same bytes. */
import { describe, expect, it } from 'vitest';
import { assembleRom, dump, QEMU_MISSING, runHere, runInQemu } from './support/rom-machine.ts';

describe.skipIf(QEMU_MISSING !== undefined)(`against QEMU ${QEMU_MISSING ?? ''}`, () => {
  it.each([
    ['protected', 'evaluator'],
    ['protected', 'interpreter'],
    ['long', 'evaluator'],
    ['long', 'interpreter'],
  ] as const)('%s (%s)', (name, tier) => {
    const rom = assembleRom(name);
    expect(dump(runHere(rom, 'qemu64', tier))).toBe(dump(runInQemu(rom, 'qemu64')));
  });
});
