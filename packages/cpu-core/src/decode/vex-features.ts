/**
 * Which CPUID feature brings an instruction behind a VEX, EVEX or XOP prefix. Intel SDM Vol. 2, the instructions'
 * pages; AMD64 APM Vol. 6 for XOP, FMA4, TBM and LWP. All EVEX instructions count as AVX-512 Foundation's.
 */

/** `wide`: the feature of the forms with VEX.L; `register`: that of register forms, of either width. */
type Row = readonly [
  map: number,
  opcodes: string,
  prefixes: string,
  feature: string,
  wide?: string,
  register?: string,
];

const ANY = 'np 66 F3 F2';
const AES = 'aes+avx';
const GFNI = 'gfni+avx';

const ROWS: readonly Row[] = [
  [1, '10-17 28-2F 50-5F 77 7C-7D AE C2 C6 D0 E6 F0', ANY, 'avx'],
  [1, '41-4B 90-99', ANY, 'avx512f'],
  [1, '60-6D 70-76 D1-D5 D7-E5 E8-EF F1-F6 F8-FE', ANY, 'avx', 'avx2'],
  [1, '6E 6F 7E 7F C4 C5 D6 E7 F7', ANY, 'avx'],
  [2, '00-0B 1C-1E 20-25 28-2B 30-35 37-40', '66', 'avx', 'avx2'],
  [2, '0C-0F 17 1A 2C-2F 41', '66', 'avx'],
  [2, '18 19', '66', 'avx', 'avx', 'avx2'],
  [2, '13', '66', 'f16c'],
  [2, '16 36 45-47 58-5A 78 79 8C 8E 90-93', '66', 'avx2'],
  [2, '96-9F A6-AF B6-BF', '66', 'fma'],
  [2, 'CF', '66', GFNI],
  [2, 'DB', '66', AES],
  [2, 'DC-DF', '66', AES, 'vaes'],
  [2, 'F2 F3', 'np', 'bmi1'],
  [2, 'F5', 'np F3 F2', 'bmi2'],
  [2, 'F6', 'F2', 'bmi2'],
  [2, 'F7', 'np', 'bmi1'],
  [2, 'F7', '66 F3 F2', 'bmi2'],
  [3, '00-02 38 39 46', '66', 'avx2'],
  [3, '04-06 08-0D 14-19 20-22 40 41 4A 4B 60-63', '66', 'avx'],
  [3, '0E 0F 42 4C', '66', 'avx', 'avx2'],
  [3, '1D', '66', 'f16c'],
  [3, '30-33', '66', 'avx512f'],
  [3, '44', '66', 'pclmulqdq+avx', 'vpclmulqdq'],
  [3, '48 49', '66', 'xop'],
  [3, '5C-5F 68-6F 78-7F', '66', 'fma4'],
  [3, 'CE CF', '66', GFNI],
  [3, 'DF', '66', AES],
  [3, 'F0', 'F2', 'bmi2'],
  [8, '80-FF', 'np', 'xop'],
  [9, '01 02', 'np', 'tbm'],
  [9, '12', 'np', 'lwp'],
  [9, '80-FF', 'np', 'xop'],
  [10, '10', 'np', 'tbm'],
  [10, '12', 'np', 'lwp'],
];

const EVEX = 'avx512f';
const NONE = 'never';

/** All features named here: they are the first of `ENCODING_FEATURES` after the empty one, in this order. */
export const VEX_FEATURES: readonly string[] = [
  ...new Set([NONE, EVEX, ...ROWS.flatMap(([, , , ...features]) => features.filter((f) => f !== undefined))]),
];

const index = (feature: string): number => 1 + VEX_FEATURES.indexOf(feature);

const WIDE = 1 << 13;
const REGISTER = 1 << 14;
/** Feature index by encoding map, two-bit prefix and opcode; {@link WIDE} vectors, {@link REGISTER} forms. */
const TABLE = (() => {
  const table = new Uint8Array(1 << 15).fill(index(NONE));
  for (const [map, opcodes, prefixes, feature, wide = feature, register] of ROWS) {
    for (const prefix of prefixes.split(' ')) {
      for (const range of opcodes.split(' ')) {
        const [first, last = first] = range.split('-').map((text) => Number.parseInt(text, 16));
        for (let opcode = first!; opcode <= last!; opcode++) {
          const at = place(map, ['np', '66', 'F3', 'F2'].indexOf(prefix), opcode);
          table[at] = index(feature);
          table[at | WIDE] = index(wide);
          table[at | REGISTER] = index(register ?? feature);
          table[at | WIDE | REGISTER] = index(register ?? wide);
        }
      }
    }
  }
  return table;
})();

/** VEX maps are 1 to 3, XOP maps 8 to 10. */
function place(map: number, prefix: number, opcode: number): number {
  return ((map > 7 ? map - 4 : map) << 10) | (prefix << 8) | opcode;
}

/**
 * Index into `ENCODING_FEATURES` of what an instruction needs.
 *
 * @param first First prefix byte: C4, C5 (VEX), 62 (EVEX) or 8F (XOP).
 * @param p0 First payload byte.
 * @param p1 Second payload byte, if there is one.
 * @param opcode The opcode byte after the payload.
 * @param modRm The ModRM byte, 0 if there is none.
 */
export function vexFeature(first: number, p0: number, p1: number, opcode: number, modRm: number): number {
  if (first === 0x62) return index(EVEX);
  const last = first === 0xc5 ? p0 : p1;
  const map = first === 0xc5 ? 1 : p0 & 0x1f;
  const form = (last & 4 ? WIDE : 0) | (modRm >= 0xc0 ? REGISTER : 0);
  return TABLE[place(map, last & 3, opcode) | form]!;
}
