/** CPUID of QEMU's models in many topologies, each leaf as real QEMU answers it on its first processor. */
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { qemuOutput } from '../../../tests/support/qemu.ts';
import { type CpuidContext, cpuid } from '../src/system/cpuid.ts';
import { type FeatureWord, featureWord } from '../src/system/features.ts';
import { CPU_MODELS, type CpuModel, cpuModel } from '../src/system/models.ts';
import { assembleRom, QEMU_MISSING } from './support/rom-machine.ts';

type Leaf = readonly [leaf: number, subleaf: number];

const subleaves = (leaf: number, count: number): Leaf[] => Array.from({ length: count }, (_, i) => [leaf, i]);
const LEAVES: readonly Leaf[] = [
  ...[0, 1, 2, 5, 6, 7, 0xa, 0x40000000, 0x80000000, 0x80000001, 0x80000002, 0x80000003, 0x80000004].map(
    (leaf): Leaf => [leaf, 0],
  ),
  ...[0x80000005, 0x80000006, 0x80000007, 0x80000008, 0x8000000a].map((leaf): Leaf => [leaf, 0]),
  ...subleaves(4, 5),
  ...subleaves(0xb, 3),
  ...subleaves(0x1f, 4),
];

/** The ROM with the list of leaves in its table. */
function romOf(leaves: readonly Leaf[]): Uint8Array {
  const rom = assembleRom('cpuid').slice();
  const view = new DataView(rom.buffer, rom.byteOffset);
  for (const [i, [leaf, subleaf]] of leaves.entries()) {
    view.setUint32(0x1000 + 8 * i, leaf, true);
    view.setUint32(0x1004 + 8 * i, subleaf, true);
  }
  return rom;
}

const TABLE_LEAF = ([leaf, subleaf]: Leaf): string => `${leaf.toString(16)}.${subleaf}`;

/** Registers by leaf, as QEMU answers. */
function askQemu(cpu: string, smp: string): Map<string, number[]> {
  const bytes = qemuOutput({
    rom: romOf(LEAVES),
    machine: 'q35',
    args: ['-cpu', cpu, '-smp', smp, '-m', '32'],
  });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return new Map(
    LEAVES.map((leaf, i) => [
      TABLE_LEAF(leaf),
      [0, 4, 8, 12].map((offset) => view.getUint32(16 * i + offset, true)),
    ]),
  );
}

/** Where feature words stand. */
const WORDS: readonly (readonly [leaf: string, register: number, word: FeatureWord])[] = [
  ['1.0', 2, '1.ecx'],
  ['1.0', 3, '1.edx'],
  ['6.0', 0, '6.eax'],
  ['7.0', 1, '7.ebx'],
  ['7.0', 2, '7.ecx'],
  ['7.0', 3, '7.edx'],
  ['80000001.0', 2, '80000001.ecx'],
  ['80000001.0', 3, '80000001.edx'],
  ['80000007.0', 3, '80000007.edx'],
  ['80000008.0', 1, '80000008.ebx'],
  ['8000000a.0', 3, '8000000a.edx'],
];

/** Takes out of QEMU's answer the features that a model here lacks and says so, and what is there for them alone. */
function withoutLacking(answers: Map<string, number[]>, { lacking, level, physBits }: CpuModel): void {
  for (const [leaf, register, word] of WORDS) {
    const registers = answers.get(leaf)!;
    registers[register] = (registers[register]! & ~featureWord(word, (name) => lacking.includes(name))) >>> 0;
  }
  if (lacking.includes('svm')) answers.set('8000000a.0', [0, 0, 0, 0]);
  if (lacking.includes('la57')) answers.get('80000008.0')![0] = physBits | (48 << 8);
  // Features of leaf 7.1 are not in the models here.
  if (level >= 7) answers.get('7.0')![0] = 0;
}

function hex(registers: readonly number[]): string {
  return registers.map((register) => (register >>> 0).toString(16)).join(' ');
}

interface Place {
  readonly sockets?: number;
  readonly dies?: number;
  readonly cores?: number;
  readonly threads?: number;
}

function compare(name: string, { sockets = 1, dies = 1, cores = 1, threads = 1 }: Place): void {
  const model = cpuModel(name);
  const smp = `${sockets * dies * cores * threads},sockets=${sockets},dies=${dies},cores=${cores},threads=${threads}`;
  const theirs = askQemu(name, smp);
  withoutLacking(theirs, model);
  const context: CpuidContext = {
    topology: {
      apicId: 0,
      logicalProcessors: dies * cores * threads,
      threadsPerCore: threads,
      diesPerPackage: dies,
    },
    osxsave: false,
    apicEnabled: true,
  };
  // Beyond its range a processor answers as for the highest leaf, which with XSAVE tells of it.
  const highest = cpuid(model, 0, 0, context)[0];
  const isBeyond = (leaf: number): boolean => leaf > (leaf >= 0x80000000 ? model.xlevel : highest);
  const isTold = ([leaf]: Leaf): boolean =>
    leaf === 0x40000000 || !(model.lacking.includes('xsave') && isBeyond(leaf));
  const [ours, expected]: [Record<string, string>, Record<string, string>] = [{}, {}];
  for (const leaf of LEAVES.filter(isTold)) {
    ours[TABLE_LEAF(leaf)] = hex(cpuid(model, leaf[0], leaf[1], context));
    expected[TABLE_LEAF(leaf)] = hex(theirs.get(TABLE_LEAF(leaf))!);
  }
  expect(ours).toEqual(expected);
}

const PLACES: readonly Place[] = [
  { cores: 4 },
  { threads: 2 },
  { sockets: 2, cores: 2, threads: 2 },
  { cores: 3, threads: 2 },
  { cores: 5, threads: 3 },
  { dies: 2, cores: 2, threads: 2 },
  { sockets: 2, dies: 2, cores: 3 },
];

describe.skipIf(QEMU_MISSING !== undefined)(`CPUID as real QEMU answers ${QEMU_MISSING ?? ''}`, () => {
  it.each(sized(PLACES.slice(2), PLACES))('Intel, %j', (place) => {
    compare('Nehalem', place);
  });

  it.each(sized(PLACES.slice(4, 6), PLACES))('AMD, %j', (place) => {
    // QEMU warns of threads on these, and answers.
    compare('qemu64', place);
  });

  // `max` is what this processor executes, not what QEMU's does.
  it.each(
    sized(
      ['Skylake-Client-noTSX-IBRS', 'EPYC-v3', 'Dhyana'],
      CPU_MODELS.filter((name) => name !== 'max'),
    ),
  )('%s alone', (name) => {
    compare(name, {});
  });
});
