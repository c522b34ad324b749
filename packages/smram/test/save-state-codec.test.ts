import {
  packSaveState,
  SAVE_STATE_AMD64,
  SAVE_STATE_GPRS,
  SAVE_STATE_INTEL64,
  SAVE_STATE_LAYOUTS,
  SAVE_STATE_LEGACY32_KVM,
  SAVE_STATE_LEGACY32_QEMU,
  SAVE_STATE_WORDS,
  type SegmentState,
  type SmmSaveState,
  saveStateWord,
  unpackSaveState,
} from '@smm/x86-defs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSaveState, encodeSaveState, readSaveStateField, SaveStateCodec } from '../src/index.ts';

function arbitraryState(wide: boolean): fc.Arbitrary<SmmSaveState> {
  const u16 = fc.nat({ max: 0xffff });
  const u32 = fc.nat({ max: 0xffff_ffff });
  const big32 = u32.map(BigInt);
  const reg = wide ? fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }) : big32;
  const segment: fc.Arbitrary<SegmentState> = fc.record({
    selector: u16,
    attributes: u16.map((a) => a & 0xf0ff),
    limit: u32,
    base: reg,
  });
  const table = fc.record({ limit: u16, base: reg });
  return fc.record({
    gpr: fc
      .array(reg, { minLength: 16, maxLength: 16 })
      .map((all) => (wide ? all : all.map((v, i) => (i < 8 ? v : 0n)))),
    rip: reg,
    rflags: big32,
    cr0: big32,
    cr3: reg,
    cr4: big32,
    efer: wide ? reg : fc.constant(0n),
    dr6: big32,
    dr7: big32,
    es: segment,
    cs: segment,
    ss: segment,
    ds: segment,
    fs: segment,
    gs: segment,
    ldtr: segment,
    tr: segment,
    gdtr: table,
    idtr: table,
    smbase: u32,
    revision: u32,
    autoHaltRestart: fc.boolean(),
    ioRestart: fc.nat({ max: 0xff }),
    interruptShadow: fc.nat({ max: 3 }),
  });
}

/** Puts dwords at manual offsets (from SMBASE+8000h) into a fresh 512-byte area. */
function area(dwords: Record<number, number>): Uint8Array {
  const bytes = new Uint8Array(0x200);
  const view = new DataView(bytes.buffer);
  for (const [offset, value] of Object.entries(dwords)) view.setUint32(Number(offset) - 0x7e00, value, true);
  return bytes;
}

describe.each(Object.values(SAVE_STATE_LAYOUTS))('map $name', (layout) => {
  it('has_no_two_fields_on_one_byte_and_none_outside', () => {
    const owner = new Map<number, string>();
    for (const field of layout.fields) {
      for (let at = field.offset; at < field.offset + field.width; at++) {
        expect(owner.get(at), `${field.name} meets ${owner.get(at)} at ${at.toString(16)}h`).toBeUndefined();
        owner.set(at, field.name);
        expect(at).toBeGreaterThanOrEqual(layout.areaOffset);
        expect(at).toBeLessThan(0x8000);
      }
    }
  });
});

describe.each([
  { layout: SAVE_STATE_AMD64, wide: true, shadow: true },
  { layout: SAVE_STATE_LEGACY32_QEMU, wide: false, shadow: false },
  { layout: SAVE_STATE_LEGACY32_KVM, wide: false, shadow: true },
])('codec of $layout.name', ({ layout, wide, shadow }) => {
  it('gives_back_every_state_and_leaves_unused_bytes_alone', () => {
    const options = { interruptShadow: true };
    fc.assert(
      fc.property(arbitraryState(wide), fc.nat({ max: 255 }), (state, filler) => {
        const bytes = new Uint8Array(0x200).fill(filler);
        encodeSaveState(layout, state, bytes, options);
        expect(decodeSaveState(layout, bytes, options)).toEqual(
          shadow ? state : { ...state, interruptShadow: 0 },
        );
        const used = new Set(
          layout.fields.flatMap((f) => Array.from({ length: f.width }, (_, i) => f.offset + i - 0x7e00)),
        );
        bytes.forEach((byte, i) => {
          if (!used.has(i)) expect(byte).toBe(filler);
        });
        const cleared = new Uint8Array(0x200).fill(filler);
        encodeSaveState(layout, state, cleared, { ...options, clearUnused: true });
        cleared.forEach((byte, i) => {
          expect(byte).toBe(used.has(i) ? bytes[i] : 0);
        });
      }),
    );
  });
});

describe('words', () => {
  it('hold_every_member_and_nothing_else', () => {
    fc.assert(
      fc.property(arbitraryState(true), (state) => {
        const words = new Uint32Array(SAVE_STATE_WORDS);
        packSaveState(state, words);
        expect(unpackSaveState(words)).toEqual(state);
      }),
    );
  });

  it('have_a_place_for_every_field_of_every_map', () => {
    const taken = new Map<number, string>();
    for (const { fields } of Object.values(SAVE_STATE_LAYOUTS)) {
      for (const { name } of fields) {
        const { index, wide } = saveStateWord(name);
        for (const word of wide ? [index, index + 1] : [index]) {
          expect(taken.get(word) ?? name).toBe(name);
          taken.set(word, name);
        }
      }
    }
    expect([...taken.keys()].sort((a, b) => a - b)).toEqual(
      Array.from({ length: SAVE_STATE_WORDS }, (_, i) => i),
    );
  });

  it('that_a_codec_restores_replace_all_that_was_there', () => {
    const codec = new SaveStateCodec(SAVE_STATE_LEGACY32_QEMU);
    const words = new Uint32Array(SAVE_STATE_WORDS).fill(0xffff_ffff);
    codec.restore(new Uint8Array(0x200), words);
    expect([...words].every((word) => word === 0)).toBe(true);
  });
});

describe('golden dumps measured on QEMU 7.2', () => {
  it('decodes_the_32_bit_real_mode_dump', () => {
    const state = decodeSaveState(
      SAVE_STATE_LEGACY32_QEMU,
      area({
        32504: 0x30000,
        32508: 0x20000,
        32556: 0x93,
        32560: 0xffff,
        32604: 0x8b,
        32608: 0xffff,
        32632: 0x82,
        32636: 0xffff,
        32656: 0x9b,
        32660: 0xffff,
        32664: 0xf0000,
        32712: 0x400,
        32716: 0xffff_0ff0,
        32764: 0x6000_0010,
      }),
    );
    expect(state).toMatchObject({
      smbase: 0x30000,
      revision: 0x20000,
      ds: { attributes: 0x93, limit: 0xffff, base: 0n },
      tr: { attributes: 0x8b, limit: 0xffff },
      ldtr: { attributes: 0x82, limit: 0xffff },
      cs: { attributes: 0x9b, limit: 0xffff, base: 0xf0000n },
      dr7: 0x400n,
      dr6: 0xffff_0ff0n,
      cr0: 0x6000_0010n,
    });
  });

  it('decodes_the_64_bit_dump', () => {
    const bytes = area({
      32256: 0x0093_3800,
      32260: 0xffff,
      32264: 0x38000,
      32368: 0x0082_0000,
      32400: 0x008b_0000,
      32508: 0x20064,
      32512: 0x7ffc_1800,
    });
    expect(decodeSaveState(SAVE_STATE_AMD64, bytes)).toMatchObject({
      es: { selector: 0x3800, attributes: 0x93, limit: 0xffff, base: 0x38000n },
      tr: { attributes: 0x8b },
      ldtr: { attributes: 0x82 },
      revision: 0x20064,
      smbase: 0x7ffc_1800,
    });
  });
});

describe('attribute forms', () => {
  const flat32 = { selector: 8, attributes: 0xc09b, limit: 0xffff_ffff, base: 0n };
  it.each([
    { layout: SAVE_STATE_LEGACY32_QEMU, stored: 0xc09b },
    { layout: SAVE_STATE_LEGACY32_KVM, stored: 0xc0_9b00 },
  ])('$layout.name stores a flat code segment as its accelerator does', ({ layout, stored }) => {
    const bytes = new Uint8Array(0x200);
    const state = { ...decodeSaveState(layout, bytes), cs: flat32 };
    encodeSaveState(layout, state, bytes);
    expect(new DataView(bytes.buffer).getUint32(0x7f90 - 0x7e00, true)).toBe(stored);
    expect(decodeSaveState(layout, bytes).cs).toEqual(flat32);
  });

  it('reading_one_form_as_the_other_spoils_the_segment', () => {
    const bytes = new Uint8Array(0x200);
    encodeSaveState(
      SAVE_STATE_LEGACY32_QEMU,
      { ...decodeSaveState(SAVE_STATE_LEGACY32_QEMU, bytes), cs: flat32 },
      bytes,
    );
    expect(decodeSaveState(SAVE_STATE_LEGACY32_KVM, bytes).cs.attributes).not.toBe(0xc09b);
  });
});

describe('host mistakes', () => {
  const codec = new SaveStateCodec(SAVE_STATE_AMD64);
  it('refuses_areas_of_the_wrong_size_and_maps_that_are_not_published', () => {
    expect(codec.revision).toBe(0x20064);
    expect(() => codec.restore(new Uint8Array(0x400), new Uint32Array(SAVE_STATE_WORDS))).toThrowError(
      expect.objectContaining({ code: 'SAVE_STATE_SIZE' }),
    );
    expect(() => new SaveStateCodec(SAVE_STATE_INTEL64)).toThrowError(
      expect.objectContaining({ code: 'SAVE_STATE_LAYOUT' }),
    );
  });

  it('reads_single_values_of_a_map_without_codec_joining_split_ones', () => {
    const bytes = new Uint8Array(0x400);
    const view = new DataView(bytes.buffer);
    view.setUint32(0x7dd0 - 0x7c00, 0x1234, true);
    view.setUint32(0x7e8c - 0x7c00, 0x5678_9abc, true);
    view.setBigUint64(0x7f5c - 0x7c00, 0xfeed_face_cafe_beefn, true);
    expect(readSaveStateField(SAVE_STATE_INTEL64, bytes, 'gdtr.base')).toBe(0x1234_5678_9abcn);
    expect(readSaveStateField(SAVE_STATE_INTEL64, bytes, 'rax')).toBe(0xfeed_face_cafe_beefn);
    expect(readSaveStateField(SAVE_STATE_INTEL64, bytes, 'cs.limit')).toBeUndefined();
    expect(SAVE_STATE_GPRS).toHaveLength(16);
  });
});

describe('an area full of ones', () => {
  it.each(Object.values(SAVE_STATE_LAYOUTS).filter(({ complete }) => complete))(
    'gives what there is of $name',
    (layout) => {
      const words = new Uint32Array(SAVE_STATE_WORDS);
      new SaveStateCodec(layout).restore(new Uint8Array(0x8000 - layout.areaOffset).fill(0xff), words);
      for (const { name } of layout.fields) {
        const word = words[saveStateWord(name).index]!;
        if (name.endsWith('.selector')) expect([name, word]).toEqual([name, 0xffff]);
        if (name.endsWith('.attributes')) expect([name, word]).toEqual([name, 0xf0ff]);
        if (name === 'autoHaltRestart') expect(word).toBe(1);
      }
    },
  );
});
