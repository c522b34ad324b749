/**
 * Jump log of a processor: its last indirect jumps, calls and returns as the interpreter ran them, a ring. An entry is
 * 16 bytes: target RIP (64 bit), host offset of the jump's record (32 bit), 4 unused. Only the translator reads it, as
 * a hint: entries outlive the blocks that they tell of.
 */

/** The last so many jumps are kept. */
const JUMP_LOG_ENTRIES = 256;
/** Bytes of an entry. */
export const JUMP_LOG_ENTRY_SIZE = 16;
/** Bytes of a processor's jump log. */
export const JUMP_LOG_SIZE: number = JUMP_LOG_ENTRIES * JUMP_LOG_ENTRY_SIZE;
