/**
 * SLP_TYP of the board's sleep states: what its ACPI tables tell the OS, and what PM1_CNT takes. QEMU's values; the
 * ICH9's own are 5, 6 and 7. Source: QEMU 7.2 measured.
 */

/** Suspend to RAM. */
export const SLP_TYP_S3 = 1;
/** Suspend to disk: the board turns itself off. */
export const SLP_TYP_S4 = 2;
/** Off. */
export const SLP_TYP_S5 = 0;
