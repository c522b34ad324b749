/**
 * The parts of a Q35 board: each device made, and wired to the others. The order of `parts` is the order in which they
 * are mapped, reset, saved and restored; of two parts on one port or address the later one answers.
 */
import {
  ICH9_SMI_EN_APMC_EN,
  ICH9_SMI_EN_GBL_SMI_EN,
  ICH9_SMI_EN_TCO_EN,
  maybe,
  SmmError,
} from '@smm/x86-defs';
import type { AcpiBoard } from './acpi/board.ts';
import type { AcpiDescription } from './acpi/description.ts';
import { acpiFiles } from './acpi/fw-cfg-acpi.ts';
import { wholeTable } from './acpi/loader.ts';
import { Ahci } from './ahci/ahci.ts';
import { sataDevice } from './ahci/sata-drive.ts';
import { Apm } from './apm.ts';
import { ChipsetConfig } from './chipset-config.ts';
import { type CivilTime, isCivilTime } from './civil-time.ts';
import { CmosRtc } from './cmos-rtc.ts';
import { CpuHotplug } from './cpu-hotplug.ts';
import { flashChips } from './flash-chips.ts';
import { FwCfg } from './fw-cfg.ts';
import { memoryMapFile, q35FwCfgFiles, q35FwCfgItems } from './fw-cfg-files.ts';
import { KERNEL_BOOT_ORDER, kernelItems } from './fw-cfg-kernel.ts';
import { Hpet } from './hpet.ts';
import { I8042, KEYBOARD_IRQ, MOUSE_IRQ } from './i8042.ts';
import { I8254 } from './i8254.ts';
import { I8259Pair } from './i8259.ts';
import { InterruptLines, PIT_IRQ } from './interrupt-lines.ts';
import { IoApic } from './ioapic.ts';
import { LegacyLine } from './legacy-line.ts';
import { Lpc } from './lpc.ts';
import { Mch } from './mch.ts';
import { Q35MemoryMap } from './memory-map.ts';
import { PciHost } from './pci-host.ts';
import { PirqRouter } from './pirq.ts';
import { PmBlock, SCI_IRQ } from './pm-block.ts';
import type { Q35Options, Q35Ports } from './q35-options.ts';
import { RTC_IRQ } from './rtc-interrupts.ts';
import { debugPort, postCodePort, SystemControlPortA } from './simple-ports.ts';
import { smbiosFiles } from './smbios/tables.ts';
import { SmiFeatures } from './smi-features.ts';
import { Tco } from './tco.ts';
import { COM1_IRQ, Uart16550 } from './uart-16550.ts';

const DEFAULT_START: CivilTime = { year: 2015, month: 10, day: 21, hour: 0, minute: 0, second: 0 };

/** What {@link q35Parts} makes. Devices that the options leave out are undefined. */
export type Q35Parts = ReturnType<typeof q35Parts>;

/**
 * Makes the devices; those of `options.parts` are not among them. `described` gives what all parts say of themselves
 * in ACPI. Throws what their constructors throw.
 */
export function q35Parts(ports: Q35Ports, options: Q35Options, described: () => readonly AcpiDescription[]) {
  const { clock, memory } = ports;
  const {
    interrupts,
    flash,
    fwCfg: config,
    serial: com1,
    keyboard: keys,
    cpuHotplug: plug,
    sata,
  } = options.peripherals ?? {};
  const resetProcessors = (): void => ports.reset('cpu');

  const pic = interrupts && new I8259Pair({ output: interrupts.intr });
  const ioapic =
    pic && new IoApic({ deliver: interrupts.deliver, acknowledgeExternal: () => pic.acknowledge() });
  const lines = new InterruptLines(pic, ioapic);
  const line0 = new LegacyLine(lines.isa(PIT_IRQ));
  const line8 = new LegacyLine(lines.isa(RTC_IRQ));

  const chipsetConfig = new ChipsetConfig({ routesChanged: () => pirqs.drive() });
  const pirqs: PirqRouter = new PirqRouter({
    isa: (line) => lines.isa(line),
    pin: (pin) => lines.pin(pin),
    pirqOf: (device, pin) => chipsetConfig.pirqOf(device, pin),
  });
  const pciHost = new PciHost({ reset: ports.reset, intx: (device, pin) => pirqs.intx(device, pin) });
  const memoryMap = new Q35MemoryMap(memory, options.ram, options.rom, pciHost);
  const mch = new Mch(
    {
      smramChanged: (registers) =>
        memoryMap.setSmram(ports.decodeSmram(registers, { topOfLowRam: memoryMap.ram.belowBytes })),
      shadowChanged: (pam) => memoryMap.setShadow(pam),
      ecamChanged: (window) => memoryMap.setEcam(window),
    },
    options,
  );
  const lpc = new Lpc({
    pmBlockChanged: (enabled, base) => {
      pm.place(enabled, base);
      tco.place(enabled, base);
    },
    chipsetConfigChanged: (enabled, start) => chipsetConfig.place(enabled, start),
    routesChanged: (routes) => pirqs.route(routes),
  });
  const pm: PmBlock = new PmBlock({
    clock,
    sci: lines.isa(SCI_IRQ),
    frozenSmiEnables: () =>
      (lpc.smiLocked() ? ICH9_SMI_EN_GBL_SMI_EN : 0) | (tco.locked() ? ICH9_SMI_EN_TCO_EN : 0),
    sleep: ports.sleep ?? refuseSleep,
    ...(ports.wake !== undefined && { wake: ports.wake }),
    smi: () => ports.smi('all'),
  });
  const apm = new Apm({
    apmcEnabled: () => pm.smiEnabled(ICH9_SMI_EN_APMC_EN),
    setSciEnable: (enabled) => pm.setSciEnable(enabled),
    smi: ports.smi,
  });
  const tco: Tco = new Tco({
    clock,
    smiEnabled: () => pm.smiEnabled(ICH9_SMI_EN_TCO_EN),
    noReboot: () => chipsetConfig.noReboot(),
    smi: ports.smi,
    reset: () => ports.reset('system'),
  });
  const contents = { ...memoryMap.ram, cpuCount: options.cpuCount };
  maybe(isCivilTime)('startTime', options.startTime);
  const cmos = new CmosRtc(
    {
      ...{ clock, irq: line8.device },
      interrupted: () => pm.rtcInterrupted(),
      suspended: () => pm.suspended,
    },
    contents,
    options.startTime ?? DEFAULT_START,
  );
  const pit = ioapic && new I8254({ clock, irq: line0.device });
  const hpet =
    ioapic &&
    new Hpet({
      clock,
      pin: (number) => lines.pin(number),
      legacy: [line0.hpet, line8.hpet],
      legacyChanged: (enabled) => {
        line0.replace(enabled);
        line8.replace(enabled);
      },
    });
  const { vars, code } = flash ? flashChips(memory, options.rom, flash) : {};
  const setBroadcast = (broadcast: boolean): void => apm.setBroadcast(broadcast);
  const smiFeatures = config && new SmiFeatures({ setBroadcast }, config.smiFeatures ?? 7);
  const sleep = config?.sleepStates ?? { s3: true, s4: true };
  const apicIds = options.apicIds ?? Array.from({ length: options.cpuCount }, (_, index) => index);
  const acpiTables = (config?.acpiTables ?? []).map(wholeTable);
  const furtherBytes = acpiTables.reduce((size, { body }) => size + body.length, 0);
  const board = (): AcpiBoard => {
    const { enabled, ...ecam } = mch.ecamWindow();
    return {
      processors: apicIds.map((apicId, index) => ({ apicId, present: index < options.cpuCount })),
      ram: memoryMap.ram,
      pmBase: lpc.pmBase(),
      ecam: enabled ? ecam : undefined,
      sleep,
      pirqOf: (device, pin) => chipsetConfig.pirqOf(device, pin),
      parts: described(),
      tables: acpiTables,
    };
  };
  const kernel = config?.kernel;
  const order = [...(kernel ? [KERNEL_BOOT_ORDER] : []), ...(config?.boot?.order ?? [])];
  const boot = { ...config?.boot, order };
  const fwCfg =
    smiFeatures &&
    new FwCfg(
      {
        readBlock: (gpa, into, attrs) => memory.readBlock(gpa, into, attrs),
        writeBlock: (gpa, bytes, attrs) => memory.writeBlock(gpa, bytes, attrs),
      },
      options.cpuCount,
      [
        ...q35FwCfgFiles(sleep, boot),
        memoryMapFile(memoryMap.ram, config.reserved ?? []),
        ...(config.smbios ? smbiosFiles(config.smbios.processors, memoryMap.ram, config.smbios.texts) : []),
        ...(config.acpi === true ? acpiFiles(apicIds.length, furtherBytes, board) : []),
        ...smiFeatures.files,
        ...(config.files ?? []),
      ],
      new Map([
        ...q35FwCfgItems(options.ram.sizeBytes, hpet !== undefined, boot),
        ...(kernel ? kernelItems(kernel, memoryMap.ram.belowBytes) : []),
        ...(config.items ?? []),
      ]),
    );
  const serial = com1 && new Uart16550({ clock, irq: lines.isa(COM1_IRQ), ...com1 });
  const keyLines = { keyboardIrq: lines.isa(KEYBOARD_IRQ), mouseIrq: lines.isa(MOUSE_IRQ) };
  const keyboard = keys && new I8042({ ...keyLines, reset: resetProcessors, ...keys });
  const cpuHotplug = plug ? new CpuHotplug(options.cpuCount, { apicIds }) : undefined;

  const ahci =
    sata && new Ahci({ clock, devices: sata.drives.map((drive, port) => drive && sataDevice(drive, port)) });

  return {
    /** The list. Interrupt controllers come before those that drive their lines. */
    parts: {
      /** 8259 pair. */
      pic,
      /** I/O APIC. */
      ioapic,
      /** 8254. */
      pit,
      /** HPET. */
      hpet,
      /** Flash with the code. */
      code,
      /** Flash with the variables. */
      vars,
      /** Firmware configuration. */
      fwCfg,
      /** SMI features negotiated through it. */
      smiFeatures,
      /** COM1. */
      serial,
      /** Keyboard controller; its `keyboard` takes keys. */
      keyboard,
      /** Processor hot-plug registers. */
      cpuHotplug,
      /** Host bridge 00:00.0. */
      mch,
      /** LPC bridge 00:1F.0. */
      lpc,
      /** SATA controller 00:1F.2. */
      ahci,
      /** Chipset configuration registers. */
      chipsetConfig,
      /** RTC and CMOS RAM. */
      cmos,
      /** Port 80h. */
      postCode: postCodePort(ports.postCode ?? ignore),
      /** Port 92h. */
      portA: new SystemControlPortA({ reset: resetProcessors }),
      /** Software SMI ports. */
      apm,
      /** Port 402h. */
      debugConsole: debugPort(ports.debugOut ?? ignore),
      /** PM I/O block. */
      pm,
      /** Watchdog, over the end of the PM block. */
      tco,
      /** PCI configuration. */
      pciHost,
    },
    /** Interrupt wires. */
    lines,
    /** RAM, ROM and SMRAM in the address space. */
    memoryMap,
  };
}

function ignore(): void {}

function refuseSleep(type: number): void {
  throw new SmmError(
    'SLEEP_UNHANDLED',
    `the guest entered sleep type ${type}, and nobody handles it`,
    'Give the chipset a sleep port.',
    { type },
  );
}
