/**
 * Model-specific registers as a table. Intel SDM Vol. 4, "Architectural MSRs"; AMD APM Vol. 2, "MSR Cross-Reference".
 * The MSRs of the local APIC (1Bh, 6E0h, 800h-8FFh) are not here: they belong to {@link LocalApicPort}.
 */
import {
  EFER_LMA,
  EFER_LME,
  EFER_NXE,
  EFER_SCE,
  IA32_BIOS_SIGN_ID,
  IA32_CSTAR,
  IA32_EFER,
  IA32_FEATURE_CONTROL,
  IA32_FMASK,
  IA32_FS_BASE,
  IA32_GS_BASE,
  IA32_KERNEL_GS_BASE,
  IA32_LSTAR,
  IA32_MC0_CTL,
  IA32_MCG_CAP,
  IA32_MCG_CTL,
  IA32_MCG_STATUS,
  IA32_MISC_ENABLE,
  IA32_MTRR_DEF_TYPE,
  IA32_MTRR_FIX4K_C0000,
  IA32_MTRR_FIX16K_80000,
  IA32_MTRR_FIX16K_A0000,
  IA32_MTRR_FIX64K_00000,
  IA32_MTRR_PHYSBASE0,
  IA32_MTRRCAP,
  IA32_PAT,
  IA32_PLATFORM_ID,
  IA32_SMBASE,
  IA32_STAR,
  IA32_SYSENTER_CS,
  IA32_SYSENTER_EIP,
  IA32_SYSENTER_ESP,
  IA32_TIME_STAMP_COUNTER,
  IA32_TSC_AUX,
  MSR_AMD64_BU_CFG2,
  MSR_AMD64_DC_CFG,
  MSR_AMD64_DE_CFG,
  MSR_AMD64_NB_CFG,
  MSR_AMD64_SYSCFG,
  MSR_F15H_EX_CFG,
  MSR_FAM10H_MMIO_CONF_BASE,
  MSR_K7_EVNTSEL0,
  MSR_K7_HWCR,
  MSR_K7_PERFCTR0,
  MSR_K8_INT_PENDING_MSG,
  MSR_VM_HSAVE_PA,
  SEG_FS,
  SEG_GS,
  UnmodelledError,
} from '@smm/x86-defs';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import type { CpuModel } from './models.ts';

/** One MSR. */
export interface MsrRow {
  /** What RDMSR and WRMSR find in ECX. */
  readonly number: number;
  /** The SDM's name. */
  readonly name: string;
  /** Value after RESET (stored rows). INIT keeps it. */
  readonly reset: bigint;
  /** Bits whose setting is #GP. */
  readonly reserved: bigint;
  /** Bits that a write leaves as they were. */
  readonly ignored: bigint;
  /** Slot in ST_MSR; -1 if the value lives elsewhere. */
  readonly slot: number;
  /** Writes are #GP. */
  readonly readOnly?: boolean;
  /** CPUID feature without which the MSR does not exist. */
  readonly feature?: string;
  /** CPUID vendor whose processors alone have the MSR. */
  readonly vendor?: string;
  /** Reserved bits that depend on the model. */
  readonly reservedFor?: (model: CpuModel) => bigint;
  /** Values that are #GP though no reserved bit is set. */
  readonly valid?: (value: bigint) => boolean;
  /** Value that lives elsewhere; undefined is #GP. */
  readonly read?: (cpu: Processor) => bigint | undefined;
  /** Effect of a write beyond storing; false is #GP. */
  readonly write?: (cpu: Processor, value: bigint) => boolean;
}

const ALL = 0xffff_ffff_ffff_ffffn;
const HIGH = 0xffff_ffff_0000_0000n;

/** True if bits 63:47 (48-bit linear addresses) are all equal. */
export function isCanonical(value: bigint): boolean {
  const high = BigInt.asUintN(64, value) >> 47n;
  return high === 0n || high === 0x1_ffffn;
}

/** Memory types that MTRRs take: UC WC WT WP WB. */
const MTRR_TYPES: ReadonlySet<number> = new Set([0, 1, 4, 5, 6]);
/** Memory types that the PAT takes: those and UC-. */
const PAT_TYPES: ReadonlySet<number> = new Set([0, 1, 4, 5, 6, 7]);

function everyByte(value: bigint, types: ReadonlySet<number>): boolean {
  for (let i = 0n; i < 64n; i += 8n) if (!types.has(Number((value >> i) & 0xffn))) return false;
  return true;
}

function beyondPhys(model: CpuModel): bigint {
  return ALL & ~((1n << BigInt(model.physBits)) - 1n);
}

/** EFER bits that a model has. */
export function eferBits(model: CpuModel): number {
  let bits = 0;
  if (model.features.has('syscall')) bits |= EFER_SCE;
  if (model.features.has('lm')) bits |= EFER_LME | EFER_LMA;
  if (model.features.has('nx')) bits |= EFER_NXE;
  if (model.features.has('svm')) bits |= 1 << 12;
  if (model.features.has('fxsr-opt')) bits |= 1 << 14;
  return bits;
}

/** Throws `UnmodelledError` `CPU_SVM_UNMODELLED` if a value for EFER has SVME. */
export function refuseSvme(cpu: Processor, efer: number): void {
  if (!(efer & (1 << 12))) return;
  throw new UnmodelledError(
    'CPU_SVM_UNMODELLED',
    `processor ${cpu.index} sets EFER.SVME at RIP ${cpu.insnRip.toString(16)}h`,
    'Choose a CPU model without svm (-svm): nested virtualization is not modelled.',
    { rip: cpu.insnRip },
  );
}

function writeEfer(cpu: Processor, value: bigint): boolean {
  const s = cpu.state;
  const old = s.efer;
  const wanted = (Number(value) & ~EFER_LMA) | (old & EFER_LMA);
  if ((wanted ^ old) & EFER_LME && s.cr0 & 0x8000_0000) return false;
  refuseSvme(cpu, wanted);
  s.efer = wanted;
  cpu.modeChanged();
  cpu.flushAll();
  return true;
}

function segmentBase(segment: number): Pick<MsrRow, 'read' | 'write' | 'slot'> {
  return {
    slot: -1,
    read: (cpu) => cpu.state.get64(L.ST_SEG_BASE + segment * 8),
    write: (cpu, value) => {
      cpu.state.set64(L.ST_SEG_BASE + segment * 8, value);
      cpu.modeChanged();
      return true;
    },
  };
}

/**
 * AMD's own: they read 0 and forget what is written, as QEMU's TCG has them, and KVM too, which calls them harmless.
 * Source: QEMU 7.2 (measured); Linux, kvm_get_msr_common().
 */
function amdRow(number: number, name: string): Spec {
  return { number, name, vendor: 'AuthenticAMD', slot: -1, read: () => 0n, write: () => true };
}

type Spec = Partial<MsrRow> & Pick<MsrRow, 'number' | 'name'>;

const MTRR_NAMES_4K = ['C0000', 'C8000', 'D0000', 'D8000', 'E0000', 'E8000', 'F0000', 'F8000'];
const MTRR_VARIABLE = 8;
const MC_BANKS = 10;
const K7_COUNTERS = 4;
const mtrrFixed = { feature: 'mtrr', valid: (v: bigint) => everyByte(v, MTRR_TYPES) };

const SPECS: readonly Spec[] = [
  {
    number: IA32_TIME_STAMP_COUNTER,
    name: 'IA32_TIME_STAMP_COUNTER',
    feature: 'tsc',
    slot: -1,
    read: (cpu) => BigInt.asUintN(64, cpu.ports.time.tsc(cpu.index) + cpu.state.tscOffset),
    write: (cpu, value) => {
      cpu.state.tscOffset = BigInt.asUintN(64, value - cpu.ports.time.tsc(cpu.index));
      return true;
    },
  },
  { number: IA32_PLATFORM_ID, name: 'IA32_PLATFORM_ID', readOnly: true },
  {
    number: IA32_FEATURE_CONTROL,
    name: 'IA32_FEATURE_CONTROL',
    reset: 1n, // locked with nothing enabled: neither VMX nor SMRR
    readOnly: true,
  },
  { number: IA32_BIOS_SIGN_ID, name: 'IA32_BIOS_SIGN_ID', ignored: 0xffff_ffffn },
  {
    number: IA32_SMBASE,
    name: 'IA32_SMBASE',
    slot: -1,
    readOnly: true,
    read: (cpu) => (cpu.state.smm ? BigInt(cpu.state.smbase) : undefined),
  },
  // eight variable and the fixed ranges, WC; no SMRR
  { number: IA32_MTRRCAP, name: 'IA32_MTRRCAP', reset: 0x508n, readOnly: true, feature: 'mtrr' },
  { number: IA32_SYSENTER_CS, name: 'IA32_SYSENTER_CS', feature: 'sep', ignored: HIGH },
  { number: IA32_SYSENTER_ESP, name: 'IA32_SYSENTER_ESP', feature: 'sep', valid: isCanonical },
  { number: IA32_SYSENTER_EIP, name: 'IA32_SYSENTER_EIP', feature: 'sep', valid: isCanonical },
  { number: IA32_MCG_CAP, name: 'IA32_MCG_CAP', reset: 0x100_010an, readOnly: true, feature: 'mca' },
  { number: IA32_MCG_STATUS, name: 'IA32_MCG_STATUS', feature: 'mca' },
  {
    number: IA32_MCG_CTL,
    name: 'IA32_MCG_CTL',
    reset: ALL,
    feature: 'mca',
    valid: (v) => v === 0n || v === ALL,
  },
  { number: IA32_MISC_ENABLE, name: 'IA32_MISC_ENABLE', reset: 1n, ignored: ALL & ~0x4_0085_3c8bn },
  ...Array.from({ length: MTRR_VARIABLE }, (_, i): Spec[] => [
    {
      number: IA32_MTRR_PHYSBASE0 + 2 * i,
      name: `IA32_MTRR_PHYSBASE${i}`,
      feature: 'mtrr',
      reserved: 0xf00n,
      reservedFor: beyondPhys,
      valid: (v) => MTRR_TYPES.has(Number(v & 0xffn)),
    },
    {
      number: IA32_MTRR_PHYSBASE0 + 2 * i + 1,
      name: `IA32_MTRR_PHYSMASK${i}`,
      feature: 'mtrr',
      reserved: 0x7ffn,
      reservedFor: beyondPhys,
    },
  ]).flat(),
  { number: IA32_MTRR_FIX64K_00000, name: 'IA32_MTRR_FIX64K_00000', ...mtrrFixed },
  { number: IA32_MTRR_FIX16K_80000, name: 'IA32_MTRR_FIX16K_80000', ...mtrrFixed },
  { number: IA32_MTRR_FIX16K_A0000, name: 'IA32_MTRR_FIX16K_A0000', ...mtrrFixed },
  ...MTRR_NAMES_4K.map(
    (at, i): Spec => ({ number: IA32_MTRR_FIX4K_C0000 + i, name: `IA32_MTRR_FIX4K_${at}`, ...mtrrFixed }),
  ),
  {
    number: IA32_PAT,
    name: 'IA32_PAT',
    reset: 0x0007_0406_0007_0406n,
    feature: 'pat',
    valid: (v) => everyByte(v, PAT_TYPES),
    write: (cpu) => {
      cpu.flushAll();
      return true;
    },
  },
  {
    number: IA32_MTRR_DEF_TYPE,
    name: 'IA32_MTRR_DEF_TYPE',
    feature: 'mtrr',
    reserved: ALL & ~0xcffn,
    valid: (v) => MTRR_TYPES.has(Number(v & 0xffn)),
  },
  ...Array.from({ length: MC_BANKS }, (_, i): Spec[] => [
    {
      number: IA32_MC0_CTL + 4 * i,
      name: `IA32_MC${i}_CTL`,
      reset: ALL,
      feature: 'mca',
      valid: (v) => v === 0n || v === ALL || v === (ALL & ~(1n << 10n)),
    },
    { number: IA32_MC0_CTL + 4 * i + 1, name: `IA32_MC${i}_STATUS`, feature: 'mca', valid: (v) => v === 0n },
    { number: IA32_MC0_CTL + 4 * i + 2, name: `IA32_MC${i}_ADDR`, feature: 'mca', valid: (v) => v === 0n },
    { number: IA32_MC0_CTL + 4 * i + 3, name: `IA32_MC${i}_MISC`, feature: 'mca', valid: (v) => v === 0n },
  ]).flat(),
  {
    number: IA32_EFER,
    name: 'IA32_EFER',
    slot: -1,
    reservedFor: (model) => ALL & ~BigInt(eferBits(model)),
    read: (cpu) => BigInt(cpu.state.efer),
    write: writeEfer,
  },
  { number: IA32_STAR, name: 'IA32_STAR', feature: 'syscall' },
  { number: IA32_LSTAR, name: 'IA32_LSTAR', feature: 'lm', valid: isCanonical },
  { number: IA32_CSTAR, name: 'IA32_CSTAR', feature: 'lm', valid: isCanonical },
  { number: IA32_FMASK, name: 'IA32_FMASK', feature: 'syscall', ignored: HIGH },
  { number: IA32_FS_BASE, name: 'IA32_FS_BASE', feature: 'lm', valid: isCanonical, ...segmentBase(SEG_FS) },
  { number: IA32_GS_BASE, name: 'IA32_GS_BASE', feature: 'lm', valid: isCanonical, ...segmentBase(SEG_GS) },
  { number: IA32_KERNEL_GS_BASE, name: 'IA32_KERNEL_GS_BASE', feature: 'lm', valid: isCanonical },
  { number: IA32_TSC_AUX, name: 'IA32_TSC_AUX', feature: 'rdtscp', reserved: HIGH },
  ...Array.from({ length: K7_COUNTERS }, (_, i) => amdRow(MSR_K7_EVNTSEL0 + i, `MSR_K7_EVNTSEL${i}`)),
  ...Array.from({ length: K7_COUNTERS }, (_, i) => amdRow(MSR_K7_PERFCTR0 + i, `MSR_K7_PERFCTR${i}`)),
  amdRow(MSR_AMD64_SYSCFG, 'MSR_AMD64_SYSCFG'),
  amdRow(MSR_K7_HWCR, 'MSR_K7_HWCR'),
  amdRow(MSR_AMD64_NB_CFG, 'MSR_AMD64_NB_CFG'),
  amdRow(MSR_K8_INT_PENDING_MSG, 'MSR_K8_INT_PENDING_MSG'),
  amdRow(MSR_FAM10H_MMIO_CONF_BASE, 'MSR_FAM10H_MMIO_CONF_BASE'),
  {
    number: MSR_VM_HSAVE_PA,
    name: 'MSR_VM_HSAVE_PA',
    vendor: 'AuthenticAMD',
    reserved: 0xfffn,
    reservedFor: beyondPhys,
  },
  amdRow(MSR_AMD64_DC_CFG, 'MSR_AMD64_DC_CFG'),
  amdRow(MSR_AMD64_DE_CFG, 'MSR_AMD64_DE_CFG'),
  amdRow(MSR_AMD64_BU_CFG2, 'MSR_AMD64_BU_CFG2'),
  amdRow(MSR_F15H_EX_CFG, 'MSR_F15H_EX_CFG'),
];

function numberSlots(specs: readonly Spec[]): MsrRow[] {
  let next = 0;
  return specs.map((spec) => ({ reset: 0n, reserved: 0n, ignored: 0n, ...spec, slot: spec.slot ?? next++ }));
}

/** Every MSR, in order of appearance. */
export const MSRS: readonly MsrRow[] = numberSlots(SPECS);

const BY_NUMBER: ReadonlyMap<number, MsrRow> = new Map(MSRS.map((row) => [row.number, row]));

/** The row of an MSR if the model has it. */
export function findMsr(model: CpuModel, number: number): MsrRow | undefined {
  const row = BY_NUMBER.get(number);
  if (row === undefined || (row.feature !== undefined && !model.features.has(row.feature))) return undefined;
  return row.vendor === undefined || row.vendor === model.vendor ? row : undefined;
}

/** Stored value of an MSR row. */
export function storedMsr(cpu: Processor, row: MsrRow): bigint {
  return cpu.state.get64(L.ST_MSR + row.slot * 8);
}

/** Stored value of an MSR by number; the number must be in the table. */
export function msrValue(cpu: Processor, number: number): bigint {
  return storedMsr(cpu, BY_NUMBER.get(number)!);
}

/** Stores an MSR by number without checks. */
export function setMsrValue(cpu: Processor, number: number, value: bigint): void {
  cpu.state.set64(L.ST_MSR + BY_NUMBER.get(number)!.slot * 8, value);
}

/** True for the MSRs that the local APIC answers. */
export function isApicMsr(number: number): boolean {
  return number === 0x1b || number === 0x6e0 || (number >= 0x800 && number <= 0x8ff);
}

/** Puts every stored MSR to its RESET value. */
export function resetMsrs(cpu: Processor): void {
  for (const row of MSRS) if (row.slot >= 0) cpu.state.set64(L.ST_MSR + row.slot * 8, row.reset);
}
