/**
 * Intel Q35 and ICH9 devices: MCH with SMRAM and TSEG, LPC with APM and SMI control, PM timer, CMOS, debug port, PCI
 * configuration.
 * @packageDocumentation
 */
export type { Aml } from './acpi/aml.ts';
export * as aml from './acpi/aml.ts';
export type { AcpiBoard, AcpiProcessor } from './acpi/board.ts';
export type { AcpiDescription } from './acpi/description.ts';
export type { AcpiPointer, AcpiTable } from './acpi/loader.ts';
export * as acpiResources from './acpi/resources.ts';
export type { AhciOptions, AhciState } from './ahci/ahci.ts';
export { AHCI_PORTS, Ahci } from './ahci/ahci.ts';
export type { AtaData, AtaDevice, AtaOutcome, AtaTask } from './ahci/ata-device.ts';
export type { DriveIdentity } from './ahci/ata-identify.ts';
export type { SataDrive } from './ahci/sata-drive.ts';
export { driveIdentity, sataDevice, sataPath } from './ahci/sata-drive.ts';
export type { ApmPorts, ApmState, SmiTarget } from './apm.ts';
export { Apm } from './apm.ts';
export type { BlockDevice, Medium } from './block-device.ts';
export type { ChipsetConfigState } from './chipset-config.ts';
export { ChipsetConfig, ICH9_CC_SIZE } from './chipset-config.ts';
export type { CivilTime } from './civil-time.ts';
export type { CmosContents, CmosRtcState } from './cmos-rtc.ts';
export { CMOS_INDEX_PORT, CMOS_SHUTDOWN_STATUS, CmosRtc, cmosFill } from './cmos-rtc.ts';
export type { CpuHotplugOptions, CpuHotplugState } from './cpu-hotplug.ts';
export { CPU_HOTPLUG_LEGACY_PORTS, CPU_HOTPLUG_PORTS, CpuHotplug } from './cpu-hotplug.ts';
export type { FwCfgFile, FwCfgPorts, FwCfgState } from './fw-cfg.ts';
export {
  FW_CFG_ARCH_LOCAL,
  FW_CFG_DMA_PORT,
  FW_CFG_FILE_FIRST,
  FW_CFG_PORT,
  FW_CFG_RAM_SIZE,
  FwCfg,
  littleEndian,
} from './fw-cfg.ts';
export type { BootPreferences, ReservedRange, SleepStates } from './fw-cfg-files.ts';
export { q35FwCfgFiles, q35FwCfgItems } from './fw-cfg-files.ts';
export type { KernelFiles } from './fw-cfg-kernel.ts';
export { isKernelFiles, kernelItems } from './fw-cfg-kernel.ts';
export type { HpetPorts, HpetState, HpetTimerState } from './hpet.ts';
export { HPET_BASE, HPET_SIZE, Hpet } from './hpet.ts';
export type { I8042Ports, I8042State } from './i8042.ts';
export { I8042, I8042_COMMAND_PORT, I8042_DATA_PORT, KEYBOARD_IRQ, MOUSE_IRQ } from './i8042.ts';
export type { I8254CounterState, I8254State } from './i8254.ts';
export { I8254, I8254_FREQUENCY, I8254_PORT, NMI_STATUS_PORT } from './i8254.ts';
export type { I8259ChipState, I8259PairState, I8259PortRange } from './i8259.ts';
export { I8259_PORTS, I8259Pair } from './i8259.ts';
export { InterruptLines } from './interrupt-lines.ts';
export type { IoApicMessage, IoApicPorts, IoApicState } from './ioapic.ts';
export { IOAPIC_BASE, IOAPIC_PINS, IOAPIC_SIZE, IoApic } from './ioapic.ts';
export type { LpcPorts } from './lpc.ts';
export { LPC_REGISTERS, Lpc } from './lpc.ts';
export type { EcamWindow, MchOptions, MchPorts } from './mch.ts';
export { Mch, mchRegisters } from './mch.ts';
export type { Backing, RamLayout } from './memory-map.ts';
export { Q35MemoryMap, q35RamLayout } from './memory-map.ts';
export type { Board, Part, PartState, ResetKind } from './part.ts';
export { statelessPart } from './part.ts';
export type { PciBar } from './pci-bars.ts';
export { PCI_COMMAND_IO, PCI_COMMAND_MEMORY } from './pci-bars.ts';
export type { PciBridgeOptions, PciBridgeState } from './pci-bridge.ts';
export { PCI_BRIDGE_CTL_BUS_RESET, PciBridge } from './pci-bridge.ts';
export type { CapabilityHost, PciCapability } from './pci-capabilities.ts';
export { advancedFeatures, expressCapability, PCI_CAP_ID_AF, PCI_CAP_ID_EXP } from './pci-capabilities.ts';
export type { PciDeviceOptions, PciDeviceState } from './pci-device.ts';
export {
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_MASTER,
  PCI_STATUS_INTERRUPT,
  PciDevice,
} from './pci-device.ts';
export type { PciBusPorts, PciIdentity, PciPlace, PciSubsystem } from './pci-function.ts';
export { PCI_CONFIG_SIZE, PciFunction, pciHeader, ROOT_BUS, withScratch } from './pci-function.ts';
export type { PciHostState } from './pci-host.ts';
export {
  ICH9_RST_CNT_PORT,
  ICH9_RST_CNT_RST_CPU,
  ICH9_RST_CNT_SYS_RST,
  PCI_CONFIG_ADDRESS_PORT,
  PCI_CONFIG_DATA_PORT,
  PciHost,
} from './pci-host.ts';
export type { MsiOptions } from './pci-msi.ts';
export { Msi, PCI_CAP_ID_MSI } from './pci-msi.ts';
export type { MsixOptions, MsixState } from './pci-msix.ts';
export { Msix, PCI_CAP_ID_MSIX } from './pci-msix.ts';
export type {
  FlashOptions,
  FwCfgOptions,
  InterruptOptions,
  PeripheralOptions,
} from './peripheral-options.ts';
export type { PflashOptions, PflashPorts, PflashState } from './pflash.ts';
export { Pflash } from './pflash.ts';
export type { PirqPorts } from './pirq.ts';
export { PIRQ_COUNT, PIRQ_FIRST_PIN, PirqRouter } from './pirq.ts';
export type { PmBlockPorts, PmBlockState, WakeCause } from './pm-block.ts';
export { PM_REGISTERS, PmBlock } from './pm-block.ts';
export type { Ps2KeyboardPorts, Ps2KeyboardState } from './ps2-keyboard.ts';
export { Ps2Keyboard } from './ps2-keyboard.ts';
export type { KeyName } from './ps2-keys.ts';
export { PS2_SET2_CODES } from './ps2-keys.ts';
export type { Q35State } from './q35-chipset.ts';
export { Q35Chipset } from './q35-chipset.ts';
export type { Q35Options, Q35Ports } from './q35-options.ts';
export type { Q35Parts } from './q35-parts.ts';
export { q35Parts } from './q35-parts.ts';
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
export { SLP_TYP_S3, SLP_TYP_S4, SLP_TYP_S5 } from './sleep-types.ts';
export type {
  SmbiosBios,
  SmbiosBoard,
  SmbiosChassis,
  SmbiosMemory,
  SmbiosProcessor,
  SmbiosSystem,
  SmbiosTexts,
} from './smbios/options.ts';
export { isSmbiosTexts } from './smbios/options.ts';
export type { SmbiosProcessors } from './smbios/tables.ts';
export { smbiosFiles } from './smbios/tables.ts';
export type { SmiFeaturesState } from './smi-features.ts';
export {
  SMI_FEATURE_BROADCAST,
  SMI_FEATURE_CPU_HOT_UNPLUG,
  SMI_FEATURE_CPU_HOTPLUG,
  SmiFeatures,
} from './smi-features.ts';
export type { TcoPorts, TcoState } from './tco.ts';
export { Tco } from './tco.ts';
export type { UartPorts, UartState } from './uart-16550.ts';
export { COM1_IRQ, COM1_PORT, Uart16550 } from './uart-16550.ts';
export type { VirtioBlkOptions, VirtioBlkState } from './virtio/virtio-blk.ts';
export { VirtioBlk, virtioBlkPath } from './virtio/virtio-blk.ts';
export type { VirtioOptions, VirtioState } from './virtio/virtio-pci.ts';
export type { VirtioRngOptions, VirtioRngState } from './virtio/virtio-rng.ts';
export { VirtioRng } from './virtio/virtio-rng.ts';
export type { Chain, Piece, QueueState } from './virtio/virtqueue.ts';
