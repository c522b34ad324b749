/**
 * Intel Q35 and ICH9 devices: MCH with SMRAM and TSEG, LPC with APM and SMI control, PM timer, CMOS, debug port, PCI configuration.
 * @packageDocumentation
 */
export type { ApmPorts, ApmState, SmiTarget } from './apm.ts';
export { Apm } from './apm.ts';
export type { CivilTime } from './civil-time.ts';
export type { CmosContents, CmosRtcState } from './cmos-rtc.ts';
export { CMOS_INDEX_PORT, CMOS_SHUTDOWN_STATUS, CmosRtc, cmosFill } from './cmos-rtc.ts';
export type { LpcPorts } from './lpc.ts';
export { LPC_REGISTERS, Lpc } from './lpc.ts';
export type { EcamWindow, MchOptions, MchPorts } from './mch.ts';
export { Mch, mchRegisters } from './mch.ts';
export type { Backing, RamLayout } from './memory-map.ts';
export { Q35MemoryMap, q35RamLayout } from './memory-map.ts';
export type { PciIdentity } from './pci-function.ts';
export { PCI_CONFIG_SIZE, PciFunction, pciHeader, withScratch } from './pci-function.ts';
export type { PciHostState } from './pci-host.ts';
export {
  ICH9_RST_CNT_PORT,
  ICH9_RST_CNT_RST_CPU,
  ICH9_RST_CNT_SYS_RST,
  PCI_CONFIG_ADDRESS_PORT,
  PCI_CONFIG_DATA_PORT,
  PciHost,
} from './pci-host.ts';
export type { PmBlockPorts, PmBlockState } from './pm-block.ts';
export { PM_REGISTERS, PmBlock } from './pm-block.ts';
export type { Q35Options, Q35Ports, Q35State } from './q35-chipset.ts';
export { Q35Chipset } from './q35-chipset.ts';
export type { SystemControlPortAState } from './simple-ports.ts';
export {
  DEBUG_PORT,
  DEBUG_PORT_PRESENT,
  debugPort,
  POST_CODE_PORT,
  postCodePort,
  SYSTEM_CONTROL_PORT_A,
  SystemControlPortA,
} from './simple-ports.ts';
