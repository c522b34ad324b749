/** Options that make no sense, and what is not modelled: errors that say what to do. */
import { SmmError } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { prepareRelocation, type RelocationOptions } from '../src/index.ts';
import { parts } from './runs.ts';

function errorOf(action: () => unknown): SmmError {
  try {
    action();
  } catch (error) {
    if (error instanceof SmmError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('options', () => {
  it.each<[string, RelocationOptions, RegExp]>([
    ['CPU_COUNT', { cpus: 0 }, /0 processors/],
    ['CPU_COUNT', { cpus: 300 }, /300 processors/],
    ['CPU_COUNT', { cpus: 1.5 }, /1\.5 processors/],
    ['MEMORY_SIZE', { memoryMiB: 16 }, /16 MiB/],
    ['MEMORY_SIZE', { memoryMiB: 4096 }, /4096 MiB/],
    ['MEMORY_SIZE', { memoryMiB: Number.NaN }, /NaN MiB/],
    ['HOST_UNKNOWN', { accelerator: 'kvm', host: 'windows' }, /no host windows/],
    ['QUIRK_UNKNOWN', { quirks: ['+Q99'] }, /no quirk Q99/],
    ['QUIRK_NOT_SHOWN', { quirks: ['+Q4'] }, /Q4 .* no mechanism/],
    ['QUIRK_SYNTAX', { quirks: ['Q1'] }, /add or to remove/],
    ['QUIRK_CONFLICT', { accelerator: 'kvm', quirks: ['+Q1', '-Q1'] }, /named twice/],
    ['QUIRK_NO_EFFECT', { quirks: ['+Q1'] }, /no effect under tcg/],
    ['QUIRK_NO_EFFECT', { accelerator: 'kvm', quirks: ['+Q3'] }, /no effect under kvm/],
    ['FIRMWARE_QUIRK', { bitness: 64, quirks: ['+Q9'] }, /Q9 has no meaning in 64-bit/],
    ['FIRMWARE_TILES', { cpus: 255, edk2: '2024', tsegMb: 1 }, /do not fit TSEG of 1 MiB/],
    ['SCHEDULE', { schedule: { seed: 1, slice: 0 } }, /slices of 0/],
    ['SCHEDULE', { schedule: { seed: 0.5, slice: 10 } }, /seed 0\.5/],
  ])('%s for %o', (code, options, message) => {
    const error = errorOf(() => prepareRelocation({ parts, ...options }));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(error.fix.length).toBeGreaterThan(10);
  });

  it('names CPU models like one that it does not know', () => {
    const error = errorOf(() => prepareRelocation({ parts, cpu: 'pentium9' }));
    expect(error.message).toMatch(/pentium9/);
    expect(error.fix).toMatch(/pentium3/);
  });
});
