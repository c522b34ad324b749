/**
 * CPU models by QEMU's names. The rows here hold the values that QEMU 7.2 (TCG) answers; the others are QEMU's
 * definitions less what this processor does not execute. `max` is what this processor executes: QEMU's own list without
 * AVX, XSAVE, AES and the like.
 */
import {
  isListOf,
  isOneOf,
  isShape,
  isText,
  isWhole,
  maybe,
  type OptionCheck,
  refuse,
  SmmError,
} from '@smm/x86-defs';
import { FEATURES, featureName } from './features.ts';
import {
  type CacheFamily,
  QEMU_ALIASES,
  QEMU_CACHES,
  QEMU_MODELS,
  QEMU_VERSION_IDS,
  QEMU_VERSIONS,
} from './qemu-models.ts';

/** Where a processor sits, as CPUID reports it. */
export interface CpuTopology {
  /** Initial APIC id (8 bits shown in leaf 1; 32 bits in leaf 0Bh). */
  apicId: number;
  /** Logical processors of the package. Leaves 1 and 0Bh show those of a die. */
  logicalProcessors: number;
  /** Logical processors of a core, shown in leaves 4 and 0Bh. Default 1. */
  threadsPerCore?: number;
  /** Dies of the package, shown in leaf 1Fh. Default 1. */
  diesPerPackage?: number;
}

/** A CPU model: identity and features. */
export interface CpuModel {
  /** QEMU's name. */
  readonly name: string;
  /** 12-character vendor id. */
  readonly vendor: string;
  /** Display family (extended family added). */
  readonly family: number;
  /** Display model. */
  readonly model: number;
  /** Stepping id, as CPUID leaf 1 has it in EAX bits 3:0. */
  readonly stepping: number;
  /** Highest basic leaf. */
  readonly level: number;
  /** Highest extended leaf; 0 if there are none. */
  readonly xlevel: number;
  /** Brand string, at most 48 characters. */
  readonly modelId: string;
  /** Features by QEMU's first names. */
  readonly features: ReadonlySet<string>;
  /** Features of QEMU's definition that this processor does not have, and does not show. */
  readonly lacking: readonly string[];
  /** Physical address bits. */
  readonly physBits: number;
  /** Whose caches leaves 2, 4, 80000005h and 80000006h show; `QEMU` if absent. */
  readonly caches?: CacheFamily;
  /** Leaf 0Bh: as QEMU (`level` >= 0Bh), or there but all zero, as on some processors before Nehalem. */
  readonly leaf0b: 'present' | 'zero';
}

/** Checks a {@link CpuModel}. */
export const isCpuModel: OptionCheck = isShape<CpuModel>({
  name: isText,
  vendor: isText,
  family: isWhole(0, 0x10e),
  model: isWhole(0, 0xff),
  stepping: isWhole(0, 0xf),
  level: isWhole(0, 0xffff_ffff),
  xlevel: isWhole(0, 0xffff_ffff),
  modelId: isText,
  features: (option, value) => {
    if (!(value instanceof Set)) refuse(option, value, 'a Set of names');
  },
  lacking: isListOf(isText),
  physBits: isWhole(32, 52),
  caches: maybe(isOneOf(['QEMU', 'EPYC', 'EPYC-Rome', 'EPYC-Milan'])),
  leaf0b: isOneOf(['present', 'zero']),
});

interface Row {
  name: string;
  vendor: string;
  family: number;
  model: number;
  stepping: number;
  level: number;
  xlevel: number;
  modelId: string;
  features: string;
}

const ROWS: readonly Row[] = [
  {
    name: 'qemu64',
    vendor: 'AuthenticAMD',
    family: 15,
    model: 107,
    stepping: 1,
    level: 0xd,
    xlevel: 0x8000000a,
    modelId: 'QEMU Virtual CPU version 2.5+',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 pni cx16 hypervisor syscall nx lm lahf-lm svm',
  },
  {
    name: 'qemu32',
    vendor: 'GenuineIntel',
    family: 6,
    model: 6,
    stepping: 3,
    level: 0x4,
    xlevel: 0x80000004,
    modelId: 'QEMU Virtual CPU version 2.5+',
    features: 'fpu de pse tsc msr pae mce cx8 apic sep pge cmov pat mmx fxsr sse sse2 pni hypervisor',
  },
  {
    name: 'kvm64',
    vendor: 'GenuineIntel',
    family: 15,
    model: 6,
    stepping: 1,
    level: 0xd,
    xlevel: 0x80000008,
    modelId: 'Common KVM processor',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 pni cx16 hypervisor syscall nx lm',
  },
  {
    name: 'kvm32',
    vendor: 'GenuineIntel',
    family: 15,
    model: 6,
    stepping: 1,
    level: 0x5,
    xlevel: 0x80000008,
    modelId: 'Common 32-bit KVM processor',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 pni hypervisor',
  },
  {
    name: 'coreduo',
    vendor: 'GenuineIntel',
    family: 6,
    model: 14,
    stepping: 8,
    level: 0xa,
    xlevel: 0x80000008,
    modelId: 'Genuine Intel(R) CPU           T2600  @ 2.16GHz',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat clflush acpi mmx fxsr sse sse2 ss pni monitor hypervisor nx',
  },
  {
    name: 'core2duo',
    vendor: 'GenuineIntel',
    family: 6,
    model: 15,
    stepping: 11,
    level: 0xa,
    xlevel: 0x80000008,
    modelId: 'Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush acpi mmx fxsr sse sse2 ss pni monitor ssse3 cx16 hypervisor syscall nx lm lahf-lm',
  },
  {
    name: 'n270',
    vendor: 'GenuineIntel',
    family: 6,
    model: 28,
    stepping: 2,
    level: 0xa,
    xlevel: 0x80000008,
    modelId: 'Intel(R) Atom(TM) CPU N270   @ 1.60GHz',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat clflush acpi mmx fxsr sse sse2 ss pni monitor ssse3 movbe hypervisor nx lahf-lm',
  },
  {
    name: 'Conroe',
    vendor: 'GenuineIntel',
    family: 6,
    model: 15,
    stepping: 3,
    level: 0xa,
    xlevel: 0x80000008,
    modelId: 'Intel Celeron_4x0 (Conroe/Merom Class Core 2)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 pni ssse3 hypervisor syscall nx lm lahf-lm',
  },
  {
    name: 'Penryn',
    vendor: 'GenuineIntel',
    family: 6,
    model: 23,
    stepping: 3,
    level: 0xa,
    xlevel: 0x80000008,
    modelId: 'Intel Core 2 Duo P9xxx (Penryn Class Core 2)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 pni ssse3 cx16 sse4.1 hypervisor syscall nx lm lahf-lm',
  },
  {
    name: 'Nehalem',
    vendor: 'GenuineIntel',
    family: 6,
    model: 26,
    stepping: 3,
    level: 0xb,
    xlevel: 0x80000008,
    modelId: 'Intel Core i7 9xx (Nehalem Class Core i7)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 pni ssse3 cx16 sse4.1 sse4.2 popcnt hypervisor syscall nx lm lahf-lm',
  },
  {
    name: '486',
    vendor: 'GenuineIntel',
    family: 4,
    model: 8,
    stepping: 0,
    level: 0x1,
    xlevel: 0x480,
    modelId: '',
    features: 'fpu pse hypervisor',
  },
  {
    name: 'pentium',
    vendor: 'GenuineIntel',
    family: 5,
    model: 4,
    stepping: 3,
    level: 0x1,
    xlevel: 0x543,
    modelId: '',
    features: 'fpu de pse tsc msr mce cx8 apic mmx hypervisor',
  },
  {
    name: 'pentium3',
    vendor: 'GenuineIntel',
    family: 6,
    model: 7,
    stepping: 3,
    level: 0x3,
    xlevel: 0x0,
    modelId: '',
    features: 'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 mmx fxsr sse hypervisor',
  },
  {
    name: 'athlon',
    vendor: 'AuthenticAMD',
    family: 6,
    model: 2,
    stepping: 3,
    level: 0x2,
    xlevel: 0x80000008,
    modelId: 'QEMU Virtual CPU version 2.5+',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 mmx fxsr sse sse2 hypervisor mmxext 3dnowext 3dnow',
  },
  {
    name: 'max',
    vendor: 'AuthenticAMD',
    family: 15,
    model: 107,
    stepping: 1,
    level: 0xd,
    xlevel: 0x8000000a,
    modelId: 'QEMU TCG CPU version 2.5+',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush acpi mmx fxsr sse sse2 ss pni monitor cx16 movbe popcnt hypervisor arat fsgsbase erms umip syscall nx rdtscp lm lahf-lm cr8legacy abm',
  },
];

/** Names of the models, versions and their other names included. */
export const CPU_MODELS: readonly string[] = [
  ...ROWS.map((row) => row.name),
  ...QEMU_MODELS.map((row) => row.name),
  ...QEMU_ALIASES.keys(),
  ...[...QEMU_VERSIONS].flatMap(([name, later]) => later.map((_, index) => `${name}-v${index + 2}`)),
];

/** What `max` has: what is executed here. */
const EXECUTED = new Set(ROWS.find((row) => row.name === 'max')!.features.split(' '));

/** The row of a name with what its version changes, and the features that are left out of it. */
function findRow(
  name: string,
): { row: Row; changes: readonly string[]; lacking: readonly string[]; caches?: CacheFamily } | undefined {
  const versioned = QEMU_ALIASES.get(name) ?? name;
  const [, first = '', version = '1'] = /^(.*?)(?:-v(\d+))?$/.exec(versioned) ?? [];
  const shown = ROWS.find((row) => row.name === first);
  const defined = QEMU_MODELS.find((row) => row.name === first);
  const changes = version === '1' ? '' : QEMU_VERSIONS.get(first)?.[Number(version) - 2];
  const ofFirst = shown ?? defined;
  if (ofFirst === undefined || changes === undefined) return undefined;
  const row = { ...ofFirst, modelId: QEMU_VERSION_IDS.get(versioned) ?? ofFirst.modelId };
  const caches = QEMU_CACHES.get(first);
  const all = changes.split(' ').filter((change) => change !== '');
  if (shown !== undefined) {
    const lacking = all.filter((change) => change.startsWith('+') && !EXECUTED.has(change.slice(1)));
    return {
      row,
      changes: all.filter((change) => !lacking.includes(change)),
      lacking: lacking.map((change) => change.slice(1)),
    };
  }
  const features = new Set(row.features.split(' '));
  for (const change of all) {
    if (change.startsWith('+')) features.add(change.slice(1));
    else if (change.startsWith('-')) features.delete(change.slice(1));
  }
  const kept = [...features].filter((feature) => EXECUTED.has(feature));
  return {
    row: { ...row, features: kept.join(' ') },
    changes: all.filter((change) => !/^[+-]/.test(change)),
    lacking: [...features].filter((feature) => !EXECUTED.has(feature)),
    ...(caches && { caches }),
  };
}

/**
 * Models that QEMU 7.2 does not have, and its own that is the nearest: levels of the x86-64 ABI, as Proxmox has them.
 */
const NEAREST: ReadonlyMap<string, string> = new Map([
  ['x86-64-v1', 'qemu64'],
  ['x86-64-v2', 'Nehalem'],
  ['x86-64-v2-AES', 'Westmere'],
  ['x86-64-v3', 'Haswell'],
  ['x86-64-v4', 'Skylake-Server'],
]);

/** Names closest to a mistyped one: same start or contained. */
function candidates(name: string, names: Iterable<string>): string[] {
  const nearest = NEAREST.get(name);
  if (nearest !== undefined) return [nearest];
  const wanted = name.toLowerCase();
  const all = [...names].map((n) => ({ name: n, lower: n.toLowerCase() }));
  const near = all.filter(({ lower }) => lower.includes(wanted.slice(0, 3)) || wanted.includes(lower));
  return (near.length > 0 ? near : all).map((each) => each.name);
}

/**
 * A model from QEMU's `-cpu` syntax: `name,+feature,-feature,feature=on|off`, and `phys-bits=N`, `level=N`, `xlevel=N`,
 * `family=N`, `model=N`, `stepping=N`, `cpuid-0xb=on|off`, `vendor=S`, `model-id=S`.
 *
 * @throws SmmError CPU_MODEL_UNKNOWN, CPU_FEATURE_UNKNOWN, CPU_OPTION_INVALID
 */
export function cpuModel(spec: string): CpuModel {
  const [name = '', ...options] = spec.split(',');
  const found = findRow(name);
  if (found === undefined) {
    const unversioned = CPU_MODELS.filter((model) => !/-v\d+$/.test(model));
    const names = candidates(name, unversioned);
    throw new SmmError(
      'CPU_MODEL_UNKNOWN',
      `no CPU model named '${name}'`,
      `${names.length === 1 ? 'The nearest is' : 'Use one of:'} ${names.join(', ')}.`,
      { name, candidates: names },
    );
  }
  const { row, changes } = found;
  const features = new Set(row.features.split(' ').filter((f) => f !== ''));
  const model = {
    ...row,
    name,
    features,
    lacking: found.lacking,
    physBits: defaultPhysBits(features),
    leaf0b: row.level >= 0xb ? ('present' as const) : ('zero' as const),
    ...(found.caches && { caches: found.caches }),
  };
  const changed: Draft = model;
  for (const option of [...changes, ...options]) applyOption(changed, features, option);
  if (!options.some((o) => o.startsWith('phys-bits='))) {
    return Object.freeze({ ...changed, physBits: defaultPhysBits(features) });
  }
  return Object.freeze({ ...changed });
}

/** QEMU TCG: 40 bits with long mode, else 36 with PSE36, else 32. */
function defaultPhysBits(features: ReadonlySet<string>): number {
  if (features.has('lm')) return 40;
  return features.has('pse36') ? 36 : 32;
}

type Draft = { -readonly [K in keyof CpuModel]: CpuModel[K] };
type NumberField = 'physBits' | 'level' | 'xlevel' | 'family' | 'model' | 'stepping';

const NUMBERS: Readonly<Record<string, NumberField>> = {
  'phys-bits': 'physBits',
  level: 'level',
  xlevel: 'xlevel',
  family: 'family',
  model: 'model',
  stepping: 'stepping',
};

function applyOption(model: Draft, features: Set<string>, option: string): void {
  const sign = option[0];
  const [key = '', value] = (sign === '+' || sign === '-' ? option.slice(1) : option).split('=');
  if (sign !== '+' && sign !== '-' && value !== undefined) {
    if (key === 'vendor') {
      if (value.length !== 12) throw invalid(option, 'a vendor id has 12 characters');
      model.vendor = value;
      return;
    }
    if (key === 'model-id') {
      model.modelId = value.slice(0, 48);
      return;
    }
    if (key === 'cpuid-0xb') {
      model.leaf0b = switchValue(option, value) ? 'present' : 'zero';
      return;
    }
    if (Object.hasOwn(NUMBERS, key)) {
      const number = Number(value);
      if (value === '' || !Number.isInteger(number) || number < 0)
        throw invalid(option, 'a number is needed');
      model[NUMBERS[key]!] = number;
      return;
    }
  }
  const feature = featureName(key);
  if (!feature) {
    const names = candidates(key, FEATURES.keys());
    throw new SmmError(
      'CPU_FEATURE_UNKNOWN',
      `no CPU feature named '${key}'`,
      `Use one of: ${names.join(', ')}.`,
      { name: key, candidates: names },
    );
  }
  const on = sign === '+' || (sign !== '-' && (value === undefined || switchValue(option, value)));
  if (on) features.add(feature);
  else features.delete(feature);
}

function switchValue(option: string, value: string): boolean {
  if (value === 'on' || value === 'off') return value === 'on';
  throw invalid(option, "'on' or 'off' is needed");
}

function invalid(option: string, why: string): SmmError {
  return new SmmError('CPU_OPTION_INVALID', `CPU option '${option}': ${why}`, 'Correct the option.', {
    option,
  });
}

/** CPUID.1:EAX, also EDX after reset: family, model and stepping with their extensions. */
export function modelSignature(model: CpuModel): number {
  const family = model.family > 15 ? (15 << 8) | ((model.family - 15) << 20) : model.family << 8;
  return (family | ((model.model & 0xf) << 4) | ((model.model >> 4) << 16) | model.stepping) >>> 0;
}
