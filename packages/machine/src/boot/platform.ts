/** The devices that real firmware needs beside the chipset's core: two flash chips, fw_cfg with SMI features, serial port, keyboard, CPU hot-plug block. */
import { TX_SMM } from '@smm/bus';
import {
  COM1_PORT,
  CpuHotplug,
  FW_CFG_PORT,
  FwCfg,
  I8042,
  Pflash,
  q35FwCfgFiles,
  q35FwCfgItems,
  SmiFeatures,
  Uart16550,
} from '@smm/chipset-q35';
import type { Machine } from '../machine.ts';

/** What the platform is built from. */
export interface BootPlatformOptions {
  /** Bytes of the variable store: the lower flash chip. */
  readonly varsSize: number;
  /** Bytes of the code: the upper flash chip, up to 4 GiB. */
  readonly codeSize: number;
  /** SMI features offered through fw_cfg: bit 0 broadcast, 1 hot-plug, 2 hot-unplug. No files at all when undefined. */
  readonly smiFeatures: number | undefined;
  /** A keyboard is there. */
  readonly keyboard: boolean;
  /** The guest's serial output. */
  readonly transmit: (byte: number) => void;
  /** The guest took a byte of serial input. */
  readonly roomAgain: () => void;
  /** The variable store changed. */
  readonly varsWritten: () => void;
  /** The guest asked the keyboard controller for a reset. */
  readonly reset: () => void;
}

/** Device regions lie above RAM and ROM and below the local APICs. */
const FLASH_PRIORITY = 50;
const I8042_PORTS = [0x60, 0x64];

/** The devices by name. */
export interface BootPlatform {
  /** COM1. */
  readonly uart: Uart16550;
  /** Keyboard controller, if there is one. */
  readonly keyboard: I8042 | undefined;
  /** Firmware configuration. */
  readonly fwCfg: FwCfg;
  /** Flash with the variables. */
  readonly vars: Pflash;
  /** Host offset of the variable store. */
  readonly varsOffset: number;
}

/** Adds the devices to a machine whose flash image is variables and code, one behind the other. */
export function addBootPlatform(machine: Machine, options: BootPlatformOptions): BootPlatform {
  const { varsSize, codeSize } = options;
  const varsOffset = machine.plan.romOffset;
  const varsStart = 0x1_0000_0000 - codeSize - varsSize;
  const ports = {
    space: machine.space,
    bytes: machine.bytes,
    written: (at: number, size: number) => {
      machine.written(at, size);
      if (at < varsOffset + varsSize && at + size > varsOffset) options.varsWritten();
    },
  };
  const vars = new Pflash(
    ports,
    {
      name: 'pflash1',
      start: varsStart,
      hostOffset: varsOffset,
      sizeBytes: varsSize,
      readonly: false,
      secure: true,
    },
    FLASH_PRIORITY,
  );
  const code = new Pflash(
    ports,
    {
      name: 'pflash0',
      start: varsStart + varsSize,
      hostOffset: varsOffset + varsSize,
      sizeBytes: codeSize,
      readonly: true,
      secure: true,
    },
    FLASH_PRIORITY,
  );
  const smi = new SmiFeatures(
    { setBroadcast: (broadcast) => machine.chipset.apm.setBroadcast(broadcast) },
    options.smiFeatures ?? 0,
  );
  const fwCfg = new FwCfg(
    {
      readBlock: (gpa, into, attrs) => machine.space.readBlock(gpa, into, attrs & ~TX_SMM),
      writeBlock: (gpa, bytes, attrs) => machine.space.writeBlock(gpa, bytes, attrs & ~TX_SMM),
    },
    machine.processors.length,
    [...q35FwCfgFiles({ s3: true, s4: true }), ...smi.files],
    q35FwCfgItems(machine.plan.ramSize),
  );
  const noLine = { set: () => {} }; // interrupt controllers come with the devices that need them
  const uart = new Uart16550({
    clock: machine.deviceClock,
    irq: noLine,
    transmit: options.transmit,
    roomAgain: options.roomAgain,
  });
  const keyboard = options.keyboard
    ? new I8042({ keyboardIrq: noLine, mouseIrq: noLine, reset: options.reset })
    : undefined;
  const hotplug = new CpuHotplug(machine.processors.length);
  machine.ports.add({ name: 'fw-cfg', first: FW_CFG_PORT, count: 12, device: fwCfg });
  machine.ports.add({ name: 'com1', first: COM1_PORT, count: 8, device: uart, maxSize: 1 });
  machine.ports.add({ name: 'cpu-hotplug', first: 0xcd8, count: 12, device: hotplug });
  if (keyboard !== undefined) {
    for (const port of I8042_PORTS) {
      machine.ports.add({
        name: `i8042-${port.toString(16)}`,
        first: port,
        count: 1,
        device: keyboard,
        maxSize: 1,
      });
    }
    machine.attach('i8042', keyboard);
  }
  machine.attach('pflash1', vars);
  machine.attach('pflash0', code);
  machine.attach('fw-cfg', fwCfg);
  machine.attach('smi-features', smi);
  machine.attach('com1', uart);
  machine.attach('cpu-hotplug', hotplug);
  return { uart, keyboard, fwCfg, vars, varsOffset };
}
