/**
 * Where SMRAM is and who sees it, from MCH register values alone.
 *
 * Not modelled: D_CLS (data accesses from SMM falling through to the graphics range while fetches do not); QEMU does
 * not either. Sources: Intel 316966, "System Management RAM Control", "Extended System Management RAM Control", "TSEG
 * Memory Base"; QEMU's q35 machine, measured (the tests run it).
 */
import {
  MCH_DEFAULT_SMBASE_LCK,
  MCH_DEFAULT_SMBASE_SIZE,
  MCH_ESMRAMC_H_SMRAME,
  MCH_ESMRAMC_T_EN,
  MCH_ESMRAMC_TSEG_1MB,
  MCH_ESMRAMC_TSEG_2MB,
  MCH_ESMRAMC_TSEG_8MB,
  MCH_ESMRAMC_TSEG_MASK,
  MCH_SMRAM_D_LCK,
  MCH_SMRAM_D_OPEN,
  MCH_SMRAM_G_SMRAME,
  SMM_DEFAULT_SMBASE,
  type SmramRange,
  type SmramRegisters,
} from '@smm/x86-defs';

const MIB = 0x10_0000;
const COMPATIBLE_SMRAM_START = 0xa_0000;
const COMPATIBLE_SMRAM_SIZE = 0x2_0000;
const HIGH_SMRAM_START = 0xfeda_0000;
const GIB4 = 2 ** 32;

/** How the platform places TSEG. */
export interface SmramDecodeOptions {
  /** Top of RAM below 4 GiB, guest-physical: where QEMU puts the end of TSEG, whatever TSEGMB and TOLUD say. */
  readonly topOfLowRam: number;
  /**
   * `qemu` (default): TSEG ends at `topOfLowRam`, and is nowhere if RAM is smaller (measured). `datasheet`: TSEG starts
   * at TSEGMB and ends at 4 GiB at the latest. Firmware that programs TSEGMB to match sees no difference.
   */
  readonly tsegPlacement?: 'qemu' | 'datasheet';
}

/** TSEG size in bytes as ESMRAMC selects it, enabled or not. */
export function tsegSizeBytes(registers: Pick<SmramRegisters, 'esmramc' | 'extTsegMb'>): number {
  switch (registers.esmramc & MCH_ESMRAMC_TSEG_MASK) {
    case MCH_ESMRAMC_TSEG_1MB:
      return MIB;
    case MCH_ESMRAMC_TSEG_2MB:
      return 2 * MIB;
    case MCH_ESMRAMC_TSEG_8MB:
      return 8 * MIB;
    default:
      return registers.extTsegMb * MIB;
  }
}

/**
 * The ranges in which SMRAM decoding changes what an access finds. Where no range says otherwise the memory map is as
 * without SMRAM. TSEG needs both T_EN and G_SMRAME. Outside SMM the compatible range gives way to the graphics range on
 * the bus even when SMRAM is disabled: it is never plain RAM unless opened.
 */
export function decodeSmram(registers: SmramRegisters, options: SmramDecodeOptions): SmramRange[] {
  const { smram, esmramc } = registers;
  const high = (esmramc & MCH_ESMRAMC_H_SMRAME) !== 0;
  const enabled = (smram & MCH_SMRAM_G_SMRAME) !== 0;
  const locked = (smram & MCH_SMRAM_D_LCK) !== 0;
  const open = (smram & MCH_SMRAM_D_OPEN) !== 0 && !locked;
  const ranges: SmramRange[] = [
    {
      name: 'compatible',
      start: COMPATIBLE_SMRAM_START,
      sizeBytes: COMPATIBLE_SMRAM_SIZE,
      ramStart: COMPATIBLE_SMRAM_START,
      inSmm: (enabled || open) && !high,
      outside: open && !high ? 'ram' : 'bus',
      locked,
    },
  ];
  if (high && (enabled || open)) {
    ranges.push({
      name: 'high',
      start: HIGH_SMRAM_START,
      sizeBytes: COMPATIBLE_SMRAM_SIZE,
      ramStart: COMPATIBLE_SMRAM_START,
      inSmm: true,
      outside: open ? 'ram' : 'bus',
      locked,
    });
  }
  const tsegSize = tsegSizeBytes(registers);
  if (enabled && (esmramc & MCH_ESMRAMC_T_EN) !== 0 && tsegSize > 0) {
    const start =
      options.tsegPlacement === 'datasheet'
        ? (registers.tsegmb & 0xfff0_0000) >>> 0
        : options.topOfLowRam - tsegSize;
    if (start >= 0) {
      const sizeBytes = Math.min(tsegSize, GIB4 - start);
      ranges.push({ name: 'tseg', start, sizeBytes, ramStart: start, inSmm: true, outside: 'hole', locked });
    }
  }
  if ((registers.defaultSmbaseCtl & MCH_DEFAULT_SMBASE_LCK) !== 0) {
    ranges.push({
      name: 'default-smbase',
      start: SMM_DEFAULT_SMBASE,
      sizeBytes: MCH_DEFAULT_SMBASE_SIZE,
      ramStart: SMM_DEFAULT_SMBASE,
      inSmm: true,
      outside: 'hole',
      locked: true,
    });
  }
  return ranges;
}
