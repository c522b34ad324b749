/**
 * The devices around the chipset's core that a machine may have: flash, fw_cfg, serial port, keyboard, hot-plug registers, interrupt controllers and timer.
 * Each exists when its options are given; the ports of the others read as absent hardware does.
 */
import type { Clock, InterruptLine, IoPortSpace, PhysicalAddressSpace, Snapshottable } from '@smm/bus';
import { ICH9_CPU_HOTPLUG_BASE, SmmError } from '@smm/x86-defs';
import {
  CPU_HOTPLUG_LEGACY_PORTS,
  CPU_HOTPLUG_PORTS,
  CpuHotplug,
  type CpuHotplugState,
} from './cpu-hotplug.ts';
import { FW_CFG_DMA_PORT, FW_CFG_PORT, FwCfg, type FwCfgState } from './fw-cfg.ts';
import { q35FwCfgFiles, q35FwCfgItems } from './fw-cfg-files.ts';
import { HPET_BASE, HPET_SIZE, Hpet, type HpetState } from './hpet.ts';
import {
  I8042,
  I8042_COMMAND_PORT,
  I8042_DATA_PORT,
  type I8042State,
  KEYBOARD_IRQ,
  MOUSE_IRQ,
} from './i8042.ts';
import { I8254, I8254_PORT, type I8254State, NMI_STATUS_PORT } from './i8254.ts';
import { I8259_PORTS, I8259Pair, type I8259PairState } from './i8259.ts';
import { IOAPIC_BASE, IOAPIC_PINS, IOAPIC_SIZE, IoApic, type IoApicState } from './ioapic.ts';
import { LegacyLine } from './legacy-line.ts';
import type { Backing } from './memory-map.ts';
import type { FlashOptions, PeripheralOptions } from './peripheral-options.ts';
import { Pflash, type PflashState } from './pflash.ts';
import { RTC_IRQ } from './rtc-interrupts.ts';
import { SmiFeatures, type SmiFeaturesState } from './smi-features.ts';
import { requireVersion1 } from './snapshot.ts';
import { COM1_IRQ, COM1_PORT, Uart16550, type UartState } from './uart-16550.ts';

/** ISA interrupt line of the 8254's channel 0, and the I/O APIC pin that it is wired to. */
const PIT_IRQ = 0;
const PIT_PIN = 2;
/** A line that nobody listens to. */
const NOWHERE: InterruptLine = { set: () => {} };
/** Above RAM and ROM, beside shadow RAM, below SMRAM. */
const PRIORITY = 2;

/** What the devices reach. */
export interface PeripheralPorts {
  /** Where flash and I/O APIC are mapped, and fw_cfg's DMA goes. */
  readonly memory: PhysicalAddressSpace;
  /** Where ports are registered. */
  readonly io: IoPortSpace;
  /** Virtual time. */
  readonly clock: Clock;
  /** Reset of the processors, asked for by the keyboard controller. */
  readonly resetProcessors: () => void;
  /** Switches who gets software SMIs. */
  readonly setBroadcast: (broadcast: boolean) => void;
}

/** What they must know of the machine. */
export interface PeripheralSetting {
  /** The ROM's bytes in the RAM window; it ends at 4 GiB. */
  readonly rom: Backing;
  /** All of RAM in bytes. */
  readonly ramBytes: number;
  /** Number of processors. */
  readonly cpuCount: number;
}

/** Architectural state of {@link Q35Peripherals}: that of each device that is there. */
export interface Q35PeripheralsState {
  /** Layout version of this object. */
  version: 1;
  /** Flash with the code. */
  code?: PflashState;
  /** Flash with the variables. */
  vars?: PflashState;
  /** fw_cfg. */
  fwCfg?: FwCfgState;
  /** SMI features. */
  smiFeatures?: SmiFeaturesState;
  /** COM1. */
  serial?: UartState;
  /** Keyboard controller. */
  keyboard?: I8042State;
  /** Hot-plug registers. */
  cpuHotplug?: CpuHotplugState;
  /** 8259 pair. */
  pic?: I8259PairState;
  /** I/O APIC. */
  ioapic?: IoApicState;
  /** 8254. */
  pit?: I8254State;
  /** HPET. */
  hpet?: HpetState;
}

type Part = Snapshottable<unknown> & { reset(): void };

/** The devices that are there, public by name. */
export class Q35Peripherals implements Snapshottable<Q35PeripheralsState> {
  /** Flash with the code. */
  readonly code: Pflash | undefined;
  /** Flash with the variables. */
  readonly vars: Pflash | undefined;
  /** fw_cfg. */
  readonly fwCfg: FwCfg | undefined;
  /** SMI features. */
  readonly smiFeatures: SmiFeatures | undefined;
  /** COM1. */
  readonly serial: Uart16550 | undefined;
  /** Keyboard controller; its `keyboard` takes keys. */
  readonly keyboard: I8042 | undefined;
  /** Hot-plug registers. */
  readonly cpuHotplug: CpuHotplug | undefined;
  /** 8259 pair. */
  readonly pic: I8259Pair | undefined;
  /** I/O APIC. */
  readonly ioapic: IoApic | undefined;
  /** 8254. */
  readonly pit: I8254 | undefined;
  /** HPET. */
  readonly hpet: Hpet | undefined;
  /** Lines 0 and 8, which the HPET can take over. */
  readonly #legacy: ReadonlyMap<number, LegacyLine>;

  /** Builds, maps and registers. Throws `SmmError` `FLASH_SIZE` when the variables do not leave room for code or are no multiple of 4 KiB. */
  constructor(ports: PeripheralPorts, setting: PeripheralSetting, options: PeripheralOptions) {
    if (options.interrupts !== undefined) {
      const { deliver, intr } = options.interrupts;
      const pic = new I8259Pair({ output: intr });
      this.pic = pic;
      this.ioapic = new IoApic({ deliver, acknowledgeExternal: () => pic.acknowledge() });
    }
    const [line0, line8] = [PIT_IRQ, RTC_IRQ].map((n) => new LegacyLine(this.#wire(n))) as [
      LegacyLine,
      LegacyLine,
    ];
    this.#legacy = new Map([
      [PIT_IRQ, line0],
      [RTC_IRQ, line8],
    ]);
    const { ioapic } = this;
    if (ioapic !== undefined) {
      this.pit = new I8254({ clock: ports.clock, irq: line0.device });
      this.hpet = new Hpet({
        clock: ports.clock,
        pin: (number) => (number < IOAPIC_PINS ? ioapic.pin(number) : NOWHERE),
        legacy: [line0.hpet, line8.hpet],
        legacyChanged: (enabled) => {
          line0.replace(enabled);
          line8.replace(enabled);
        },
      });
    }
    if (options.flash !== undefined) {
      const { vars, code } = flashChips(ports.memory, setting.rom, options.flash);
      this.vars = vars;
      this.code = code;
    }
    if (options.fwCfg !== undefined) {
      const { smiFeatures = 7, sleepStates = { s3: true, s4: true }, files = [], items = [] } = options.fwCfg;
      this.smiFeatures = new SmiFeatures({ setBroadcast: ports.setBroadcast }, smiFeatures);
      this.fwCfg = new FwCfg(
        {
          readBlock: (gpa, into, attrs) => ports.memory.readBlock(gpa, into, attrs),
          writeBlock: (gpa, bytes, attrs) => ports.memory.writeBlock(gpa, bytes, attrs),
        },
        setting.cpuCount,
        [...q35FwCfgFiles(sleepStates), ...this.smiFeatures.files, ...files],
        new Map([...q35FwCfgItems(setting.ramBytes, this.hpet !== undefined), ...items]),
      );
    }
    if (options.serial !== undefined) {
      this.serial = new Uart16550({ clock: ports.clock, irq: this.line(COM1_IRQ), ...options.serial });
    }
    if (options.keyboard !== undefined) {
      const lines = { keyboardIrq: this.line(KEYBOARD_IRQ), mouseIrq: this.line(MOUSE_IRQ) };
      this.keyboard = new I8042({ ...lines, reset: ports.resetProcessors, ...options.keyboard });
    }
    if (options.cpuHotplug === true) this.cpuHotplug = hotplugRegisters(ports.io, setting.cpuCount);
    this.#register(ports);
  }

  /** ISA interrupt line 0 to 15, as a further device drives it: it reaches the 8259 pair and the I/O APIC. Without interrupt controllers it ends nowhere. */
  line(number: number): InterruptLine {
    return this.#legacy.get(number)?.device ?? this.#wire(number);
  }

  /** Interrupt acknowledge cycle of the 8259 pair: the vector. Throws `SmmError` `NO_8259` when there is none. */
  acknowledgeInterrupt(): number {
    if (this.pic !== undefined) return this.pic.acknowledge();
    throw new SmmError(
      'NO_8259',
      'a processor acknowledges an external interrupt, and there is no interrupt controller',
      'Give the chipset `interrupts`, or do not raise its INTR.',
    );
  }

  /** EOI broadcast of a local APIC. */
  endOfInterrupt(vector: number): void {
    this.ioapic?.endOfInterrupt(vector);
  }

  /** System reset. Interrupt controllers go first, then those that drive their lines. */
  reset(): void {
    for (const [, part] of this.#parts()) part.reset();
  }

  /** Copies the state of every device out. */
  save(): Q35PeripheralsState {
    const saved = this.#parts().map(([name, part]): [string, unknown] => [name, part.save()]);
    return { version: 1, ...Object.fromEntries(saved) };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version, `SNAPSHOT_DEVICES` when it is of other devices. */
  restore(state: Q35PeripheralsState): void {
    requireVersion1('peripherals', state);
    const { version: _version, ...states } = state;
    const parts = this.#parts();
    const saved = Object.keys(states).sort().join(' ');
    const here = parts
      .map(([name]) => name)
      .sort()
      .join(' ');
    if (saved !== here) {
      throw new SmmError(
        'SNAPSHOT_DEVICES',
        `the snapshot is of a machine with ${saved || 'no devices'}, this one has ${here || 'none'}`,
        'Restore into a machine with the same options.',
        { saved, here },
      );
    }
    for (const [name, part] of parts) part.restore(states[name]);
  }

  #parts(): [Exclude<keyof Q35PeripheralsState, 'version'>, Part][] {
    const names = [
      ...(['pic', 'ioapic', 'pit', 'hpet', 'code', 'vars'] as const),
      ...(['fwCfg', 'smiFeatures', 'serial', 'keyboard', 'cpuHotplug'] as const),
    ];
    return names.flatMap((name) => {
      const part = this[name] as Part | undefined;
      return part === undefined ? [] : [[name, part]];
    });
  }

  #wire(number: number): InterruptLine {
    const pic = this.pic?.line(number);
    const pin = this.ioapic?.pin(number === PIT_IRQ ? PIT_PIN : number);
    return {
      set: (level) => {
        pic?.set(level);
        pin?.set(level);
      },
    };
  }

  #register({ io, memory }: PeripheralPorts): void {
    const { pic, ioapic, pit, hpet, fwCfg, serial, keyboard } = this;
    if (pic !== undefined) for (const range of I8259_PORTS) io.add({ ...range, device: pic, maxSize: 1 });
    if (pit !== undefined) {
      io.add({ name: 'i8254', first: I8254_PORT, count: 4, device: pit, maxSize: 1 });
      io.add({ name: 'nmi-status', first: NMI_STATUS_PORT, count: 1, device: pit });
    }
    if (ioapic !== undefined) {
      const place = { start: IOAPIC_BASE, sizeBytes: IOAPIC_SIZE, priority: PRIORITY };
      memory.add({ kind: 'mmio', name: 'ioapic', ...place, device: ioapic });
    }
    if (hpet !== undefined) {
      const place = { start: HPET_BASE, sizeBytes: HPET_SIZE, priority: PRIORITY };
      memory.add({ kind: 'mmio', name: 'hpet', ...place, device: hpet });
    }
    if (fwCfg !== undefined) {
      io.add({ name: 'fw-cfg', first: FW_CFG_PORT, count: 2, device: fwCfg });
      io.add({ name: 'fw-cfg-dma', first: FW_CFG_DMA_PORT, count: 8, device: fwCfg });
    }
    if (serial !== undefined)
      io.add({ name: 'com1', first: COM1_PORT, count: 8, device: serial, maxSize: 1 });
    if (keyboard !== undefined) {
      io.add({ name: 'i8042-data', first: I8042_DATA_PORT, count: 1, device: keyboard });
      io.add({ name: 'i8042-command', first: I8042_COMMAND_PORT, count: 1, device: keyboard });
    }
  }
}

function flashChips(
  space: PhysicalAddressSpace,
  rom: Backing,
  options: FlashOptions,
): { vars: Pflash; code: Pflash } {
  const { varsBytes, bytes, written, secure = true, codeReadonly = true } = options;
  const codeBytes = rom.sizeBytes - varsBytes;
  if (varsBytes < 0x1000 || codeBytes < 0x1000 || varsBytes % 0x1000 !== 0) {
    throw new SmmError(
      'FLASH_SIZE',
      `${varsBytes} bytes of variables do not fit into ${rom.sizeBytes} bytes of flash`,
      'Give images of at least 4 KiB each, multiples of 4 KiB.',
      { varsBytes, romBytes: rom.sizeBytes },
    );
  }
  const ports = { space, bytes, written };
  const start = 2 ** 32 - rom.sizeBytes;
  const { hostOffset } = rom;
  return {
    vars: new Pflash(
      ports,
      { name: 'pflash1', start, hostOffset, sizeBytes: varsBytes, readonly: false, secure },
      PRIORITY,
    ),
    code: new Pflash(
      ports,
      {
        name: 'pflash0',
        start: start + varsBytes,
        hostOffset: hostOffset + varsBytes,
        sizeBytes: codeBytes,
        readonly: codeReadonly,
        secure,
      },
      PRIORITY,
    ),
  };
}

/** The two ranges of the hot-plug registers, one of them in force. */
function hotplugRegisters(io: IoPortSpace, cpuCount: number): CpuHotplug {
  const device = new CpuHotplug(cpuCount, {
    modeChanged: (modern) => {
      bitmap.set({ enabled: !modern });
      selected.set({ enabled: modern });
    },
  });
  const first = ICH9_CPU_HOTPLUG_BASE;
  const bitmap = io.add({ name: 'cpu-bitmap', first, count: CPU_HOTPLUG_LEGACY_PORTS, device, maxSize: 1 });
  const selected = io.add({ name: 'cpu-hotplug', first, count: CPU_HOTPLUG_PORTS, device, enabled: false });
  return device;
}
