/**
 * Contracts between processors, memory and devices.
 * @packageDocumentation
 */
export type { Alarm, Clock } from './clock.ts';
export type { InterruptLine, MmioDevice, PioDevice, Snapshottable } from './device.ts';
export type { AccessSize, TxAttrs } from './transaction.ts';
export { TX_DEBUG, TX_DMA, TX_SMM, txInitiator } from './transaction.ts';
