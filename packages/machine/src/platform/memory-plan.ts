/**
 * How the one WebAssembly memory of a machine is laid out. All addresses here are host offsets (bytes into the memory).
 *
 *   0 .................. engine: processor state pages, TLBs, decoded code
 *   hostOffset ......... host pages that are not guest RAM: KVM's private slots, EPT and shadow tables
 *   romOffset .......... flash image
 *   ramOffset .......... guest RAM, to the end
 */
import { SmmError } from '@smm/x86-defs';

/** Bytes in a MiB. */
const MIB = 0x10_0000;
/** Largest guest RAM in MiB: the memory is 4 GiB at most and RAM is one piece of it. */
export const MAX_MEMORY_MIB = 3072;

/** Most processors with xAPIC ids: they are 8 bits wide and FFh is the broadcast. */
const MAX_XAPIC_CPUS = 255;
/** Most processors with x2APIC ids: what one memory and a patient reader hold. */
const MAX_X2APIC_CPUS = 1024;

/** MiB for decoded code. */
const DECODED_MIB = 48;

/** Where everything lies. */
export interface MemoryPlan {
  /** Start of the engine's part. */
  readonly engineOffset: number;
  /** Size of the engine's part. */
  readonly engineSize: number;
  /** Start of the pool of host pages. */
  readonly hostOffset: number;
  /** Size of the pool of host pages. */
  readonly hostSize: number;
  /** Start of the flash image. */
  readonly romOffset: number;
  /** Size of the flash image. */
  readonly romSize: number;
  /** Start of guest RAM. */
  readonly ramOffset: number;
  /** Size of guest RAM. */
  readonly ramSize: number;
  /** Size of the whole memory, a multiple of 64 KiB. */
  readonly totalSize: number;
}

const align = (value: number, to: number): number => Math.ceil(value / to) * to;

/**
 * Plans the memory of a machine.
 * @param cpus - processors, 1 or more
 * @param memoryMiB - guest RAM
 * @param romSize - bytes of flash
 * @param x2apic - the processors have x2APIC, so that ids beyond 8 bits can be reached
 * @param decodedMiB - for decoded code
 * @throws SmmError `CPU_COUNT` or `MEMORY_SIZE` when it does not fit
 */
export function planMemory(
  cpus: number,
  memoryMiB: number,
  romSize: number,
  x2apic = false,
  decodedMiB = DECODED_MIB,
): MemoryPlan {
  const most = x2apic ? MAX_X2APIC_CPUS : MAX_XAPIC_CPUS;
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > most) {
    throw new SmmError(
      'CPU_COUNT',
      `a machine with ${cpus} processors cannot be built`,
      `Use -smp with a whole number from 1 to ${most}${x2apic ? '' : ': APIC ids of more need x2APIC (-cpu NAME,+x2apic)'}.`,
      { cpus },
    );
  }
  if (!Number.isInteger(memoryMiB) || memoryMiB < 32 || memoryMiB > MAX_MEMORY_MIB) {
    throw new SmmError(
      'MEMORY_SIZE',
      `a machine with ${memoryMiB} MiB of memory cannot be built`,
      `Use -m with a whole number from 32 to ${MAX_MEMORY_MIB}: guest RAM is one piece of a memory of at most 4 GiB.`,
      { memoryMiB },
    );
  }
  const engineOffset = 0;
  const engineSize = align(decodedMiB * MIB + cpus * 384 * 1024, MIB);
  const hostOffset = engineOffset + engineSize;
  const hostSize = 24 * MIB;
  const romOffset = hostOffset + hostSize;
  const ramOffset = romOffset + align(romSize, MIB);
  const ramSize = memoryMiB * MIB;
  return {
    engineOffset,
    engineSize,
    hostOffset,
    hostSize,
    romOffset,
    romSize,
    ramOffset,
    ramSize,
    totalSize: align(ramOffset + ramSize, 0x1_0000),
  };
}
