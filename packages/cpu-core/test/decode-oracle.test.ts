/** The decoder against iced-x86: every opcode map by form, and random encodings. The full form runs all of them. */
import { describe, expect, it } from 'vitest';
import { FULL, seedOf } from '../../../tests/support/form.ts';
import { decode } from '../src/decode/decode.ts';
import { type CodeSize, Insn } from '../src/insn.ts';
import { OP } from '../src/ops.ts';
import { compareSlots, DIFFERENCES, newOutcome, type Outcome } from './decode-iced.ts';

const CODE_SIZES: readonly CodeSize[] = [16, 32, 64];

/** xorshift32: 32 random bits per call from a fixed seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const PREFIXES: readonly (readonly [name: string, bytes: readonly number[], longOnly: boolean])[] = [
  ['none', [], false],
  ['66', [0x66], false],
  ['F2', [0xf2], false],
  ['F3', [0xf3], false],
  ['67', [0x67], false],
  ['LOCK', [0xf0], false],
  ['66 F2', [0x66, 0xf2], false],
  ['66 F3', [0xf3, 0x66], false],
  ['REX', [0x40], true],
  ['REX.W', [0x48], true],
  ['REX.RXB', [0x47], true],
  ['66 REX.W', [0x66, 0x48], true],
  ['F3 REX.WRXB', [0xf3, 0x4f], true],
  ['LOCK REX.W', [0xf0, 0x48], true],
];
const MAPS: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];

function report(part: string, { compared, valid, different }: Outcome): void {
  console.log(
    `decode oracle, ${part}: ${compared} encodings, ${valid} valid, ${different} deliberate differences`,
  );
}

function expectNone(outcome: Outcome): void {
  expect(outcome.mismatches.slice(0, 40), `${outcome.mismatches.length} mismatches`).toEqual([]);
}

describe('decode against iced-x86', () => {
  it('agrees on every opcode and ModRM byte of every map, by prefix and mode', () => {
    const outcome = newOutcome();
    const next = random(seedOf(0x2015_1021));
    // A prime stride visits every opcode, ModRM byte and prefix in different company each time round.
    const stride = FULL ? 1 : 23;
    let turn = 0;
    for (const codeSize of CODE_SIZES) {
      for (const [, prefix, longOnly] of PREFIXES) {
        if (longOnly && codeSize !== 64) continue;
        const code = new Uint8Array(Math.ceil((MAPS.length * 65536) / stride) * 16 + 16);
        let used = 0;
        for (const map of MAPS) {
          const head = [...prefix, ...map];
          for (let pair = 0; pair < 65536; pair++) {
            if (turn++ % stride !== 0) continue;
            let at = used;
            used += 16;
            for (const byte of head) code[at++] = byte;
            code[at++] = pair >> 8;
            code[at++] = pair & 0xff;
            for (; at < used; at += 4) {
              const filler = next();
              code[at] = filler;
              code[at + 1] = filler >>> 8;
              code[at + 2] = filler >>> 16;
              code[at + 3] = filler >>> 24;
            }
          }
        }
        compareSlots(code.subarray(0, used), codeSize, outcome);
      }
    }
    report('by form', outcome);
    expectNone(outcome);
    expect(outcome.compared).toBeGreaterThan(FULL ? 7_000_000 : 300_000);
    expect(outcome.valid).toBeGreaterThan(outcome.compared / 4);
  });

  it('agrees on random encodings with random prefixes', () => {
    const outcome = newOutcome();
    const next = random(seedOf(0x0000_a000));
    const prefixes = [
      0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x40, 0x41, 0x44, 0x48, 0x4f,
    ];
    const batch = 1 << 14;
    for (let round = 0; round < (FULL ? 60 : 3); round++) {
      for (const codeSize of CODE_SIZES) {
        const code = new Uint8Array(batch * 16);
        for (let at = 0; at < code.length; at++) code[at] = next() >>> 11;
        for (let at = 0; at < code.length; at += 16) {
          const shape = next();
          let put = at;
          // One in sixteen comes near or over the limit of 15 bytes.
          const prefixCount = ((shape >>> 4) % 5) + (shape >>> 28 === 0 ? 8 : 0);
          for (let count = prefixCount; count > 0; count--) code[put++] = prefixes[next() % prefixes.length];
          if (shape % 3 === 0) code[put++] = 0x0f;
          if (shape % 12 === 0) code[put++] = shape & 64 ? 0x38 : 0x3a;
        }
        compareSlots(code, codeSize, outcome);
      }
    }
    report('random', outcome);
    expectNone(outcome);
    expect(outcome.valid).toBeGreaterThan(outcome.compared / 4);
  });

  it('agrees on the length of whatever follows VEX, EVEX and XOP prefixes', () => {
    const outcome = newOutcome();
    const next = random(0x00c4_c562);
    // Payload per prefix byte for encoding map `map`: W, vvvv, L, pp and the mask vary, the R, X and B bits stay
    // inverted ones outside 64-bit mode, where they tell the prefix from LES, LDS and BOUND.
    const payloads: readonly (readonly [first: number, maps: readonly number[]])[] = [
      [0xc5, [1]],
      [0xc4, [1, 2, 3]],
      [0x62, [1, 2, 3, 5, 6]],
      [0x8f, [8, 9, 10]],
    ];
    const repeats = FULL ? 64 : 8;
    for (const codeSize of CODE_SIZES) {
      for (const [first, maps] of payloads) {
        const code = new Uint8Array(maps.length * 256 * repeats * 16);
        let at = 0;
        for (const map of maps) {
          for (let pair = 0; pair < 256 * repeats; pair++, at += 16) {
            for (let n = 0; n < 16; n++) code[at + n] = next() >>> 11;
            const inverted = codeSize === 64 ? next() & 0xe0 : 0xe0;
            const plain = next() & 1 ? 0x78 : 0; // most instructions want vvvv unused, which is all ones
            code[at] = first;
            let put = at + 1;
            if (first === 0xc5)
              code[put++] = (inverted & 0x80) | (codeSize === 64 ? plain : 0x78) | (next() & 7);
            else {
              code[put++] = inverted | (first === 0x62 ? 0x10 : 0) | map;
              code[put++] = (next() & 0x83) | plain | (first === 0x62 ? 4 : next() & 4);
              if (first === 0x62) code[put++] = 8 | (next() & 0x67);
            }
            code[put] = pair;
          }
        }
        compareSlots(code, codeSize, outcome);
      }
    }
    report('VEX, EVEX and XOP', outcome);
    expectNone(outcome);
    // Few payloads make an instruction: opcode, pp, W and L must all fit.
    expect(outcome.valid).toBeGreaterThan(repeats * 400);
  });

  it('has no stale row in the table of deliberate differences', () => {
    expect(
      DIFFERENCES.filter((difference) => difference.hits === 0).map((difference) => difference.id),
    ).toEqual([]);
  });

  it('asks for more bytes exactly while the instruction is incomplete', () => {
    const next = random(0x3000);
    const whole = new Insn();
    const part = new Insn();
    const code = new Uint8Array(15);
    let checked = 0;
    for (let round = 0; round < 20_000; round++) {
      for (let n = 0; n < 15; n++) code[n] = next() >>> 9;
      const codeSize = CODE_SIZES[round % 3];
      const length = decode(code, 0, 15, codeSize, whole);
      if (whole.op === OP.INVALID) continue;
      checked++;
      for (let available = 0; available < length; available++) {
        if (decode(code, 0, available, codeSize, part) !== 0)
          throw new Error(`${Buffer.from(code).toString('hex')} at ${available}`);
      }
      expect(decode(code, 0, length, codeSize, part)).toBe(length);
      expect(part.op).toBe(whole.op);
    }
    expect(checked).toBeGreaterThan(10_000);
  });
});
