/** CPUID feature bits by the names that QEMU's `-cpu` option uses. AMD64 APM Vol. 3 and Intel SDM Vol. 2, "CPUID". */

/** A 32-bit word of CPUID feature bits: leaf (and subleaf) and register. */
export type FeatureWord =
  | '1.edx'
  | '1.ecx'
  | '6.eax'
  | '7.ebx'
  | '7.ecx'
  | '7.edx'
  | 'd.1.eax'
  | '80000001.edx'
  | '80000001.ecx'
  | '80000007.edx'
  | '80000008.ebx'
  | '8000000a.edx';

/** Names by word, bit 0 first, space-separated; `-` is a bit without a name. */
const WORDS: Readonly<Record<FeatureWord, string>> = {
  '1.edx':
    'fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - ds acpi mmx fxsr sse sse2 ss ht tm ia64 pbe',
  '1.ecx':
    'pni pclmulqdq dtes64 monitor ds-cpl vmx smx est tm2 ssse3 cid - fma cx16 xtpr pdcm - pcid dca sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave - avx f16c rdrand hypervisor',
  '6.eax': '- - arat',
  '7.ebx':
    'fsgsbase tsc-adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm - - mpx - avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel-pt avx512pf avx512er avx512cd sha-ni avx512bw avx512vl',
  '7.ecx':
    '- avx512vbmi umip pku - waitpkg avx512vbmi2 - gfni vaes vpclmulqdq avx512vnni avx512bitalg - avx512-vpopcntdq - la57 - - - - - rdpid - bus-lock-detect cldemote - movdiri movdir64b - sgxlc pks',
  '7.edx':
    '- - avx512-4vnniw avx512-4fmaps fsrm - - - avx512-vp2intersect - md-clear - - - serialize - tsx-ldtrk - - arch-lbr - - - avx512-fp16 - - spec-ctrl stibp - arch-capabilities core-capability ssbd',
  'd.1.eax': 'xsaveopt xsavec xgetbv1 xsaves xfd',
  // the copies of 1.edx that AMD processors show here are not features of their own
  '80000001.edx':
    '- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr-opt pdpe1gb rdtscp - lm 3dnowext 3dnow',
  '80000001.ecx':
    'lahf-lm cmp-legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid-msr - tbm topoext perfctr-core perfctr-nb',
  '80000007.edx': '- - - - - - - - invtsc',
  '80000008.ebx':
    'clzero - xsaveerptr - - - - - - wbnoinvd - - ibpb - ibrs amd-stibp - - - - - - - - amd-ssbd virt-ssbd amd-no-ssb',
  '8000000a.edx':
    'npt lbrv svm-lock nrip-save tsc-scale vmcb-clean flushbyasid decodeassists - - pause-filter - pfthreshold avic - v-vmsave-vmload vgif - - - - - - - - - - - svme-addr-chk',
};

/** Other spellings that QEMU accepts. */
const ALIASES: Readonly<Record<string, string>> = {
  sse3: 'pni',
  pclmuldq: 'pclmulqdq',
  ds_cpl: 'ds-cpl',
  'sse4-1': 'sse4.1',
  sse4_1: 'sse4.1',
  'sse4-2': 'sse4.2',
  sse4_2: 'sse4.2',
  xd: 'nx',
  i64: 'lm',
  ffxsr: 'fxsr-opt',
  fxsr_opt: 'fxsr-opt',
  lahf_lm: 'lahf-lm',
  cmp_legacy: 'cmp-legacy',
  tsc_adjust: 'tsc-adjust',
  nodeid_msr: 'nodeid-msr',
  perfctr_core: 'perfctr-core',
  perfctr_nb: 'perfctr-nb',
  lbr_fmt: 'lbr-fmt',
  nrip_save: 'nrip-save',
  svm_lock: 'svm-lock',
  tsc_scale: 'tsc-scale',
  vmcb_clean: 'vmcb-clean',
  pause_filter: 'pause-filter',
};

/** Where a feature's bit is. */
export interface FeatureBit {
  /** CPUID word. */
  word: FeatureWord;
  /** Bit 0..31. */
  bit: number;
}

/** Every feature by its first QEMU name. */
export const FEATURES: ReadonlyMap<string, FeatureBit> = new Map(
  (Object.keys(WORDS) as FeatureWord[]).flatMap((word) =>
    WORDS[word]
      .split(' ')
      .map((name, bit) => [name, { word, bit }] as const)
      .filter(([name]) => name !== '-'),
  ),
);

/** The first name of a feature given any name QEMU accepts; undefined if there is no such feature. */
export function featureName(name: string): string | undefined {
  const first = Object.hasOwn(ALIASES, name) ? ALIASES[name]! : name;
  return FEATURES.has(first) ? first : undefined;
}

/** The 32 bits of a word for a set of feature names. */
export function featureWord(word: FeatureWord, has: (name: string) => boolean): number {
  let bits = 0;
  for (const [name, at] of FEATURES) if (at.word === word && has(name)) bits |= 1 << at.bit;
  return bits >>> 0;
}
