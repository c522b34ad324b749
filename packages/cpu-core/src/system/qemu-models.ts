/**
 * CPU models as QEMU 7.2 defines them, read by `query-cpu-model-expansion` (QMP) with all features, those included that
 * TCG leaves out. A version beyond the first is the first with changes; an alias is a version.
 */

/** A model's definition. */
export interface QemuModel {
  /** QEMU's name, of version 1. */
  readonly name: string;
  /** Vendor id, 12 characters. */
  readonly vendor: string;
  /** Display family. */
  readonly family: number;
  /** Display model. */
  readonly model: number;
  /** Stepping. */
  readonly stepping: number;
  /** Highest basic leaf. */
  readonly level: number;
  /** Highest extended leaf. */
  readonly xlevel: number;
  /** Brand string. */
  readonly modelId: string;
  /** Features by QEMU's first names, space-separated. */
  readonly features: string;
}

/** Models beside those that are here as TCG shows them. */
export const QEMU_MODELS: readonly QemuModel[] = [
  {
    name: 'Broadwell',
    vendor: 'GenuineIntel',
    family: 6,
    model: 61,
    stepping: 2,
    level: 0xd,
    xlevel: 0x80000008,
    modelId: 'Intel Core Processor (Broadwell)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq ssse3 fma cx16 pcid sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave avx ' +
      'f16c rdrand hypervisor arat fsgsbase bmi1 hle avx2 smep bmi2 erms invpcid rtm rdseed adx smap ' +
      'xsaveopt syscall nx rdtscp lm lahf-lm abm 3dnowprefetch',
  },
  {
    name: 'Cascadelake-Server',
    vendor: 'GenuineIntel',
    family: 6,
    model: 85,
    stepping: 6,
    level: 0xd,
    xlevel: 0x80000008,
    modelId: 'Intel Xeon Processor (Cascadelake)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq ssse3 fma cx16 pcid sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave avx ' +
      'f16c rdrand hypervisor arat fsgsbase bmi1 hle avx2 smep bmi2 erms invpcid rtm avx512f avx512dq ' +
      'rdseed adx smap clflushopt clwb avx512cd avx512bw avx512vl pku avx512vnni spec-ctrl ssbd ' +
      'xsaveopt xsavec xgetbv1 syscall nx pdpe1gb rdtscp lm lahf-lm abm 3dnowprefetch',
  },
  {
    name: 'Cooperlake',
    vendor: 'GenuineIntel',
    family: 6,
    model: 85,
    stepping: 10,
    level: 0xd,
    xlevel: 0x80000008,
    modelId: 'Intel Xeon Processor (Cooperlake)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq ssse3 fma cx16 pcid sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave avx ' +
      'f16c rdrand hypervisor arat fsgsbase bmi1 hle avx2 smep bmi2 erms invpcid rtm avx512f avx512dq ' +
      'rdseed adx smap clflushopt clwb avx512cd avx512bw avx512vl pku avx512vnni spec-ctrl stibp ' +
      'arch-capabilities ssbd xsaveopt xsavec xgetbv1 syscall nx pdpe1gb rdtscp lm lahf-lm abm ' +
      '3dnowprefetch',
  },
  {
    name: 'Denverton',
    vendor: 'GenuineIntel',
    family: 6,
    model: 95,
    stepping: 1,
    level: 0x15,
    xlevel: 0x80000008,
    modelId: 'Intel Atom Processor (Denverton)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq monitor ssse3 cx16 sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave ' +
      'rdrand hypervisor arat fsgsbase smep erms mpx rdseed smap clflushopt sha-ni spec-ctrl ' +
      'arch-capabilities ssbd xsaveopt xsavec xgetbv1 syscall nx pdpe1gb rdtscp lm lahf-lm ' +
      '3dnowprefetch',
  },
  {
    name: 'Dhyana',
    vendor: 'HygonGenuine',
    family: 24,
    model: 0,
    stepping: 1,
    level: 0xd,
    xlevel: 0x8000001e,
    modelId: 'Hygon Dhyana Processor',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni monitor ssse3 fma cx16 sse4.1 sse4.2 movbe popcnt xsave avx f16c rdrand hypervisor arat ' +
      'fsgsbase bmi1 avx2 smep bmi2 rdseed adx smap clflushopt xsaveopt xsavec xgetbv1 syscall nx ' +
      'mmxext fxsr-opt pdpe1gb rdtscp lm lahf-lm svm cr8legacy abm sse4a misalignsse 3dnowprefetch ' +
      'osvw topoext ibpb npt nrip-save',
  },
  {
    name: 'EPYC',
    vendor: 'AuthenticAMD',
    family: 23,
    model: 1,
    stepping: 2,
    level: 0xd,
    xlevel: 0x8000001e,
    modelId: 'AMD EPYC Processor',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq monitor ssse3 fma cx16 sse4.1 sse4.2 movbe popcnt aes xsave avx f16c rdrand ' +
      'hypervisor arat fsgsbase bmi1 avx2 smep bmi2 rdseed adx smap clflushopt sha-ni xsaveopt xsavec ' +
      'xgetbv1 syscall nx mmxext fxsr-opt pdpe1gb rdtscp lm lahf-lm svm cr8legacy abm sse4a ' +
      'misalignsse 3dnowprefetch osvw topoext npt nrip-save',
  },
  {
    name: 'EPYC-Milan',
    vendor: 'AuthenticAMD',
    family: 25,
    model: 1,
    stepping: 1,
    level: 0xd,
    xlevel: 0x8000001e,
    modelId: 'AMD EPYC-Milan Processor',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq monitor ssse3 fma cx16 pcid sse4.1 sse4.2 movbe popcnt aes xsave avx f16c rdrand ' +
      'hypervisor arat fsgsbase bmi1 avx2 smep bmi2 erms invpcid rdseed adx smap clflushopt clwb ' +
      'sha-ni umip pku rdpid fsrm xsaveopt xsavec xgetbv1 xsaves syscall nx mmxext fxsr-opt pdpe1gb ' +
      'rdtscp lm lahf-lm svm cr8legacy abm sse4a misalignsse 3dnowprefetch osvw topoext perfctr-core ' +
      'clzero xsaveerptr wbnoinvd ibpb ibrs amd-stibp amd-ssbd npt nrip-save svme-addr-chk',
  },
  {
    name: 'EPYC-Rome',
    vendor: 'AuthenticAMD',
    family: 23,
    model: 49,
    stepping: 0,
    level: 0xd,
    xlevel: 0x8000001e,
    modelId: 'AMD EPYC-Rome Processor',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq monitor ssse3 fma cx16 sse4.1 sse4.2 movbe popcnt aes xsave avx f16c rdrand ' +
      'hypervisor arat fsgsbase bmi1 avx2 smep bmi2 rdseed adx smap clflushopt clwb sha-ni umip rdpid ' +
      'xsaveopt xsavec xgetbv1 xsaves syscall nx mmxext fxsr-opt pdpe1gb rdtscp lm lahf-lm svm ' +
      'cr8legacy abm sse4a misalignsse 3dnowprefetch osvw topoext perfctr-core clzero xsaveerptr ' +
      'wbnoinvd ibpb amd-stibp npt nrip-save',
  },
  {
    name: 'Haswell',
    vendor: 'GenuineIntel',
    family: 6,
    model: 60,
    stepping: 4,
    level: 0xd,
    xlevel: 0x80000008,
    modelId: 'Intel Core Processor (Haswell)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq ssse3 fma cx16 pcid sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave avx ' +
      'f16c rdrand hypervisor arat fsgsbase bmi1 hle avx2 smep bmi2 erms invpcid rtm xsaveopt syscall ' +
      'nx rdtscp lm lahf-lm abm',
  },
  {
    name: 'Icelake-Server',
    vendor: 'GenuineIntel',
    family: 6,
    model: 134,
    stepping: 0,
    level: 0xd,
    xlevel: 0x80000008,
    modelId: 'Intel Xeon Processor (Icelake)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq ssse3 fma cx16 pcid sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave avx ' +
      'f16c rdrand hypervisor arat fsgsbase bmi1 hle avx2 smep bmi2 erms invpcid rtm avx512f avx512dq ' +
      'rdseed adx smap clflushopt clwb avx512cd avx512bw avx512vl avx512vbmi umip pku avx512vbmi2 gfni ' +
      'vaes vpclmulqdq avx512vnni avx512bitalg avx512-vpopcntdq la57 spec-ctrl ssbd xsaveopt xsavec ' +
      'xgetbv1 syscall nx pdpe1gb rdtscp lm lahf-lm abm 3dnowprefetch wbnoinvd',
  },
  {
    name: 'IvyBridge',
    vendor: 'GenuineIntel',
    family: 6,
    model: 58,
    stepping: 9,
    level: 0xd,
    xlevel: 0x80000008,
    modelId: 'Intel Xeon E3-12xx v2 (Ivy Bridge)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq ssse3 cx16 sse4.1 sse4.2 x2apic popcnt tsc-deadline aes xsave avx f16c rdrand ' +
      'hypervisor arat fsgsbase smep erms xsaveopt syscall nx rdtscp lm lahf-lm',
  },
  {
    name: 'KnightsMill',
    vendor: 'GenuineIntel',
    family: 6,
    model: 133,
    stepping: 0,
    level: 0xd,
    xlevel: 0x80000008,
    modelId: 'Intel Xeon Phi Processor (Knights Mill)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'ss pni pclmulqdq ssse3 fma cx16 sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave avx ' +
      'f16c rdrand hypervisor arat fsgsbase bmi1 avx2 smep bmi2 erms avx512f rdseed adx avx512pf ' +
      'avx512er avx512cd avx512-vpopcntdq avx512-4vnniw avx512-4fmaps xsaveopt syscall nx pdpe1gb ' +
      'rdtscp lm lahf-lm abm 3dnowprefetch',
  },
  {
    name: 'Opteron_G1',
    vendor: 'AuthenticAMD',
    family: 15,
    model: 6,
    stepping: 1,
    level: 0x5,
    xlevel: 0x80000008,
    modelId: 'AMD Opteron 240 (Gen 1 Class Opteron)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni hypervisor syscall nx lm',
  },
  {
    name: 'Opteron_G2',
    vendor: 'AuthenticAMD',
    family: 15,
    model: 6,
    stepping: 1,
    level: 0x5,
    xlevel: 0x8000000a,
    modelId: 'AMD Opteron 22xx (Gen 2 Class Opteron)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni cx16 hypervisor syscall nx lm lahf-lm svm',
  },
  {
    name: 'Opteron_G3',
    vendor: 'AuthenticAMD',
    family: 16,
    model: 2,
    stepping: 3,
    level: 0x5,
    xlevel: 0x8000000a,
    modelId: 'AMD Opteron 23xx (Gen 3 Class Opteron)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni monitor cx16 popcnt hypervisor syscall nx rdtscp lm lahf-lm svm abm sse4a misalignsse',
  },
  {
    name: 'Opteron_G4',
    vendor: 'AuthenticAMD',
    family: 21,
    model: 1,
    stepping: 2,
    level: 0xd,
    xlevel: 0x8000001a,
    modelId: 'AMD Opteron 62xx class CPU',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq ssse3 cx16 sse4.1 sse4.2 popcnt aes xsave avx hypervisor syscall nx pdpe1gb ' +
      'rdtscp lm lahf-lm svm abm sse4a misalignsse 3dnowprefetch xop fma4 npt nrip-save',
  },
  {
    name: 'Opteron_G5',
    vendor: 'AuthenticAMD',
    family: 21,
    model: 2,
    stepping: 0,
    level: 0xd,
    xlevel: 0x8000001a,
    modelId: 'AMD Opteron 63xx class CPU',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq ssse3 fma cx16 sse4.1 sse4.2 popcnt aes xsave avx f16c hypervisor syscall nx ' +
      'pdpe1gb rdtscp lm lahf-lm svm abm sse4a misalignsse 3dnowprefetch xop fma4 tbm npt nrip-save',
  },
  {
    name: 'pentium2',
    vendor: 'GenuineIntel',
    family: 6,
    model: 5,
    stepping: 2,
    level: 0x2,
    xlevel: 0x0,
    modelId: '',
    features: 'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 mmx fxsr hypervisor',
  },
  {
    name: 'phenom',
    vendor: 'AuthenticAMD',
    family: 16,
    model: 2,
    stepping: 3,
    level: 0x5,
    xlevel: 0x8000001a,
    modelId: 'AMD Phenom(tm) 9550 Quad-Core Processor',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni monitor cx16 popcnt hypervisor syscall nx mmxext fxsr-opt pdpe1gb rdtscp lm 3dnowext 3dnow ' +
      'lahf-lm svm abm sse4a npt',
  },
  {
    name: 'SandyBridge',
    vendor: 'GenuineIntel',
    family: 6,
    model: 42,
    stepping: 1,
    level: 0xd,
    xlevel: 0x80000008,
    modelId: 'Intel Xeon E312xx (Sandy Bridge)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq ssse3 cx16 sse4.1 sse4.2 x2apic popcnt tsc-deadline aes xsave avx hypervisor arat ' +
      'xsaveopt syscall nx rdtscp lm lahf-lm',
  },
  {
    name: 'Skylake-Client',
    vendor: 'GenuineIntel',
    family: 6,
    model: 94,
    stepping: 3,
    level: 0xd,
    xlevel: 0x80000008,
    modelId: 'Intel Core Processor (Skylake)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq ssse3 fma cx16 pcid sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave avx ' +
      'f16c rdrand hypervisor arat fsgsbase bmi1 hle avx2 smep bmi2 erms invpcid rtm rdseed adx smap ' +
      'xsaveopt xsavec xgetbv1 syscall nx rdtscp lm lahf-lm abm 3dnowprefetch',
  },
  {
    name: 'Skylake-Server',
    vendor: 'GenuineIntel',
    family: 6,
    model: 85,
    stepping: 4,
    level: 0xd,
    xlevel: 0x80000008,
    modelId: 'Intel Xeon Processor (Skylake)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq ssse3 fma cx16 pcid sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave avx ' +
      'f16c rdrand hypervisor arat fsgsbase bmi1 hle avx2 smep bmi2 erms invpcid rtm avx512f avx512dq ' +
      'rdseed adx smap clflushopt clwb avx512cd avx512bw avx512vl pku xsaveopt xsavec xgetbv1 syscall ' +
      'nx pdpe1gb rdtscp lm lahf-lm abm 3dnowprefetch',
  },
  {
    name: 'Snowridge',
    vendor: 'GenuineIntel',
    family: 6,
    model: 134,
    stepping: 1,
    level: 0x1b,
    xlevel: 0x80000008,
    modelId: 'Intel Atom Processor (SnowRidge)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq monitor ssse3 cx16 sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave ' +
      'rdrand hypervisor arat fsgsbase smep erms mpx rdseed smap clflushopt clwb sha-ni umip gfni ' +
      'cldemote movdiri movdir64b spec-ctrl arch-capabilities core-capability ssbd xsaveopt xsavec ' +
      'xgetbv1 syscall nx pdpe1gb rdtscp lm lahf-lm 3dnowprefetch',
  },
  {
    name: 'Westmere',
    vendor: 'GenuineIntel',
    family: 6,
    model: 44,
    stepping: 1,
    level: 0xb,
    xlevel: 0x80000008,
    modelId: 'Westmere E56xx/L56xx/X56xx (Nehalem-C)',
    features:
      'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ' +
      'pni pclmulqdq ssse3 cx16 sse4.1 sse4.2 popcnt aes hypervisor arat syscall nx lm lahf-lm',
  },
];

/** Versions 2 and up by name of the first: what is other than in it. */
export const QEMU_VERSIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['Broadwell', ['-hle -rtm', '+spec-ctrl', '+spec-ctrl -hle -rtm']],
  [
    'Cascadelake-Server',
    [
      '+arch-capabilities',
      '+arch-capabilities -hle -rtm',
      '+arch-capabilities -hle -rtm',
      '+arch-capabilities +xsaves -hle -rtm',
    ],
  ],
  ['Cooperlake', ['+xsaves']],
  ['Denverton', ['-monitor -mpx', '+xsaves -monitor -mpx']],
  ['Dhyana', ['+xsaves']],
  ['EPYC', ['+ibpb', '+xsaves +perfctr-core +clzero +xsaveerptr +ibpb']],
  ['EPYC-Rome', ['+ibrs +amd-ssbd']],
  ['Haswell', ['-hle -rtm stepping=1', '+spec-ctrl', '+spec-ctrl -hle -rtm stepping=1']],
  [
    'Icelake-Server',
    [
      '-hle -rtm',
      '+arch-capabilities -hle -rtm',
      '+avx512ifma +sha-ni +rdpid +fsrm +arch-capabilities -hle -rtm model=106',
      '+avx512ifma +sha-ni +rdpid +fsrm +arch-capabilities +xsaves -hle -rtm model=106',
      '+avx512ifma +sha-ni +rdpid +fsrm +arch-capabilities +xsaves -hle -rtm model=106',
    ],
  ],
  ['IvyBridge', ['+spec-ctrl']],
  ['Nehalem', ['+spec-ctrl']],
  ['SandyBridge', ['+spec-ctrl']],
  ['Skylake-Client', ['+spec-ctrl', '+spec-ctrl -hle -rtm', '+spec-ctrl +xsaves -hle -rtm']],
  [
    'Skylake-Server',
    [
      '+spec-ctrl -clflushopt',
      '+spec-ctrl -hle -rtm -clflushopt',
      '+spec-ctrl -hle -rtm -clflushopt',
      '+spec-ctrl +xsaves -hle -rtm -clflushopt',
    ],
  ],
  ['Snowridge', ['-mpx', '+xsaves -mpx', '+xsaves -mpx -core-capability']],
  ['Westmere', ['+spec-ctrl']],
]);

/** Brand strings of versions that have one of their own. */
export const QEMU_VERSION_IDS: ReadonlyMap<string, string> = new Map([
  ['Broadwell-v2', 'Intel Core Processor (Broadwell, no TSX)'],
  ['Broadwell-v3', 'Intel Core Processor (Broadwell, IBRS)'],
  ['Broadwell-v4', 'Intel Core Processor (Broadwell, no TSX, IBRS)'],
  ['EPYC-v2', 'AMD EPYC Processor (with IBPB)'],
  ['Haswell-v2', 'Intel Core Processor (Haswell, no TSX)'],
  ['Haswell-v3', 'Intel Core Processor (Haswell, IBRS)'],
  ['Haswell-v4', 'Intel Core Processor (Haswell, no TSX, IBRS)'],
  ['IvyBridge-v2', 'Intel Xeon E3-12xx v2 (Ivy Bridge, IBRS)'],
  ['Nehalem-v2', 'Intel Core i7 9xx (Nehalem Core i7, IBRS update)'],
  ['SandyBridge-v2', 'Intel Xeon E312xx (Sandy Bridge, IBRS update)'],
  ['Skylake-Client-v2', 'Intel Core Processor (Skylake, IBRS)'],
  ['Skylake-Client-v3', 'Intel Core Processor (Skylake, IBRS, no TSX)'],
  ['Skylake-Client-v4', 'Intel Core Processor (Skylake, IBRS, no TSX)'],
  ['Skylake-Server-v2', 'Intel Xeon Processor (Skylake, IBRS)'],
  ['Skylake-Server-v3', 'Intel Xeon Processor (Skylake, IBRS, no TSX)'],
  ['Skylake-Server-v4', 'Intel Xeon Processor (Skylake, IBRS, no TSX)'],
  ['Skylake-Server-v5', 'Intel Xeon Processor (Skylake, IBRS, no TSX)'],
  ['Snowridge-v2', 'Intel Atom Processor (Snowridge, no MPX)'],
  ['Snowridge-v3', 'Intel Atom Processor (Snowridge, no MPX)'],
  ['Snowridge-v4', 'Intel Atom Processor (Snowridge, no MPX)'],
  ['Westmere-v2', 'Westmere E56xx/L56xx/X56xx (IBRS update)'],
]);

/** Whose caches a model shows: those that QEMU gives every other model, or a processor's own. */
export type CacheFamily = 'QEMU' | 'EPYC' | 'EPYC-Rome' | 'EPYC-Milan';

/** Models with caches of their own. */
export const QEMU_CACHES: ReadonlyMap<string, CacheFamily> = new Map([
  ['EPYC', 'EPYC'],
  ['EPYC-Rome', 'EPYC-Rome'],
  ['EPYC-Milan', 'EPYC-Milan'],
  ['Dhyana', 'EPYC'],
]);

/** Names of versions. */
export const QEMU_ALIASES: ReadonlyMap<string, string> = new Map([
  ['Broadwell-IBRS', 'Broadwell-v3'],
  ['Broadwell-noTSX', 'Broadwell-v2'],
  ['Broadwell-noTSX-IBRS', 'Broadwell-v4'],
  ['Cascadelake-Server-noTSX', 'Cascadelake-Server-v3'],
  ['EPYC-IBPB', 'EPYC-v2'],
  ['Haswell-IBRS', 'Haswell-v3'],
  ['Haswell-noTSX', 'Haswell-v2'],
  ['Haswell-noTSX-IBRS', 'Haswell-v4'],
  ['Icelake-Server-noTSX', 'Icelake-Server-v2'],
  ['IvyBridge-IBRS', 'IvyBridge-v2'],
  ['Nehalem-IBRS', 'Nehalem-v2'],
  ['SandyBridge-IBRS', 'SandyBridge-v2'],
  ['Skylake-Client-IBRS', 'Skylake-Client-v2'],
  ['Skylake-Client-noTSX-IBRS', 'Skylake-Client-v3'],
  ['Skylake-Server-IBRS', 'Skylake-Server-v2'],
  ['Skylake-Server-noTSX-IBRS', 'Skylake-Server-v3'],
  ['Westmere-IBRS', 'Westmere-v2'],
]);
