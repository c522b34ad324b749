import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RegisterFile, type RegisterSpec } from '../src/index.ts';

const TABLE = [
  { name: 'CTL', offset: 2, width: 2, reset: 0x8001, writable: 0x0ff0 },
  { name: 'ID', offset: 0, width: 2, reset: 0x1af4 },
  { name: 'STS', offset: 4, width: 4, reset: 0xf000_000f, w1c: 0x8000_00ff, writable: 0x0000_ff00 },
  { name: 'BYTE', offset: 8, width: 1, writable: 0xff },
] as const satisfies readonly RegisterSpec[];

describe('RegisterFile', () => {
  it('equals_a_bytewise_model_for_any_sequence_of_accesses', () => {
    const access = fc.record({
      write: fc.boolean(),
      offset: fc.integer({ min: 0, max: 11 }),
      size: fc.constantFrom<1 | 2 | 4>(1, 2, 4),
      value: fc.nat({ max: 0xffff_ffff }),
    });
    fc.assert(
      fc.property(fc.array(access), (accesses) => {
        const file = new RegisterFile('test', 12, TABLE, {}, 0xff);
        // The model: per byte a value, the writable bits and the write-one-to-clear bits.
        const model = Array.from({ length: 16 }, () => ({ value: 0xff, writable: 0, w1c: 0 }));
        for (const row of TABLE as readonly RegisterSpec[]) {
          for (let i = 0; i < row.width; i++) {
            const byte = (v: number | undefined) => ((v ?? 0) >>> (8 * i)) & 0xff;
            model[row.offset + i] = {
              value: byte(row.reset),
              writable: byte(row.writable),
              w1c: byte(row.w1c),
            };
          }
        }
        for (const { write, offset, size, value } of accesses) {
          if (write) {
            file.write(offset, size, value);
            for (let i = 0; i < size; i++) {
              const cell = model[offset + i]!;
              const byte = (value >>> (8 * i)) & 0xff;
              cell.value =
                ((cell.value & ~cell.writable) | (byte & cell.writable)) & ~(byte & cell.w1c) & 0xff;
            }
          } else {
            let expected = 0n;
            for (let i = 0; i < size; i++) expected |= BigInt(model[offset + i]!.value) << BigInt(8 * i);
            expect(BigInt(file.read(offset, size))).toBe(expected);
          }
        }
      }),
    );
  });

  it('hooks_see_whole_registers_once_per_access_in_offset_order', () => {
    const log: string[] = [];
    const file = new RegisterFile('test', 12, TABLE, {
      read: (name, stored) => {
        log.push(`read ${name}`);
        return name === 'CTL' ? 0xabcd : stored;
      },
      write: (w) => {
        log.push(
          `write ${w.name} ${w.previous.toString(16)}->${w.value.toString(16)} raw ${w.raw.toString(16)}/${w.rawMask.toString(16)} by ${w.attrs}`,
        );
        return w.value;
      },
    });
    expect(file.read(3, 4)).toBe(0x0000_0fab);
    file.write(3, 2, 0x05ff, 7);
    expect(log).toEqual([
      'read CTL',
      'read STS',
      'write CTL 8001->8f01 raw ff00/ff00 by 7',
      'write STS f000000f->f000000a raw 5/ff by 7',
    ]);
  });

  it('set_bypasses_masks_reset_and_snapshots_restore', () => {
    const file = new RegisterFile('test', 12, TABLE);
    file.set('ID', 0x8086);
    const saved = structuredClone(file.save());
    file.reset();
    expect(file.get('ID')).toBe(0x1af4);
    file.restore(saved);
    expect(file.get('ID')).toBe(0x8086);
    expect(() => file.restore({ version: 1, bytes: new Uint8Array(3) })).toThrowError(
      expect.objectContaining({ code: 'SNAPSHOT_VERSION' }),
    );
  });

  it('refuses_tables_that_overlap', () => {
    const rows: RegisterSpec[] = [
      { name: 'A', offset: 0, width: 4 },
      { name: 'B', offset: 3, width: 1 },
    ];
    expect(() => new RegisterFile('t', 8, rows)).toThrowError(
      expect.objectContaining({ code: 'REGISTER_TABLE' }),
    );
    expect(() => new RegisterFile('t', 2, [{ name: 'A', offset: 0, width: 4 }])).toThrowError(
      expect.objectContaining({ code: 'REGISTER_TABLE' }),
    );
    expect(() =>
      new RegisterFile<string>('t', 8, [{ name: 'A', offset: 0, width: 4 }]).get('Z'),
    ).toThrowError(expect.objectContaining({ code: 'REGISTER_NAME' }));
  });
});
