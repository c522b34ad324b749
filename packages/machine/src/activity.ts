/** Activity bits of `CpuState.activity` that the machine looks at; values as in cpu-core's layout. */

/** HLT. */
export const ACT_HALTED = 0x1;
/** Wait-for-SIPI. */
export const ACT_WAIT_SIPI = 0x2;
/** Shutdown. */
export const ACT_SHUTDOWN = 0x4;
/** SMI latched. */
export const ACT_SMI_PENDING = 0x100;
