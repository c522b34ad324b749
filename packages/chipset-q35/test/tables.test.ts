import { RegisterFile, type RegisterSpec } from '@smm/bus';
import { describe, expect, it } from 'vitest';
import { LPC_REGISTERS, mchRegisters, PM_REGISTERS } from '../src/index.ts';

const TABLES: readonly { name: string; sizeBytes: number; rows: readonly RegisterSpec[] }[] = [
  { name: 'MCH', sizeBytes: 0x100, rows: mchRegisters() },
  { name: 'LPC', sizeBytes: 0x100, rows: LPC_REGISTERS },
  { name: 'PM', sizeBytes: 0x80, rows: PM_REGISTERS },
];

describe.each(TABLES)('table of $name', ({ name, sizeBytes, rows }) => {
  const limit = (row: RegisterSpec) => 2 ** (8 * row.width);

  it('has_values_that_fit_and_bits_of_one_kind_each', () => {
    for (const row of rows) {
      for (const value of [row.reset ?? 0, row.writable ?? 0, row.w1c ?? 0]) {
        expect(value, row.name).toBeGreaterThanOrEqual(0);
        expect(value, row.name).toBeLessThan(limit(row));
      }
      expect((row.writable ?? 0) & (row.w1c ?? 0), row.name).toBe(0);
    }
  });

  it('read_only_bits_keep_their_reset_value_whatever_is_written', () => {
    const file = new RegisterFile(name, sizeBytes, rows);
    for (const row of rows) {
      const reset = row.reset ?? 0;
      const writable = row.writable ?? 0;
      for (const value of [0xffff_ffff, 0]) {
        file.write(row.offset, row.width, value);
        const changed = (file.read(row.offset, row.width) ^ reset) >>> 0;
        expect((changed & ~(writable | (row.w1c ?? 0))) >>> 0, row.name).toBe(0);
        expect((file.read(row.offset, row.width) & writable) >>> 0, row.name).toBe((value & writable) >>> 0);
      }
    }
  });
});
