/**
 * The state page: where a processor's registers are in the engine's memory, and what each field is. A line here is all
 * that a register needs to be in snapshots, state hashes and the proof of a hang. Its accessors (`state-fields.ts`) and
 * docs/state-page.md are written from the lines and their comments by a test, `tests/state-page.test.ts`. All offsets
 * are bytes from the processor's state base (a host offset). Everything here is per processor.
 */
import { type StateField, StatePage } from './state-page.ts';

const page = new StatePage();

/** 16 general registers, 64 bit each. A 32-bit write clears the upper half in every mode. */
export const ST_GPR: number = page.add('GPR', 'architectural', 'raw8', 16);
/** Always zero: stands for 'no base' and 'no index'. 64 bit. */
export const ST_ZERO: number = page.add('ZERO', 'book-keeping', 'raw8');
/** RIP, 64 bit (EIP and IP zero-extended). */
export const ST_RIP: number = page.add('RIP', 'architectural', 'u64');
/** Result of the last flag-setting operation, shifted to the top of 64 bits. */
export const ST_CC_RES: number = page.add('CC_RES', 'book-keeping', 'raw8');
/** Second operand of the last flag-setting operation, shifted to the top of 64 bits. */
export const ST_CC_SRC: number = page.add('CC_SRC', 'book-keeping', 'raw8');
/** Lazy flag operation (CC_*), 32 bit. CC_EAGER: CF PF AF ZF SF OF are in ST_EFLAGS. */
export const ST_CC_OP: number = page.add('CC_OP', 'book-keeping', 'u32');
/**
 * RFLAGS, 32 bit. With ST_CC_OP != CC_EAGER its six status bits are stale but for what is apart; the other bits are
 * always valid.
 */
export const ST_EFLAGS: number = page.add('EFLAGS', 'architectural', 'u32');
/** Mode word (MODE_*), 32 bit. */
export const ST_MODE: number = page.add('MODE', 'derived', 'u32');
/** Instructions (REP iterations) left, 32 bit signed. */
export const ST_BUDGET: number = page.add('BUDGET', 'book-keeping', 'i32');
/** Why the tier returned (EXIT_*), 32 bit. */
export const ST_EXIT: number = page.add('EXIT', 'book-keeping', 'u32');
/** Set non-zero by TypeScript to end the current block after the current instruction, 32 bit. */
export const ST_EXIT_REQUEST: number = page.add('EXIT_REQUEST', 'book-keeping', 'u32');
/** Host offset of the TLB in use (supervisor or user), 32 bit. */
export const ST_TLB: number = page.add('TLB', 'derived', 'u32');
/** Host offset of the block being run, 32 bit. */
export const ST_BLOCK: number = page.add('BLOCK', 'book-keeping', 'u32');
page.skipTo(208);
/** The four PDPTE registers of PAE paging, 64 bit each. Zero until they are loaded. */
export const ST_PDPTE: number = page.add('PDPTE', 'architectural', 'u64', 4);
page.skipTo(256);
/** Segment bases ES CS SS DS FS GS LDTR TR, 64 bit each. */
export const ST_SEG_BASE: number = page.add('SEG_BASE', 'architectural', 'address', 8);
/** Segment limits in bytes (scaled), 32 bit each. */
export const ST_SEG_LIMIT: number = page.add('SEG_LIMIT', 'architectural', 'u32', 8);
/** Segment selectors, 32-bit slots holding 16 bit. */
export const ST_SEG_SELECTOR: number = page.add('SEG_SELECTOR', 'architectural', 'u16', 8);
/** Segment attributes (16-bit save-state form), 32-bit slots. */
export const ST_SEG_ATTR: number = page.add('SEG_ATTR', 'architectural', 'u16', 8);
/** GDTR base, 64 bit. */
export const ST_GDTR_BASE: number = page.add('GDTR_BASE', 'architectural', 'address');
/** IDTR base, 64 bit. */
export const ST_IDTR_BASE: number = page.add('IDTR_BASE', 'architectural', 'address');
/** GDTR limit, 32-bit slot. */
export const ST_GDTR_LIMIT: number = page.add('GDTR_LIMIT', 'architectural', 'u32');
/** IDTR limit, 32-bit slot. */
export const ST_IDTR_LIMIT: number = page.add('IDTR_LIMIT', 'architectural', 'u32');
/** CR0, 32 bit. */
export const ST_CR0: number = page.add('CR0', 'architectural', 'u32');
/** CR4, 32 bit. */
export const ST_CR4: number = page.add('CR4', 'architectural', 'u32');
/** CR2, 64 bit. */
export const ST_CR2: number = page.add('CR2', 'architectural', 'address');
/** CR3, 64 bit. */
export const ST_CR3: number = page.add('CR3', 'architectural', 'number');
/** EFER, 32 bit. */
export const ST_EFER: number = page.add('EFER', 'architectural', 'u32');
/** SMBASE, guest-physical, 32 bit. */
export const ST_SMBASE: number = page.add('SMBASE', 'architectural', 'u32');
/** DR0..DR3, 64 bit each. */
export const ST_DR: number = page.add('DR', 'architectural', 'u64', 4);
/** DR6, 32 bit. */
export const ST_DR6: number = page.add('DR6', 'architectural', 'u32');
/** DR7, 32 bit. */
export const ST_DR7: number = page.add('DR7', 'architectural', 'u32');
/** Activity and event latches (ACT_* bits), 32 bit. */
export const ST_ACTIVITY: number = page.add('ACTIVITY', 'architectural', 'u32');
/** SIPI vector received, 32 bit. */
export const ST_SIPI_VECTOR: number = page.add('SIPI_VECTOR', 'architectural', 'u32');
/** Instructions retired (REP iterations counted), 64-bit float. */
export const ST_RETIRED: number = page.add('RETIRED', 'counter', 'double');
/** TSC offset written by WRMSR, 64 bit. */
export const ST_TSC_OFFSET: number = page.add('TSC_OFFSET', 'architectural', 'u64');
/** MXCSR, 32 bit. */
export const ST_MXCSR: number = page.add('MXCSR', 'architectural', 'u32');
/** x87 control word, 32-bit slot. */
export const ST_FCW: number = page.add('FCW', 'architectural', 'u32');
/** x87 status word, 32-bit slot. */
export const ST_FSW: number = page.add('FSW', 'architectural', 'u32');
/** x87 tag word (full 16-bit form), 32-bit slot. */
export const ST_FTW: number = page.add('FTW', 'architectural', 'u32');
/** x87 instruction pointer of the last non-control instruction: offset, 64 bit. */
export const ST_FIP: number = page.add('FIP', 'architectural', 'u64');
/** x87 data pointer of the last non-control instruction with a memory operand: offset, 64 bit. */
export const ST_FDP: number = page.add('FDP', 'architectural', 'u64');
/** x87 opcode of the last instruction with an unmasked exception, 11 bits in a 32-bit slot. */
export const ST_FOP: number = page.add('FOP', 'architectural', 'u32');
/** Code selector of ST_FIP in bits 15..0, data selector of ST_FDP in bits 31..16, 32 bit. */
export const ST_FCS_FDS: number = page.add('FCS_FDS', 'architectural', 'u32');
/** XMM0..XMM15, 16 bytes each. */
export const ST_XMM: number = page.add('XMM', 'architectural', 'raw16', 16);
/** x87 registers as 80-bit values in 16-byte slots, physical order. */
export const ST_X87: number = page.add('X87', 'architectural', 'raw16', 8);
/** XCR0: state components that XSAVE manages, 64 bit. No instruction changes it yet. */
export const ST_XCR0: number = page.add('XCR0', 'architectural', 'u64');
page.skipTo(1024);
/** 128 MSR slots of 64 bit, by MSR table row. */
export const ST_MSR: number = page.add('MSR', 'architectural', 'u64', 128);
/** Free for the engine's own use (trap record ...). */
export const ST_ENGINE: number = page.add('ENGINE', 'book-keeping', 'raw8', 8);
/** Budget at the start of the tier's run, 32 bit signed. */
export const ST_START_BUDGET: number = page.add('START_BUDGET', 'book-keeping', 'i32');
/** Budget of the tier's run that is not in ST_BUDGET, 32 bit signed. */
export const ST_HELD_BUDGET: number = page.add('HELD_BUDGET', 'book-keeping', 'i32');
/** Virtual time, nanoseconds, when ST_RETIRED instructions had been ST_TIME_RETIRED; 64-bit float. */
export const ST_TIME_NS: number = page.add('TIME_NS', 'book-keeping', 'double');
/** Instructions retired at ST_TIME_NS, 64-bit float. */
export const ST_TIME_RETIRED: number = page.add('TIME_RETIRED', 'book-keeping', 'double');
/** Nanoseconds per instruction, 64-bit float. */
export const ST_TIME_RATE: number = page.add('TIME_RATE', 'book-keeping', 'double');
/** Ticks per second of the counter at ST_TIME_PORT, 64-bit float. */
export const ST_TIME_FREQUENCY: number = page.add('TIME_FREQUENCY', 'book-keeping', 'double');
/** Mask of that counter, 32 bit. */
export const ST_TIME_MASK: number = page.add('TIME_MASK', 'book-keeping', 'u32');
/** Port of that counter in bits 15..0, width in bytes above; 0 for none. 32 bit. */
export const ST_TIME_PORT: number = page.add('TIME_PORT', 'book-keeping', 'u32');
/** 1: the time-stamp counter may be read without asking, 32 bit. */
export const ST_TIME_TSC: number = page.add('TIME_TSC', 'book-keeping', 'u32');
/** 1: PAUSE is somebody's business, 32 bit. */
export const ST_PAUSE_WATCHED: number = page.add('PAUSE_WATCHED', 'book-keeping', 'u32');
/** Reads of time that nobody was asked for, 64 bit. */
export const ST_TIME_READS: number = page.add('TIME_READS', 'book-keeping', 'number');
/** Where the next entry of the jump log goes, bytes from its start, 32 bit. */
export const ST_JUMP_LOG: number = page.add('JUMP_LOG', 'book-keeping', 'u32');
page.skipTo(2304);
/** Bits 255..128 of YMM0..YMM15, 16 bytes each. No instruction changes them yet. */
export const ST_YMM_HIGH: number = page.add('YMM_HIGH', 'architectural', 'raw16', 16);

/** All fields, by offset. */
export const STATE_FIELDS: readonly StateField[] = page.fields;

/** Code size field of the mode word: 0 = 16, 1 = 32, 2 = 64 bit. */
export const MODE_CODE_MASK = 0x3;
/** Stack address size is 32 bit (SS.B), or 64-bit mode when the code size is 2. */
export const MODE_SS32 = 0x4;
/** CPL is 3. */
export const MODE_USER = 0x8;
/** CR0.PE is set. */
export const MODE_PE = 0x10;
/** Virtual-8086 mode. */
export const MODE_VM = 0x20;
/** EFER.LMA is set (long or compatibility mode). */
export const MODE_LMA = 0x40;
/**
 * ES, DS and SS are flat: base 0, limit FFFFFFFFh, readable, writable, expand-up, present (always so in 64-bit mode).
 */
export const MODE_FLAT_DATA = 0x80;
/** CS is flat: base 0, limit FFFFFFFFh. */
export const MODE_FLAT_CODE = 0x100;
/** In SMM. */
export const MODE_SMM = 0x200;
/** Not 64-bit code, and when it began the upper half of some general register was not zero. */
export const MODE_WIDE = 0x400;
/** SSE instructions that the CPU model has raise neither #UD nor #NM: CR0.EM and CR0.TS clear, CR4.OSFXSR set. */
export const MODE_SSE = 0x800;
/** Somebody hooked code of this processor: decoded code stops short of what any processor's hooks name. */
export const MODE_HOOKED = 0x1000;
/** Position of the number, 8 bits, that tells apart the instruction sets of an engine's processors: their models. */
export const MODE_SET_SHIFT = 16;

/** Budget used up. */
export const EXIT_BUDGET = 0;
/** HLT (or MWAIT): ACT_HALTED is set. */
export const EXIT_HALT = 1;
/** A guest fault is pending in `Processor.pendingFault`; RIP is the faulting instruction's. */
export const EXIT_FAULT = 2;
/** ST_EXIT_REQUEST was seen: re-evaluate events. */
export const EXIT_EVENT = 3;
/** A host error is waiting to be thrown from `run`. */
export const EXIT_ERROR = 4;

/** ACT: halted (HLT). */
export const ACT_HALTED = 0x1;
/** ACT: wait-for-SIPI. */
export const ACT_WAIT_SIPI = 0x2;
/** ACT: shutdown. */
export const ACT_SHUTDOWN = 0x4;
/** ACT: in SMM. */
export const ACT_SMM = 0x8;
/** ACT: NMI blocked (in an NMI handler or by SMM). */
export const ACT_NMI_BLOCKED = 0x10;
/** ACT: the SMI arrived inside an NMI handler. */
export const ACT_SMM_INSIDE_NMI = 0x20;
/** ACT: interrupt shadow of STI. */
export const ACT_SHADOW_STI = 0x40;
/** ACT: interrupt shadow of MOV SS / POP SS. */
export const ACT_SHADOW_MOVSS = 0x80;
/** ACT: SMI latched. */
export const ACT_SMI_PENDING = 0x100;
/** ACT: NMI latched. */
export const ACT_NMI_PENDING = 0x200;
/** ACT: INIT latched. */
export const ACT_INIT_PENDING = 0x400;
/** ACT: SIPI received. */
export const ACT_SIPI_PENDING = 0x800;
/** ACT: a single-step #DB trap of the previous instruction waits for delivery. */
export const ACT_DEBUG_TRAP = 0x1000;
/** ACT: the next SMI is lost (behaviour `firstSmiAfterInitLost`). */
export const ACT_SMI_LOST_NEXT = 0x2000;
/** ACT: this is the bootstrap processor: INIT restarts it at the reset vector. */
export const ACT_BSP = 0x4000;
/** ACT: a single-step trap waits for RSM, for an SMI came first. */
export const ACT_DEBUG_TRAP_HELD = 0x8000;
/** ACT: the last thing that happened was the delivery of a fault, and nothing has retired since. */
export const ACT_FAULT_DELIVERED = 0x1_0000;

/** CC: status flags are in ST_EFLAGS. */
export const CC_EAGER = 0;
/** CC: res = a + src. */
export const CC_ADD = 1;
/** CC: res = a - src (CMP, SUB, NEG with a = 0). */
export const CC_SUB = 2;
/** CC: res of AND, OR, XOR, TEST: CF = OF = AF = 0. */
export const CC_LOGIC = 3;
/** CC: res = a + 1, CF kept in bit 0 of src. */
export const CC_INC = 4;
/** CC: res = a - 1, CF kept in bit 0 of src. */
export const CC_DEC = 5;
/** CC: ZF, SF and PF from res; CF, OF and AF are given in src in their RFLAGS positions (not shifted). */
export const CC_GIVEN = 6;
/** CC: res = a + src + 1 (carry came in): CC_ADD and bit 3. */
export const CC_ADC = 9;
/** CC: res = a - src - 1 (borrow came in): CC_SUB and bit 3. */
export const CC_SBB = 10;
/** Bits of ST_CC_OP that hold the CC_* value. */
export const CC_KIND = 0xf;
/** Bit of ST_CC_OP beside a kind other than CC_EAGER: CF is in ST_EFLAGS, whatever that kind says. */
export const CC_CF_APART = 0x10;
/** Bit of ST_CC_OP beside {@link CC_CF_APART}: OF is in ST_EFLAGS too. */
export const CC_OF_APART = 0x20;
