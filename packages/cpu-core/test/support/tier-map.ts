/**
 * Where things lie for the tier comparison. All addresses are linear and below 64 KiB where 16-bit code must reach
 * them.
 */
import { ALL_RIGHTS, type PageRights } from './flat-machine.ts';

/** RAM of the machine, bytes. */
export const RAM_SIZE = 0x2_8000;
/** The generated program. */
export const PROGRAM = 0x1000;
/** Bytes it may have; data on the code's own page follow. */
export const PROGRAM_BYTES = 0x2e00;
/** Data on the last page of the program. */
export const DATA_BY_CODE = 0x3f00;
/** A page of fixed subroutines whose rights change. */
export const RIGHTS_PAGE = 0x4000;
/** Counters of the handlers. */
export const COUNTERS = 0x5e00;
/** Around this page border lie the data. */
export const BORDER = 0x6000;
/** Stacks of the processors end here and 800h above; those of CPL 0 under a program of CPL 3 1000h above. */
export const STACK = 0x7800;
/** Linear page that is the device's. */
export const DEVICE_PAGE = 0x9000;
/** Nothing is mapped here. */
export const MISSING_PAGE = 0xa000;
/** May be read only. */
export const READ_ONLY_PAGE = 0xb000;
/** Missing now and then; the handler of #PF brings it. */
export const DEMAND_PAGE = 0xc000;
/** Another name of {@link RIGHTS_PAGE}. */
export const ALIAS_PAGE = 0xd000;
/** A page of fixed subroutines, here or at {@link SWAPPED_PAGE}. */
export const SWAP_PAGE = 0xe000;
/** What {@link SWAP_PAGE} names while swapped. */
export const SWAPPED_PAGE = 0xf000;
/** Descriptor tables, task-state segments. */
export const TABLES = 0x1_0000;
export const IDT: number = TABLES + 0x100;
export const TSS: number = TABLES + 0x800;
/** Exception and interrupt handlers. */
export const HANDLERS = 0x1_1000;
/** SMBASE of the first processor; the next is 4000h above. */
export const SMBASE = 0x1_0000;

/** Written to port {@link PORT}. */
export const PORT = 0xe0;
export const OUT_DEMAND_IN = 1;
export const OUT_CODE_RIGHTS_ALL = 2;
export const OUT_DEMAND_OUT = 3;
export const OUT_CODE_NX = 4;
export const OUT_CODE_READ_ONLY = 5;
export const OUT_CODE_MISSING = 6;
export const OUT_SWAP = 7;
/** As {@link OUT_SWAP} and {@link OUT_DEMAND_OUT}; this processor flushes by itself. */
export const OUT_SWAP_LAZY = 8;
export const OUT_DEMAND_OUT_LAZY = 9;

/** Registers of the device, byte offsets; a write does what is said, a read gives a number. */
export const DEV_IRQ = 0x100;
export const DEV_SMI = 0x110;
export const DEV_IRQ_OTHER = 0x120;
export const DEV_SMI_OTHER = 0x130;
export const DEV_EXIT = 0x140;
export const DEV_SWAP = 0x150;
export const DEV_POKE = 0x160;
export const DEV_NMI = 0x170;
/** Reads as the number of instructions retired. */
export const DEV_TIME = 0x180;

/** One-byte instructions that can stand for one another: NOP, CLC, STC, CMC, CLD. */
export const HARMLESS = [0x90, 0xf8, 0xf9, 0xf5, 0xfc] as const;

/** Rights of {@link RIGHTS_PAGE} and its alias. */
export type CodeRights = 'all' | 'nx' | 'read-only' | 'missing';

/** By name; `missing` is not mapped at all. */
export const RIGHTS: Readonly<Record<CodeRights, PageRights>> = {
  all: ALL_RIGHTS,
  nx: { ...ALL_RIGHTS, executable: false },
  'read-only': { ...ALL_RIGHTS, writable: false },
  missing: ALL_RIGHTS,
};

/** Entries in {@link RIGHTS_PAGE} (also by its alias) and {@link SWAP_PAGE}. */
export const FIXED_ENTRIES = [0, 0x40, 0x80] as const;
/** In {@link RIGHTS_PAGE}: a byte that may be any number, part of an instruction. */
export const RIGHTS_BYTE: number = RIGHTS_PAGE + 2;
