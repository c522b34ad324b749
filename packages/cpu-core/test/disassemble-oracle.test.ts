/** Text of instructions against iced-x86's NASM formatter, for random encodings of all maps in all code sizes. */
import { createRequire } from 'node:module';
import type * as Iced from 'iced-x86';
import { describe, expect, test } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import { disassembleOne } from '../src/disassemble.ts';
import type { CodeSize } from '../src/insn.ts';
import { Random } from './support/random.ts';

const iced = createRequire(import.meta.url)('iced-x86') as typeof Iced;
const RIP = 0x1234_5000;

function formatter(): Iced.Formatter {
  const made = new iced.Formatter(iced.FormatterSyntax.Nasm);
  made.hexPrefix = '0x';
  made.hexSuffix = '';
  made.uppercaseHex = false;
  made.smallHexNumbersInDecimal = false;
  made.memorySizeOptions = iced.MemorySizeOptions.Always;
  made.showBranchSize = false;
  made.addLeadingZeroToHexNumbers = false;
  made.signedImmediateOperands = false;
  made.branchLeadingZeros = false;
  made.leadingZeros = false;
  made.usePseudoOps = false;
  return made;
}

/** Bytes that start with a few prefixes and an opcode of any map. */
function encoding(random: Random, code: Uint8Array): void {
  for (let i = 0; i < code.length; i++) code[i] = random.below(256);
  const prefixes = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x41, 0x44, 0x48, 0x4f];
  let at = 0;
  for (let n = random.below(4); n > 1; n--) code[at++] = prefixes[random.below(prefixes.length)]!;
  if (random.below(3) === 0) code[at++] = 0x0f;
}

/**
 * What the two may say differently: hints that mean nothing to the processors here (BND, NOTRACK, branch hints,
 * XACQUIRE), NOPs of newer processors, names for one and the same, x87 operands that NASM may leave out, prefixes that
 * change nothing, the width of a register of which fewer bits count, and of an absolute address.
 */
function alike(text: string): string {
  const plain = text
    .replaceAll(/\b(bnd|notrack|xacquire|xrelease) /g, '')
    .replaceAll(/^(o16 |o32 |[a-z]s )+(?=j|loop|call)/g, '')
    .replaceAll(/\[(word|dword|qword) /g, '[')
    .replaceAll('*1', '')
    .replace(/^rep ret/, 'ret')
    .replace(/^(aa[dm]) 0xa$/, '$1')
    .replace(/^(o16|o32) (?=push 0x)|^a32 (?=mov )/, '')
    .replace(/^sal /, 'shl ')
    .replace(
      /^(nop|fneni|fndisi|fnsetpm|fnop|cldemote|rdssp[dq]|endbr\d\d|prefetchit\d|reservednop)\b.*|^xchg [er]?ax,[er]?ax$/,
      'nop',
    )
    .replace(/^imul (\w+),\1,/, 'imul $1,')
    .replace(/^(o16|o32|o64) (?=(lldt|ltr|verr|verw|lmsw|str|sldt|smsw|mov) )/, '')
    .replace(/^(prefetch\w*) byte /, '$1 ');
  if (/^(lar|lsl|pinsrw|pextrw|pmovmskb|movmskp[sd]|lldt|ltr|verr|verw|lmsw|arpl) |^mov [c-gs]s,/.test(plain))
    return plain.replaceAll(/\b[er](ax|cx|dx|bx|sp|bp|si|di)\b/g, '$1').replaceAll(/\b(r\d+)[wd]\b/g, '$1');
  if (/^f[a-z0-9]+ .*\bst\d/.test(plain))
    return plain.replace(/\bto /, '').replace(/ st0,/, ' ').replace(/,st0$/, '').replace(/ st1$/, '');
  const exchanged = /^(lock )?xchg ([^,]+),([^,]+)$/.exec(plain);
  return exchanged === null
    ? plain
    : `${exchanged[1] ?? ''}xchg ${[exchanged[2], exchanged[3]].sort().join()}`;
}

describe.each([16, 32, 64] as const)('%i-bit code', (codeSize: CodeSize) => {
  test('reads as in iced-x86', () => {
    const random = new Random(seedOf(codeSize));
    const made = formatter();
    const code = new Uint8Array(15);
    const different = new Map<string, string>();
    let compared = 0;
    const rip = codeSize === 16 ? 0x5000 : RIP;
    for (let n = 0; n < sized(40_000, 1_000_000); n++) {
      encoding(random, code);
      const ours = disassembleOne(code, { codeSize, rip })!;
      if (ours.text.startsWith('db ')) continue;
      const decoder = new iced.Decoder(codeSize, code, iced.DecoderOptions.None);
      decoder.ip = BigInt(rip);
      const theirs = decoder.decode();
      const text = made.format(theirs);
      compared++;
      if (alike(ours.text) !== alike(text)) {
        const key = `${ours.text.split(' ')[0]} / ${text.split(' ')[0]}`;
        if (!different.has(key))
          different.set(
            key,
            `${Buffer.from(code.subarray(0, ours.length)).toString('hex')}: ${ours.text} | ${text}`,
          );
      }
      theirs.free();
      decoder.free();
    }
    expect([...different.values()]).toEqual([]);
    expect(compared).toBeGreaterThan(sized(20_000, 500_000));
  });
});
