/** CPUID. Intel SDM Vol. 2, "CPUID"; AMD APM Vol. 3, "Obtaining Processor Information"; values as QEMU 7.2 (TCG). */
import { CR4_OSXSAVE } from '@smm/x86-defs';
import type { Insn } from '../insn.ts';
import type { Processor } from '../processor.ts';
import { FEATURES, type FeatureWord, featureWord } from './features.ts';
import { type CpuModel, type CpuTopology, modelSignature } from './models.ts';
import type { CacheFamily } from './qemu-models.ts';

/** EAX, EBX, ECX, EDX. */
export type CpuidRegisters = readonly [eax: number, ebx: number, ecx: number, edx: number];

const ZERO: CpuidRegisters = [0, 0, 0, 0];

/** Bits of 1:EDX that AMD processors repeat in 80000001h:EDX. */
const AMD_ALIASES = 0x0183_f3ff;

function word(model: CpuModel, name: FeatureWord): number {
  return featureWord(name, (feature) => model.features.has(feature));
}

/** Four characters from `at` as a little-endian dword. */
function text4(text: string, at: number): number {
  let value = 0;
  for (let i = 3; i >= 0; i--) value = (value << 8) | (text.charCodeAt(at + i) || 0);
  return value >>> 0;
}

/** Bits needed to number `count` things. */
function idBits(count: number): number {
  return count <= 1 ? 0 : 32 - Math.clz32(count - 1);
}

/** What a leaf depends on besides the model. */
export interface CpuidContext {
  /** Where the processor sits. */
  topology: CpuTopology;
  /** CR4.OSXSAVE is set. */
  osxsave: boolean;
  /** The local APIC is enabled (1:EDX.APIC). */
  apicEnabled: boolean;
}

/** How tables of a firmware name a processor: EAX and EDX of leaf 1, whichever processor of how many it is. */
export function processorId(model: CpuModel): {
  /** Family, model, stepping. */
  readonly signature: number;
  /** Features of EDX. */
  readonly features: number;
} {
  return { signature: modelSignature(model), features: word(model, '1.edx') >>> 0 };
}

/** How many of each level there are, and the bits of the APIC id below the next. */
interface Levels {
  readonly threads: number;
  readonly cores: number;
  readonly dies: number;
  /** Logical processors of a die. */
  readonly perDie: number;
  readonly coreShift: number;
  readonly dieShift: number;
  readonly packageShift: number;
}

function levelsOf({ logicalProcessors, threadsPerCore = 1, diesPerPackage: dies = 1 }: CpuTopology): Levels {
  const perDie = Math.max(1, Math.floor(logicalProcessors / dies));
  const cores = Math.max(1, Math.floor(perDie / threadsPerCore));
  const coreShift = idBits(threadsPerCore);
  const dieShift = coreShift + idBits(cores);
  return {
    threads: threadsPerCore,
    cores,
    dies,
    perDie,
    coreShift,
    dieShift,
    packageShift: dieShift + idBits(dies),
  };
}

function leaf1(model: CpuModel, c: CpuidContext): CpuidRegisters {
  const { apicId } = c.topology;
  const { perDie } = levelsOf(c.topology);
  const threaded = perDie > 1;
  const ebx = ((apicId & 0xff) << 24) | (threaded ? (perDie & 0xff) << 16 : 0) | 0x800;
  const ecx = word(model, '1.ecx') | (c.osxsave ? 1 << 27 : 0);
  let edx = word(model, '1.edx') | (threaded ? 1 << 28 : 0);
  if (!c.apicEnabled) edx &= ~(1 << 9);
  return [modelSignature(model), ebx, ecx, edx];
}

/** What caches look like in CPUID. */
interface Caches {
  /** Leaf 2. */
  readonly descriptors: CpuidRegisters;
  /** Leaf 4, without who shares them: level-1 data and instructions, level 2, level 3. */
  readonly leaves: readonly [CpuidRegisters, CpuidRegisters, CpuidRegisters, CpuidRegisters];
  /** ECX and EDX of 80000005h, then of 80000006h. */
  readonly amd: readonly [l1d: number, l1i: number, l2: number, l3: number];
}

const EPYC: Caches = {
  descriptors: [1, 0, 0x4b, 0x2c_ff80],
  leaves: [
    [0x121, 0x1c0_003f, 0x3f, 1],
    [0x122, 0xc0_003f, 0xff, 1],
    [0x43, 0x1c0_003f, 0x3ff, 0],
    [0x163, 0x3c0_003f, 0x1fff, 6],
  ],
  amd: [0x2008_0140, 0x4004_0140, 0x200_6140, 0x40_8140],
};

/** QEMU, target/i386/cpu.c, measured. Leaf 4 of AMD's processors is not shown. */
const CACHES: Readonly<Record<CacheFamily, Caches>> = {
  QEMU: {
    descriptors: [1, 0, 0x4d, 0x2c_307d],
    leaves: [
      [0x121, 0x1c0_003f, 0x3f, 1],
      [0x122, 0x1c0_003f, 0x3f, 1],
      [0x143, 0x3c0_003f, 0xfff, 1],
      [0x163, 0x3c0_003f, 0x3fff, 6],
    ],
    amd: [0x4002_0140, 0x4002_0140, 0x200_8140, 0x80_8140],
  },
  EPYC,
  'EPYC-Rome': { ...EPYC, amd: [0x2008_0140, 0x2008_0140, 0x200_6140, 0x80_8140] },
  'EPYC-Milan': { ...EPYC, amd: [0x2008_0140, 0x2008_0140, 0x200_6140, 0x100_8140] },
};

function cachesOf({ caches = 'QEMU' }: CpuModel): Caches {
  return CACHES[caches];
}

function leaf4(model: CpuModel, subleaf: number, c: CpuidContext): CpuidRegisters {
  if (model.vendor === 'AuthenticAMD') return ZERO;
  const row = cachesOf(model).leaves[subleaf];
  if (!row) return ZERO;
  const { threads, cores, dieShift } = levelsOf(c.topology);
  // Each thread has caches of level 1, each core one of level 2, each die one of level 3.
  const sharing = [1, 1, threads, 2 ** dieShift][subleaf]!;
  const [eax, ebx, ecx, edx] = row;
  return [(eax | ((sharing - 1) << 14) | ((cores - 1) << 26)) >>> 0, ebx, ecx, edx];
}

const LEVEL_THREADS = 0x100;
const LEVEL_CORES = 0x200;
const LEVEL_DIES = 0x500;

function leafB(model: CpuModel, subleaf: number, c: CpuidContext): CpuidRegisters {
  if (model.leaf0b === 'zero') return ZERO;
  const { apicId } = c.topology;
  const { threads, perDie, coreShift, packageShift } = levelsOf(c.topology);
  if (subleaf === 0) return [coreShift, threads, LEVEL_THREADS, apicId];
  if (subleaf === 1) return [packageShift, perDie, LEVEL_CORES | 1, apicId];
  return [0, 0, subleaf & 0xff, apicId];
}

/** There where a package has several dies. */
function leaf1F(subleaf: number, c: CpuidContext): CpuidRegisters {
  const { apicId } = c.topology;
  const { threads, dies, perDie, coreShift, dieShift, packageShift } = levelsOf(c.topology);
  if (dies <= 1) return ZERO;
  if (subleaf === 0) return [coreShift, threads, LEVEL_THREADS, apicId];
  if (subleaf === 1) return [dieShift, perDie, LEVEL_CORES | 1, apicId];
  if (subleaf === 2) return [packageShift, dies * perDie, LEVEL_DIES | 2, apicId];
  return [0, 0, subleaf & 0xff, apicId];
}

/** The highest basic leaf: QEMU shows leaf 1Fh of Intel's processors that have several dies. */
function highestLeaf({ level, vendor }: CpuModel, { diesPerPackage = 1 }: CpuTopology): number {
  return diesPerPackage > 1 && vendor === 'GenuineIntel' ? Math.max(level, 0x1f) : level;
}

function extended(model: CpuModel, leaf: number, c: CpuidContext): CpuidRegisters {
  const { vendor } = model;
  switch (leaf) {
    case 0x8000_0000:
      return [model.xlevel, text4(vendor, 0), text4(vendor, 8), text4(vendor, 4)];
    case 0x8000_0001: {
      let edx = word(model, '80000001.edx');
      let ecx = word(model, '80000001.ecx');
      if (vendor === 'AuthenticAMD') edx |= word(model, '1.edx') & AMD_ALIASES;
      if (levelsOf(c.topology).perDie > 1 && vendor === 'AuthenticAMD') ecx |= 1 << 1; // CmpLegacy
      return [modelSignature(model), 0, ecx, edx];
    }
    case 0x8000_0002:
    case 0x8000_0003:
    case 0x8000_0004: {
      const at = (leaf - 0x8000_0002) * 16;
      const id = model.modelId;
      return [text4(id, at), text4(id, at + 4), text4(id, at + 8), text4(id, at + 12)];
    }
    case 0x8000_0005:
      return [0x1ff_01ff, 0x1ff_01ff, cachesOf(model).amd[0], cachesOf(model).amd[1]];
    case 0x8000_0006:
      return [0, 0x4200_4200, cachesOf(model).amd[2], cachesOf(model).amd[3]];
    case 0x8000_0007:
      return [0, 0, 0, word(model, '80000007.edx')];
    case 0x8000_0008: {
      const virtual = model.features.has('lm') ? (model.features.has('la57') ? 0x39 : 0x30) : 0;
      const { perDie, packageShift } = levelsOf(c.topology);
      const cores = perDie > 1 ? (packageShift << 12) | (perDie - 1) : 0;
      return [model.physBits | (virtual << 8), word(model, '80000008.ebx'), cores, 0];
    }
    case 0x8000_000a:
      return model.features.has('svm') ? [1, 0x10, 0, word(model, '8000000a.edx')] : ZERO;
    default:
      return ZERO;
  }
}

/** One CPUID leaf. A leaf beyond the range answers as the highest basic leaf, as Intel processors and QEMU do. */
export function cpuid(model: CpuModel, leafAsked: number, subleaf: number, c: CpuidContext): CpuidRegisters {
  let leaf = leafAsked >>> 0;
  if (leaf >= 0x4000_0000 && leaf <= 0x4000_0001 && model.features.has('hypervisor')) {
    return leaf === 0x4000_0000 ? [0x4000_0001, 0x5447_4354, 0x4354_4743, 0x4743_5447] : ZERO;
  }
  const highest = highestLeaf(model, c.topology);
  if (leaf >= 0x8000_0000 ? leaf > model.xlevel : leaf > highest) leaf = highest;
  if (leaf >= 0x8000_0000) return extended(model, leaf, c);
  switch (leaf) {
    case 0:
      return [highest, text4(model.vendor, 0), text4(model.vendor, 8), text4(model.vendor, 4)];
    case 1:
      return leaf1(model, c);
    case 2:
      return model.vendor === 'AuthenticAMD' ? ZERO : cachesOf(model).descriptors;
    case 4:
      return leaf4(model, subleaf, c);
    case 5:
      return [0, 0, 3, 0];
    case 6:
      return [word(model, '6.eax'), 0, 0, 0];
    case 7:
      return subleaf === 0 ? [0, word(model, '7.ebx'), word(model, '7.ecx'), word(model, '7.edx')] : ZERO;
    case 0xb:
      return leafB(model, subleaf, c);
    case 0x1f:
      return leaf1F(subleaf, c);
    default:
      return ZERO;
  }
}

/** A feature's CPUID address, for messages: `CPUID.1:ECX[23] popcnt`. */
export function featureFact(feature: string): string {
  const at = FEATURES.get(feature);
  if (!at) return feature;
  const [leaf = '', register = ''] = at.word.split(/\.(?=[^.]*$)/);
  return `CPUID.${leaf.toUpperCase()}:${register.toUpperCase()}[${at.bit}] ${feature}`;
}

/** The CPUID instruction. */
export function execCpuid(cpu: Processor, _insn: Insn): void {
  const s = cpu.state;
  const leaf = s.gpr32(0);
  const subleaf = s.gpr32(1);
  const base = cpu.ports.apic.readMsr(0x1b);
  const [eax, ebx, ecx, edx] = cpuid(cpu.model, leaf, subleaf, {
    topology: cpu.topology,
    osxsave: (s.cr4 & CR4_OSXSAVE) !== 0,
    apicEnabled: base === undefined || (base & 0x800n) !== 0n,
  });
  s.setGpr32(0, eax);
  s.setGpr32(3, ebx);
  s.setGpr32(1, ecx);
  s.setGpr32(2, edx);
  cpu.ports.observer?.cpuid?.(
    cpu.index,
    leaf,
    subleaf,
    eax >>> 0,
    ebx >>> 0,
    ecx >>> 0,
    edx >>> 0,
    cpu.insnRip,
  );
}
