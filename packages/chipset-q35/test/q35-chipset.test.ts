import { newResolution } from '@smm/bus';
import type { SmramRange } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { ICH9_RST_CNT_PORT, q35RamLayout } from '../src/index.ts';
import { buildModel, configRead, configWrite, runOnModel } from './support/model.ts';
import { type Access, imageFiller, oracleMissing, runOnQemu } from './support/qemu-oracle.ts';

const MIB = 0x10_0000;
const missing = oracleMissing();
const SMI_ON: Access[] = [
  ...configWrite(0xf8, 0x40, 4, 0x601),
  ...configWrite(0xf8, 0x44, 1, 0x80),
  { kind: 'out', port: 0x630, size: 4, value: 0x21 },
];

describe('software SMI', () => {
  it('goes_to_the_writing_processor_until_broadcast_is_negotiated_and_after_a_reset', () => {
    const model = buildModel(MIB);
    runOnModel(SMI_ON, model);
    model.io.out(0xb2, 1, 0, 3);
    model.io.out(0xb2, 2, 0x1200, 1);
    model.chipset.devices.apm.setBroadcast(true);
    model.io.out(0xb2, 1, 0, 3);
    model.chipset.reset();
    runOnModel(SMI_ON, model);
    model.io.out(0xb2, 1, 0, 2);
    expect(model.smis).toEqual([3, 1, 'all', 2]);
  });
});

describe('resets', () => {
  it('are_asked_for_through_CF9h_and_port_92h', () => {
    const model = buildModel(MIB);
    for (const value of [0x02, 0x06, 0x00, 0x04]) model.io.out(ICH9_RST_CNT_PORT, 1, value, 0);
    for (const value of [0x02, 0x03, 0x03, 0x00, 0x01]) model.io.out(0x92, 1, value, 0);
    expect(model.resets).toEqual(['system', 'cpu', 'cpu', 'cpu']);
  });
});

describe('memory map', () => {
  it('splits_RAM_as_QEMU_does', () => {
    const gib = 1024 * MIB;
    expect(q35RamLayout(2815 * MIB)).toEqual({ belowBytes: 2815 * MIB, aboveBytes: 0 });
    expect(q35RamLayout(2816 * MIB)).toEqual({ belowBytes: 2 * gib, aboveBytes: 768 * MIB });
    expect(q35RamLayout(8 * gib)).toEqual({ belowBytes: 2 * gib, aboveBytes: 6 * gib });
  });

  it.skipIf(missing !== undefined).each([
    { sizeBytes: 0x4_0000, pflash: false },
    { sizeBytes: 0x4_0000, pflash: true },
    { sizeBytes: 0x2_0000, pflash: true },
  ])(
    `a ROM of $sizeBytes bytes (pflash: $pflash) is seen below 4 GiB and from E0000h ${missing ?? ''}`,
    (image) => {
      const accesses: Access[] = [0xe_0000, 0xe_0102, 0xe_fffc, 2 ** 32 - image.sizeBytes, 0xfffe_0040].map(
        (gpa) => ({
          kind: 'read',
          gpa,
          size: 4,
        }),
      );
      const model = buildModel(
        MIB,
        undefined,
        { rom: { hostOffset: MIB, sizeBytes: image.sizeBytes } },
        image.sizeBytes,
      );
      model.window.set(imageFiller(image.sizeBytes), MIB);
      expect(runOnModel(accesses, model)).toEqual(runOnQemu(accesses, ['-m', '64'], image));
    },
  );

  it('draws_what_the_decoder_says', () => {
    const tseg: SmramRange = {
      name: 'tseg',
      start: 0xe0_0000,
      sizeBytes: 0x10_0000,
      ramStart: 0xe0_0000,
      inSmm: true,
      outside: 'hole',
      locked: false,
    };
    const high: SmramRange = {
      ...tseg,
      name: 'high',
      start: 0xfeda_0000,
      sizeBytes: 0x2_0000,
      ramStart: 0xa_0000,
      outside: 'bus',
    };
    // With H_SMRAME the window at A0000h is closed, in SMM too.
    const compatible: SmramRange = { ...high, name: 'compatible', start: 0xa_0000, inSmm: false };
    const model = buildModel(16 * MIB, ({ smram }) => ((smram & 8) !== 0 ? [tseg, high, compatible] : []));
    const at = newResolution();
    const kinds = (gpa: number) =>
      [false, true].map((smm) => {
        model.memory.resolve(gpa, smm, at);
        return at.kind;
      });
    expect([kinds(0xe0_0000), kinds(0xfeda_0000)]).toEqual([
      ['ram', 'ram'],
      ['unclaimed', 'unclaimed'],
    ]);
    const version = model.memory.version;
    runOnModel(configWrite(0, 0x9d, 1, 0x08), model);
    expect(kinds(0xa_0000)).toEqual(['unclaimed', 'unclaimed']);
    expect([kinds(0xe0_0000), kinds(0xef_ffff), kinds(0xf0_0000), kinds(0xfeda_0000)]).toEqual([
      ['unclaimed', 'ram'],
      ['unclaimed', 'ram'],
      ['ram', 'ram'],
      ['unclaimed', 'ram'],
    ]);
    expect(model.memory.version).toBe(version + 1);
    model.memory.resolve(0xfeda_0010, true, at);
    expect(at.hostOffset).toBe(0xa_0010);
  });

  it('refuses_impossible_ROM_and_RAM', () => {
    const rom = { hostOffset: 0, sizeBytes: 100 };
    expect(() => buildModel(MIB, undefined, { rom })).toThrowError(
      expect.objectContaining({ code: 'ROM_SIZE' }),
    );
    const ram = { hostOffset: 0, sizeBytes: 1000 };
    expect(() => buildModel(MIB, undefined, { ram })).toThrowError(
      expect.objectContaining({ code: 'RAM_SIZE' }),
    );
  });
});

describe('snapshot', () => {
  const setUp: Access[] = [
    ...SMI_ON,
    ...configWrite(0, 0x60, 4, 0xb000_0001),
    ...configWrite(0, 0x9e, 1, 0x87),
    ...configWrite(0, 0x90, 1, 0x30),
    ...configWrite(0, 0x9d, 1, 0x18),
    ...configWrite(0xf8, 0xa0, 1, 0x10),
    { kind: 'out', port: 0xb3, size: 1, value: 0x77 },
    { kind: 'out', port: 0x92, size: 1, value: 0x02 },
    { kind: 'out', port: 0x70, size: 1, value: 0x0f },
    { kind: 'out', port: 0x71, size: 1, value: 0x5a },
    { kind: 'write', gpa: 0xf_0000, size: 4, value: 0x1234 },
  ];
  const observe: Access[] = [
    { kind: 'in', port: 0x71, size: 1 },
    { kind: 'in', port: 0xcf8, size: 4 },
    ...Array.from({ length: 64 }, (_, i) => [
      ...configRead(0, 4 * i, 4),
      ...configRead(0xf8, 4 * i, 4),
    ]).flat(),
    ...[0x600, 0x604, 0x620, 0x630].map((port): Access => ({ kind: 'in', port, size: 4 })),
    ...[0xb2, 0xb3, 0x92].map((port): Access => ({ kind: 'in', port, size: 1 })),
    { kind: 'read', gpa: 0xb000_0000, size: 4 },
    { kind: 'out', port: 0x630, size: 4, value: 0 },
    { kind: 'in', port: 0x630, size: 4 },
  ];

  it('restores_every_register_and_mapping_into_a_fresh_machine', () => {
    const first = buildModel(MIB);
    runOnModel(setUp, first);
    const saved = structuredClone(first.chipset.save());
    const second = buildModel(MIB);
    second.chipset.restore(saved);
    expect(runOnModel(observe, second)).toEqual(runOnModel(observe, first));
    for (const smm of [false, true]) {
      const shape = (m: typeof first) => m.memory.pieces(smm).map((p) => [p.start, p.region?.name]);
      expect(shape(second)).toEqual(shape(first));
    }
    expect(() => second.chipset.restore({ ...saved, version: 1 as 2 })).toThrowError(
      expect.objectContaining({ code: 'SNAPSHOT_VERSION' }),
    );
  });

  it('reset_equals_a_fresh_machine_but_for_CMOS', () => {
    const first = buildModel(MIB);
    runOnModel(setUp, first);
    first.chipset.reset();
    const registers = ({ chipset }: typeof first) =>
      chipset.save().parts.filter(({ name }) => name !== 'cmos-rtc');
    expect(registers(first)).toEqual(registers(buildModel(MIB)));
    expect(first.chipset.devices.cmos.readByte(0x0f)).toBe(0x5a);
  });

  it('two_machines_do_not_see_each_other', () => {
    const a = buildModel(MIB);
    const b = buildModel(MIB);
    const before = structuredClone(b.chipset.save());
    runOnModel(setUp, a);
    expect(b.chipset.save()).toEqual(before);
  });
});
