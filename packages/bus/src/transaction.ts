/** Attributes that every bus transaction carries: who asked, and in which mode. */

/**
 * Packed attributes of one transaction, so that the hot path allocates nothing.
 * Bits 15:0 initiator (processor index), 16 SMM, 17 debug (no side effects), 18 DMA (no processor).
 */
export type TxAttrs = number;

/** The initiating processor is in SMM. */
export const TX_SMM = 0x1_0000;
/** A debugger or a trace looks: the device must not change any state. */
export const TX_DEBUG = 0x2_0000;
/** A device, not a processor, is the initiator. */
export const TX_DMA = 0x4_0000;

/** Index of the initiating processor. */
export function txInitiator(attrs: TxAttrs): number {
  return attrs & 0xffff;
}

/** Width of a device access in bytes. Wider processor accesses are split, low half first. */
export type AccessSize = 1 | 2 | 4;
