import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkTiles } from '../src/index.ts';

const plan = (base: number, tile: number, n: number) => Array.from({ length: n }, (_, i) => base + i * tile);
const PSD = { dataBelowMapBytes: 0x100 };

describe('checkTiles', () => {
  it('accepts_the_2015_mail_and_edk2_plans_up_to_255_processors', () => {
    expect(checkTiles([0x7ffc_1000, 0x7ffc_1800], 0x800, PSD)).toEqual([]);
    expect(checkTiles(plan(0x7fe0_0000, 0x800, 255), 0x800, PSD)).toEqual([]);
    expect(checkTiles(plan(0x7f00_0000, 0x8000, 8), 0x8000, { ...PSD, alignment: 0x8000 })).toEqual([]);
  });

  it('finds_the_handler_limit_that_only_shows_from_16_processors_on', () => {
    const handler = { ...PSD, handlerSizeBytes: 0x301 };
    expect(checkTiles(plan(0x7ffc_1000, 0x800, 15), 0x800, handler)).toEqual([]);
    expect(checkTiles(plan(0x7ffc_1000, 0x800, 16), 0x800, handler)).toEqual([
      {
        kind: 'overlap',
        index: 0,
        other: 15,
        message:
          "CPU 0's save-state map 0x7ffd0b00..0x7ffd0fff overlaps CPU 15's SMI entry code 0x7ffd0800..0x7ffd0b00",
      },
    ]);
  });

  it('names_duplicates_misalignment_and_leaving_smram', () => {
    const problems = checkTiles([0x7ffc_1000, 0x7ffc_1000, 0x7ffc_1004], 0x800, {
      alignment: 0x8000,
      smram: { start: 0x7f80_0000, sizeBytes: 0x7d_1000 },
    });
    const kinds = problems.map((p) => `${p.kind} ${p.index}${p.other === undefined ? '' : ` ${p.other}`}`);
    expect(kinds).toContain('duplicate 0 1');
    expect(kinds.filter((k) => k.startsWith('misaligned'))).toHaveLength(3);
    expect(kinds).toContain('overlap 0 2');
    expect(kinds).toContain('outside-smram 2');
    expect(kinds).not.toContain('outside-smram 0');
  });

  it('lets_a_tile_end_with_smram_and_no_byte_later', () => {
    const kinds = (sizeBytes: number) =>
      checkTiles([0x7f80_0000], 0x800, { smram: { start: 0x7f80_0000, sizeBytes } }).map((p) => p.kind);
    expect([kinds(0x1_0000), kinds(0xffff)]).toEqual([[], ['outside-smram']]);
  });

  it('agrees_with_counting_bytes_for_random_smbases', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 0x60 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 0x500 }),
        (units, handlerSizeBytes) => {
          const smbases = units.map((u) => 0x10_0000 + u * 0x200);
          const owner = new Map<number, number>();
          const colliding = new Set<string>();
          const claim = (index: number, first: number, size: number) => {
            for (let at = first; at < first + size; at++) {
              const other = owner.get(at);
              if (other !== undefined && other !== index) {
                colliding.add([other, index].sort((a, b) => a - b).join(' '));
              }
              owner.set(at, index);
            }
          };
          smbases.forEach((smbase, i) => {
            claim(i, smbase + 0x8000, handlerSizeBytes);
            claim(i, smbase + 0xfc00, 0x400);
          });
          const found = checkTiles(smbases, 0x200, { handlerSizeBytes });
          expect(found.length > 0).toBe(colliding.size > 0);
          for (const pair of colliding) {
            expect(found.map((p) => `${p.index} ${p.other}`)).toContain(pair);
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
