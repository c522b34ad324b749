/** Exception vectors. Intel SDM Vol. 3, "Exceptions and Interrupts Vectoring"; names as kvm-unit-tests spell them. */

/** Divide error. */
export const DE_VECTOR = 0;
/** #DB: single step, data and instruction breakpoints. */
export const DB_VECTOR = 1;
/** Non-maskable interrupt. */
export const NMI_VECTOR = 2;
/** Breakpoint (INT3). */
export const BP_VECTOR = 3;
/** Overflow (INTO). */
export const OF_VECTOR = 4;
/** BOUND range exceeded. */
export const BR_VECTOR = 5;
/** Invalid opcode. */
export const UD_VECTOR = 6;
/** Device not available. */
export const NM_VECTOR = 7;
/** Double fault. */
export const DF_VECTOR = 8;
/** Invalid TSS. */
export const TS_VECTOR = 10;
/** Segment not present. */
export const NP_VECTOR = 11;
/** Stack-segment fault. */
export const SS_VECTOR = 12;
/** General protection. */
export const GP_VECTOR = 13;
/** Page fault. */
export const PF_VECTOR = 14;
/** x87 floating-point error. */
export const MF_VECTOR = 16;
/** Alignment check. */
export const AC_VECTOR = 17;
/** Machine check. */
export const MC_VECTOR = 18;
/** SIMD floating-point exception. */
export const XM_VECTOR = 19;

/** Page-fault error code: the page was present. Intel SDM Vol. 3, "Page-Fault Exceptions". */
export const PFERR_PRESENT = 0x01;
/** Page-fault error code: write access. */
export const PFERR_WRITE = 0x02;
/** Page-fault error code: user-mode access. */
export const PFERR_USER = 0x04;
/** Page-fault error code: reserved bit set in a paging structure. */
export const PFERR_RSVD = 0x08;
/** Page-fault error code: instruction fetch. */
export const PFERR_FETCH = 0x10;
