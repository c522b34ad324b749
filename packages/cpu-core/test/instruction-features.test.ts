/** Which CPUID feature brings which encoding: iced-x86 is asked about every one, and every CPU model is held to it. */
import { createRequire } from 'node:module';
import { UnmodelledError } from '@smm/x86-defs';
import type * as Iced from 'iced-x86';
import { describe, expect, test } from 'vitest';
import { decode, ENCODING_FEATURES } from '../src/decode/decode.ts';
import { type CodeSize, Insn } from '../src/insn.ts';
import { OP, OP_NAMES } from '../src/ops.ts';
import { availability } from '../src/system/availability.ts';
import { FEATURES } from '../src/system/features.ts';
import { CPU_MODELS, cpuModel } from '../src/system/models.ts';
import { FlatMachine } from './support/flat-machine.ts';

const iced = createRequire(import.meta.url)('iced-x86') as typeof Iced;
const ICED_NAMES = new Map(Object.entries(iced.CpuidFeature).map(([name, value]) => [value as number, name]));
const ICED_MNEMONICS = new Map(Object.entries(iced.Mnemonic).map(([name, value]) => [value as number, name]));

/** Our names of what iced calls otherwise than by QEMU's name in capitals. */
const OURS: Readonly<Record<string, string>> = {
  LZCNT: 'abm',
  CLFSH: 'clflush',
  CMPXCHG16B: 'cx16',
  D3NOW: '3dnow',
  HLE_or_RTM: 'rtm|hle',
  SHA: 'sha-ni',
  SGX1: 'sgx',
  SSE3: 'pni',
  SSE4_1: 'sse4.1',
  SSE4_2: 'sse4.2',
  TSXLDTRK: 'tsx-ldtrk',
  AVX512BW: 'avx512f',
  AVX512DQ: 'avx512f',
  AVX512F: 'avx512f',
};
/** NOPs before they became something, and PREFETCH, which does nothing everywhere. */
const HINTS = 'MULTIBYTENOP CET_IBT CET_SS CLDEMOTE PREFETCHITI PREFETCHW PREFETCHWT1'.split(' ');
/**
 * What needs no CPUID bit, or (x87) is checked behind CR0's. VMCALL is #UD outside VMX operation whatever CPUID says.
 */
const EVERYWHERE = new Set('CPUID FPU FPU287 FPU387 PAUSE RDPMC SMM X64 INVEPT INVVPID WBNOINVD'.split(' '));

/** One iced feature in our words; undefined if it is nothing. */
function ours(name: string): string | undefined {
  if (EVERYWHERE.has(name) || name.startsWith('INTEL')) return undefined;
  const known = OURS[name] ?? name.toLowerCase().replaceAll('_', '-');
  return known.split('|').every((feature) => FEATURES.has(feature)) ? known : 'never';
}

/** Where we differ from iced on purpose, by mnemonic. */
const DIFFERENT: Readonly<Record<string, string>> = {
  Vmcall: '',
  Swapgs: 'lm',
  Lahf: 'lahf-lm',
  Sahf: 'lahf-lm',
  // Intel SDM Vol. 2, "PADDQ": the MMX form came with SSE2, as PSUBQ's did.
  Paddq: 'sse2',
  // AMD's extended MMX had them before SSE.
  ...Object.fromEntries(
    'Pshufw Pinsrw Pminub Pmaxub Pavgb Pavgw Pmulhuw Movntq Pminsw Pmaxsw Psadbw Sfence Pextrw Pmovmskb Maskmovq'
      .split(' ')
      .map((name) => [name, 'sse|mmxext']),
  ),
};

/** What stops the default model. */
const NOT_MODELLED = new Set('F2xm1 Fyl2x Fptan Fpatan Fyl2xp1 Fsincos Fsin Fcos Fstpnce'.split(' '));

interface Sample {
  readonly code: Uint8Array;
  readonly codeSize: CodeSize;
  readonly mnemonic: string;
  /** What iced says, in our words. */
  readonly feature: string;
  /** What our encoding says. */
  readonly said: string;
  readonly op: number;
}

const padded = (code: readonly number[]): Uint8Array =>
  Uint8Array.from({ length: 15 }, (_, n) => code[n] ?? 0);

/** Codes of all opcode maps, legacy and vector. */
function* codes(): Generator<[CodeSize, Uint8Array]> {
  const prefixes = [[], [0x66], [0xf2], [0xf3], [0x48]];
  for (const codeSize of [32, 64] as const) {
    for (const prefix of prefixes) {
      if (prefix[0] === 0x48 && codeSize !== 64) continue;
      for (const map of [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]])
        for (let opcode = 0; opcode < 256; opcode++)
          for (let modRm = 0; modRm < 256; modRm += modRm < 0xc0 ? 8 : 1)
            yield [codeSize, padded([...prefix, ...map, opcode, modRm])];
    }
    for (const [first, maps] of [
      [0xc4, [1, 2, 3]],
      [0x8f, [8, 9, 10]],
    ] as const)
      for (const map of maps)
        for (const last of [0x78, 0x7c, 0xf8, 0xfc, 0x70, 0x74].flatMap((byte) =>
          [0, 1, 2, 3].map((pp) => byte | pp),
        ))
          for (let opcode = 0; opcode < 256; opcode++)
            for (let modRm = 1; modRm < 256; modRm += 8)
              yield [codeSize, padded([first, 0xe0 | map, last, opcode, modRm, 0x20])];
  }
}

/** One of each mnemonic by what both sides say of it. */
function samples(): Sample[] {
  const found = new Map<string, Sample>();
  const insn = new Insn();
  const theirs = new iced.Instruction();
  for (const [codeSize, code] of codes()) {
    const decoder = new iced.Decoder(codeSize, code, iced.DecoderOptions.None);
    decoder.decodeOut(theirs);
    decoder.free();
    if (theirs.code === 0) continue;
    decode(code, 0, code.length, codeSize, insn);
    if (insn.op === OP.INVALID) continue;
    const mnemonic = ICED_MNEMONICS.get(theirs.mnemonic) ?? '?';
    const names = [...theirs.cpuidFeatures()].map((name) => ICED_NAMES.get(name) ?? '?');
    const hint = OP_NAMES[insn.op] === 'NOP' || OP_NAMES[insn.op] === 'PREFETCH';
    const needed = [...new Set(names.map(ours).filter((feature) => feature !== undefined))];
    let feature = needed.includes('never') ? 'never' : needed.sort().join('+');
    if (hint) feature = names.some((name) => HINTS.includes(name) || name === 'SSE') ? 'family6' : '';
    const mmx = names.includes('MMX') || names.includes('SSE');
    const special = DIFFERENT[mnemonic];
    if (
      special !== undefined &&
      (special !== 'lahf-lm' || codeSize === 64) &&
      (mmx || !/^[PM]/.test(mnemonic))
    )
      feature = special;
    const said = ENCODING_FEATURES[insn.feature]!.split('+').sort().join('+');
    const key = `${mnemonic} ${said} ${feature} ${OP_NAMES[insn.op]}`;
    if (!found.has(key)) found.set(key, { code, codeSize, mnemonic, feature, said, op: insn.op });
  }
  theirs.free();
  return [...found.values()];
}

describe('features of encodings', () => {
  const all = samples();

  test('are those that iced-x86 gives, instruction by instruction', () => {
    const wrong = all.filter(({ feature, said }) => feature !== said);
    expect(
      wrong.map(({ mnemonic, feature, said, code }) => {
        return `${mnemonic} ${Buffer.from(code.subarray(0, 8)).toString('hex')}: ours ${said}, iced ${feature}`;
      }),
    ).toEqual([]);
    expect(new Set(all.map(({ mnemonic }) => mnemonic)).size).toBeGreaterThan(1_000);
    expect(ENCODING_FEATURES.filter((text) => !all.some(({ said }) => said === sorted(text)))).toEqual([]);
  });

  test.each(CPU_MODELS)(
    '%s: absent instructions raise #UD, those it reports and we lack are loud',
    (name) => {
      const model = cpuModel(name);
      const available = availability(model);
      const has = (feature: string): boolean =>
        feature === '' ||
        feature
          .split('|')
          .some((choice) =>
            choice
              .split('+')
              .every((one) => (one === 'family6' ? model.family >= 6 : model.features.has(one))),
          );
      const machines = new Map<CodeSize, FlatMachine>();
      const insn = new Insn();
      const loud: string[] = [];
      for (const { code, codeSize, mnemonic, feature, op } of all) {
        if (codeSize === 64 && !model.features.has('lm')) continue;
        const rest = OP_NAMES[op]!.endsWith('_UNMODELLED');
        if (has(feature) && !rest) continue;
        decode(code, 0, code.length, codeSize, insn, available);
        const other = mnemonic === 'Lzcnt' ? OP.BSR : mnemonic === 'Tzcnt' ? OP.BSF : OP.INVALID;
        expect(insn.op, mnemonic).toBe(has(feature) ? op : other);
        if (other !== OP.INVALID) continue;
        let m = machines.get(codeSize);
        if (!m) {
          m = new FlatMachine({ tier: 'evaluator', model });
          machines.set(codeSize, m);
        }
        let vector = -1;
        m.onFault = (number) => {
          if (vector < 0) vector = number;
        };
        m.load(0x2000, code);
        m.start(codeSize, 0x2000);
        m.cpu.state.cr4 |= 0x200;
        m.cpu.modeChanged();
        const run = (): unknown => m.cpu.run(1);
        if (has(feature)) {
          loud.push(mnemonic);
          expect(run, mnemonic).toThrow(UnmodelledError);
        } else {
          run();
          expect(vector, `${mnemonic} without ${feature}`).toBe(6);
        }
      }
      expect(loud.length > 0).toBe(model.features.has('fpu'));
      if (name === 'qemu64') expect(new Set(loud)).toEqual(NOT_MODELLED);
    },
  );
});

function sorted(text: string): string {
  return text.split('+').sort().join('+');
}
