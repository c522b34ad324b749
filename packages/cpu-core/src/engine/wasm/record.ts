/**
 * The op cache: blocks of decoded-instruction records as the generated code reads them. All offsets in bytes.
 *
 * A block is a header, then one record per instruction. A record that may jump is followed by an extension record. A
 * block that does not end in a jump ends with a record that costs no budget and goes on at the next RIP.
 */

/** Header: RIP of the first instruction, 64 bit. */
export const H_RIP = 0;
/** Header: budget the block takes, 32 bit; {@link DEAD} once it is dropped. */
export const H_COUNT = 8;
/** Header: index of the block among the engine's blocks, 32 bit. */
export const H_INDEX = 12;
/** Header: budget taken by the stay that is under way, 32 bit: outlives the block's being dropped. */
export const H_TAKEN = 16;
/**
 * Header: runs until the block is hot, 32 bit; when it is translated, minus the index of its region in the table of
 * regions. Only code generated for the translator looks at it.
 */
export const H_HEAT = 20;
/** H_HEAT of a block that is never to be translated. */
export const COLD_FOR_EVER = 0x7fff_ffff;
/** Size of a header. */
export const HEADER_SIZE = 32;
/** H_COUNT of a dropped block: more than any budget. */
export const DEAD = 0x7fff_ffff;

/** Record: handler, 16 bit. */
export const R_HANDLER = 0;
/** Record: handler that leaves all flags exact after this very instruction, 16 bit. */
export const R_EXACT = 2;
/** Record: distance from the block's RIP, 16 bit. */
export const R_OFFSET = 4;
/** Record: function of {@link HANDLER_CALL}, an index into the table, 16 bit. */
export const R_FUNCTION = 6;
/** Record: offsets into the register file of operands 0, 1, 2, base and index, 8 bit each. */
export const R_REG = 8;
export const R_BASE = 11;
export const R_INDEX = 12;
/** Record: log2 of the index scale, 8 bit. */
export const R_SCALE = 13;
/**
 * Record: state-page offset, divided by 8, of the segment base to add (ST_ZERO for none), 8 bit. Only functions look at
 * it.
 */
export const R_SEGMENT = 14;
/**
 * Record of code that is not flat: bits by which the address size falls short of 32, 8 bit. Its R_SEGMENT is the
 * segment's number.
 */
export const R_UNUSED_BITS = 15;
/** Record: immediate, 32 bit; or index of the instruction object. */
export const R_IMM = 16;
/** Record: displacement or 64-bit immediate, 64 bit. */
export const R_DISP = 24;
/** Record of an instruction with a shortcut: immediate port, 16 bit. */
export const R_PORT = 8;
/** Record of an instruction with a shortcut: link to the block at the next RIP, as {@link X_LINK_NEXT}; 32 bit. */
export const R_LINK = 20;
/** Record of an instruction with a shortcut: next RIP, 64 bit. */
export const R_NEXT = 24;
/** Size of a record. */
export const RECORD_SIZE = 32;

/** Extension, from the start of its own record: next RIP, 64 bit. */
export const X_NEXT = 32;
/** Extension: block at the next RIP, 32 bit: {@link LINK_OPEN}, {@link LINK_NEVER} or a host offset. */
export const X_LINK_NEXT = 40;
/** Extension: target RIP, 64 bit. */
export const X_TARGET = 48;
/** Extension: block at the target, 32 bit, as {@link X_LINK_NEXT}. */
export const X_LINK_TARGET = 56;
/** From a RIP of an extension to its link. */
export const RIP_TO_LINK = 8;

/** Link not made yet. */
export const LINK_OPEN = 0;
/** Link that must be looked up each time (another page). */
export const LINK_NEVER = 1;

/** Handler 0: leave the generated code. */
export const HANDLER_EXIT = 0;
/** Handler 1: execute by TypeScript. */
export const HANDLER_EXECUTE = 1;
/** Handler 2: go on at ST_RIP. */
export const HANDLER_CONTINUE = 2;
/** Handler 3: go on at the next RIP of the extension. */
export const HANDLER_NEXT = 3;
/** Handler 4: a function in the table. */
export const HANDLER_CALL = 4;
/** First handler generated from semantics. */
export const HANDLER_FIRST = 5;
