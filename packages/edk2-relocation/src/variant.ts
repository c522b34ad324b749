/** Variants of the firmware: which edk2, which width, which historical defects. */
import { SmmError } from '@smm/x86-defs';
import type { FirmwareShape } from './tiles.ts';

/** Defects of real firmware that can be built in; numbers as in the quirks catalogue. */
export type FirmwareQuirk = 'Q5' | 'Q6' | 'Q7' | 'Q8' | 'Q9' | 'Q10' | 'Q11' | 'Q24' | 'Q25';

/** One row of {@link FIRMWARE_QUIRKS}. */
export interface FirmwareQuirkInfo {
  /** edk2 commit that removed (or introduced) the defect. */
  readonly commit: string;
  /** What the defective code does. */
  readonly before: string;
  /** What shows. */
  readonly symptom: string;
  /** Widths that have the code in question. */
  readonly bitness: readonly (32 | 64)[];
  /** Shapes that have the code in question. */
  readonly shapes: readonly FirmwareShape[];
}

/** What each firmware quirk means. */
export const FIRMWARE_QUIRKS: Readonly<Record<FirmwareQuirk, FirmwareQuirkInfo>> = {
  Q5: {
    commit: '4af3ae1463',
    before: 'GetInitialApicId believes CPUID leaf 0Bh without testing EBX[15:0]',
    symptom:
      'with an empty leaf 0Bh every CPU registers as APIC id 0, and relocation waits for a CPU that gets no SMI',
    bitness: [32, 64],
    shapes: ['2015', '2024'],
  },
  Q6: {
    commit: 'e9b3a6c926',
    before:
      'the save-state layout is chosen by CPUID leaf 1 EDX[29] instead of by the layout that the CPU has',
    symptom: 'on an AMD64 layout SMBASE stays 30000h and the return address is not hooked',
    bitness: [32, 64],
    shapes: ['2015', '2024'],
  },
  Q7: {
    commit: 'c1fcd80bf4',
    before: 'SMBASE is written at offset 7EF8h also on the AMD64 layout',
    symptom: 'every CPU keeps SMBASE 30000h',
    bitness: [32, 64],
    shapes: ['2015', '2024'],
  },
  Q8: {
    commit: '8d4d55b15b',
    before: 'SmmStartup has a 16-bit jz above 64 KiB, taken when CPUID has no NX',
    symptom: 'a CPU that truncates EIP to 16 bits jumps into nowhere',
    bitness: [32, 64],
    shapes: ['2015', '2024'],
  },
  Q9: {
    commit: '881520ea67',
    before: 'PAE page directory pointers of the SMI handler have the reserved bits 1 and 2 set',
    symptom: 'setting CR0.PG in the SMI handler faults',
    bitness: [32],
    shapes: ['2015', '2024'],
  },
  Q10: {
    commit: '9b1e378811',
    before: 'the CPU that takes a normal SMI waits for the others, but nobody sends them the SMI',
    symptom: 'each SMI costs the whole time-out and runs on one CPU',
    bitness: [32, 64],
    shapes: ['2015', '2024'],
  },
  Q11: {
    commit: '4a0f88dd64',
    before: 'on the S3 path APs are left in HLT in the start-up page below 1 MiB, which the OS gets back',
    symptom: 'an SMI wakes the AP, RSM returns behind HLT, and it runs what the OS has there',
    bitness: [32, 64],
    shapes: ['2015'],
  },
  Q24: {
    commit: '9001b750df',
    before: 'waiting processors spin without PAUSE in SMM',
    symptom: 'SMIs take long with many processors',
    bitness: [32, 64],
    shapes: ['2015', '2024'],
  },
  Q25: {
    commit: 'd4d87596c1',
    before: 'page tables mark the low 2 MiB no-execute, and SmmStartup does not enable NXE',
    symptom: 'the first access to the save state in SMM is a page fault (reserved bit)',
    bitness: [64],
    shapes: ['2015', '2024'],
  },
};

/** A checked choice of firmware. */
export interface FirmwareVariant {
  /** Width of DXE and SMM code. */
  readonly bitness: 32 | 64;
  /** Which edk2. */
  readonly shape: FirmwareShape;
  /** False: the BSP does not wait for the APs' mRebased flags. A race, on purpose. */
  readonly waitForRebased: boolean;
  /** TSEG size in MiB. */
  readonly tsegMb: 1 | 2 | 8;
  /** It sleeps in S3 once, and resumes. */
  readonly s3: boolean;
  /** Polls without a new arrival after which the first SMI gives up waiting. */
  readonly gatherPolls: number;
  /** True if `quirk` is built in. */
  has(quirk: FirmwareQuirk): boolean;
}

/** Throws SmmError `FIRMWARE_QUIRK` when `quirks` do not fit the rest. */
export function checkQuirks(quirks: readonly FirmwareQuirk[], bitness: 32 | 64, shape: FirmwareShape): void {
  for (const quirk of quirks) {
    const info = FIRMWARE_QUIRKS[quirk];
    if (info === undefined) {
      const known = Object.keys(FIRMWARE_QUIRKS).join(', ');
      throw new SmmError('FIRMWARE_QUIRK', `unknown firmware quirk ${quirk}`, `Use one of ${known}.`, {
        quirk,
      });
    }
    if (!info.bitness.includes(bitness) || !info.shapes.includes(shape)) {
      throw new SmmError(
        'FIRMWARE_QUIRK',
        `${quirk} has no meaning in ${bitness}-bit firmware of ${shape}`,
        `Use it with bitness ${info.bitness.join(' or ')} and shape ${info.shapes.join(' or ')}.`,
        { quirk, bitness, shape },
      );
    }
  }
}
