/**
 * Who sees SMRAM under which registers: QEMU's q35 against our chipset with this package's decoder, same accesses on
 * both.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildModel, configWrite, runOnModel } from '../../chipset-q35/test/support/model.ts';
import { type Access, oracleMissing, runOnQemu } from '../../chipset-q35/test/support/qemu-oracle.ts';
import { decodeSmram } from '../src/index.ts';

const RAM = 0x1000_0000;
const MCH = 0;
const LPC = 0xf8;
const missing = oracleMissing();
/** Without a VGA card QEMU lets the RAM under the graphics range show through, which no chipset does. */
const QEMU_ARGS = ['-m', '256', '-device', 'VGA'];
/**
 * Edges of every range that may be SMRAM, and their neighbours. 38000h is left out: the probe's SMI handler runs there.
 */
const PROBES = [
  ...[0x9fffc, 0xa0000, 0xbfffc, 0xfeda0000, 0xfedbfffc, 0x2fffc, 0x30000, 0x4fffc],
  ...[1, 2, 8, 16].flatMap((mib) => [RAM - mib * 0x10_0000 - 4, RAM - mib * 0x10_0000]),
  RAM - 4,
];

/** Marks come from a counter, so that a stale value is never taken for a fresh one. */
function probe(mark: () => number): Access[] {
  return PROBES.flatMap((gpa): Access[] => [
    { kind: 'smm-write', gpa, size: 4, value: mark() },
    { kind: 'smm-read', gpa, size: 4 },
    { kind: 'read', gpa, size: 4 },
    { kind: 'write', gpa, size: 4, value: mark() },
    { kind: 'read', gpa, size: 4 },
    { kind: 'smm-read', gpa, size: 4 },
  ]);
}

/** Only marks count: what QEMU gives where nothing answers (0 or all-ones) is not ours to copy. */
const seen = (values: number[]) => values.map((v) => (v >>> 24 === 0xc5 ? v.toString(16) : 'no RAM'));

describe.skipIf(missing !== undefined)(`SMRAM visibility equals QEMU's q35 ${missing ?? ''}`, () => {
  it('under_random_SMRAM_ESMRAMC_and_default_SMBASE_settings', () => {
    const smram = fc.constantFrom(0x00, 0x08, 0x40, 0x48, 0x48, 0x08, 0x20, 0x58, 0x18, 0x10);
    const esmramc = fc.constantFrom(0x00, 0x01, 0x03, 0x05, 0x07, 0x80, 0x81, 0x85, 0x87, 0x06);
    const defaultSmbase = fc.constantFrom([0], [0xff], [0xff, 2], [2], [1]);
    const setting = fc.record({ smram, esmramc, defaultSmbase });
    fc.assert(
      fc.property(fc.array(setting, { minLength: 3, maxLength: 8 }), (settings) => {
        let count = 0;
        const mark = () => 0xc500_0000 + count++;
        const accesses: Access[] = [
          ...configWrite(LPC, 0x40, 4, 0x601),
          ...configWrite(LPC, 0x44, 1, 0x80),
          { kind: 'out', port: 0x630, size: 4, value: 0x20 },
          ...probe(mark),
          ...settings.flatMap((s) => [
            ...s.defaultSmbase.flatMap((v) => configWrite(MCH, 0x9c, 1, v)),
            ...configWrite(MCH, 0x9e, 1, s.esmramc),
            ...configWrite(MCH, 0x9d, 1, s.smram),
            ...probe(mark),
          ]),
        ];
        const model = buildModel(RAM, decodeSmram);
        expect(seen(runOnModel(accesses, model))).toEqual(seen(runOnQemu(accesses, QEMU_ARGS)));
      }),
      { numRuns: 12 },
    );
  });

  it('closed_TSEG_reads_all_ones_outside_SMM', () => {
    const accesses: Access[] = [
      ...configWrite(MCH, 0x9e, 1, 0x05), // T_EN without G_SMRAME does nothing yet
      { kind: 'write', gpa: RAM - 0x80_0000, size: 4, value: 0x600d_600d },
      { kind: 'read', gpa: RAM - 0x80_0000, size: 4 },
      ...configWrite(MCH, 0x9d, 1, 0x08),
      { kind: 'write', gpa: RAM - 0x80_0000, size: 4, value: 0 },
      { kind: 'read', gpa: RAM - 0x80_0000, size: 4 },
      { kind: 'read', gpa: RAM - 2, size: 1 },
    ];
    const expected = [0x600d_600d, 0xffff_ffff, 0xff];
    expect(runOnModel(accesses, buildModel(RAM, decodeSmram))).toEqual(expected);
    expect(runOnQemu(accesses, QEMU_ARGS)).toEqual(expected);
  });

  it.each([4, 12])('with_%i_MiB_of_RAM_and_more_TSEG', (mib) => {
    const inside = [0x20_0000, mib * 0x10_0000 - 4];
    for (const esmramc of [0x01, 0x03, 0x05, 0x07]) {
      const accesses: Access[] = [
        ...inside.map((gpa): Access => ({ kind: 'write', gpa, size: 4, value: 0xc500_0000 + gpa / 4 })),
        ...configWrite(MCH, 0x9e, 1, esmramc),
        ...configWrite(MCH, 0x9d, 1, 0x18),
        ...inside.map((gpa): Access => ({ kind: 'read', gpa, size: 4 })),
      ];
      const model = buildModel(mib * 0x10_0000, decodeSmram);
      const expected = runOnQemu(accesses, ['-m', String(mib), '-device', 'VGA']);
      expect(seen(runOnModel(accesses, model))).toEqual(seen(expected));
    }
  });
});

it('TSEG_where_the_guest_says_is_no_error_wherever_that_is', () => {
  const placed: typeof decodeSmram = (registers, options) =>
    decodeSmram(registers, { ...options, tsegPlacement: 'datasheet' });
  const MIB = 0x10_0000;
  const seenThere: string[] = [];
  for (const mib of [0, 1, 12, 15, 16, 17, 0x800, 0xffa, 0xfff]) {
    const model = buildModel(16 * MIB, placed);
    new DataView(model.window.buffer).setUint32(15 * MIB, 0xc500_0001, true);
    const read = (kind: 'read' | 'smm-read'): Access => ({ kind, gpa: 15 * MIB, size: 4 });
    const accesses: Access[] = [
      ...configWrite(MCH, 0xac, 4, mib * MIB),
      ...configWrite(MCH, 0x9e, 1, 0x05), // 8 MiB
      ...configWrite(MCH, 0x9d, 1, 0x18),
      read('read'),
      read('smm-read'),
    ];
    seenThere.push(`${mib}: ${seen(runOnModel(accesses, model)).join(', ')}`);
  }
  expect(seenThere).toEqual([
    ...['0: c5000001, c5000001', '1: c5000001, c5000001'],
    ...['12: no RAM, c5000001', '15: no RAM, c5000001'],
    ...[16, 17, 0x800, 0xffa, 0xfff].map((mib) => `${mib}: c5000001, c5000001`),
  ]);
});
