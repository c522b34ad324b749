/**
 * Contracts between processors, memory and devices.
 * @packageDocumentation
 */
export type { AddressSpacePorts, MapChange } from './address-space.ts';
export { PhysicalAddressSpace } from './address-space.ts';
export type { Alarm, Clock } from './clock.ts';
export { ticksAt } from './clock.ts';
export type { InterruptLine, MmioDevice, PioDevice, Snapshottable, TickCounter } from './device.ts';
export type { PortCounter, PortHandle, PortRange, UnclaimedPortAccess } from './io-ports.ts';
export { IO_PORT_COUNT, IoPortSpace } from './io-ports.ts';
export { PHYSICAL_ADDRESS_LIMIT, physicalAddress } from './physical-address.ts';
export type { RamWindow } from './ram-window.ts';
export type {
  FlatPiece,
  HoleRegion,
  MmioRegion,
  RamRegion,
  Region,
  RegionChange,
  RegionHandle,
  RegionPlacement,
  RegionVisibility,
  Resolution,
  UnclaimedAccess,
} from './regions.ts';
export { newResolution } from './regions.ts';
export type {
  RegisterFileState,
  RegisterHooks,
  RegisterSpec,
  RegisterWrite,
} from './register-file.ts';
export { RegisterFile } from './register-file.ts';
export type { AccessSize, TxAttrs } from './transaction.ts';
export { TX_DEBUG, TX_DMA, TX_SMM, txInitiator } from './transaction.ts';
export type { ArmedAlarm, VirtualClockState } from './virtual-clock.ts';
export { VirtualClock } from './virtual-clock.ts';
export { WiredOr } from './wired-or.ts';
